"""From the opening to the closing balance, and the open items that the closing balance consists of.

Belongs here: the subledger over the period. Does not belong here: the control account (tie_out.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.ledger_facts import SUBLEDGER

_OF_PERIOD = "e.gl_date BETWEEN :first AND :last"

ROLL_FORWARD = Procedure(
    key="roll_forward",
    section=Section.TIE_OUT,
    title="Roll-forward of the payables subledger",
    objective="Completeness: opening balance and the activity of the period give the closing balance.",
    method=(
        "Per company and currency of the documents, in that currency: open before the first day; vouchers (F0411), "
        "adjustments (F0411.SFXE), payments with the discount taken (F0414) and voids of vouchers and payments, each "
        "by its G/L date. The closing balance is added up by itself, item by item, from the open items at the cut-off."
    ),
    population=f"WITH {SUBLEDGER} SELECT count(*) FROM item_event e WHERE {_OF_PERIOD}",
    query=f"""
WITH {SUBLEDGER},
activity AS (
  SELECT e.co, e.crcd,
    coalesce(sum(e.own) FILTER (WHERE e.gl_date < :first), 0) AS opening,
    coalesce(sum(e.own) FILTER (WHERE {_OF_PERIOD} AND e.kind = 'voucher'), 0) AS vouchers,
    coalesce(sum(e.own) FILTER (WHERE {_OF_PERIOD} AND e.kind = 'adjustment'), 0) AS adjustments,
    coalesce(sum(e.own) FILTER (WHERE {_OF_PERIOD} AND e.kind = 'payment'), 0) AS payments,
    coalesce(sum(e.own) FILTER (WHERE {_OF_PERIOD} AND e.kind = 'void'), 0) AS voids
  FROM item_event e GROUP BY e.co, e.crcd
),
closing AS (SELECT i.co, i.crcd, sum(i.own) AS closing, count(*) FILTER (WHERE i.own <> 0) AS items FROM item i
  GROUP BY i.co, i.crcd)
SELECT a.co AS company, a.crcd AS currency, a.opening, a.vouchers, a.adjustments, a.payments, a.voids,
  coalesce(c.closing, 0) AS closing, coalesce(c.items, 0) AS open_items,
  CASE WHEN a.opening + a.vouchers + a.adjustments + a.payments + a.voids = coalesce(c.closing, 0) THEN ''
    ELSE 'opening and activity are not the closing balance' END AS exception
FROM activity a LEFT JOIN closing c ON c.co = a.co AND c.crcd = a.crcd
ORDER BY a.co, a.crcd
""",
    columns=(
        Column("company", "Company"),
        Column("currency", "Currency"),
        Column("opening", "Opening", Shape.AMOUNT),
        Column("vouchers", "Vouchers", Shape.AMOUNT),
        Column("adjustments", "Adjustments", Shape.AMOUNT),
        Column("payments", "Payments and discounts", Shape.AMOUNT),
        Column("voids", "Voids", Shape.AMOUNT),
        Column("closing", "Closing", Shape.AMOUNT),
        Column("open_items", "Open items", Shape.NUMBER),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix="Look for pay items whose parts are in several companies or currencies (F0411, F0414) in JD Edwards.",
)

OPEN_ITEMS = Procedure(
    key="open_items",
    section=Section.TIE_OUT,
    title="Open items at the cut-off, with their age",
    objective="Valuation: the items that the closing balance consists of, by how long they are overdue.",
    method=(
        "Every pay item with an open amount at the cut-off by the as-of rule, in its currency and in the company's; "
        "the age is counted from the due date (F0411.DDJ)."
    ),
    population=f"WITH {SUBLEDGER} SELECT count(*) FROM item",
    query=f"""
WITH {SUBLEDGER}
SELECT i.co AS company, i.an8 AS supplier, coalesce(b.alph, '') AS name,
  i.kco || '-' || i.dct || '-' || i.doc AS document, i.sfx AS pay_item, v.vinv AS invoice_number,
  v.dgj AS gl_date, v.ddj AS due_date,
  greatest(CAST(:last AS date) - v.ddj, 0) AS days_overdue, i.crcd AS currency, i.own AS open,
  c.currency AS own_currency, i.base AS in_own_currency
FROM item i
JOIN company c ON c.co = i.co
LEFT JOIN jdebill.aud_f0411 v ON v.connection = :connection AND v.kco = i.kco AND v.dct = i.dct AND v.doc = i.doc
  AND v.sfx = i.sfx AND v.sfxe = 0
LEFT JOIN jdebill.stg_f0101 b ON b.connection = :connection AND b.an8 = i.an8
WHERE i.own <> 0
ORDER BY i.co, i.an8, i.kco, i.dct, i.doc, i.sfx
""",
    columns=(
        Column("company", "Company"),
        Column("supplier", "Supplier"),
        Column("name", "Name"),
        Column("document", "Voucher", Shape.KEY),
        Column("pay_item", "Pay item"),
        Column("invoice_number", "Invoice number", Shape.KEY),
        Column("gl_date", "G/L date", Shape.DATE),
        Column("due_date", "Due", Shape.DATE),
        Column("days_overdue", "Days overdue", Shape.NUMBER),
        Column("currency", "Currency"),
        Column("open", "Open", Shape.AMOUNT),
        Column("own_currency", "Company's currency"),
        Column("in_own_currency", "In the company's currency", Shape.AMOUNT),
    ),
    rule=Rule.EVIDENCE,
)

ROLL_FORWARDS = (ROLL_FORWARD, OPEN_ITEMS)
