"""What JDE deletes of an earlier month is noticed by a run that reports a later one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from jdebill_pipelines.audit.runner import run_report
from jdebill_pipelines.domain.tables import AUDITED
from jdebill_pipelines_tests.audit.books import outcome, read_ledgers, rows_of, subledger_of
from jdebill_pipelines_tests.audit_faults.conftest import SUPPLIER
from jdebill_pipelines_tests.audit_faults.planting import enter_voucher, opened
from jdebill_pipelines_tests.payments.loop import BANK, NAME, D, Loop


def test_an_unposted_voucher_and_payment_of_last_month_are_deleted(unread: Loop) -> None:
    """Entered last month, not posted, read for the audit; deleted in JDE; then only this month is read and reported.

    The copies of the ledgers hold neither, the subledger of the report is JDE's, and once the pipelines archived the
    bill the voucher is listed in this month; last month lists it as well.
    """
    loop, today = unread, datetime.now(UTC).date()
    earlier = today.replace(day=1) - timedelta(days=10)
    loop.sandbox.control_ais("switches", {"auto_post": False})
    with opened(loop, earlier):
        gone = enter_voucher(loop, SUPPLIER, "GONE-1", D("512.15"), earlier)
        paid = enter_voucher(loop, SUPPLIER, "STAYS-1", D("77.00"), earlier)
        payment = {"Payment Date": earlier.isoformat(), "GL Date": earlier.isoformat(), "Bank Account": BANK}
        item = {**_named(paid), "Pay Item": "001", "Amount": D("77.00")}
        made = loop.sandbox.control_ais("clerk/payment", {**payment, "Payee": SUPPLIER, "Vouchers": [item]})
    pyid = int(made["Payment Id"])
    loop.documents()
    read_ledgers(loop)
    assert {_document(row) for row in _copy(loop, "F0411")} >= {gone, paid}

    for inputs in (_named(gone), {"Payment Id": pyid}):
        done = loop.sandbox.control_ais("clerk/void", {**inputs, "Void GL Date": today.isoformat()})
        assert done["Void Status"] == "DELETED"
    read_ledgers(loop, f"{today:%Y-%m}")
    for table in ("F0411", "F0911"):
        assert gone not in {_document(row) for row in _copy(loop, table)}, table
        assert paid in {_document(row) for row in _copy(loop, table)}, table
    for table in ("F0413", "F0414"):
        assert pyid not in {int(row["PYID"]) for row in _copy(loop, table)}, table

    def report(month: str) -> Any:
        return run_report(loop.store, loop.runtime.connections[NAME], month)

    def deleted(month: str) -> list[tuple[str, str]]:
        return [(row["document"], row["finding"]) for row in rows_of(report(month), "deleted_vouchers")]

    now = report(f"{today:%Y-%m}")
    (tie,) = rows_of(now, "tie_out")
    assert (tie["subledger"], outcome(now, "tie_out")) == (subledger_of(loop, now.period.last), "passed")
    assert deleted(f"{today:%Y-%m}") == []
    assert deleted(f"{earlier:%Y-%m}") == [(gone, "the bill is still open")]
    loop.documents()
    assert deleted(f"{today:%Y-%m}") == [(gone, "the bill was archived")]
    assert deleted(f"{earlier:%Y-%m}") == [(gone, "the bill was archived")]


def _named(document: str) -> dict[str, Any]:
    company, kind, number = document.split("-")
    return {"Document Number": int(number), "Document Type": kind, "Document Company": company}


def _document(row: dict[str, Any]) -> str:
    return f"{row['KCO']}-{row['DCT']}-{int(row['DOC'])}"


def _copy(loop: Loop, table: str) -> list[dict[str, Any]]:
    return list(loop.store.staging.read(AUDITED[table]))
