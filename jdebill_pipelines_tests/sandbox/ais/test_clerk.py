"""What people do in JD Edwards meanwhile: orders approved, received, vouched; entries without the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from jdebill_pipelines_tests.sandbox.ais.conftest import Ais
from jdebill_pipelines_tests.sandbox.ais.test_orchestrations import check_books


def waiting(ais: Ais, currency: str = "USD") -> int:
    """The number of an order that waits for approval and has lines with quantities."""
    pending = {row["DOCO"] for row in ais.rows("F4209", HCOD="**", ASTS="1N")}
    lines = [row for row in ais.rows("F4311", NXTR="230", CRCD=currency) if row["DOCO"] in pending]
    return int(next(row["DOCO"] for row in lines if row.get("UOPN", 0) > 1))


def lines(ais: Ais, number: int) -> list[dict[str, Any]]:
    """The lines of an order."""
    return ais.rows("F4311", DOCO=number)


def statuses(ais: Ais, number: int) -> set[tuple[str, str]]:
    """Last and next status of its lines."""
    return {(row["LTTR"], row["NXTR"]) for row in lines(ais, number)}


def total(rows: list[dict[str, Any]], item: str) -> Decimal:
    """A column's sum."""
    return sum((Decimal(row.get(item, 0)) for row in rows), Decimal(0))


def test_an_order_goes_from_approval_to_its_voucher(ais: Ais) -> None:
    """230, 280, 400, 440, 999; receipts in two parts; the voucher carries the order; every change is stamped."""
    number = waiting(ais)
    ordered = total(lines(ais, number), "AEXP")
    ais.control("clerk/approve_order", {"DOCO": number, "more_approvers": True})
    assert statuses(ais, number) == {("220", "230")}
    assert {row["ASTS"] for row in ais.rows("F4209", DOCO=number)} == {"1A", "2N"}
    assert ais.control("clerk/approve_order", {"DOCO": number}) == {"lines": len(lines(ais, number))}
    assert {row["ASTS"] for row in ais.rows("F4209", DOCO=number)} == {"1A", "2A"}
    assert statuses(ais, number) == {("230", "280")}
    ais.control("clerk/print_order", {"DOCO": number})
    ais.control("clerk/receive_order", {"DOCO": number, "share": "0.5"})
    assert ("280", "400") in statuses(ais, number)
    assert 0 < total(lines(ais, number), "AREC") < ordered
    ais.control("clerk/receive_order", {"DOCO": number})
    assert statuses(ais, number) == {("400", "440")}
    assert (total(lines(ais, number), "AREC"), total(lines(ais, number), "AOPN")) == (ordered, 0)
    assert total(ais.rows("F43121", DOCO=number, MATC="1"), "AOPN") == ordered
    check_books(ais)
    made = ais.control("clerk/match_order", {"DOCO": number, "VINV": "PO-INV-1"})
    assert statuses(ais, number) == {("440", "999")}
    voucher = ais.row("F0411", DOC=made["DOC"])
    assert (voucher["AG"], int(voucher["PO"]), voucher["PDCT"], voucher["VINV"]) == (ordered, number, "OP", "PO-INV-1")
    assert total(ais.rows("F43121", DOCO=number, MATC="1"), "AOPN") == 0
    assert {row["DOC"] for row in ais.rows("F43121", DOCO=number, MATC="2")} == {made["DOC"]}
    assert {row["UPMJ"] for row in (*lines(ais, number), *ais.rows("F4301", DOCO=number))} == {"20261120"}
    check_books(ais)


def test_an_order_is_rejected_and_lines_are_cancelled(ais: Ais) -> None:
    """A rejected order is closed with nothing open; single lines can be cancelled."""
    number = waiting(ais)
    ais.control("clerk/reject_order", {"DOCO": number})
    assert statuses(ais, number) == {("230", "999")}
    assert {row["ASTS"] for row in ais.rows("F4209", DOCO=number)} == {"1R"}
    assert total(lines(ais, number), "AOPN") == 0
    other = ais.rows("F4311", NXTR="400")[0]["DOCO"]
    ais.control("clerk/cancel_order", {"DOCO": other, "lines": [1]})
    first = next(row for row in lines(ais, other) if row["LNID"] == 1)
    assert (first["NXTR"], first["CNDJ"], first.get("UOPN", 0)) == ("999", "20261120", 0)
    answer = ais.http.post(f"{ais.root}/__control/clerk/receive_order", json={"DOCO": number}, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, f"Order {number} has nothing to receive")


def test_entries_without_the_api_meet_no_fault(ais: Ais) -> None:
    """A clerk enters and pays a voucher by hand; faults and counters of the API are not touched."""
    ais.fault("reset", "", times=0)
    account = next(r["AID"] for r in ais.rows("F0901", CO="00001", OBJ="8110") if not r.get("PEC"))
    number = ais.rows("F0401", HDPY="N", CRRP="USD")[0]["AN8"]
    made = ais.control(
        "clerk/voucher",
        {"Company": "00001", "Supplier Number": number, "Invoice Number": "HAND-1", "Invoice Date": "2026-11-20",
         "GL Date": "2026-11-20", "Gross Amount": 12, "Lines": [{"Account": account, "Amount": 12}]},
    )  # fmt: skip
    item = {"Document Number": made["Document Number"], "Document Type": "PV", "Document Company": "00001",
            "Pay Item": "001", "Amount": 12}  # fmt: skip
    paid = ais.control(
        "clerk/payment",
        {"Payee": number, "Bank Account": "00000123", "Payment Date": "2026-11-20", "GL Date": "2026-11-20",
         "Vouchers": [item]},
    )  # fmt: skip
    row = ais.row("F0411", DOC=made["Document Number"])
    assert (row["PST"], row["USER"]) == ("P", "APCLERK")
    assert ais.row("F0413", PYID=paid["Payment Id"])["PAAP"] == 12
    assert ais.control("state")["faults_fired"] == {}


def test_answers_may_be_compressed(ais: Ais) -> None:
    """By switch, for callers that accept it."""
    ais.switch(gzip=True)
    answer = ais.call("GET", "/defaultconfig")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json()["aisVersion"]
    assert "Content-Encoding" not in ais.call("GET", "/defaultconfig", headers={"Accept-Encoding": "identity"}).headers
