"""Documents that changed or went away after they were sent.

Belongs here: what was edited or deleted behind an approval. Does not belong here: duplicates, payments.
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.validation import in_period

# A voucher's key has three parts, an order's four.
_VOUCHERS = """
sent AS MATERIALIZED (
  SELECT l.natural_key, l.remote_id AS bill_id, f.period, f.amount, f.currency, f.party, f.created_at,
    (SELECT max(w.settled_at) FROM jdebill.writes w WHERE w.connection = l.connection AND w.kind = l.kind
      AND w.natural_key = l.natural_key AND w.operation = 'archive' AND w.state = 'confirmed') AS archived_at
  FROM jdebill.links l
  JOIN jdebill.writes f ON f.connection = l.connection AND f.kind = l.kind AND f.natural_key = l.natural_key
    AND f.generation = 1
  WHERE l.connection = :connection AND l.kind IN ('bill', 'vendor_credit') AND l.natural_key LIKE '%-%-%'
    AND l.natural_key NOT LIKE '%-%-%-%'
)
"""
_OF_PERIOD = f"""(f.period BETWEEN to_char(CAST(:first AS date), 'YYYY-MM') AND to_char(CAST(:last AS date), 'YYYY-MM')
  OR {in_period("f.archived_at")})"""

DELETED = Procedure(
    key="deleted_vouchers",
    section=Section.VALIDATION,
    title="Vouchers that were sent and are gone from JD Edwards",
    objective="Completeness: no voucher disappears without trace.",
    method=(
        "JD Edwards deletes a voucher that was not posted, without a trace of its own. Every voucher of the period "
        "(by the G/L date it had when it was sent) that our journal knows as sent is looked for in F0411, and every "
        "voucher of another period whose bill was archived in this one."
    ),
    population=f"WITH {_VOUCHERS} SELECT count(*) FROM sent f WHERE {_OF_PERIOD}",
    query=f"""
WITH {_VOUCHERS}
SELECT f.natural_key AS document, f.bill_id, f.party AS supplier, f.currency, f.amount, f.created_at AS sent_at,
  f.archived_at, coalesce(b.payment_status, '') AS payment_status,
  CASE WHEN b.paid_amount > 0 OR b.scheduled_amount > 0 THEN 'the bill is paid or scheduled'
    WHEN coalesce(b.archived, true) THEN 'the bill was archived' ELSE 'the bill is still open' END AS finding
FROM sent f
LEFT JOIN jdebill.bill_bills b ON b.connection = :connection AND b.id = f.bill_id
WHERE {_OF_PERIOD} AND NOT EXISTS (SELECT FROM jdebill.aud_f0411 v WHERE v.connection = :connection
  AND v.doc = split_part(f.natural_key, '-', 3)::numeric AND v.dct = split_part(f.natural_key, '-', 2)
  AND v.kco = split_part(f.natural_key, '-', 1))
ORDER BY f.natural_key
""",
    columns=(
        Column("document", "Voucher", Shape.KEY),
        Column("bill_id", "BILL bill", Shape.KEY),
        Column("supplier", "Supplier"),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("sent_at", "Sent", Shape.TIME),
        Column("archived_at", "Archived in BILL", Shape.TIME),
        Column("payment_status", "Payment status in BILL"),
        Column("finding", "Finding"),
    ),
    rule=Rule.NO_ROWS,
    fix="Ask who deleted the voucher in JD Edwards and why; enter it again if the invoice is owed.",
)

# The bill as it was last sent: the lines of the newest confirmed write that has lines.
_BILLS = """
last AS MATERIALIZED (
  SELECT DISTINCT ON (w.natural_key) w.natural_key, w.content, w.period, w.party, w.currency, w.settled_at,
    l.remote_id AS bill_id
  FROM jdebill.links l JOIN jdebill.writes w ON w.connection = l.connection AND w.kind = l.kind
    AND w.natural_key = l.natural_key AND w.state = 'confirmed' AND w.operation IN ('create', 'update')
  WHERE l.connection = :connection AND l.kind = 'bill'
  ORDER BY w.natural_key, w.generation DESC
),
decided AS MATERIALIZED (
  SELECT l.*, b.raw, b.amount AS bill_amount, b.vendor_id, b.invoice_number, b.updated_time, b.approval_status,
    b.payment_status,
    (SELECT coalesce(sum((i->>'amount')::numeric), 0) FROM jsonb_array_elements(l.content->'billLineItems') i) AS sent,
    (SELECT array_agg(concat_ws(' ', trim_scale((i->>'amount')::numeric), i->'classifications'->>'chartOfAccountId',
      i->'classifications'->>'departmentId') ORDER BY 1) FROM jsonb_array_elements(l.content->'billLineItems') i)
      AS sent_lines,
    (SELECT array_agg(concat_ws(' ', trim_scale((i->>'amount')::numeric), i->'classifications'->>'chartOfAccountId',
      i->'classifications'->>'departmentId') ORDER BY 1) FROM jsonb_array_elements(b.raw->'billLineItems') i)
      AS bill_lines
  FROM last l JOIN jdebill.bill_bills b ON b.connection = :connection AND b.id = l.bill_id
  WHERE NOT b.archived AND (b.approval_status IN ('APPROVING', 'APPROVED') OR b.payment_status <> 'UNPAID')
),
paid AS MATERIALIZED (
  SELECT concat_ws('-', i->>'document_company', i->>'document_type', i->>'document_number') AS document,
    sum((i->>'amount')::numeric + coalesce((i->>'discount')::numeric, 0)) AS amount
  FROM jdebill.writes w
  JOIN jdebill.aud_f0413 h ON h.connection = w.connection AND w.remote_id = 'PYID-' || h.pyid AND h.vdgj IS NULL
  CROSS JOIN LATERAL jsonb_array_elements(w.content->'vouchers') AS i
  WHERE w.connection = :connection AND w.kind = 'posting' AND w.operation = 'post' AND w.state = 'confirmed'
    AND w.content->>'route' = 'payment'
  GROUP BY 1
),
voucher AS MATERIALIZED (
  SELECT v.kco || '-' || v.dct || '-' || v.doc AS document, max(v.upmj) AS changed_on, max(v."user") AS changed_by,
    sum(CASE WHEN v.crrm = 'F' THEN v.fap ELSE v.aap END) AS open, bool_or(v.vod = 'V') AS voided
  FROM jdebill.aud_f0411 v WHERE v.connection = :connection AND v.sfxe = 0
  GROUP BY 1
)
"""

EDITED = Procedure(
    key="edited_after_approval",
    section=Section.VALIDATION,
    title="Documents edited after their approval",
    objective="Authorisation: what is paid is what was approved.",
    method=(
        "A bill that is approved, scheduled or paid is compared with what was sent last (vendor, invoice number, "
        "amount, and amount and classification of each line), and with its voucher in JD Edwards: what is open there "
        "(F0411) and what our standing postings settled of it must add up to the bill; a voided voucher has no "
        "approved or paid bill. Listed in the "
        "period of the last change: BILL's updatedTime, or F0411.UPMJ."
    ),
    population=f"WITH {_BILLS} SELECT count(*) FROM decided",
    query=f"""
WITH {_BILLS},
compared AS (
  SELECT d.natural_key AS document, d.bill_id, d.party AS supplier, d.currency, d.sent, d.bill_amount,
    v.open + coalesce(p.amount, 0) AS in_jde, d.approval_status, d.payment_status,
    (d.updated_time::timestamptz AT TIME ZONE :timezone)::date AS bill_changed_on, v.changed_on AS jde_changed_on,
    v.changed_by, concat_ws(', ',
      CASE WHEN d.bill_amount <> d.sent THEN 'amount' END,
      CASE WHEN d.vendor_id <> d.content->>'vendorId' THEN 'vendor' END,
      CASE WHEN d.invoice_number <> d.content->'invoice'->>'invoiceNumber' THEN 'invoice number' END,
      CASE WHEN d.bill_amount = d.sent AND d.bill_lines IS DISTINCT FROM d.sent_lines THEN 'lines' END) AS in_bill,
    coalesce(v.voided, false) AS voided, NOT v.voided AND v.open + coalesce(p.amount, 0) <> d.sent AS edited_in_jde
  FROM decided d
  LEFT JOIN voucher v ON v.document = d.natural_key
  LEFT JOIN paid p ON p.document = d.natural_key
)
SELECT c.document, c.bill_id, c.supplier, c.currency, c.sent, c.bill_amount, c.in_jde, c.approval_status,
  c.payment_status, c.bill_changed_on, c.jde_changed_on, c.changed_by,
  concat_ws('; ', CASE WHEN c.in_bill <> '' THEN 'edited in BILL: ' || c.in_bill END,
    CASE WHEN c.edited_in_jde THEN 'edited or paid in JD Edwards: amount' END,
    CASE WHEN c.voided THEN 'the voucher is voided in JD Edwards' END) AS finding
FROM compared c
WHERE c.in_bill <> '' AND c.bill_changed_on BETWEEN :first AND :last
  OR (c.edited_in_jde OR c.voided) AND c.jde_changed_on BETWEEN :first AND :last
ORDER BY c.document
""",
    columns=(
        Column("document", "JDE document", Shape.KEY),
        Column("bill_id", "BILL bill", Shape.KEY),
        Column("supplier", "Supplier"),
        Column("currency", "Currency"),
        Column("sent", "As sent", Shape.AMOUNT),
        Column("bill_amount", "In BILL", Shape.AMOUNT),
        Column("in_jde", "In JDE (open + paid)", Shape.AMOUNT),
        Column("approval_status", "Approval"),
        Column("payment_status", "Payment"),
        Column("bill_changed_on", "Changed in BILL", Shape.DATE),
        Column("jde_changed_on", "Changed in JDE", Shape.DATE),
        Column("changed_by", "JDE user"),
        Column("finding", "Finding"),
    ),
    rule=Rule.NO_ROWS,
    fix="Have the change approved, or undo it; the two systems must show the approved document.",
)

DOCUMENTS = (EDITED, DELETED)
