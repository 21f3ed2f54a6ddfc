"""Documents around the end of the period, and payments after it that point at liabilities nobody recorded.

Belongs here: evidence for the cut-off. Does not belong here: postings in a wrong period (postings.py), entries into
closed periods (closing.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.ledger_facts import SUBLEDGER

WINDOW_DAYS = 5  # days on each side of the cut-off
AFTER_DAYS = 31  # days after it in which payments are looked at
_NEAR = f"BETWEEN CAST(:last AS date) - {WINDOW_DAYS - 1} AND CAST(:last AS date) + {WINDOW_DAYS}"

_DATED = f"""
WITH {SUBLEDGER},
dated AS MATERIALIZED (
  SELECT 'voucher' AS kind, v.co, v.kco || '-' || v.dct || '-' || v.doc AS document, '' AS payment, v.an8,
    v.crcd AS currency,
    CASE WHEN v.crrm = 'F' THEN v.acr ELSE v.ag END AS amount, v.divj AS document_date, v.dgj AS gl_date,
    coalesce(h.dicj, v.upmj) AS entered_on, v.sfx, 0 AS line
  FROM jdebill.aud_f0411 v JOIN company c ON c.co = v.co
  LEFT JOIN jdebill.aud_f0011 h ON h.connection = :connection AND h.icut = v.icut AND h.icu = v.icu
  WHERE v.connection = :connection AND v.sfxe = 0 AND v.dgj {_NEAR}
  UNION ALL
  SELECT CASE WHEN t.dctm = 'PO' THEN 'void' ELSE 'payment' END, t.co, t.kco || '-' || t.dct || '-' || t.doc,
    'PYID-' || t.pyid, t.an8, t.crcd, -t.own, t.payment_date, t.gl_date, coalesce(h.dicj, t.payment_date), t.sfx, t.rc5
  FROM taken t
  LEFT JOIN jdebill.aud_f0011 h ON h.connection = :connection AND h.icut = t.icut AND h.icu = t.icu
  WHERE t.gl_date {_NEAR}
)
"""

WINDOW = Procedure(
    key="cut_off_window",
    section=Section.CUT_OFF,
    title=f"Vouchers and payments within {WINDOW_DAYS} days of the period's end",
    objective="Cut-off: documents around the end of the period lie in the period that they belong to.",
    method=(
        f"Every voucher and payment with a G/L date in the last {WINDOW_DAYS} days of the period or the {WINDOW_DAYS} "
        "days after it, with the date on the document (invoice date, payment date) and the day on which its batch was "
        "entered (F0011.DICJ). Those whose document and G/L date lie on different sides are named."
    ),
    population=f"{_DATED} SELECT count(*) FROM dated",
    query=f"""
{_DATED}
SELECT d.kind, d.co AS company, d.document, d.payment, d.an8 AS supplier, d.currency, d.amount, d.document_date,
  d.gl_date, d.entered_on,
  CASE WHEN d.document_date <= :last AND d.gl_date > :last THEN 'document of the period, recorded after it'
    WHEN d.document_date > :last AND d.gl_date <= :last THEN 'document of a later period, recorded in this one'
    WHEN d.entered_on > :last AND d.gl_date <= :last THEN 'entered after the end of the period' ELSE '' END AS remark
FROM dated d
ORDER BY d.gl_date, d.kind, d.document, d.sfx, d.payment, d.line
""",
    columns=(
        Column("kind", "Kind"),
        Column("company", "Company"),
        Column("document", "Voucher", Shape.KEY),
        Column("payment", "JDE payment", Shape.KEY),
        Column("supplier", "Supplier"),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("document_date", "Document date", Shape.DATE),
        Column("gl_date", "G/L date", Shape.DATE),
        Column("entered_on", "Entered on", Shape.DATE),
        Column("remark", "Remark"),
    ),
    rule=Rule.EVIDENCE,
)

_AFTER = f"t.gl_date > :last AND t.gl_date <= CAST(:last AS date) + {AFTER_DAYS} AND t.dctm <> 'PO'"

UNRECORDED = Procedure(
    key="unrecorded_liabilities",
    section=Section.CUT_OFF,
    title="Payments after the period for invoices of the period that were recorded later",
    objective="Completeness: what was owed at the end of the period is recorded in it.",
    method=(
        f"Payments of the {AFTER_DAYS} days after the period (F0414) whose voucher has an invoice date up to the "
        "cut-off and a G/L date after it: a search for unrecorded liabilities. Each needs an accrual in the period, or "
        "a reason why it is none."
    ),
    population=f"WITH {SUBLEDGER} SELECT count(*) FROM taken t WHERE {_AFTER}",
    query=f"""
WITH {SUBLEDGER}
SELECT t.co AS company, 'PYID-' || t.pyid AS payment, t.kco || '-' || t.dct || '-' || t.doc AS document,
  t.an8 AS supplier, v.vinv AS invoice_number, v.divj AS invoice_date, v.dgj AS voucher_date, t.gl_date,
  t.crcd AS currency, t.own AS amount
FROM taken t
JOIN jdebill.aud_f0411 v ON v.connection = :connection AND v.kco = t.kco AND v.dct = t.dct AND v.doc = t.doc
  AND v.sfx = t.sfx AND v.sfxe = 0
WHERE {_AFTER} AND v.divj <= :last AND v.dgj > :last
ORDER BY t.gl_date, t.pyid, t.rc5
""",
    columns=(
        Column("company", "Company"),
        Column("payment", "JDE payment", Shape.KEY),
        Column("document", "Voucher", Shape.KEY),
        Column("supplier", "Supplier"),
        Column("invoice_number", "Invoice number", Shape.KEY),
        Column("invoice_date", "Invoice date", Shape.DATE),
        Column("voucher_date", "Voucher's G/L date", Shape.DATE),
        Column("gl_date", "Payment's G/L date", Shape.DATE),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
    ),
    rule=Rule.EVIDENCE,
)

CUT_OFFS = (WINDOW, UNRECORDED)
