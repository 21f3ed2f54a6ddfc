"""Every payment of BILL is posted in JDE once, with its amount and in its period, and nothing is posted without one.

Belongs here: the tests of single postings. Does not belong here: voids (reversals.py), totals (tie-out).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.payment_facts import PAID, POSTED

_FACTS = f"WITH {PAID}, {POSTED}"
_PAYMENT = (
    Column("payment_id", "BILL payment", Shape.KEY),
    Column("bill_id", "BILL bill", Shape.KEY),
    Column("document", "JDE document", Shape.KEY),
    Column("vendor", "Vendor"),
    Column("process_date", "Process date", Shape.DATE),
    Column("state", "State in BILL at the cut-off"),
    Column("currency", "Currency"),
    Column("amount", "Paid in BILL", Shape.AMOUNT),
)
_OF_PERIOD = "p.process_date BETWEEN :first AND :last AND p.action = 'post'"
_POPULATION = f"{_FACTS} SELECT count(*) FROM paid p WHERE {_OF_PERIOD}"
_POSTED_OF_PERIOD = "p.stands AND p.gl_date BETWEEN :first AND :last"

MISSING = Procedure(
    key="missing_postings",
    section=Section.TRACE,
    title="Payments without a posting",
    objective="Completeness: every payment that BILL made is posted in JD Edwards.",
    method=(
        "Each payment of the period by bill, in a state that is posted (docs/payment-states.md), is looked for among "
        "the payments (F0413, F0414) and journal entries (F0911) that carry its reference or that our link names. A "
        "payment that was voided in JD Edwards is listed under voids."
    ),
    population=_POPULATION,
    query=f"""
{_FACTS}
SELECT p.payment_id, p.bill_id, p.document, p.vendor, p.process_date, p.state, p.currency, p.amount,
  CASE WHEN l.remote_id IS NOT NULL THEN 'posted as ' || l.remote_id || ', which JD Edwards does not hold any more'
    WHEN q.reason IS NOT NULL THEN 'held: ' || q.reason
    WHEN w.state IS NOT NULL THEN 'the posting is ' || w.state
    WHEN p.document = '' THEN 'a bill that did not come from JD Edwards, and nothing was posted'
    ELSE 'nothing was posted' END AS finding
FROM paid p
LEFT JOIN jdebill.links l ON l.connection = :connection AND l.kind = 'posting'
  AND l.natural_key = p.posting
LEFT JOIN LATERAL (SELECT x.reason FROM jdebill.quarantine x WHERE x.connection = :connection
  AND x.gate = 'postings' AND x.natural_key = p.posting AND x.released_at IS NULL
  ORDER BY x.rule, x.line, x.field LIMIT 1) AS q ON true
LEFT JOIN LATERAL (SELECT x.state FROM jdebill.writes x WHERE x.connection = :connection
  AND x.kind IN ('posting', 'posting_voucher') AND x.natural_key = p.posting
  AND x.state <> 'confirmed' ORDER BY x.id DESC LIMIT 1) AS w ON true
WHERE {_OF_PERIOD}
  AND NOT EXISTS (SELECT FROM posted d WHERE d.payment_id = p.payment_id AND d.bill_id IN (p.bill_id, ''))
ORDER BY p.process_date, p.payment_id, p.bill_id
""",
    columns=(*_PAYMENT, Column("finding", "Finding")),
    rule=Rule.NO_ROWS,
    fix="Post it: run the month's postings again, or release what holds it (jdebill quarantine list).",
)

TWICE = Procedure(
    key="posted_twice",
    section=Section.TRACE,
    title="Payments posted more than once",
    objective="Accuracy: no payment reduces the ledger twice.",
    method=(
        "The documents that stand in JD Edwards at the cut-off for one payment and bill, whoever entered them, are "
        "counted: by the reference that each posting carries, by our links, and by payments that people entered of a "
        "voucher that BILL paid in full."
    ),
    population=_POPULATION,
    query=f"""
{_FACTS},
standing AS (
  SELECT d.payment_id, d.bill_id, d.document, d.amount, d.entered_by, d.batch, d.gl_date
  FROM posted d WHERE d.stands AND d.bill_id <> ''
),
whole AS MATERIALIZED (
  SELECT k.natural_key AS voucher, min(p.payment_id) AS payment_id, min(p.bill_id) AS bill_id
  FROM paid p JOIN jdebill.links k ON k.connection = :connection AND k.kind = 'bill' AND k.remote_id = p.bill_id
  JOIN jdebill.bill_bills b ON b.connection = :connection AND b.id = p.bill_id
  WHERE p.action = 'post' GROUP BY k.natural_key, b.amount HAVING sum(p.amount) >= b.amount
),
others AS (
  SELECT w.payment_id, w.bill_id, 'PYID-' || h.pyid AS document,
    abs(sum(CASE WHEN d.crrm = 'F' THEN d.pfap ELSE d.paap END)) AS amount, h."user" AS entered_by,
    h.icut || ' ' || h.icu AS batch, h.dmtj AS gl_date
  FROM jdebill.aud_f0414 d
  JOIN whole w ON w.voucher = d.kco || '-' || d.dct || '-' || d.doc
  JOIN jdebill.aud_f0413 h ON h.connection = :connection AND h.pyid = d.pyid AND (h.vdgj IS NULL OR h.vdgj > :last)
  WHERE d.connection = :connection AND d.dctm <> 'PO' AND h.upmj >= :start
    AND NOT EXISTS (SELECT FROM posted x WHERE x.document = 'PYID-' || d.pyid)
    AND NOT EXISTS (SELECT FROM jdebill.writes b WHERE b.connection = :connection AND b.kind = 'bill'
      AND b.natural_key = w.voucher AND b.generation = 1 AND h.upmj < (b.created_at AT TIME ZONE :timezone)::date)
  GROUP BY w.payment_id, w.bill_id, h.pyid, h."user", h.icut, h.icu, h.dmtj
),
every AS (SELECT * FROM standing UNION ALL SELECT * FROM others),
counted AS (
  SELECT payment_id, bill_id, count(*) AS documents, sum(amount) AS posted,
    string_agg(document, ' ' ORDER BY document) AS jde_documents,
    string_agg(DISTINCT entered_by, ' ' ORDER BY entered_by) AS entered_by
  FROM every GROUP BY payment_id, bill_id HAVING count(*) > 1 AND max(gl_date) >= :first AND min(gl_date) <= :last
)
SELECT c.payment_id, c.bill_id, p.document, p.vendor, p.process_date, p.state, p.currency, p.amount, c.posted,
  c.documents, c.jde_documents, c.entered_by
FROM counted c JOIN paid p ON p.payment_id = c.payment_id AND p.bill_id = c.bill_id
WHERE p.process_date BETWEEN :first AND :last
ORDER BY p.process_date, c.payment_id, c.bill_id
""",
    columns=(
        *_PAYMENT,
        Column("posted", "Posted in JDE", Shape.AMOUNT),
        Column("documents", "Documents", Shape.NUMBER),
        Column("jde_documents", "JDE payments or entries"),
        Column("entered_by", "Entered by"),
    ),
    rule=Rule.NO_ROWS,
    fix="Void the document that is too many in JD Edwards.",
)

AMOUNTS = Procedure(
    key="wrong_amounts",
    section=Section.TRACE,
    title="Postings with another amount than the payment",
    objective="Accuracy: JD Edwards holds the amount that BILL paid, to the cent, in the currency of the vendor.",
    method=(
        "Per payment and bill, what BILL paid is compared with F0414 (PAAP, in a foreign currency PFAP) of each "
        "standing payment, or with the debits of the journal entry."
    ),
    population=_POPULATION,
    query=f"""
{_FACTS}
SELECT p.payment_id, p.bill_id, p.document, p.vendor, p.process_date, p.state, p.currency, p.amount,
  d.amount AS posted, d.amount - p.amount AS difference, d.document AS jde_document, d.entered_by
FROM paid p JOIN posted d ON d.payment_id = p.payment_id AND d.bill_id = p.bill_id AND d.stands
WHERE {_OF_PERIOD} AND d.amount IS DISTINCT FROM p.amount
ORDER BY p.process_date, p.payment_id, p.bill_id, d.document
""",
    columns=(
        *_PAYMENT,
        Column("posted", "Posted in JDE", Shape.AMOUNT),
        Column("difference", "Difference", Shape.AMOUNT),
        Column("jde_document", "JDE payment or entry", Shape.KEY),
        Column("entered_by", "Entered by"),
    ),
    rule=Rule.NO_ROWS,
    fix="Find out in JD Edwards who changed the document; void it there and post the payment again.",
)

PERIODS = Procedure(
    key="wrong_periods",
    section=Section.CUT_OFF,
    title="Postings in another period than was decided",
    objective="Cut-off: each payment is in the period of its process date, or in the one that was decided for it.",
    method=(
        "The G/L date of F0911, and the fiscal period of F0414, are compared with the date that was sent; for what we "
        "did not send, with the process date. Listed are those that cross the period's edges, and those whose "
        "fiscal period is not the one of their date by F0008."
    ),
    population=_POPULATION,
    query=f"""
{_FACTS},
fiscal AS MATERIALIZED (
  SELECT c.co, f.ctry * 100 + f.fy AS fiscal_year, e.period, lag(e.ends, 1, f.dfyj - 1) OVER
    (PARTITION BY c.co, f.ctry, f.fy ORDER BY e.period) + 1 AS begins, e.ends
  FROM jdebill.stg_f0010 c
  JOIN jdebill.stg_f0008 f ON f.connection = c.connection AND f.dtpn = c.dtpn AND f.fq = '' AND f.dfyj IS NOT NULL
  CROSS JOIN LATERAL (VALUES (1, f.d01j), (2, f.d02j), (3, f.d03j), (4, f.d04j), (5, f.d05j), (6, f.d06j),
    (7, f.d07j), (8, f.d08j), (9, f.d09j), (10, f.d10j), (11, f.d11j), (12, f.d12j), (13, f.d13j), (14, f.d14j))
    AS e(period, ends)
  WHERE c.connection = :connection
),
compared AS (
  SELECT p.payment_id, p.bill_id, p.document, p.vendor, p.process_date, p.state, p.currency, p.amount,
    coalesce(s.gl_date, p.process_date) AS expected, d.gl_date, d.document AS jde_document, d.entered_by,
    d.fiscal_year, d.fiscal_period, d.company
  FROM paid p
  JOIN posted d ON d.payment_id = p.payment_id AND d.bill_id = p.bill_id AND d.stands
  LEFT JOIN sent s ON s.natural_key = p.posting AND d.confirmed
)
SELECT c.payment_id, c.bill_id, c.document, c.vendor, c.process_date, c.state, c.currency, c.amount, c.expected,
  c.gl_date, c.fiscal_year || '-P' || lpad(c.fiscal_period::text, 2, '0') AS fiscal_period, c.jde_document,
  c.entered_by
FROM compared c
LEFT JOIN LATERAL (SELECT f.fiscal_year, f.period FROM fiscal f WHERE f.co = c.company AND f.begins <= f.ends
  AND coalesce(c.gl_date, c.expected) BETWEEN f.begins AND f.ends LIMIT 1) AS f ON true
WHERE (c.expected BETWEEN :first AND :last OR c.gl_date BETWEEN :first AND :last)
  AND ((c.expected BETWEEN :first AND :last) IS DISTINCT FROM (c.gl_date BETWEEN :first AND :last)
    AND c.gl_date IS NOT NULL
    OR f.period IS NOT NULL AND c.fiscal_period IS NOT NULL
      AND (c.fiscal_year, c.fiscal_period) <> (f.fiscal_year, f.period))
ORDER BY c.process_date, c.payment_id, c.bill_id, c.jde_document
""",
    columns=(
        *_PAYMENT,
        Column("expected", "G/L date decided", Shape.DATE),
        Column("gl_date", "G/L date in JDE", Shape.DATE),
        Column("fiscal_period", "Fiscal period in JDE"),
        Column("jde_document", "JDE payment or entry", Shape.KEY),
        Column("entered_by", "Entered by"),
    ),
    rule=Rule.NO_ROWS,
    fix="Void the posting in JD Edwards in the same period and post the payment again with the right G/L date.",
)

UNBACKED = Procedure(
    key="unbacked_postings",
    section=Section.TRACE,
    title="Postings without a payment",
    objective="Occurrence: nothing that carries a reference of ours is in JD Edwards without a payment in BILL.",
    method=(
        "Each standing payment and journal entry of the period that carries a reference of ours, or that our link "
        "names, is looked for among BILL's payments. One whose payment was voided in BILL is listed under voids."
    ),
    population=f"{_FACTS} SELECT count(*) FROM posted p WHERE {_POSTED_OF_PERIOD}",
    query=f"""
{_FACTS}
SELECT p.document AS jde_document, p.payment_id, p.bill_id, p.gl_date, p.currency, p.amount, p.vouchers, p.entered_by,
  p.batch,
  CASE WHEN NOT EXISTS (SELECT FROM jdebill.bill_payments b WHERE b.connection = :connection AND b.id = p.payment_id)
      THEN 'BILL has no such payment'
    WHEN p.bill_id = '' THEN 'the reference is not one that we sent'
    ELSE 'the payment does not pay this bill' END AS finding
FROM posted p
WHERE {_POSTED_OF_PERIOD} AND NOT EXISTS (
  SELECT FROM paid x WHERE x.payment_id = p.payment_id AND x.bill_id = p.bill_id)
ORDER BY p.gl_date, p.document
""",
    columns=(
        Column("jde_document", "JDE payment or entry", Shape.KEY),
        Column("payment_id", "BILL payment", Shape.KEY),
        Column("bill_id", "BILL bill", Shape.KEY),
        Column("gl_date", "G/L date", Shape.DATE),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("vouchers", "Vouchers"),
        Column("entered_by", "Entered by"),
        Column("batch", "Batch"),
        Column("finding", "Finding"),
    ),
    rule=Rule.NO_ROWS,
    fix="Find out who entered it in JD Edwards, and void it there.",
)

POSTINGS = (MISSING, TWICE, AMOUNTS, UNBACKED)
CUT_OFF = (PERIODS,)
