"""Entries into periods that were closed.

Belongs here: what was entered too late. Does not belong here: what lies in the wrong period (postings.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape

# A period is closed from the day on which we saw a later one as the current one (F0010). The first observation of a
# company says only that it was closed by then: what was entered on that day may have come before.
_ENTERED = """
seen AS MATERIALIZED (
  SELECT j.natural_key AS company, (j.body->>'begins')::date AS begins, (j.at AT TIME ZONE :timezone)::date AS on_day,
    row_number() OVER (PARTITION BY j.natural_key ORDER BY j.seq) = 1 AS first_one
  FROM jdebill.journal j
  WHERE j.connection = :connection AND j.event = 'observed' AND j.kind = 'fiscal_period'
),
entered AS MATERIALIZED (
  SELECT f.co, f.kco || '-' || f.dct || '-' || f.doc AS document, f.icut, f.icu, f.dgj, f.crcd AS currency,
    coalesce(b.dicj, min(f.upmj)) AS entered_on, coalesce(nullif(b."user", ''), min(f."user")) AS entered_by,
    sum(f.aa) FILTER (WHERE f.aa > 0) AS amount, coalesce(min(nullif(f.exa, '')), '') AS explanation
  FROM jdebill.aud_f0911 f
  LEFT JOIN jdebill.aud_f0011 b ON b.connection = f.connection AND b.icut = f.icut AND b.icu = f.icu
  WHERE f.connection = :connection AND f.lt = 'AA' AND f.co = ANY(:companies) AND f.dct <> 'AE'
  GROUP BY f.co, f.kco, f.dct, f.doc, f.icut, f.icu, f.dgj, f.crcd, b.dicj, b."user"
  HAVING coalesce(b.dicj, min(f.upmj)) BETWEEN :first AND :last
)
"""

CLOSED_PERIOD = Procedure(
    key="closed_periods",
    section=Section.CUT_OFF,
    title="Entries into closed periods",
    objective="Cut-off: what was reported does not change afterwards.",
    method=(
        "Entries of the period (F0011.DICJ, without a batch F0911.UPMJ) with a G/L date before the payables period "
        "that we had already seen as the current one (F0010; every change is in the journal). JD Edwards lets some "
        "users post into a prior period with a warning."
    ),
    population=f"WITH {_ENTERED} SELECT count(*) FROM entered",
    query=f"""
WITH {_ENTERED}
SELECT e.document, e.co AS company, e.dgj AS gl_date, e.entered_on, s.on_day AS closed_by, e.entered_by, e.currency,
  coalesce(e.amount, 0) AS amount, concat_ws(' ', e.icut, e.icu) AS batch, e.explanation
FROM entered e
JOIN LATERAL (SELECT min(x.on_day) AS on_day FROM seen x WHERE x.company = e.co AND x.begins > e.dgj
  AND (e.entered_on > x.on_day OR NOT x.first_one AND e.entered_on = x.on_day)) AS s ON s.on_day IS NOT NULL
ORDER BY e.entered_on, e.document, e.dgj
""",
    columns=(
        Column("document", "Document", Shape.KEY),
        Column("company", "Company"),
        Column("gl_date", "G/L date", Shape.DATE),
        Column("entered_on", "Entered on", Shape.DATE),
        Column("closed_by", "Closed by", Shape.DATE),
        Column("entered_by", "Entered by"),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("batch", "Batch"),
        Column("explanation", "Explanation"),
    ),
    rule=Rule.NO_ROWS,
    fix="Reverse the entry and enter it in the open period, or have the late entry approved and reported again.",
)

CLOSING = (CLOSED_PERIOD,)
