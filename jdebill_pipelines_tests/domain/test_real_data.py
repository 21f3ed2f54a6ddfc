"""The public procurement data through the pure rules, to the cent."""

from __future__ import annotations

import time
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from jdebill_pipelines.domain.purchase_orders import OrderRules, OrderTables, build_order_drafts
from jdebill_pipelines.domain.vouchers import VoucherRules, build_voucher_drafts
from jdebill_pipelines_tests.domain.jde_csv import read_table
from jdebill_pipelines_tests.domain.real_data import judge_bill_drafts, prepared, sums

pytestmark = pytest.mark.data


def test_council_vouchers_pass_or_are_held_for_their_suppliers(data_dir: Path) -> None:
    """Every voucher of the council passes, but those of suppliers without address or name; judged in under 2 s."""
    folder = data_dir / "oxford-2017"
    context, reference = prepared(folder, date(2018, 6, 30))
    drafts = build_voucher_drafts(read_table(folder, "F0411"), read_table(folder, "F0911"), context, VoucherRules())
    started = time.process_time()
    verdicts = judge_bill_drafts(drafts, reference)
    assert time.process_time() - started < 2
    assert sums(drafts, verdicts) == {
        "passed": (13_087, Decimal("60389158.61")),
        "held": (569, Decimal("2339540.19")),
        "not_due": (0, Decimal(0)),
    }
    held = [v for v in verdicts if not v.passed]
    assert {f.rule for v in held for f in v.failures} == {"name", "address"}
    suppliers = {d.supplier for d in drafts}
    lacking = Counter(f.rule for n in suppliers for f in context.suppliers[n].problems)
    assert lacking == {"address": 27, "name": 12}
    assert len({(d.supplier, d.invoice_number) for d in drafts}) == len(drafts)
    assert sum((line.amount for d in drafts for line in d.lines), Decimal(0)) == Decimal("62728698.80")


@pytest.mark.parametrize("basis", ["ordered", "received"])
def test_orders_pass_are_held_or_not_due(data_dir: Path, basis: str) -> None:
    """Approved orders pass, those of suppliers on hold are held, pending and rejected ones are not due."""
    folder = data_dir / "adventureworks"
    context, reference = prepared(folder, date(2026, 12, 31))
    tables = {n.lower(): read_table(folder, n) for n in ("F4301", "F4311", "F4209", "F43121", "F0014")}
    rules = OrderRules(approved_next_status={"OP": ("280", "380", "400", "440")}, basis=basis)  # type: ignore[arg-type]
    drafts = build_order_drafts(OrderTables(**tables), context, rules)
    totals = sums(drafts, judge_bill_drafts(drafts, reference))
    if basis == "ordered":
        assert totals == {
            "passed": (3_516, Decimal("56557688.12")),
            "held": (185, Decimal("2426717.49")),
            "not_due": (311, Decimal("4807600.33")),
        }
    else:
        billed = totals["passed"][1] + totals["held"][1]
        assert billed == Decimal("55617116.10")
        assert totals["passed"][0] + totals["held"][0] == 3_689
    reasons = Counter(d.reason.split(" by ")[0] for d in drafts if d.status == "not_due")
    assert reasons["approval"] == 225
    assert reasons["all lines are cancelled or rejected"] == 86
