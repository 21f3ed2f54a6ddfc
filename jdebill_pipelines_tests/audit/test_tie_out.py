"""The payables subledger against the control account, over a company that was synchronised and paid."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jdebill_pipelines.audit.runner import LedgersNotRead, load_report, run_report
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines_tests.audit.books import read_ledgers, rows_of, subledger_of, voucher_of
from jdebill_pipelines_tests.payments.loop import D, Loop


def test_the_subledger_equals_the_control_account_when_all_is_posted(loop: Loop, connection: Connection) -> None:
    """Six bills paid and posted: subledger and control are equal in each month, and are what the tables add up to."""
    for bill in loop.open_bills()[:6]:
        loop.clerk("pay", billId=bill["id"], to="PROCESSED")
    assert loop.payments().counts["posted"] == 6
    loop.sandbox.control_ais("post", {})
    read_ledgers(loop)
    for month in loop.months:
        report = run_report(loop.store, connection, month)
        (row,) = rows_of(report, "tie_out")
        assert row["subledger"] == subledger_of(loop, report.period.last)
        assert (row["gl_control"], row["difference"], row["exception"]) == (row["subledger"], D(0), "")
        (result,) = (r for r in report.results if r.procedure.key == "tie_out")
        assert result.outcome == "passed"
        loaded = load_report(loop.store, connection, month)
        assert loaded is not None
        assert (loaded.id, loaded.results) == (report.id, report.results)


def test_a_report_of_nothing_is_refused(loop: Loop, connection: Connection) -> None:
    """JDE's ledgers were never read for the audit: empty copies would agree with one another, so there is no report."""
    with pytest.raises(LedgersNotRead, match="F0411, F0911, F0413, F0414, F0011, F0902, F0012"):
        run_report(loop.store, connection, loop.months[0])
    assert load_report(loop.store, connection, loop.months[0]) is None


def test_what_waits_for_the_post_explains_the_difference(loop: Loop, connection: Connection) -> None:
    """A payment that is entered and not posted: the control account is too high by it, and the report says so."""
    loop.sandbox.control_ais("post", {})
    loop.sandbox.control_ais("switches", {"auto_post": False})
    bill = next(b for b in loop.open_bills() if b["currency"] == "USD")
    loop.clerk("pay", billId=bill["id"], to="PROCESSED")
    loop.payments()
    read_ledgers(loop)
    (row,) = rows_of(run_report(loop.store, connection, loop.months[-2]), "tie_out")
    assert row["difference"] == row["unposted"] == -bill["amount"]
    assert (row["unexplained"], row["exception"]) == (D(0), "")


def test_an_entry_on_the_trade_account_is_an_exception(loop: Loop, connection: Connection) -> None:
    """Somebody books 100.00 on the trade account by hand: the difference is unexplained, and the cause is named."""
    loop.sandbox.control_ais("post", {})
    lines = [row for row in loop.table("F0911") if row.get("DCT") == "AE" and row.get("OBJ") == "4110"]
    by_hand = {
        "DOC": 990001, "DCT": "JE", "JELN": 1, "ICUT": "G", "ICU": 990001, "AA": "100.00", "POST": "P", "EXA": "Hand",
    }  # fmt: skip
    loop.sandbox.control_ais("tables/F0911", {**lines[0], **by_hand})
    read_ledgers(loop)
    report = run_report(loop.store, connection, loop.months[-1])
    (row,) = rows_of(report, "tie_out")
    assert row["unexplained"] == row["journals"] == D(100)
    assert row["exception"] == "journal entries on the trade account"
    assert next(r for r in report.results if r.procedure.key == "tie_out").outcome == "failed"


def test_the_trade_accounts_are_those_of_the_automatic_accounting_instructions(
    loop: Loop, connection: Connection
) -> None:
    """F0012 names a second account for a G/L class: a voucher of it is posted there, and both accounts are the control.

    Where the role may not read F0012, only accounts that payments have debited are known, and the report says so.
    """
    loop.sandbox.control_ais("post", {})
    expense = next(row for row in loop.table("F0901") if row.get("OBJ") == "8110" and not row.get("PEC"))
    loop.sandbox.control_ais(
        "tables/F0901", {**expense, "AID": "00009999", "MCU": "1", "OBJ": "4120", "SUB": "", "DL01": "Other Payables"}
    )
    for item, account in (("PC", "4110"), ("PCOTHR", "4120")):
        loop.sandbox.control_ais("tables/F0012", {"ITEM": item, "CO": "00001", "MCU": "1", "OBJ": account})
    supplier = next(row for row in loop.table("F0401") if row.get("HDPY", "N") in ("", "N"))
    loop.sandbox.control_ais("tables/F0401", {**supplier, "APC": "OTHR"})
    day = datetime.now(UTC).date()
    loop.sandbox.control_ais("clerk/voucher", voucher_of(loop, "OTHER-1", day, D("77.70"), supplier["AN8"]))
    loop.sandbox.control_ais("post", {})
    loop.run(["jde/accounts"])
    assert {row["OBJ"] for row in loop.table("F0911") if row.get("DCT") == "AE"} >= {"4110", "4120"}
    read_ledgers(loop)
    (row,) = rows_of(run_report(loop.store, connection, loop.months[-2]), "tie_out")
    assert (row["accounts"], row["difference"], row["exception"]) == ("1.4110, 1.4120", D(0), "")
    assert row["subledger"] == subledger_of(loop, day)
    loop.sandbox.control_ais("switches", {"denied_tables": ["F0012"]})
    assert "not readable" in read_ledgers(loop).facts["F0012"]
    (row,) = rows_of(run_report(loop.store, connection, loop.months[-2]), "tie_out")
    assert (row["accounts"], row["unexplained"]) == ("1.4110", D("77.70"))
    assert row["exception"] == "batches that do not balance"
