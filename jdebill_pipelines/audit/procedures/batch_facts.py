"""Subledger and ledger side by side, batch by batch, and why a batch differs.

Belongs here: the comparison that the tie-out and the integrity tests share. Does not belong here: a procedure.

Source: JDE compares the two by batch (R04701 vouchers, R04702A payments): each document carries its batch (F0411 and
F0413 ICUT, ICU), and so does each ledger line (F0911).
"""

# ruff: noqa: S608 - built from constants
from __future__ import annotations

from jdebill_pipelines.audit.procedures.ledger_facts import BOOKS

# Amounts are payables: a voucher is positive, so is a credit on the account. ``rest`` is what is posted on both sides
# and still differs at the cut-off: timing, when the two agree over all time.
BATCHES = f"""
{BOOKS},
batch AS MATERIALIZED (
  SELECT s.co, s.icut, s.icu, bool_or(s.is_item) AS has_items, min(s.gl_date) AS since,
    min(s.gl_date) FILTER (WHERE s.is_item) AS first_day, max(s.gl_date) FILTER (WHERE s.is_item) AS last_day,
    count(*) FILTER (WHERE s.is_item AND s.gl_date <= :last) AS documents,
    coalesce(sum(s.base) FILTER (WHERE s.is_item AND s.gl_date <= :last), 0) AS items,
    coalesce(sum(s.base) FILTER (WHERE NOT s.is_item AND s.gl_date <= :last), 0) AS ledger,
    coalesce(sum(s.net) FILTER (WHERE NOT s.posted AND s.gl_date <= :last), 0) AS waiting,
    coalesce(sum(s.net) FILTER (WHERE s.posted AND s.gl_date <= :last), 0) AS rest,
    coalesce(sum(s.net) FILTER (WHERE s.posted), 0) AS rest_ever
  FROM (
    SELECT e.co, e.icut, e.icu, e.gl_date, e.base, e.base AS net, e.posted, true AS is_item FROM item_event e
    UNION ALL
    SELECT g.co, g.icut, g.icu, g.gl_date, g.base, -g.base, g.posted, false FROM gl_event g
  ) AS s
  GROUP BY s.co, s.icut, s.icu
),
judged AS MATERIALIZED (
  SELECT b.*, b.items - b.ledger AS difference,
    CASE WHEN b.has_items THEN b.waiting ELSE 0 END AS unposted,
    CASE WHEN b.has_items AND b.icu <> 0 AND b.rest_ever = 0 THEN b.rest ELSE 0 END AS timing,
    CASE WHEN NOT b.has_items THEN b.waiting + b.rest ELSE 0 END AS journals,
    CASE WHEN b.has_items AND b.icu <> 0 AND b.rest_ever <> 0 THEN b.rest ELSE 0 END AS unbalanced,
    CASE WHEN b.has_items AND b.icu = 0 THEN b.rest ELSE 0 END AS unbatched
  FROM batch b
)
"""
