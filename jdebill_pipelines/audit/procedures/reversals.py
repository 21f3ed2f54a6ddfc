"""Voids, cancels and reissues: each is the same thing in both systems.

Belongs here: payments that ended. Does not belong here: payments that stand (postings.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.payment_facts import PAID, POSTED, STATES_AT_CUT_OFF

# A void belongs to the period that it happened in, whichever side did it.
_VOIDS = f"""
WITH {PAID}, {POSTED},
undone AS MATERIALIZED (
  SELECT p.payment_id, p.bill_id FROM paid p WHERE p.action = 'reverse' AND p.changed_on BETWEEN :first AND :last
  UNION
  SELECT d.payment_id, d.bill_id FROM posted d WHERE d.voided_on BETWEEN :first AND :last
)
"""

VOIDS = Procedure(
    key="voids",
    section=Section.REVERSALS,
    title="Voids, cancels and reissues with their reversal",
    objective="Accuracy: what was voided in one system does not stand in the other.",
    method=(
        "Every payment that BILL voided or cancelled in the period, and every payment of ours that JD Edwards voided "
        "in it (F0413.VDGJ), is compared with the other side as of the cut-off. JD Edwards deletes a payment that was "
        "not posted; gone counts as voided. A reissued payment names the payment that replaces it."
    ),
    population=f"{_VOIDS} SELECT count(*) FROM undone",
    query=f"""
{_VOIDS},
row AS (
  SELECT u.payment_id, u.bill_id, coalesce(p.document, '') AS document, coalesce(p.vendor, '') AS vendor,
    coalesce(p.state, '') AS state, CASE WHEN p.action = 'reverse' THEN p.changed_on END AS ended_on,
    coalesce(p.void_reason, '') AS reason, coalesce(nullif(p.currency, ''), d.currency) AS currency,
    coalesce(p.amount, d.amount) AS amount, d.document AS jde_document, d.voided_on, d.stands, d.entered_by,
    p.action, n.id AS reissued_as, l.remote_id
  FROM undone u
  LEFT JOIN paid p ON p.payment_id = u.payment_id AND p.bill_id = u.bill_id
  LEFT JOIN posted d ON d.payment_id = u.payment_id AND d.bill_id = u.bill_id
  LEFT JOIN jdebill.links l ON l.connection = :connection AND l.kind = 'posting' AND l.natural_key = p.posting
  LEFT JOIN LATERAL (
    SELECT x.id FROM jdebill.bill_payments x JOIN jdebill.bill_payment_lines y
      ON y.connection = x.connection AND y.payment_id = x.id AND y.bill_id = u.bill_id
    WHERE x.connection = :connection AND p.void_kind LIKE '%REISSUE%' AND x.id <> u.payment_id
      AND x.created_time >= (SELECT o.created_time FROM jdebill.bill_payments o
        WHERE o.connection = :connection AND o.id = u.payment_id)
    ORDER BY x.created_time, x.id LIMIT 1) AS n ON true
)
SELECT r.payment_id, r.bill_id, r.document, r.vendor, r.currency, r.amount, r.state, r.ended_on, r.reason,
  r.reissued_as, r.jde_document, r.voided_on, r.entered_by,
  CASE
    WHEN r.action = 'reverse' AND r.stands AND r.voided_on IS NOT NULL THEN 'voided in JD Edwards after the cut-off'
    WHEN r.action = 'reverse' AND r.stands THEN 'voided in BILL only'
    WHEN r.action IS NULL THEN 'voided in JD Edwards; BILL has no such payment'
    WHEN r.action <> 'reverse' AND NOT r.stands THEN 'voided in JD Edwards only'
    ELSE '' END AS exception,
  CASE WHEN r.jde_document IS NULL AND r.remote_id IS NULL THEN 'was never posted'
    WHEN r.jde_document IS NULL THEN 'deleted in JD Edwards'
    WHEN r.stands THEN '' ELSE 'reversed' END AS in_jde
FROM row r
ORDER BY coalesce(r.ended_on, r.voided_on), r.payment_id, r.bill_id, r.jde_document
""",
    columns=(
        Column("payment_id", "BILL payment", Shape.KEY),
        Column("bill_id", "BILL bill", Shape.KEY),
        Column("document", "JDE document", Shape.KEY),
        Column("vendor", "Vendor"),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("state", "State in BILL at the cut-off"),
        Column("ended_on", "Ended in BILL", Shape.DATE),
        Column("reason", "Reason in BILL"),
        Column("reissued_as", "Reissued as", Shape.KEY),
        Column("jde_document", "JDE payment or entry", Shape.KEY),
        Column("voided_on", "Voided in JDE", Shape.DATE),
        Column("entered_by", "Entered by"),
        Column("exception", "Exception"),
        Column("in_jde", "In JD Edwards"),
    ),
    rule=Rule.FLAGGED,
    fix="Void the payment in the system where it still stands, or, where it was voided by mistake, post it again.",
)

_REVIEW = "d.action = 'review' AND d.process_date BETWEEN :first AND :last"

DECIDE = Procedure(
    key="payments_to_decide",
    section=Section.REVERSALS,
    title="Payments in a state that needs a person",
    objective="Valuation: failed, returned, held and escheated payments are known and decided about.",
    method=(
        "Payments of the period that were at the cut-off in a state that neither posts nor reverses by rule: see "
        "docs/payment-states.md. What was posted of them stands until somebody decides."
    ),
    population=f"WITH {STATES_AT_CUT_OFF} SELECT count(*) FROM decided d WHERE d.process_date BETWEEN :first AND :last",
    query=f"""
WITH {STATES_AT_CUT_OFF}
SELECT d.id AS payment_id, coalesce(d.raw->>'vendorName', '') AS vendor, d.process_date, d.amount,
  coalesce(nullif(d.single_status, ''), d.status) AS state, d.changed_on,
  coalesce(nullif(d.single_status_now, ''), d.status_now) AS state_now,
  coalesce(d.raw->>'confirmationNumber', '') AS confirmation
FROM decided d WHERE {_REVIEW}
ORDER BY d.process_date, d.id
""",
    columns=(
        Column("payment_id", "BILL payment", Shape.KEY),
        Column("vendor", "Vendor"),
        Column("process_date", "Process date", Shape.DATE),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("state", "State at the cut-off"),
        Column("changed_on", "Last change", Shape.DATE),
        Column("state_now", "State now"),
        Column("confirmation", "Confirmation"),
    ),
    rule=Rule.NO_ROWS,
    fix="Act on the payment in BILL (void, reissue, wire the funds); JD Edwards follows by itself.",
)

REVERSALS = (VOIDS, DECIDE)
