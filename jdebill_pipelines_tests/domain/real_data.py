"""The whole of the pure rules over one folder of JDE tables: suppliers, GL map, drafts, verdicts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from jdebill_pipelines.domain.documents import BillDraft, DraftContext, VendorTarget
from jdebill_pipelines.domain.gl_mapping import GlRules, build_gl_map
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.suppliers import SupplierTables, build_suppliers, vendor_status
from jdebill_pipelines.domain.verdicts import Verdict
from jdebill_pipelines.schemas.gate import GateReference, judge_bill_drafts
from jdebill_pipelines_tests.domain.jde_csv import read_table


def prepared(folder: Path, today: date) -> tuple[DraftContext, GateReference]:
    """What drafts are read and judged against, with every vendor and classification that may be created."""
    tables = {n.lower(): read_table(folder, n) for n in ("F0401", "F0101", "F0111", "F0115", "F0116", "F01151")}
    suppliers = build_suppliers(SupplierTables(**tables), today=today)
    rules = GlRules(create_accounts=True, create_departments=True)
    gl = build_gl_map(read_table(folder, "F0901"), read_table(folder, "F0006"), [], [], rules=rules).planned()
    currencies = Currencies.from_rows(read_table(folder, "F0013"))
    vendors = {n: VendorTarget(f"009{n}", s.currency) for n, s in suppliers.items() if vendor_status(s)[0] == "due"}
    companies = {row["CO"]: row["CRCD"] for row in read_table(folder, "F0010")}
    context = DraftContext(suppliers, vendors, gl, currencies, companies)
    return context, GateReference(suppliers, gl, currencies)


def sums(drafts: list[BillDraft], verdicts: list[Verdict]) -> dict[str, tuple[int, Decimal]]:
    """How many documents and how much money passes, is held and is not due."""
    passed = {v.natural_key: v.passed for v in verdicts}
    totals = {"passed": [0, Decimal(0)], "held": [0, Decimal(0)], "not_due": [0, Decimal(0)]}
    for draft in drafts:
        name = "not_due" if draft.status == "not_due" else "passed" if passed[draft.natural_key] else "held"
        totals[name][0] += 1
        totals[name][1] += draft.signed_amount
    return {name: (int(count), Decimal(amount)) for name, (count, amount) in totals.items()}


__all__ = ["judge_bill_drafts", "prepared", "sums"]
