"""What JD Edwards and BILL each say is open of the same documents, and what is on one side only.

Belongs here: the comparison of the two systems. Does not belong here: JDE with itself (tie_out.py), single payments
(postings.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.ledger_facts import SUBLEDGER
from jdebill_pipelines.audit.procedures.payment_facts import CUT_OFF, PAID, POSTED

# ``claim``: a bill or credit that we brought to BILL, with its amount in JDE's sign: as last written before the cut-off
# (a later one: as first written), as long as BILL still shows what we wrote last. An archived one is nothing.
# ``used``: what a payment takes of a claim, with the credits applied. ``relief``: what JDE took off the voucher for it.
_SIDES = f"""
{SUBLEDGER}, {PAID}, {POSTED},
written AS MATERIALIZED (
  SELECT w.kind, w.natural_key,
    (array_agg(w.amount ORDER BY w.id DESC))[1] AS latest,
    coalesce((array_agg(w.amount ORDER BY w.id DESC) FILTER (WHERE w.settled_at < {CUT_OFF}))[1],
      (array_agg(w.amount ORDER BY w.id))[1]) AS at_cut_off
  FROM jdebill.writes w
  WHERE w.connection = :connection AND w.kind IN ('bill', 'vendor_credit') AND w.state = 'confirmed'
    AND w.operation IN ('create', 'update')
  GROUP BY w.kind, w.natural_key
),
object AS MATERIALIZED (
  SELECT 'bill' AS kind, b.id, b.vendor_id, b.amount, b.archived, b.invoice_number, b.invoice_date
  FROM jdebill.bill_bills b WHERE b.connection = :connection
  UNION ALL
  SELECT 'vendor_credit', c.id, c.vendor_id, c.amount, c.archived, c.reference_number, c.credit_date
  FROM jdebill.bill_vendor_credits c WHERE c.connection = :connection
),
claim AS MATERIALIZED (
  SELECT o.kind, o.id, coalesce(l.natural_key, '') AS document, o.vendor_id, o.invoice_number, o.invoice_date,
    o.archived, s.sign, l.natural_key ~ '^[^-]*-[^-]*-[^-]*$' IS TRUE AS of_voucher,
    CASE WHEN o.archived THEN 0 ELSE s.sign * o.amount END AS now,
    s.sign * CASE WHEN o.archived THEN 0 WHEN o.amount = w.latest THEN w.at_cut_off ELSE o.amount END AS at_cut_off
  FROM object o
  LEFT JOIN jdebill.links l ON l.connection = :connection AND l.kind = o.kind AND l.remote_id = o.id
  LEFT JOIN written w ON w.kind = o.kind AND w.natural_key = l.natural_key
  CROSS JOIN LATERAL (SELECT CASE WHEN o.kind = 'bill' THEN 1 ELSE -1 END AS sign) AS s
),
part AS MATERIALIZED (
  SELECT 'bill' AS kind, b.bill_id AS id, b.payment_id,
    b.amount + coalesce((SELECT sum((e.value->>'amount')::numeric) FROM jsonb_array_elements(b.vendor_credits) AS e), 0)
      AS amount
  FROM jdebill.bill_payment_lines b WHERE b.connection = :connection
  UNION ALL
  SELECT 'vendor_credit', e.value->>'id', b.payment_id, -(e.value->>'amount')::numeric
  FROM jdebill.bill_payment_lines b CROSS JOIN LATERAL jsonb_array_elements(b.vendor_credits) AS e
  WHERE b.connection = :connection AND b.vendor_credits <> '[]'
),
used AS MATERIALIZED (
  SELECT p.kind, p.id, p.payment_id, sum(p.amount) AS amount, d.process_date > :last AS is_later,
    d.action = 'post' AND d.process_date <= :last AS counts, bool_or(d.action <> 'reverse') AS is_kept
  FROM part p JOIN decided d ON d.id = p.payment_id
  GROUP BY p.kind, p.id, p.payment_id, d.process_date, d.action
),
ours AS MATERIALIZED (
  SELECT d.document, max(d.payment_id) AS payment_id FROM posted d WHERE d.route = 'payment' GROUP BY d.document
),
relief AS MATERIALIZED (
  SELECT t.kco || '-' || t.dct || '-' || t.doc AS document, coalesce(o.payment_id, '') AS payment_id,
    coalesce(sum(t.own) FILTER (WHERE t.gl_date <= :last), 0) AS at_cut_off, sum(t.own) AS ever
  FROM taken t LEFT JOIN ours o ON o.document = 'PYID-' || t.pyid
  GROUP BY t.kco || '-' || t.dct || '-' || t.doc, coalesce(o.payment_id, '')
),
voucher AS MATERIALIZED (
  SELECT e.kco || '-' || e.dct || '-' || e.doc AS document, max(e.co) AS co, max(e.crcd) AS crcd, max(e.an8) AS an8,
    coalesce(sum(e.own) FILTER (WHERE e.gl_date <= :last), 0) AS open,
    coalesce(sum(e.own) FILTER (WHERE e.of_voucher AND e.gl_date <= :last), 0) AS gross,
    coalesce(sum(e.own) FILTER (WHERE e.of_voucher), 0) AS gross_ever,
    min(e.gl_date) FILTER (WHERE e.of_voucher) AS gl_date
  FROM item_event e GROUP BY e.kco || '-' || e.dct || '-' || e.doc
),
pair AS MATERIALIZED (
  SELECT coalesce(u.document, r.document) AS document, coalesce(u.amount, 0) AS amount,
    coalesce(u.counted, 0) AS counted, coalesce(u.is_later, false) AS is_later, coalesce(u.is_kept, false) AS is_kept,
    coalesce(r.at_cut_off, 0) AS relieved, r.ever
  FROM (
    SELECT c.document, u.payment_id, sum(u.amount) AS amount,
      sum(CASE WHEN u.counts THEN u.amount ELSE 0 END) AS counted, bool_or(u.is_later) AS is_later,
      bool_or(u.is_kept) AS is_kept
    FROM used u JOIN claim c ON c.kind = u.kind AND c.id = u.id WHERE c.of_voucher
    GROUP BY c.document, u.payment_id) AS u
  FULL JOIN (SELECT * FROM relief WHERE payment_id <> '') AS r
    ON r.document = u.document AND r.payment_id = u.payment_id
),
gap AS MATERIALIZED (
  SELECT p.document, sum(p.counted) AS counted,
    sum(CASE WHEN p.ever IS NULL THEN p.counted ELSE 0 END) AS in_transit,
    sum(CASE WHEN p.ever IS NOT NULL AND (p.is_later OR p.ever = p.amount AND p.is_kept OR p.ever = 0 AND NOT p.is_kept)
      THEN p.counted - p.relieved ELSE 0 END) AS timing
  FROM pair p GROUP BY p.document
),
compared AS MATERIALIZED (
  SELECT v.document, v.co, v.crcd AS currency, v.an8, v.gl_date, c.id AS bill_id, c.kind, v.open AS jde_open,
    c.at_cut_off - coalesce(g.counted, 0) AS bill_open,
    coalesce(g.in_transit, 0) AS in_transit,
    coalesce(g.timing, 0) + CASE WHEN v.gross_ever - c.now - coalesce(o.ever, 0) = 0
      THEN v.gross - c.at_cut_off - coalesce(o.at_cut_off, 0) ELSE 0 END AS timing
  FROM claim c JOIN voucher v ON v.document = c.document
  LEFT JOIN gap g ON g.document = c.document
  LEFT JOIN relief o ON o.document = c.document AND o.payment_id = ''
  WHERE v.gl_date <= :last
),
side AS MATERIALIZED (
  SELECT x.document, x.co, x.currency, x.an8, x.bill_id, x.jde_open, x.bill_open, x.in_transit, x.timing,
    'both' AS side, '' AS reason FROM compared x
  UNION ALL
  SELECT v.document, v.co, v.crcd, v.an8, '', v.open, 0, 0, 0, 'JD Edwards',
    coalesce(nullif(d.reason, ''), CASE WHEN d.status IS NOT NULL THEN 'waits to be sent'
      WHEN v.gl_date < :start THEN 'before the start of the connection' ELSE 'not a document that is sent to BILL' END)
  FROM voucher v
  LEFT JOIN jdebill.drafts d ON d.connection = :connection AND d.gate = 'bills' AND d.natural_key = v.document
  WHERE v.open <> 0 AND NOT EXISTS (SELECT FROM claim c WHERE c.document = v.document)
  UNION ALL
  SELECT c.document, coalesce(d.details->>'company', split_part(c.document, '-', 1)),
    coalesce(nullif(d.currency, ''), n.raw->>'billCurrency', ''), NULLIF(d.party, '')::numeric, c.id, 0,
    c.at_cut_off - coalesce(u.counted, 0), 0, 0, 'BILL',
    CASE WHEN c.of_voucher THEN 'JD Edwards does not hold the voucher any more'
      WHEN c.document <> '' THEN 'an order: its voucher is entered with the payment'
      ELSE 'did not come from JD Edwards' END
  FROM claim c
  LEFT JOIN jdebill.drafts d ON d.connection = :connection AND d.kind = c.kind AND d.natural_key = c.document
  LEFT JOIN jdebill.bill_vendors n ON n.connection = :connection AND n.id = c.vendor_id
  LEFT JOIN (SELECT u.kind, u.id, sum(u.amount) AS counted FROM used u WHERE u.counts GROUP BY u.kind, u.id) AS u
    ON u.kind = c.kind AND u.id = c.id
  WHERE c.at_cut_off - coalesce(u.counted, 0) <> 0 AND c.invoice_date::date <= :last
    AND NOT EXISTS (SELECT FROM voucher v WHERE c.of_voucher AND v.document = c.document)
)
"""

THREE_SIDED = Procedure(
    key="three_sided",
    section=Section.TIE_OUT,
    title="JD Edwards open to BILL open",
    objective="Completeness and accuracy: of every document that is in both systems the same amount is open in both.",
    method=(
        "Per company and currency, in the currency of the documents. JD Edwards: open vouchers by the as-of rule, "
        "those that BILL has and those that it does not have. BILL: amounts of the bills and credits of these vouchers "
        "less the payments, with credits applied, that by the cut-off were processed and in a state that posts "
        "(docs/payment-states.md). The difference is explained payment by payment: in transit, not in JD Edwards yet; "
        "timing, in both and on different sides of the cut-off. The rest is unexplained; see the items."
    ),
    population=f"WITH {_SIDES} SELECT count(*) FROM compared",
    query=f"""
WITH {_SIDES}
SELECT s.co AS company, s.currency, count(*) FILTER (WHERE s.side = 'both') AS documents,
  sum(s.jde_open) AS jde_open_all,
  coalesce(sum(s.jde_open) FILTER (WHERE s.side = 'JD Edwards'), 0) AS jde_only,
  coalesce(sum(s.jde_open) FILTER (WHERE s.side = 'both'), 0) AS jde_open,
  coalesce(sum(s.bill_open) FILTER (WHERE s.side = 'both'), 0) AS bill_open,
  coalesce(sum(s.jde_open - s.bill_open) FILTER (WHERE s.side = 'both'), 0) AS difference,
  sum(s.in_transit) AS in_transit, sum(s.timing) AS timing,
  coalesce(sum(s.jde_open - s.bill_open - s.in_transit - s.timing) FILTER (WHERE s.side = 'both'), 0) AS unexplained,
  coalesce(sum(s.bill_open) FILTER (WHERE s.side = 'BILL'), 0) AS bill_only,
  CASE WHEN bool_or(s.side = 'both' AND s.jde_open - s.bill_open - s.in_transit - s.timing <> 0)
    THEN count(*) FILTER (WHERE s.side = 'both' AND s.jde_open - s.bill_open - s.in_transit - s.timing <> 0)
      || ' document(s) with an unexplained difference' ELSE '' END AS exception
FROM side s
GROUP BY s.co, s.currency
ORDER BY s.co, s.currency
""",
    columns=(
        Column("company", "Company"),
        Column("currency", "Currency"),
        Column("documents", "Documents in both", Shape.NUMBER),
        Column("jde_open_all", "JDE open, all", Shape.AMOUNT),
        Column("jde_only", "of it: not in BILL", Shape.AMOUNT),
        Column("jde_open", "JDE open, in both", Shape.AMOUNT),
        Column("bill_open", "BILL open, in both", Shape.AMOUNT),
        Column("difference", "Difference", Shape.AMOUNT),
        Column("in_transit", "In transit", Shape.AMOUNT),
        Column("timing", "Timing", Shape.AMOUNT),
        Column("unexplained", "Unexplained", Shape.AMOUNT),
        Column("bill_only", "Only in BILL", Shape.AMOUNT),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix="Open the documents that are listed under items on one side or with a difference.",
)

THREE_SIDED_ITEMS = Procedure(
    key="three_sided_items",
    section=Section.TIE_OUT,
    title="Documents that differ, or are open on one side only",
    objective="Completeness: nothing is owed in one system that the other does not know, without a reason.",
    method=(
        "The documents behind the comparison of JD Edwards and BILL: those whose open amounts differ at the cut-off, "
        "and those that are open in one system and not in the other, with the reason."
    ),
    population=f"WITH {_SIDES} SELECT count(*) FROM side",
    query=f"""
WITH {_SIDES}
SELECT s.co AS company, s.document, s.bill_id, s.an8 AS supplier, coalesce(b.alph, '') AS name, s.currency, s.side,
  s.jde_open, s.bill_open, s.jde_open - s.bill_open AS difference, s.in_transit, s.timing,
  CASE WHEN s.side = 'both' THEN s.jde_open - s.bill_open - s.in_transit - s.timing ELSE 0 END AS unexplained, s.reason,
  CASE WHEN s.side = 'both' AND s.jde_open - s.bill_open - s.in_transit - s.timing <> 0
    THEN 'unexplained difference' ELSE '' END AS exception
FROM side s
LEFT JOIN jdebill.stg_f0101 b ON b.connection = :connection AND b.an8 = s.an8
WHERE s.side <> 'both' OR s.jde_open <> s.bill_open OR s.in_transit <> 0 OR s.timing <> 0
ORDER BY s.co, s.currency, s.side, s.document, s.bill_id
""",
    columns=(
        Column("company", "Company"),
        Column("document", "JDE document", Shape.KEY),
        Column("bill_id", "BILL bill or credit", Shape.KEY),
        Column("supplier", "Supplier"),
        Column("name", "Name"),
        Column("currency", "Currency"),
        Column("side", "Open in"),
        Column("jde_open", "JDE open", Shape.AMOUNT),
        Column("bill_open", "BILL open", Shape.AMOUNT),
        Column("difference", "Difference", Shape.AMOUNT),
        Column("in_transit", "In transit", Shape.AMOUNT),
        Column("timing", "Timing", Shape.AMOUNT),
        Column("unexplained", "Unexplained", Shape.AMOUNT),
        Column("reason", "Reason"),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix="Follow the document with jdebill audit trace; correct the side that is wrong.",
)

THREE_SIDED_TIES = (THREE_SIDED, THREE_SIDED_ITEMS)
