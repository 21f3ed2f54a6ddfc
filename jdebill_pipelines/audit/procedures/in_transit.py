"""Payments that are on their way at the cut-off, and for how long.

Belongs here: what one system knows and the other does not know yet. Does not belong here: payments that a person must
decide about (reversals.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.payment_facts import PAID, POSTED

_FACTS = f"""
WITH {PAID}, {POSTED},
first_posted AS MATERIALIZED (
  SELECT DISTINCT ON (x.payment_id, x.bill_id) x.payment_id, x.bill_id, x.document, x.gl_date
  FROM posted x ORDER BY x.payment_id, x.bill_id, x.stands DESC, x.gl_date, x.document
),
way AS MATERIALIZED (
  SELECT p.*, (CAST(:last AS date) - p.process_date) AS age,
    CASE WHEN p.action = 'nothing' THEN 'not processed yet at the cut-off'
      WHEN d.document IS NULL THEN 'processed, not in JD Edwards'
      ELSE 'processed, in JD Edwards after the cut-off' END AS stage,
    d.document AS jde_document, d.gl_date
  FROM paid p
  LEFT JOIN first_posted d ON d.payment_id = p.payment_id AND d.bill_id = p.bill_id
  WHERE p.process_date <= :last AND p.action IN ('post', 'nothing') AND (d.gl_date IS NULL OR d.gl_date > :last)
)
"""

IN_TRANSIT = Procedure(
    key="in_transit",
    section=Section.TRACE,
    title="Payments in transit at the cut-off, with their age",
    objective="Cut-off: what BILL paid and the ledger does not show yet is known, payment by payment.",
    method=(
        "Payments with a process date up to the cut-off that were not processed then (they reduce nothing yet), that "
        "are not in JD Edwards, or that are there with a G/L date after the cut-off. The age is counted from the "
        "process date to the cut-off."
    ),
    population=f"{_FACTS} SELECT count(*) FROM paid p WHERE p.process_date <= :last",
    query=f"""
{_FACTS}
SELECT w.payment_id, w.bill_id, w.document, w.vendor, w.process_date, w.age AS days, w.state, w.stage,
  w.currency, w.amount,
  coalesce(w.jde_document, '') AS jde_document, w.gl_date
FROM way w
ORDER BY w.process_date, w.payment_id, w.bill_id
""",
    columns=(
        Column("payment_id", "BILL payment", Shape.KEY),
        Column("bill_id", "BILL bill", Shape.KEY),
        Column("document", "JDE document", Shape.KEY),
        Column("vendor", "Vendor"),
        Column("process_date", "Process date", Shape.DATE),
        Column("days", "Days", Shape.NUMBER),
        Column("state", "State at the cut-off"),
        Column("stage", "Where it is"),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("jde_document", "JDE payment or entry", Shape.KEY),
        Column("gl_date", "G/L date", Shape.DATE),
    ),
    rule=Rule.EVIDENCE,
)
