"""Three months of a company that was paid in every way: each total of the report is added up here once more by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jdebill_pipelines.audit.runner import run_report
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain.periods import month_of
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines_tests.audit.books import (
    activity_of,
    bill_open_of,
    csv_bytes,
    figures,
    outcome,
    own_open_of,
    read_ledgers,
    rows_of,
    subledger_of,
    trade_account_of,
    voucher_of,
)
from jdebill_pipelines_tests.payments.loop import D, Loop


def pay_mixed(loop: Loop) -> dict[str, Any]:
    """Pay bills whole, in part, in other currencies, of orders; one payment is voided, one stays on its way."""
    dollars = [b for b in loop.open_bills() if b["currency"] == "USD"]
    others = [b for b in loop.open_bills() if b["currency"] != "USD"]
    orders = loop.open_bills("F4301")
    assert len(dollars) >= 6
    assert others
    assert orders
    done = {
        "whole": loop.clerk("pay", billId=dollars[0]["id"], to="PROCESSED"),
        "part": loop.clerk("pay", billId=dollars[1]["id"], amount=str(dollars[1]["amount"] / 4), to="PROCESSED")
        if dollars[1]["amount"] % 4 == 0
        else loop.clerk("pay", billId=dollars[1]["id"], amount="10.01", to="PROCESSED"),
        "void": loop.clerk("pay", billId=dollars[2]["id"], to="PROCESSED"),
        "scheduled": loop.clerk("pay", billId=dollars[3]["id"], to="SCHEDULED"),
        "order": loop.clerk("pay", billId=orders[0]["id"], to="PROCESSED"),
        "foreign": [loop.clerk("pay", billId=bill["id"], to="PROCESSED") for bill in others],
    }
    loop.payments()
    loop.clerk("void", paymentId=done["void"]["id"])
    loop.clerk("advance", paymentId=done["void"]["id"], to="VOIDED")
    loop.payments()
    loop.sandbox.control_ais("post", {})
    return done


def test_three_months_add_up_on_both_sides(loop: Loop, connection: Connection) -> None:
    """Every total of three monthly reports equals the sum over the simulators' own tables, in each currency."""
    pay_mixed(loop)
    read_ledgers(loop)
    for month in loop.months:
        report = run_report(loop.store, connection, month)
        last = report.period.last
        (tie,) = rows_of(report, "tie_out")
        assert tie["subledger"] == subledger_of(loop, last)
        assert tie["gl_control"] == trade_account_of(loop, last)
        assert (tie["unexplained"], outcome(report, "tie_out")) == (D(0), "passed")
        assert {r["currency"]: activity(r) for r in rows_of(report, "roll_forward")} == activity_of(
            loop, report.period.first, last
        )
        assert {r["currency"]: r["jde_open_all"] for r in rows_of(report, "three_sided") if r["jde_open_all"]} == {
            currency: total for currency, total in own_open_of(loop, last).items() if total
        }
        assert {r["currency"]: r["bill_open"] + r["bill_only"] for r in rows_of(report, "three_sided")} == bill_open_of(
            loop, last
        )
        for key in ("three_sided", "roll_forward", "batches_to_ledger", "account_balances"):
            assert outcome(report, key) == "passed", key
        for key in ("integrity_items", "integrity_payments", "integrity_batches"):
            assert outcome(report, key) == "passed", key


def activity(row: dict[str, Any]) -> tuple[Any, ...]:
    """The figures of a roll-forward, in order."""
    return tuple(D(row[name]) for name in ("opening", "vouchers", "adjustments", "payments", "voids", "closing"))


def test_a_past_month_gives_the_same_figures_after_two_further_months(
    loop: Loop, connection: Connection, in_months: Callable[[int], date], tmp_path: Path
) -> None:
    """Reported, then two months of vouchers, payments and a void in both systems: reported again, nothing moved.

    Not a byte of the CSV files with figures differs.
    """
    done = pay_mixed(loop)
    read_ledgers(loop)
    past = month_of(in_months(0))
    reported = run_report(loop.store, connection, past)
    before, files = figures(reported), csv_bytes(reported, tmp_path / "before")
    for ahead in (1, 2):
        day = in_months(ahead)
        moment = {"set": f"{day.isoformat()}T12:00:00.000Z", "frozen": True}
        loop.sandbox.control_bill("clock", moment)
        loop.sandbox.control_ais("clock", moment)
        later = loop.sandbox.control_ais(
            "clerk/voucher", voucher_of(loop, f"LATER-{ahead}", day + timedelta(days=2), D("120.50") * ahead)
        )
        assert later
        bill = next(b for b in loop.open_bills() if b["currency"] == "USD")
        loop.clerk("pay", billId=bill["id"], to="PROCESSED", processDate=(day + timedelta(days=3)).isoformat())
    loop.clerk("void", paymentId=done["whole"]["id"])
    assert loop.payments(Mode.FULL).counts["reversed"] == 1
    loop.sandbox.control_ais("post", {})
    read_ledgers(loop)
    again = run_report(loop.store, connection, past)
    assert figures(again) == before
    assert csv_bytes(again, tmp_path / "after") == files
    after = run_report(loop.store, connection, month_of(in_months(2)))
    (tie,) = rows_of(after, "tie_out")
    assert tie["subledger"] == subledger_of(loop, after.period.last)
    assert tie["subledger"] != before["tie_out"][1][0]["subledger"]
