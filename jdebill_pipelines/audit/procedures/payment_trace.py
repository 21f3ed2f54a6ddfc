"""Each payment of the period from BILL to the ledger, and what is on its way at the cut-off.

Belongs here: the evidence, payment by payment. Does not belong here: the tests of single postings (postings.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.payment_facts import PAID, POSTED

_FACTS = f"WITH {PAID}, {POSTED}"
_OF_PERIOD = "p.process_date BETWEEN :first AND :last OR d.gl_date BETWEEN :first AND :last"

PAYMENT_TRACE = Procedure(
    key="payment_trace",
    section=Section.TRACE,
    title="Payment trace matrix",
    objective="Every payment can be followed from BILL to its entries in the general ledger, with times and amounts.",
    method=(
        "One row per payment, bill and JDE document, for payments processed in the period and for postings dated in "
        "it: every state that BILL showed, with its time, its source and the id of the event; means and number of the "
        "disbursement; the JDE payment (F0413) with the vouchers it pays (F0414), or the journal entry; its batch with "
        "its post status (F0011), its ledger lines (F0911, ledger AA) and their debits."
    ),
    population=f"""
{_FACTS}
SELECT count(*) FROM paid p LEFT JOIN posted d ON d.payment_id = p.payment_id AND d.bill_id = p.bill_id
WHERE {_OF_PERIOD}
""",
    query=f"""
{_FACTS},
lines AS MATERIALIZED (
  SELECT f.icut || ' ' || f.icu AS batch, f.doc, count(*) AS lines, sum(f.aa) FILTER (WHERE f.aa > 0) AS debits
  FROM jdebill.aud_f0911 f WHERE f.connection = :connection AND f.lt = 'AA' AND f.icut IN ('K', 'M', 'W', 'G', '')
    AND f.dct NOT IN ('AE', 'PO')
  GROUP BY f.icut, f.icu, f.doc
),
header AS MATERIALIZED (
  SELECT b.icut || ' ' || b.icu AS batch, b.ist FROM jdebill.aud_f0011 b WHERE b.connection = :connection
),
history AS MATERIALIZED (
  SELECT h.payment_id, string_agg(concat_ws(' ', coalesce(nullif(h.single_status, ''), h.status),
      nullif(left(h.updated_time, 19), ''), h.source, nullif(h.event_id, '')), '; ' ORDER BY h.seq) AS states
  FROM jdebill.bill_payment_status_history h WHERE h.connection = :connection GROUP BY h.payment_id
)
SELECT p.payment_id, p.bill_id, p.document, p.vendor, p.invoice_number, p.process_date, p.state,
  coalesce(h.states, '') AS states,
  coalesce(b.disbursement_type, '') AS method,
  coalesce(b.raw #>> '{{disbursementInfo,checkDisbursement,checkNumber}}', nullif(b.confirmation_number, ''), '')
    AS trace_number,
  p.currency, p.amount, coalesce(d.document, '') AS jde_document, coalesce(nullif(d.vouchers, ''), '') AS vouchers,
  d.payment_number, d.gl_date, d.voided_on, d.amount AS posted, coalesce(d.batch, '') AS batch,
  coalesce(t.ist, '') AS batch_status, coalesce(l.lines, 0) AS gl_lines, l.debits AS gl_debits,
  coalesce(d.reference, '') AS reference, s.run_id, s.settled_at,
  CASE WHEN d.document IS NULL AND p.action = 'post' THEN 'not in JD Edwards'
    WHEN d.document IS NULL THEN 'nothing to post at the cut-off'
    WHEN NOT d.stands THEN 'voided in JD Edwards'
    WHEN d.amount IS DISTINCT FROM p.amount THEN 'another amount'
    WHEN d.gl_date > :last THEN 'dated after the cut-off'
    ELSE 'equal' END AS compared
FROM paid p
LEFT JOIN posted d ON d.payment_id = p.payment_id AND d.bill_id = p.bill_id
LEFT JOIN jdebill.bill_payments b ON b.connection = :connection AND b.id = p.payment_id
LEFT JOIN history h ON h.payment_id = p.payment_id
LEFT JOIN header t ON t.batch = d.batch
LEFT JOIN lines l ON l.batch = d.batch AND l.doc = d.payment_number
LEFT JOIN sent s ON s.reference = d.reference
WHERE {_OF_PERIOD}
ORDER BY p.process_date, p.payment_id, p.bill_id, d.document
""",
    columns=(
        Column("payment_id", "BILL payment", Shape.KEY),
        Column("bill_id", "BILL bill", Shape.KEY),
        Column("document", "JDE document", Shape.KEY),
        Column("vendor", "Vendor"),
        Column("invoice_number", "Invoice number", Shape.KEY),
        Column("process_date", "Process date", Shape.DATE),
        Column("state", "State at the cut-off"),
        Column("states", "States in BILL"),
        Column("method", "Means"),
        Column("trace_number", "Check or trace number"),
        Column("currency", "Currency"),
        Column("amount", "Paid in BILL", Shape.AMOUNT),
        Column("jde_document", "JDE payment or entry", Shape.KEY),
        Column("vouchers", "Vouchers paid"),
        Column("payment_number", "Payment number"),
        Column("gl_date", "G/L date", Shape.DATE),
        Column("voided_on", "Voided in JDE", Shape.DATE),
        Column("posted", "Posted in JDE", Shape.AMOUNT),
        Column("batch", "Batch"),
        Column("batch_status", "Batch status"),
        Column("gl_lines", "G/L lines", Shape.NUMBER),
        Column("gl_debits", "G/L debits, company's currency", Shape.AMOUNT, currency="-"),
        Column("reference", "Reference"),
        Column("run_id", "Run"),
        Column("settled_at", "Confirmed", Shape.TIME),
        Column("compared", "Compared"),
    ),
    rule=Rule.EVIDENCE,
)
