"""Orchestrations over a real socket: formats, answers, discovery, and their effects on the tables to the cent."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
import requests

from jdebill_pipelines_tests.sandbox.ais.conftest import Ais, browse

BANK = "00000123"
DAY = "2026-11-20"
TODAY = "20261120"


def supplier(ais: Ais) -> int:
    """A supplier that is not on hold and is paid in dollars."""
    return int(ais.rows("F0401", HDPY="N", CRRP="USD", TRAP="N30")[0]["AN8"])


def accounts(ais: Ais) -> list[str]:
    """Two accounts that take postings, as short ids."""
    units = {row["MCU"] for row in ais.rows("F0006") if not row.get("PECC")}
    rows = [r for r in ais.rows("F0901", CO="00001") if not r.get("PEC") and r["MCU"] in units and r["OBJ"] > "8000"]
    return [row["AID"] for row in rows[:2]]


def voucher(ais: Ais, *amounts: str, **more: Any) -> dict[str, Any]:
    """Inputs of a voucher with one line for each amount."""
    parts = [Decimal(amount) for amount in amounts or ("100.00",)]
    lines = [
        {"Account": account, "Amount": part, "Explanation": f"Part {part}"}
        for account, part in zip(accounts(ais) * len(parts), parts, strict=False)
    ]
    return {
        "Company": "00001", "Supplier Number": supplier(ais), "Invoice Number": "INV/2026-77",
        "Invoice Date": "2026-11-12", "GL Date": DAY, "Gross Amount": sum(parts), "Currency": "USD",
        "Remark": "stp0001:00n0002:post", "Lines": lines[: len(parts)], **more,
    }  # fmt: skip


def run(ais: Ais, name: str, inputs: dict[str, Any]) -> Any:
    """The answer of an orchestration that must succeed."""
    return ais.ok("POST", f"/v3/orchestrator/{name}", inputs)


def refused(ais: Ais, name: str, inputs: dict[str, Any]) -> list[str]:
    """The titles of the form errors of an orchestration that must fail, without the prefix."""
    body = ais.refused(500, "POST", f"/v3/orchestrator/{name}", inputs)
    assert (body["jde__status"], body["status"], body["exception"]) == ("ERROR", "ERROR", "Exception")
    (step,) = body["message"].values()
    (form,) = step["JAS Response"].values()
    assert all(error["TITLE"].startswith("Error: ") and error["CODE"] for error in form["errors"])
    return [error["TITLE"].removeprefix("Error: ") for error in form["errors"]]


def pay(items: list[dict[str, Any]], payee: int, **more: Any) -> dict[str, Any]:
    """Inputs of a payment."""
    return {
        "Payee": payee, "Bank Account": BANK, "Payment Date": DAY, "GL Date": DAY, "Currency": "USD",
        "Remark": "stp0001:00n0002:post", "Vouchers": items, **more,
    }  # fmt: skip


def item(row: dict[str, Any], amount: Decimal, discount: str = "0") -> dict[str, Any]:
    """An element of Vouchers for a row of F0411."""
    return {
        "Document Number": row["DOC"], "Document Type": row["DCT"], "Document Company": row["KCO"],
        "Pay Item": row["SFX"], "Amount": amount, "Discount": Decimal(discount),
    }  # fmt: skip


def open_items(ais: Ais, currency: str = "USD") -> list[dict[str, Any]]:
    """Pay items that may be paid, the largest first."""
    rows = [r for r in ais.rows("F0411", PST="A", CRCD=currency) if r.get("AAP", 0) > 10 and r["CO"] == "00001"]
    return sorted(rows, key=lambda row: -row["AAP"])


def ledger(ais: Ais, batch: int, kind: str) -> list[dict[str, Any]]:
    """The AA rows of a batch."""
    return ais.rows("F0911", ICU=batch, ICUT=kind, LT="AA")


def money(rows: list[dict[str, Any]], name: str) -> Decimal:
    """A column's sum."""
    return sum((Decimal(row.get(name, 0)) for row in rows), Decimal(0))


def check_books(ais: Ais) -> None:
    """Every posted batch is in balance, and balances are what the posted rows of the period add up to."""
    batches: defaultdict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    periods: defaultdict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in ais.rows("F0911", POST="P"):
        if row["LT"] == "AA":
            batches[row["ICUT"], row["ICU"]] += Decimal(row.get("AA", 0))
            periods[row["AID"], row["CTRY"], row["FY"], row["PN"]] += Decimal(row.get("AA", 0))
    assert {key: off for key, off in batches.items() if off} == {}
    for balance in ais.rows("F0902", LT="AA"):
        for period in range(1, 15):
            key = (balance["AID"], balance["CTRY"], balance["FY"], period)
            assert balance.get(f"AN{period:02d}", 0) == periods.pop(key, 0), key
    assert {key: amount for key, amount in periods.items() if amount} == {}


def test_a_voucher_is_entered_and_posted(ais: Ais) -> None:
    """F0411, F0911 and F0011 as P0411 leaves them, posted with the offset to payables; balances move."""
    before = max(int(row["DOC"]) for row in ais.rows("F0411"))
    answer = run(ais, "JDEBILL_AP_VOUCHER", voucher(ais, "100.10", "23.45"))
    assert (answer["Document Number"], answer["Document Type"], answer["Document Company"]) == (
        before + 1,
        "PV",
        "00001",
    )
    assert (answer["Batch Type"], answer["jde__status"]) == ("V", "SUCCESS")
    assert isinstance(answer["jde__serverExecutionSeconds"], int)
    row = ais.row("F0411", DOC=before + 1)
    wanted = {
        "SFX": "001", "SFXE": 0, "AN8": supplier(ais), "PYE": supplier(ais), "VINV": "INV/2026-77",
        "AG": Decimal("123.55"),
        "AAP": Decimal("123.55"), "PST": "A", "POST": "D", "DIVJ": "20261112", "DGJ": TODAY, "DDJ": "20261212",
        "PTC": "N30", "RMK": "stp0001:00n0002:post", "CRRM": "D", "CRCD": "USD", "FY": 26, "CTRY": 20, "PN": 11,
        "ICUT": "V", "ICU": answer["Batch Number"], "USER": "JDEBILL", "UPMJ": TODAY,
    }  # fmt: skip
    assert {name: row.get(name) for name in wanted} == wanted
    lines = ledger(ais, answer["Batch Number"], "V")
    assert [(r["DCT"], r["JELN"], r["AA"], r["POST"], r["AID"]) for r in lines] == [
        ("PV", 1, Decimal("100.1"), "P", accounts(ais)[0]),
        ("PV", 2, Decimal("23.45"), "P", accounts(ais)[1]),
        ("AE", 1, Decimal("-123.55"), "P", ais.row("F0901", OBJ="4110")["AID"]),
    ]
    assert [r["EXR"] for r in lines[:2]] == ["Part 100.10", "Part 23.45"]
    assert ais.row("F0011", ICU=answer["Batch Number"])["IST"] == "D"
    check_books(ais)


def test_a_payment_closes_vouchers_and_is_posted(ais: Ais) -> None:
    """One item in part, one in full with discount: open amounts, status, F0413, F0414, and F0911 with the reference."""
    rows = open_items(ais)
    payee = rows[0]["PYE"]
    second = run(ais, "JDEBILL_AP_VOUCHER", voucher(ais, "80.00", **{"Supplier Number": payee}))["Document Number"]
    part, full = rows[0], ais.row("F0411", DOC=second)
    answer = run(
        ais, "JDEBILL_AP_PAYMENT", pay([item(part, Decimal("10.25")), item(full, Decimal("78.50"), "1.50")], payee)
    )
    assert answer["Document Type"] == "PN"
    after = ais.row("F0411", DOC=part["DOC"], DCT=part["DCT"], SFX=part["SFX"], SFXE=0)
    assert (after["AAP"], after["PST"]) == (part["AAP"] - Decimal("10.25"), "A")
    closed = ais.row("F0411", DOC=second)
    assert (closed.get("AAP", 0), closed["PST"], closed["ADSA"]) == (0, "P", Decimal("1.5"))
    header = ais.row("F0413", PYID=answer["Payment Id"])
    assert (header["DOCM"], header["PAAP"], header["GLBA"], header["ISTP"], header.get("VDGJ")) == (
        answer["Payment Number"], Decimal("88.75"), BANK, "D", None,
    )  # fmt: skip
    paid = ais.rows("F0414", PYID=answer["Payment Id"])
    assert [(r["RC5"], r["DOC"], r["PAAP"], r.get("ADSA", 0), r["RMK"], r["POST"]) for r in paid] == [
        (1, part["DOC"], Decimal("10.25"), 0, "stp0001:00n0002:post", "D"),
        (2, second, Decimal("78.5"), Decimal("1.5"), "stp0001:00n0002:post", "D"),
    ]
    lines = ledger(ais, answer["Batch Number"], "M")
    assert {(r["DCT"], r["DOC"], r["EXR"], r["PYID"]) for r in lines} == {
        ("PN", answer["Payment Number"], "stp0001:00n0002:post", answer["Payment Id"])
    }
    by_object = {r["OBJ"]: r["AA"] for r in lines if r["OBJ"] != "4110"}
    assert by_object == {"1110": Decimal("-88.75"), "7910": Decimal("-1.5")}
    assert money([r for r in lines if r["OBJ"] == "4110"], "AA") == Decimal("90.25")
    check_books(ais)


def test_a_posted_payment_is_reversed_and_an_unposted_one_vanishes(ais: Ais) -> None:
    """Posted: VDGJ, empty amount, a PO row, the voucher open again, a second post. Unposted: nothing is left."""
    row = open_items(ais)[0]
    first = run(ais, "JDEBILL_AP_PAYMENT", pay([item(row, row["AAP"])], row["PYE"]))
    void = run(
        ais, "JDEBILL_AP_VOID", {"Payment Id": first["Payment Id"], "Void GL Date": DAY, "Remark": "stp:reverse"}
    )
    assert (void["Void Status"], void["Batch Number"]) == ("VOIDED", first["Batch Number"])
    header = ais.row("F0413", PYID=first["Payment Id"])
    assert (header["VDGJ"], header.get("PAAP", 0), header["ISTP"]) == (TODAY, 0, "D")
    paid = ais.rows("F0414", PYID=first["Payment Id"])
    assert [(r["DCTM"], r["PAAP"], r["RMK"], r["POST"]) for r in paid] == [
        ("PN", row["AAP"], "stp0001:00n0002:post", "D"), ("PO", -row["AAP"], "stp:reverse", "D"),
    ]  # fmt: skip
    key = {"DOC": row["DOC"], "DCT": row["DCT"], "SFX": row["SFX"], "SFXE": 0}
    assert (ais.row("F0411", **key)["AAP"], ais.row("F0411", **key)["PST"]) == (row["AAP"], "A")
    check_books(ais)
    again = {"Payment Id": first["Payment Id"], "Void GL Date": DAY}
    assert refused(ais, "JDEBILL_AP_VOID", again) == [f"Payment {first['Payment Id']} is voided already"]

    ais.switch(auto_post=False)
    second = run(ais, "JDEBILL_AP_PAYMENT", pay([item(row, row["AAP"])], row["PYE"]))
    assert ledger(ais, second["Batch Number"], "M") == []
    assert ais.row("F0411", **key)["PST"] == "P"
    void = run(ais, "JDEBILL_AP_VOID", {"Payment Id": second["Payment Id"], "Void GL Date": DAY})
    assert void["Void Status"] == "DELETED"
    assert ais.rows("F0413", PYID=second["Payment Id"]) == []
    assert ais.rows("F0414", PYID=second["Payment Id"]) == []
    assert ais.rows("F0011", ICU=second["Batch Number"]) == []
    assert ais.row("F0411", **key)["AAP"] == row["AAP"]
    third = run(ais, "JDEBILL_AP_PAYMENT", pay([item(row, row["AAP"])], row["PYE"]))
    ais.control("tables/F0413", {"PYID": third["Payment Id"], "RCND": "R"})
    (title,) = refused(ais, "JDEBILL_AP_VOID", {"Payment Id": third["Payment Id"], "Void GL Date": DAY})
    assert "reconciled" in title


def test_a_voucher_that_is_paid_already_leaves_nothing_open(ais: Ais) -> None:
    """With bank account and payment date: PM and PN in one batch W; voiding the voucher voids the payment too."""
    order = next(row for row in ais.rows("F4301") if row["CRCD"] == "USD")
    linked = {
        "Purchase Order": str(order["DOCO"]),
        "Purchase Order Type": order["DCTO"],
        "Purchase Order Company": order["KCOO"],
    }
    inputs = voucher(ais, "60.01", "40.00", **{"Bank Account": BANK, "Payment Date": "2026-11-18"}, **linked)
    answer = run(ais, "JDEBILL_AP_VOUCHER", inputs)
    assert (answer["Document Type"], answer["Batch Type"]) == ("PM", "W")
    row = ais.row("F0411", DOC=answer["Document Number"])
    assert (row["PST"], row.get("AAP", 0), row["POST"], int(row["PO"]), row["PDCT"]) == (
        "P",
        0,
        "D",
        order["DOCO"],
        order["DCTO"],
    )
    header = ais.row("F0413", PYID=answer["Payment Id"])
    assert (header["PAAP"], header["DMTJ"], header["ICUT"]) == (Decimal("100.01"), "20261118", "W")
    assert {(r["DCT"], r["OBJ"]): r["AA"] for r in ledger(ais, answer["Batch Number"], "W") if r["OBJ"] < "8000"} == {
        ("AE", "4110"): Decimal("-100.01"), ("PN", "4110"): Decimal("100.01"), ("PN", "1110"): Decimal("-100.01"),
    }  # fmt: skip
    check_books(ais)
    document = {"Document Number": answer["Document Number"], "Document Type": "PM", "Document Company": "00001"}
    void = run(ais, "JDEBILL_AP_VOID", {**document, "Void GL Date": DAY, "Remark": "stp:reverse"})
    assert void["Void Status"] == "VOIDED"
    items = ais.rows("F0411", DOC=answer["Document Number"])
    assert [(r["SFXE"], r.get("DCTA"), r["AG"], r["VOD"]) for r in items] == [
        (0, None, Decimal("100.01"), "V"), (1, "PE", Decimal("-100.01"), "V"),
    ]  # fmt: skip
    assert ais.row("F0413", PYID=answer["Payment Id"])["VDGJ"] == TODAY
    assert money(ledger(ais, answer["Batch Number"], "W"), "AA") == 0
    check_books(ais)


def test_a_journal_is_entered_posted_and_voided(ais: Ais) -> None:
    """F0911 with explanation, remark and reference; the void writes the opposite; an unposted one vanishes."""
    first = accounts(ais)[0]
    inputs = {
        "Company": "00001", "GL Date": DAY, "Document Type": "JE", "Explanation": "stp0001:00n0002:post",
        "Currency": "USD",
        "Lines": [
            {"Account": first, "Amount": Decimal("55.55"), "Remark": "rent", "Reference": "R-1"},
            {"Account": "1.1110", "Amount": Decimal("-55.55"), "Remark": "bank"},
        ],
    }  # fmt: skip
    answer = run(ais, "JDEBILL_JOURNAL", inputs)
    key = {"DOC": answer["Document Number"], "DCT": "JE", "KCO": "00001"}
    lines = ais.rows("F0911", **key)
    assert [(r["AA"], r["EXA"], r["EXR"], r.get("R1"), r["POST"], r["ICUT"], r["AID"]) for r in lines] == [
        (Decimal("55.55"), "stp0001:00n0002:post", "rent", "R-1", "P", "G", first),
        (Decimal("-55.55"), "stp0001:00n0002:post", "bank", None, "P", "G", BANK),
    ]
    document = {"Document Number": key["DOC"], "Document Type": "JE", "Document Company": "00001", "Void GL Date": DAY}
    assert run(ais, "JDEBILL_AP_VOID", document)["Void Status"] == "VOIDED"
    lines = ais.rows("F0911", **key)
    assert [(r["JELN"], r["RE"]) for r in lines] == [(1, "V"), (2, "V"), (3, "V"), (4, "V")]
    assert money(lines[:1] + lines[2:3], "AA") == 0
    check_books(ais)
    ais.switch(auto_post=False)
    second = run(ais, "JDEBILL_JOURNAL", inputs)["Document Number"]
    assert run(ais, "JDEBILL_AP_VOID", {**document, "Document Number": second})["Void Status"] == "DELETED"
    assert ais.rows("F0911", DOC=second) == []


def test_vouchers_are_voided_by_what_became_of_them(ais: Ais) -> None:
    """Unposted: deleted. Posted: PE. Paid, or matched in procurement: refused."""
    ais.switch(auto_post=False)
    first = run(ais, "JDEBILL_AP_VOUCHER", voucher(ais))
    document = {"Document Type": "PV", "Document Company": "00001", "Void GL Date": DAY}
    void = run(ais, "JDEBILL_AP_VOID", {**document, "Document Number": first["Document Number"]})
    assert void["Void Status"] == "DELETED"
    assert ais.rows("F0411", DOC=first["Document Number"]) == ais.rows("F0911", DOC=first["Document Number"]) == []
    second = run(ais, "JDEBILL_AP_VOUCHER", voucher(ais))
    assert ais.control("post", {"ICUT": "V", "ICU": second["Batch Number"]})[0]["IST"] == "D"
    void = run(ais, "JDEBILL_AP_VOID", {**document, "Document Number": second["Document Number"]})
    assert void["Void Status"] == "VOIDED"
    assert [r.get("POST") for r in ais.rows("F0411", DOC=second["Document Number"])] == ["D", None]
    assert ais.control("post", {"ICUT": "V", "ICU": void["Batch Number"]})[0]["IST"] == "D"
    check_books(ais)
    matched = next(row for row in ais.rows("F43121", MATC="2"))
    assert any("procurement" in title or "paid" in title for title in refused(
        ais, "JDEBILL_AP_VOID", {**document, "Document Number": matched["DOC"]}))  # fmt: skip
    paid = next(r for r in ais.rows("F0414"))
    (title, *_) = refused(ais, "JDEBILL_AP_VOID", {**document, "Document Number": paid["DOC"]})
    assert "void the payment first" in title


def test_a_foreign_voucher_is_kept_in_both_currencies(ais: Ais) -> None:
    """AA and CA rows, domestic amounts at the rate, exchange difference of the payment, void at the old rate."""
    inputs = voucher(ais, "1000", "501", **{"Currency": "JPY", "Exchange Rate": Decimal("0.0067")})
    made = run(ais, "JDEBILL_AP_VOUCHER", inputs)
    row = ais.row("F0411", DOC=made["Document Number"])
    assert (row["ACR"], row["FAP"], row["AG"], row["AAP"], row["CRRM"]) == (
        1501,
        1501,
        Decimal("10.06"),
        Decimal("10.06"),
        "F",
    )
    lines = ais.rows("F0911", DOC=made["Document Number"], DCT="PV")
    assert [(r["JELN"], r["LT"], r["AA"]) for r in lines] == [
        (1, "AA", Decimal("6.7")), (1, "CA", 1000), (2, "AA", Decimal("3.36")), (2, "CA", 501),
    ]  # fmt: skip
    (title,) = refused(
        ais,
        "JDEBILL_AP_VOUCHER",
        voucher(ais, "10.5", **{"Currency": "JPY", "Exchange Rate": Decimal("0.0067"), "Invoice Number": "X"}),
    )[:1]
    assert "more decimals" in title
    payment = pay([item(row, Decimal(1501))], row["PYE"], Currency="JPY", **{"Exchange Rate": Decimal("0.0070")})
    paid = run(ais, "JDEBILL_AP_PAYMENT", payment)
    assert ais.row("F0413", PYID=paid["Payment Id"])["PAAP"] == Decimal("10.51")
    by_object = {r["OBJ"]: r["AA"] for r in ledger(ais, paid["Batch Number"], "M")}
    assert by_object == {"4110": Decimal("10.06"), "1110": Decimal("-10.51"), "7910": Decimal("0.45")}
    run(ais, "JDEBILL_AP_VOID", {"Payment Id": paid["Payment Id"], "Void GL Date": DAY})
    row = ais.row("F0411", DOC=made["Document Number"])
    assert (row["FAP"], row["AAP"], row["PST"]) == (1501, Decimal("10.06"), "A")
    check_books(ais)


def test_what_a_voucher_is_refused_for(ais: Ais) -> None:
    """Each rule of the form, with nothing written whenever it fails."""
    units = [row["MCU"] for row in ais.rows("F0006") if row.get("PECC")]
    closed = next(row for row in ais.rows("F0901", MCU=units[0]) if not row.get("PEC"))
    other = next(row for row in ais.rows("F0901", CO="00070"))
    inactive, heading = ais.row("F0901", PEC="I"), ais.rows("F0901", PEC="N")[0]
    before = {table: len(ais.rows(table)) for table in ("F0411", "F0911", "F0011")}

    def line(account: str) -> dict[str, Any]:
        return {"Lines": [{"Account": account, "Amount": Decimal("100")}]}

    cases: list[tuple[str, dict[str, Any]]] = [
        ("out of balance|adds up", {"Gross Amount": Decimal("99.99")}),
        ("more decimals", {"Gross Amount": Decimal("100.001"), **line(accounts(ais)[0])}),
        ("supplier master", {"Supplier Number": 999999}),
        ("is on hold", {"Supplier Number": next(r["AN8"] for r in ais.rows("F0401") if r.get("HDPY") == "Y")}),
        ("Company 00099 Invalid", {"Company": "00099"}),
        ("Currency Code ZZZ Invalid", {"Currency": "ZZZ"}),
        ("No exchange rate", {"Currency": "GBP"}),
        ("Payment Terms XX Invalid", {"Payment Terms": "XX"}),
        ("does not exist", {"Purchase Order": "1", "Purchase Order Type": "OP", "Purchase Order Company": "00001"}),
        ("Account Number 110.9999 Invalid", line("110.9999")),
        ("inactive", line(inactive["AID"])),
        ("non-posting", line(heading["AID"])),
        ("closed for posting", line(closed["AID"])),
        ("belongs to company 00070", line(other["AID"])),
        ("before the current period", {"GL Date": "2026-10-31"}),
        ("before the current fiscal year", {"GL Date": "2025-12-31"}),
        ("fiscal date pattern", {"GL Date": "2035-01-01"}),
        ("Input Lines is required", {"Lines": []}),
        ("Input GL Date is not a date", {"GL Date": "11/20/2026"}),
        ("longer than 25", {"Invoice Number": "X" * 26}),
        ("Input Gross Amount is not a number", {"Gross Amount": "1,5"}),
        ("Input Colour is not known", {"Colour": "blue"}),
        ("belong together", {"Bank Account": BANK}),
        ("not a G/L bank account", {"Bank Account": accounts(ais)[0], "Payment Date": DAY}),
    ]
    for text, change in cases:
        titles = refused(ais, "JDEBILL_AP_VOUCHER", voucher(ais, **change))
        assert any(part in title for title in titles for part in text.split("|")), (text, titles)
    assert {table: len(ais.rows(table)) for table in before} == before


def test_what_a_payment_is_refused_for(ais: Ais) -> None:
    """Overpayment, wrong payee, status, currency, bank or number, twice the same item; nothing is written."""
    row = open_items(ais)[0]
    held = next(r for r in ais.rows("F0411", PST="H"))
    closed = next(r for r in ais.rows("F0411", PST="P"))
    foreign = open_items(ais, "EUR")[0]
    number = ais.rows("F0413", GLBA=BANK)[0]["DOCM"]
    one = Decimal("1.00")
    cases: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
        ("cannot be paid of", [item(row, row["AAP"] + Decimal("0.01"))], {}),
        ("cannot be paid of", [item(row, row["AAP"], "0.01")], {}),
        ("cannot be paid of", [item(row, -one)], {}),
        ("has payee", [item(row, one)], {"Payee": next(r["AN8"] for r in ais.rows("F0401") if r["AN8"] != row["PYE"])}),
        ("not approved for payment", [item(held, one)], {"Payee": held["PYE"]}),
        ("no open amount", [item(closed, one)], {"Payee": closed["PYE"]}),
        ("is in EUR, the payment in USD", [item(foreign, one)], {"Payee": foreign["PYE"]}),
        ("does not exist", [item({**row, "DOC": 1}, one)], {}),
        ("given twice", [item(row, one), item(row, one)], {}),
        ("not a G/L bank account", [item(row, one)], {"Bank Account": "00000999"}),
        ("exists already on this bank account", [item(row, one)], {"Payment Number": number}),
        ("before the current period", [item(row, one)], {"GL Date": "2026-09-30"}),
        ("Input Vouchers is required", [], {}),
        ("Input Vouchers[0].Pay Item is required", [{**item(row, one), "Pay Item": ""}], {}),
    ]
    before = {table: len(ais.rows(table)) for table in ("F0413", "F0414", "F0011")}
    for text, items, change in cases:
        titles = refused(ais, "JDEBILL_AP_PAYMENT", pay(items, row["PYE"], **change))
        assert any(text in title for title in titles), (text, titles)
    assert {table: len(ais.rows(table)) for table in before} == before
    assert open_items(ais)[0] == row


def test_constants_decide_between_error_and_warning(ais: Ais) -> None:
    """Duplicate invoices and prior periods are errors, warnings or nothing by constant; far dates are warnings."""
    run(ais, "JDEBILL_AP_VOUCHER", voucher(ais))
    ais.switch(duplicate_invoice="error")
    assert refused(ais, "JDEBILL_AP_VOUCHER", voucher(ais)) == ["Duplicate Invoice Number INV/2026-77"]
    ais.switch(duplicate_invoice="warning", prior_period="warning")
    answer = run(ais, "JDEBILL_AP_VOUCHER", voucher(ais, **{"GL Date": "2026-10-15"}))
    assert answer["jde__status"] == "WARN"
    (block,) = answer["Errors/Warnings"]
    assert [w["TITLE"] for w in block["Warnings"]] == [
        "Warning: G/L date 20261015 is before the current period 11", "Warning: Duplicate Invoice Number INV/2026-77",
    ]  # fmt: skip
    assert ais.row("F0411", DOC=answer["Document Number"])["PN"] == 10
    ais.switch(duplicate_invoice="off")
    assert run(ais, "JDEBILL_AP_VOUCHER", voucher(ais, **{"GL Date": "2026-12-31"}))["jde__status"] == "SUCCESS"
    late = run(ais, "JDEBILL_AP_VOUCHER", voucher(ais, **{"GL Date": "2027-02-01"}))
    assert late["Errors/Warnings"][0]["Warnings"][0]["CODE"] == "WACO"


def test_batches_wait_for_approval_and_post_by_control(ais: Ais) -> None:
    """Management approval keeps a batch pending; a payables account that is missing puts it in error."""
    ais.switch(management_approval=True, auto_post=False)
    batch = run(ais, "JDEBILL_AP_VOUCHER", voucher(ais))["Batch Number"]
    assert ais.row("F0011", ICU=batch, ICUT="V").get("IST") is None
    assert ais.control("post", {"ICUT": "V", "ICU": batch})[0]["why"].startswith("not approved")
    ais.control("approve", {})
    ais.control("tables/F0012", {"ITEM": "PC", "CO": "00001", "MCU": "1", "OBJ": "9999"})
    result = ais.control("post", {"ICUT": "V", "ICU": batch})[0]
    assert (result["IST"], ais.row("F0011", ICU=batch, ICUT="V")["IST"]) == ("E", "E")
    assert ledger(ais, batch, "V")[0].get("POST") is None
    ais.control("tables/F0012?ITEM=PC", method="DELETE")
    assert ais.control("post", {"ICUT": "V", "ICU": batch})[0]["IST"] == "D"
    check_books(ais)


def test_formats_and_paths(ais: Ais) -> None:
    """JDE Standard inputs, every version's path, Accept and Content-Type, exact names, hidden orchestrations."""
    inputs = voucher(ais)
    standard = {
        "inputs": [{"name": k, "value": v} for k, v in inputs.items() if k != "Lines"],
        "Lines": inputs["Lines"],
    }
    assert ais.ok("POST", "/orchestrator/JDEBILL_AP_VOUCHER", standard)["jde__status"] == "SUCCESS"
    more = {**inputs, "Invoice Number": "2", "token": ais.headers["jde-AIS-Auth"], "deviceName": "test-01"}
    headers, ais.headers = ais.headers, {}
    ais.ok("POST", "/v2/orchestrator/JDEBILL_AP_VOUCHER", more)
    ais.refused(444, "POST", "/v3/orchestrator/JDEBILL_AP_VOUCHER", {**more, "token": "x"})
    ais.headers = headers
    ais.refused(406, "POST", "/v3/orchestrator/JDEBILL_AP_VOUCHER", inputs, headers={"Accept": "text/plain"})
    ais.refused(415, "POST", "/v3/orchestrator/JDEBILL_AP_VOUCHER", inputs, headers={"Content-Type": "text/plain"})
    ais.refused(404, "POST", "/v3/orchestrator/jdebill_ap_voucher", inputs)
    ais.switch(missing_orchestrations=["JDEBILL_JOURNAL"], unknown_orchestration_status=500)
    ais.refused(500, "POST", "/v3/orchestrator/JDEBILL_JOURNAL", {})
    assert len(ais.ok("GET", "/v3/discover")["orchestrations"]) == 3
    assert "jde__status" in ais.refused(500, "GET", "/v3/orchestrator/JDEBILL_AP_VOUCHER?Company=00001")
    ais.switch(old_tools=True, orchestration_version=2)
    answer = run(ais, "JDEBILL_AP_VOUCHER", {**inputs, "Invoice Number": "3"})
    assert not any(name.startswith("jde__") for name in answer)
    assert isinstance(answer["Document Number"], str)


def test_discovery_describes_inputs_and_outputs(ais: Ais) -> None:
    """Names, types, members of arrays, group and version; one by name; inputs may be hidden."""
    found = {o["name"]: o for o in ais.ok("GET", "/discover")["orchestrations"]}
    assert set(found) == {"JDEBILL_AP_VOUCHER", "JDEBILL_AP_PAYMENT", "JDEBILL_AP_VOID", "JDEBILL_JOURNAL"}
    one = ais.ok("GET", "/v2/discover/JDEBILL_AP_PAYMENT")["orchestrations"][0]
    assert one == found["JDEBILL_AP_PAYMENT"]
    inputs = {i["name"]: i for i in one["inputs"]}
    assert (inputs["Payee"]["type"], inputs["Payment Date"]["type"], inputs["Vouchers"]["type"]) == (
        "Numeric", "String", "Array",
    )  # fmt: skip
    assert {m["name"] for m in inputs["Vouchers"]["inputs"]} == {
        "Document Number", "Document Type", "Document Company", "Pay Item", "Amount", "Discount",
    }  # fmt: skip
    assert (one["udoGroup"], one["version"], one["inputFormat"]) == ("Shared", "3", "Generic")
    ais.switch(expose_inputs=False, orchestration_group="Personal")
    hidden = ais.ok("GET", "/discover/JDEBILL_AP_PAYMENT")["orchestrations"][0]
    assert (hidden["inputs"], hidden["exposeInputsInDiscovery"], hidden["udoGroup"]) == ([], False, "Personal")


def test_answers_may_be_lost_after_the_work_is_done(ais: Ais) -> None:
    """Reset, silence, an error page or an ERROR body after commit: the voucher is there all the same, once each."""
    faults = [
        {"fault": "reset_after_commit"}, {"fault": "timeout_after_commit", "seconds": Decimal("0.2")},
        {"fault": "html_500_after_commit"}, {"fault": "error_after_commit"},
        {"fault": "error_after_commit", "message": "string"}, {"fault": "reset"},
        {"fault": "orchestration_error", "message": "sub"}, {"fault": "exception_200"}, {"fault": "errors_200"},
    ]  # fmt: skip
    written = []
    for at, fault in enumerate(faults):
        ais.control("faults", {**fault, "route": "orchestrator"})
        inputs = voucher(ais, **{"Invoice Number": f"F-{at}"})
        try:
            answer = ais.call("POST", "/v3/orchestrator/JDEBILL_AP_VOUCHER", inputs)
            assert (answer.status_code == 200) == fault["fault"].endswith("_200")
        except requests.ConnectionError:
            assert fault["fault"] in ("reset", "reset_after_commit", "timeout_after_commit")
        written.append(len(ais.rows("F0411", VINV=f"F-{at}")))
    assert written == [1, 1, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("fault", ["warn", "continued_on_error"])
def test_work_may_be_done_with_a_warning(ais: Ais, fault: str) -> None:
    """HTTP 200 with jde__status WARN and the outputs."""
    ais.fault(fault, "orchestrator", title="Attention")
    answer = run(ais, "JDEBILL_AP_VOUCHER", voucher(ais))
    assert (answer["jde__status"], answer["jde__simpleMessage"]) == ("WARN", "Attention")
    assert ais.row("F0411", DOC=answer["Document Number"])["VINV"] == "INV/2026-77"
    assert ("continuedOnError" in answer) == (fault == "continued_on_error")
    assert ("Errors/Warnings" in answer) == (fault == "warn")


def test_payments_may_be_shown_negative(ais: Ais) -> None:
    """The sign of amounts in F0413 and F0414 is not documented."""
    wanted = sum(Decimal(row["PAAP"]) for row in ais.rows("F0413") if "PAAP" in row)
    ais.switch(payment_sign="negative")
    shown = ais.ok("POST", "/v2/dataservice", browse("F0413", columns="PYID PAAP"))
    rows = shown["fs_DATABROWSE_F0413"]["data"]["gridData"]["rowset"]
    assert sum(row["F0413_PAAP"] for row in rows) == -wanted < 0
