"""Who did what: creator, approver and payer of each bill, and changes of the vendors that the money went to.

Belongs here: segregation of duties as both systems show it. Does not belong here: overrides (validation.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.payment_facts import PAID
from jdebill_pipelines.audit.procedures.validation import in_period

_DUTIES = f"""
WITH {PAID},
ours AS (SELECT DISTINCT j.remote_id FROM jdebill.journal j WHERE j.connection = :connection AND j.event = 'observed'
  AND j.kind = 'identity' AND j.natural_key = 'bill'),
duty AS (
  SELECT p.*, b.approval_status, k.remote_id IS NOT NULL AS from_jde, o.entered_by,
    coalesce(a.users, '{{}}') AS approvers, coalesce(p.payer, '') AS paid_by
  FROM paid p
  LEFT JOIN jdebill.bill_bills b ON b.connection = :connection AND b.id = p.bill_id
  LEFT JOIN jdebill.links k ON k.connection = :connection AND k.kind = 'bill' AND k.remote_id = p.bill_id
  LEFT JOIN LATERAL (SELECT array_agg(u.value->>'userId' ORDER BY u.ordinality) AS users
    FROM jsonb_array_elements(CASE WHEN jsonb_typeof(b.raw->'approvers') = 'array' THEN b.raw->'approvers' ELSE '[]'
      END) WITH ORDINALITY AS u WHERE u.value->>'status' = 'APPROVED') AS a ON true
  LEFT JOIN LATERAL (SELECT v.torg AS entered_by FROM jdebill.aud_f0411 v WHERE v.connection = :connection
    AND v.kco = split_part(p.document, '-', 1) AND v.dct = split_part(p.document, '-', 2)
    AND v.doc = substring(p.document FROM '^[^-]*-[^-]*-([0-9]+)$')::numeric ORDER BY v.sfx LIMIT 1) AS o ON true
  WHERE p.process_date BETWEEN :first AND :last AND p.action = 'post'
)
"""

BILL_DUTIES = Procedure(
    key="duties_in_bill",
    section=Section.DUTIES,
    title="Creator, approver and payer of each payment",
    objective="Segregation of duties: nobody approves and pays the same bill, and the integration does neither.",
    method=(
        "Per payment and bill: who entered the voucher in JD Edwards (F0411.TORG), who approved the bill in BILL, who "
        "made the payment. The integration's own BILL user is in the journal (event observed). A bill whose approvers "
        "BILL does not name was paid without an approval in BILL."
    ),
    population=f"{_DUTIES} SELECT count(*) FROM duty",
    query=f"""
{_DUTIES}
SELECT d.payment_id, d.bill_id, d.document, d.vendor, d.process_date, d.currency, d.amount,
  CASE WHEN d.from_jde THEN 'integration' ELSE 'BILL user' END AS created_by, coalesce(d.entered_by, '') AS entered_by,
  array_to_string(d.approvers, ' ') AS approved_by, coalesce(d.approval_status, '') AS approval, d.paid_by,
  concat_ws('; ',
    CASE WHEN d.paid_by <> '' AND d.paid_by = ANY(d.approvers) THEN 'approved and paid by the same user' END,
    CASE WHEN d.paid_by IN (SELECT remote_id FROM ours) THEN 'paid by the integration' END,
    CASE WHEN d.approvers && ARRAY(SELECT remote_id FROM ours) THEN 'approved by the integration' END,
    CASE WHEN d.approval_status IN ('ASSIGNED', 'APPROVING', 'DENIED') THEN 'paid without its approval' END
  ) AS exception
FROM duty d
ORDER BY d.process_date, d.payment_id, d.bill_id
""",
    columns=(
        Column("payment_id", "BILL payment", Shape.KEY),
        Column("bill_id", "BILL bill", Shape.KEY),
        Column("document", "JDE document", Shape.KEY),
        Column("vendor", "Vendor"),
        Column("process_date", "Process date", Shape.DATE),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("created_by", "Bill created by"),
        Column("entered_by", "Entered in JDE by"),
        Column("approved_by", "Approved by"),
        Column("approval", "Approval status"),
        Column("paid_by", "Paid by"),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix="Split the roles in BILL; give the integration a sync token, which can never pay.",
)

_JDE_PAID = """
paid AS MATERIALIZED (
  SELECT h.pyid, h."user" AS paid_by, h.dmtj, d.kco || '-' || d.dct || '-' || d.doc AS document, d.an8,
    sum(d.paap) AS amount, max(d.crcd) AS currency, max(v.torg) AS entered_by,
    bool_or(d.rmk ~ '^[^/]+/[0-9a-f]{9}$') AS ours
  FROM jdebill.aud_f0413 h
  JOIN jdebill.aud_f0414 d ON d.connection = h.connection AND d.pyid = h.pyid AND d.dctm <> 'PO'
  LEFT JOIN jdebill.aud_f0411 v ON v.connection = d.connection AND v.doc = d.doc AND v.dct = d.dct AND v.kco = d.kco
    AND v.sfx = d.sfx AND v.sfxe = d.sfxe
  WHERE h.connection = :connection AND h.dmtj BETWEEN :first AND :last AND d.co = ANY(:companies)
  GROUP BY h.pyid, h."user", h.dmtj, d.kco, d.dct, d.doc, d.an8
)
"""

JDE_DUTIES = Procedure(
    key="duties_in_jde",
    section=Section.DUTIES,
    title="Vouchers entered and paid by one person in JD Edwards",
    objective="Segregation of duties in the payments that did not go through BILL.",
    method=(
        "Payments of the period (F0413.DMTJ) that people made in JD Edwards: the user of the payment against the "
        "originator of each voucher (F0411.TORG). Postings of the integration repeat what BILL paid and are left out."
    ),
    population=f"WITH {_JDE_PAID} SELECT count(*) FROM paid WHERE NOT ours",
    query=f"""
WITH {_JDE_PAID}
SELECT 'PYID-' || p.pyid AS payment, p.document, p.an8::text AS supplier, p.dmtj AS payment_date, p.currency, p.amount,
  coalesce(p.entered_by, '') AS entered_by, p.paid_by,
  CASE WHEN p.entered_by = p.paid_by AND p.paid_by <> '' THEN 'entered and paid by the same user' ELSE '' END
    AS exception
FROM paid p WHERE NOT p.ours
ORDER BY p.dmtj, p.pyid, p.document
""",
    columns=(
        Column("payment", "JDE payment", Shape.KEY),
        Column("document", "Voucher", Shape.KEY),
        Column("supplier", "Supplier"),
        Column("payment_date", "Payment date", Shape.DATE),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("entered_by", "Entered by"),
        Column("paid_by", "Paid by"),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix="Have the payment confirmed by somebody else; split the roles in JD Edwards.",
)

# A change counts from the time that BILL gives it: a payment made before it went to the old account.
_CHANGES = f"""
changed AS MATERIALIZED (
  SELECT c.seq, c.vendor_id, coalesce(l.natural_key, '') AS supplier, coalesce(v.name, '') AS vendor, c.field, c.before,
    c.after, coalesce(nullif(c.updated_time, '')::timestamptz, c.observed_at) AS changed_at, c.run_id
  FROM jdebill.bill_vendor_changes c
  LEFT JOIN jdebill.bill_vendors v ON v.connection = c.connection AND v.id = c.vendor_id
  LEFT JOIN jdebill.links l ON l.connection = c.connection AND l.kind = 'vendor' AND l.remote_id = c.vendor_id
  WHERE c.connection = :connection
),
of_period AS (SELECT * FROM changed c WHERE {in_period("c.changed_at")})
"""

VENDOR_CHANGES = Procedure(
    key="vendor_changes",
    section=Section.DUTIES,
    title="Vendors whose bank account or address changed, and the first payment after it",
    objective="Authorisation: a change of where the money goes was checked with the vendor before paying.",
    method=(
        "Changes of vendors in BILL between two readings of ours, at the time that BILL gives them; of account numbers "
        "the last four digits and a fingerprint are kept. A changed bank account is an exception until somebody has "
        "noted that it was confirmed with the vendor; with it stands the first payment that was created after it. Bank "
        "accounts are kept in BILL only: the integration never writes one."
    ),
    population=f"WITH {_CHANGES} SELECT count(*) FROM of_period",
    query=f"""
WITH {_CHANGES}
SELECT c.vendor_id, c.supplier, c.vendor, c.field, c.before, c.after, c.changed_at, coalesce(p.id, '') AS payment_id,
  p.process_date, p.amount, coalesce(n.text, 'open') AS disposition,
  CASE WHEN c.field IN ('bank_account', 'pay_by') AND n.text IS NULL THEN CASE c.field
      WHEN 'bank_account' THEN 'bank account changed' ELSE 'way of paying changed' END
    || CASE WHEN p.id IS NULL THEN '' ELSE ', and paid after it' END ELSE '' END AS exception
FROM of_period c
LEFT JOIN LATERAL (SELECT x.id, x.process_date::date AS process_date, x.amount FROM jdebill.bill_payments x
  WHERE x.connection = :connection AND x.vendor_id = c.vendor_id AND x.created_time::timestamptz >= c.changed_at
  ORDER BY x.created_time, x.id LIMIT 1) AS p ON true
LEFT JOIN LATERAL (SELECT o.who || ' ' || to_char(o.at AT TIME ZONE :timezone, 'YYYY-MM-DD') || ': ' || o.reason
    AS text FROM jdebill.overrides o WHERE o.connection = :connection AND o.gate = 'audit'
    AND o.natural_key = c.vendor_id || ' ' || c.field AND o.at >= c.changed_at
  ORDER BY o.at DESC, o.id DESC LIMIT 1) AS n ON true
WHERE NOT (c.field = 'pay_by' AND EXISTS (SELECT FROM of_period b WHERE b.vendor_id = c.vendor_id
  AND b.field = 'bank_account' AND b.changed_at = c.changed_at))
ORDER BY c.changed_at, c.vendor_id, c.field, c.seq
""",
    columns=(
        Column("vendor_id", "BILL vendor", Shape.KEY),
        Column("supplier", "Supplier", Shape.KEY),
        Column("vendor", "Vendor"),
        Column("field", "What changed"),
        Column("before", "Before"),
        Column("after", "After"),
        Column("changed_at", "Changed", Shape.TIME),
        Column("payment_id", "First payment after", Shape.KEY),
        Column("process_date", "Its date", Shape.DATE),
        Column("amount", "Its amount", Shape.AMOUNT),
        Column("disposition", "Disposition"),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix=(
        "Call the vendor on a number that was known before, and note it: "
        "jdebill audit note NAME 'VENDOR bank_account' --reason TEXT. Stop the payment if nobody confirms."
    ),
)

DUTIES = (BILL_DUTIES, JDE_DUTIES, VENDOR_CHANGES)
