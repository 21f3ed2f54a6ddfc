"""Forty planted faults of twelve kinds: the report finds exactly these, and nothing in clean books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import jdebill_pipelines
from jdebill_pipelines.audit.model import AuditPeriod, Report
from jdebill_pipelines.audit.period import of_days
from jdebill_pipelines.audit.runner import run_report
from jdebill_pipelines.steps.ap_ledger import ap_ledger
from jdebill_pipelines.steps.bill_side import mirror_all_bills, refresh_vendors
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines_tests.audit_faults.findings import (
    CONSEQUENCES,
    READINGS,
    TOTALS,
    Exceptions,
    consequences,
    exceptions_of,
    findings,
    new_exceptions,
    table,
)
from jdebill_pipelines_tests.audit_faults.planting import KINDS, Planter
from jdebill_pipelines_tests.payments.loop import NAME, Loop

D = Decimal
AUDIT_PAGE = Path(jdebill_pipelines.__file__).parent.parent / "docs" / "audit.md"


@dataclass(frozen=True)
class Told:
    """What the reports said, before and after the faults.

    Attributes:
        clean: of each month of the company, and of the period, before.
        after: of the period, with the faults.
        titles: of the procedures.
        planter: what was planted.
        same_amounts: pairs of vouchers of the clean company, found without the report.
    """

    clean: Mapping[str, Exceptions]
    after: Exceptions
    titles: Mapping[str, str]
    planter: Planter
    same_amounts: set[frozenset[str]]


@pytest.fixture(scope="module")
def told(company: Loop) -> Told:
    """Reports of the clean company, the faults, and the report of the period with them.

    The period is the last thirty days and the next two: whatever today is, what happens today and tomorrow lies in it.
    """
    today = datetime.now(UTC).date()
    connection = company.runtime.connections[NAME]
    period = of_days(connection, f"{today:%Y-%m}", today - timedelta(days=29), today + timedelta(days=2))
    read_both_sides(company)
    clean = {month: exceptions_of(run_report(company.store, connection, month)) for month in company.months}
    clean["period"] = exceptions_of(report_of(company, period))
    alike = same_amounts(company)
    planter = Planter(company, today, period.first)
    plant(planter)
    read_both_sides(company)
    report = report_of(company, period)
    titles = {result.procedure.key: result.procedure.title for result in report.results}
    return Told(clean, exceptions_of(report), titles, planter, alike)


def plant(planter: Planter) -> None:
    planter.posted_twice(by_us=2, by_hand=2)
    planter.wrong_amount(4)
    planter.wrong_period(dated=2, numbered=2)
    planter.missing_posting(deleted=2, never=2)
    planter.voided_in_bill(3)
    planter.voided_in_jde(3)
    planter.deleted_voucher(3)
    planter.edited(in_bill=2, in_jde=2)
    planter.disguised_duplicate(in_jde=3, in_bill=1)
    planter.changed_bank(2)
    planter.closed_period(vouchers=1, journals=2)
    planter.tampered_journal()


def read_both_sides(loop: Loop) -> None:
    """Read what both systems hold now, without repairing anything."""
    ctx = loop.context("bill/vendors", Mode.FULL, "look")
    refresh_vendors(ctx)
    mirror_all_bills(ctx.bill(), loop.store, run_id=ctx.run_id, seen_at=ctx.now)
    loop.run(["bill/payments"])
    ap_ledger(loop.context("audit/month_end", Mode.FULL, "look"))


def report_of(loop: Loop, period: AuditPeriod) -> Report:
    return run_report(loop.store, loop.runtime.connections[NAME], period)


def test_clean_months_have_none_of_these_faults(company: Loop, told: Told) -> None:
    """Three months and the period, before: only what the generated company has by itself, and that is true.

    Suppliers of one address, people who entered and paid a voucher, one invoice that was entered twice, and vouchers of
    one amount: among them an order that a clerk matched to a voucher in JDE although BILL pays it.
    """
    for month, exceptions in told.clean.items():
        kinds = {kind for kind, _ in findings(exceptions)}
        assert kinds <= {"suppliers alike", "duties", "disguised duplicate", "same amount"}, month
        assert set(exceptions) <= {"suppliers_alike", "duties_in_jde", "duplicate_invoices"}, month
    alike = [row for month in company.months for row in told.clean[month].get("duplicate_invoices", ())]
    written = {(row["first_number"], row["number"]) for row in alike if row["kind"] != "same amount, near date"}
    assert written == {("INV-0042", "inv 42")}
    pairs = {frozenset((row["first_document"], row["document"])) for row in alike if "amount" in row["kind"]}
    (twice,) = ({row["first_document"], row["document"]} for row in alike if row["number"] == "inv 42")
    assert pairs | {frozenset(twice)} == told.same_amounts


def test_the_report_finds_exactly_what_was_planted(told: Told) -> None:
    """Every planted fault under its kind and key, once, and no other finding; what it unbalances is what it touched."""
    planted = Counter((kind, key) for kind, keys in told.planter.planted.items() for key in keys)
    assert (len(planted), planted.total(), set(told.planter.planted)) == (40, 40, set(KINDS))
    new = new_exceptions(told.clean["period"], told.after)
    assert findings(new) == planted
    assert set(new) <= {reading.procedure for reading in READINGS} | set(CONSEQUENCES) | set(TOTALS)
    assert consequences(new) <= told.planter.touched


def test_the_totals_are_off_by_the_planted_amounts(told: Told) -> None:
    """Two vouchers edited by 55.00 in JDE alone, four payments by 10.00 in F0414 alone: the ledger knows neither.

    What was posted twice, moved or voided in JDE is so in both its ledgers.
    """
    (tie,) = told.after["tie_out"]
    assert tie["unexplained"] == 2 * D("55.00") - 4 * D("10.00")
    (three,) = told.after["three_sided"]
    assert three["unexplained"] == sum(row["unexplained"] for row in told.after["three_sided_items"])


def test_the_first_broken_entry_is_named(company: Loop, told: Told) -> None:
    """Verification of the journal stops at the first of the two rows that were tampered with."""
    verified = company.store.journal.verify()
    assert (verified.ok, verified.first_broken) == (False, min(map(int, told.planter.planted["tampered journal row"])))


def test_the_manual_says_what_finds_what(told: Told) -> None:
    """The table in docs/audit.md is the one of this test."""
    planted = {kind: told.planter.planted[kind] for kind in KINDS}
    assert "\n".join(table(planted, told.after, told.titles)) in AUDIT_PAGE.read_text("utf-8")


def same_amounts(company: Loop) -> set[frozenset[str]]:
    """Pairs of standing vouchers of a supplier with one amount and invoice dates within two weeks, from JDE's rows."""
    vouchers: dict[str, list[dict[str, Any]]] = {}
    for row in company.table("F0411"):
        vouchers.setdefault(f"{row['KCO']}-{row['DCT']}-{row['DOC']}", []).append(row)
    facts = {
        key: (
            rows[0]["AN8"],
            rows[0]["CRCD"],
            sum(D(row.get("ACR" if row["CRRM"] == "F" else "AG", 0)) for row in rows),
        )
        for key, rows in vouchers.items()
        if not any(row.get("VOD") for row in rows)
    }
    return {
        frozenset((one, other))
        for one, other in combinations(facts, 2)
        if facts[one] == facts[other] and facts[one][2] and abs(_day(vouchers[one]) - _day(vouchers[other])).days <= 14
    }


def _day(rows: list[dict[str, Any]]) -> datetime:
    return min(datetime.strptime(row["DIVJ"], "%Y%m%d").replace(tzinfo=UTC) for row in rows)
