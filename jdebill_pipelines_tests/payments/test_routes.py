"""What a payment of each kind leaves in JDE's tables."""

from __future__ import annotations

from typing import Any

from jdebill_pipelines_tests.payments.loop import BANK, D, Loop, today, total


def test_a_whole_payment_closes_the_voucher(loop: Loop) -> None:
    """Paid whole: one payment in F0413 and F0414, the voucher closed, the bank credited; a second run posts nothing."""
    (bill,) = loop.dollar_bills()
    before = loop.ledger()
    payment = loop.pay(bill)
    assert loop.payments().counts["posted"] == 1
    assert loop.open_amount(bill["jde"]) == 0
    assert {row["PST"] for row in loop.voucher(bill["jde"]) if D(row.get("AG", 0))} == {"P"}
    rows = loop.paid_rows(bill["jde"])
    assert (total(rows, "PAAP"), len({r["PYID"] for r in rows})) == (bill["amount"], 1)
    (header,) = loop.table("F0413", PYID=rows[0]["PYID"])
    assert (header["DMTJ"], header["GLBA"]) == (payment["processDate"].replace("-", ""), BANK)
    (write,) = loop.postings()
    assert write.remote_id == f"PYID-{rows[0]['PYID']}"
    assert write.content["reference"] == rows[0]["RMK"]
    assert loop.moved(before) == {BANK: -bill["amount"], "00001001": bill["amount"]}
    assert loop.check("jde/postings", "posting_matches_jde").passed
    assert loop.payments().counts["posted"] == 0
    assert loop.calls("JDEBILL_AP_PAYMENT") == 1


def test_parts_and_the_rest_are_payments_of_their_own(loop: Loop) -> None:
    """A third, a third, the rest: three payments, the voucher open in between and closed at the end."""
    (bill,) = loop.dollar_bills()
    part = (bill["amount"] / 3).quantize(D("0.01"))
    for amount, open_, status in (
        (part, bill["amount"] - part, "A"),
        (part, bill["amount"] - 2 * part, "A"),
        (bill["amount"] - 2 * part, D(0), "P"),
    ):
        loop.pay(bill, amount=str(amount))
        assert loop.payments().counts["posted"] == 1
        assert loop.open_amount(bill["jde"]) == open_
        assert {row["PST"] for row in loop.voucher(bill["jde"])} == {status}
    rows = loop.paid_rows(bill["jde"])
    assert (len({r["PYID"] for r in rows}), total(rows, "PAAP")) == (3, bill["amount"])


def test_a_part_payment_goes_into_the_instalments_in_order(loop: Loop) -> None:
    """Three pay items, half of the sum paid: the first is closed, the second paid in part, the third untouched."""
    bill = next(b for b in loop.open_bills() if b["jde"] == "00001-PV-700003")
    loop.pay(bill, amount="750.00")
    assert loop.payments().counts["posted"] == 1
    left = {row["SFX"]: (D(row.get("AAP", 0)), row["PST"]) for row in loop.voucher(bill["jde"])}
    assert left == {"001": (D(0), "P"), "002": (D("250"), "A"), "003": (D("500.01"), "A")}
    loop.pay(bill)
    assert loop.payments().counts["posted"] == 1
    assert loop.open_amount(bill["jde"]) == 0
    assert loop.check("jde/postings", "posting_matches_jde").passed


def test_one_payment_of_several_bills_is_a_posting_for_each(loop: Loop) -> None:
    """One BILL payment of three bills, one of them in part: three JDE payments that add up to it."""
    bills = _of_one_vendor(loop, 3)
    parts = [{"billId": b["id"]} for b in bills[:2]] + [{"billId": bills[2]["id"], "amount": "10.00"}]
    payment = loop.clerk("pay_many", payments=parts, processDate=today(), to="SENT")
    assert loop.payments().counts["posted"] == 3
    assert [loop.open_amount(b["jde"]) for b in bills] == [0, 0, bills[2]["amount"] - 10]
    rows = [row for b in bills for row in loop.paid_rows(b["jde"])]
    assert (len({r["PYID"] for r in rows}), len({r["RMK"] for r in rows})) == (3, 3)
    assert total(rows, "PAAP") == payment["amount"]


def test_a_vendor_credit_is_taken_with_the_payment(loop: Loop) -> None:
    """Money and credit together close the voucher, and the credit voucher is used up by as much."""
    (credit,) = [c for c in loop.sandbox.control_bill("vendor-credits") if not c.get("archived")]
    bill = next(b for b in loop.open_bills() if b["vendorId"] == credit["vendorId"] and b["amount"] > credit["amount"])
    payment = loop.clerk(
        "pay_with_credit",
        billId=bill["id"],
        credits=[{"id": credit["id"], "amount": str(credit["amount"])}],
        processDate=today(),
        to="PROCESSED",
    )
    assert payment["amount"] == bill["amount"] - credit["amount"]
    before = loop.ledger()
    assert loop.payments().counts["posted"] == 1
    assert loop.open_amount(bill["jde"]) == 0
    assert loop.open_amount("00001-PV-700004") == 0
    (bill_row,), (credit_row,) = loop.paid_rows(bill["jde"]), loop.paid_rows("00001-PV-700004")
    assert bill_row["PYID"] == credit_row["PYID"]
    assert (D(bill_row["PAAP"]), D(credit_row["PAAP"])) == (bill["amount"], -credit["amount"])
    (header,) = loop.table("F0413", PYID=bill_row["PYID"])
    assert D(header["PAAP"]) == payment["amount"]
    assert loop.moved(before)[BANK] == -payment["amount"]
    assert loop.check("jde/postings", "posting_matches_jde").passed


def test_a_payment_made_elsewhere_and_recorded_in_bill_is_posted(loop: Loop) -> None:
    """Offline and paid: posted at once, also where the connection waits for CLEARED and BILL's singleStatus is mute."""
    loop.sandbox.control_bill("switches", {"offline_single_status": "UNDEFINED"})
    loop.choose(post_when="CLEARED")
    first, second = loop.dollar_bills(2)
    loop.clerk("record_offline", billId=first["id"], processDate=today())
    loop.pay(second, "SENT")
    assert loop.payments().counts["posted"] == 1
    assert (loop.open_amount(first["jde"]), loop.open_amount(second["jde"])) == (D(0), second["amount"])


def test_a_foreign_payment_is_exact_in_its_own_currency(loop: Loop) -> None:
    """Euros in part and then the rest, and yen without decimals: PFAP to the unit, F0411.FAP down to nothing."""
    euros = next(b for b in loop.open_bills() if b["currency"] == "EUR")
    yen = next(b for b in loop.open_bills() if b["currency"] == "JPY")
    loop.pay(euros, amount="1000.01")
    loop.pay(yen)
    assert loop.payments().counts["posted"] == 2
    assert loop.open_amount(euros["jde"], "FAP") == euros["amount"] - D("1000.01")
    loop.pay(euros)
    assert loop.payments().counts["posted"] == 1
    for bill in (euros, yen):
        rows = loop.paid_rows(bill["jde"])
        assert {(r["CRCD"], r["CRRM"]) for r in rows} == {(bill["currency"], "F")}
        assert total(rows, "PFAP") == bill["amount"]
        assert (loop.open_amount(bill["jde"], "FAP"), loop.open_amount(bill["jde"])) == (D(0), D(0))
        assert total(loop.voucher(bill["jde"]), "AG") == total(rows, "PAAP")
    assert loop.check("jde/postings", "posting_matches_jde").passed


def test_a_payment_short_by_the_discount_takes_it(loop: Loop) -> None:
    """Two per cent less within the discount's days: the voucher is closed, ADSA says why, the bank lost the money only.

    After the days the same amount is a part payment.
    """
    late, early = (next(b for b in loop.open_bills() if b["jde"] == f"00001-PV-7000{n}") for n in ("07", "10"))
    (row,) = loop.voucher(early["jde"])
    discount = D(row["ADSC"])
    loop.sandbox.control_ais("tables/F0411", {**row, "DDNJ": today().replace("-", "")})
    (row,) = loop.voucher(late["jde"])
    loop.sandbox.control_ais("tables/F0411", {**row, "DDNJ": f"{loop.start:%Y%m%d}"})
    before = loop.ledger()
    loop.pay(early, amount=str(early["amount"] - discount))
    loop.pay(late, amount=str(late["amount"] - D(row["ADSC"])))
    assert loop.payments().counts["posted"] == 2
    assert loop.open_amount(early["jde"]) == 0
    (paid,) = loop.paid_rows(early["jde"])
    assert (D(paid["PAAP"]), D(paid["ADSA"])) == (early["amount"] - discount, discount)
    assert loop.open_amount(late["jde"]) == D(row["ADSC"])
    assert loop.moved(before)[BANK] == -(early["amount"] - discount) - (late["amount"] - D(row["ADSC"]))
    assert loop.check("jde/postings", "posting_matches_jde").passed


def test_a_bill_typed_into_bill_becomes_a_journal_entry(loop: Loop) -> None:
    """A bill that JDE does not know: its accounts are debited, the bank is credited, and no voucher exists of it."""
    bill = loop.typed_bill("120.40", "79.61")
    before, vouchers = loop.ledger(), len(loop.table("F0411"))
    payment = loop.pay(bill)
    assert loop.payments().counts["posted"] == 1
    (write,) = loop.postings()
    assert write.content["route"] == "journal"
    company, kind, number = write.remote_id.split("-")
    lines = [r for r in loop.table("F0911", DOC=int(number), DCT=kind, KCO=company) if r["LT"] == "AA"]
    assert {row["EXA"] for row in lines} == {write.content["reference"]}
    assert sorted(D(row["AA"]) for row in lines) == [-payment["amount"], D("79.61"), D("120.40")]
    moved = loop.moved(before)
    assert moved.pop(BANK) == -payment["amount"]
    assert sum(moved.values()) == payment["amount"]
    assert len(loop.table("F0411")) == vouchers
    assert loop.check("jde/postings", "posting_matches_jde").passed


def test_an_orders_bill_becomes_a_voucher_and_its_payment(loop: Loop) -> None:
    """A purchase order's bill in two parts: each a voucher on the order's accounts and a payment that closes it."""
    bill = next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")
    before = loop.ledger()
    for amount in (D("50.25"), bill["amount"] - D("50.25")):
        payment = loop.pay(bill, amount=str(amount))
        made = loop.payments()
        assert (made.counts["posted"], made.counts["vouchers entered"]) == (1, 1)
        voucher = next(w for w in loop.postings(kind="posting_voucher") if w.natural_key.startswith(payment["id"]))
        rows = loop.voucher(voucher.remote_id)
        assert (total(rows, "AG"), total(rows, "AAP"), {r["PST"] for r in rows}) == (amount, D(0), {"P"})
        assert {str(r["AN8"]) for r in rows} == {voucher.party}
        (paid,) = loop.paid_rows(voucher.remote_id)
        assert (D(paid["PAAP"]), paid["RMK"]) == (amount, voucher.content["reference"])
    numbers = {w.remote_id for w in loop.postings(kind="posting_voucher")}
    assert len(numbers) == 2
    assert len({r["VINV"] for n in numbers for r in loop.voucher(n)}) == 2
    moved = loop.moved(before)
    assert moved.pop(BANK) == -bill["amount"]
    expected = {line["aid"] for w in loop.drafted_bills([bill["jde"]]) for line in w.details["lines"]}
    assert set(moved) == expected
    assert sum(moved.values()) == bill["amount"]
    assert loop.check("jde/postings", "posting_matches_jde").passed
    assert loop.check("jde/postings", "nothing_uncertain").passed


def test_an_order_that_people_matched_to_a_voucher_is_paid_on_that_voucher(loop: Loop) -> None:
    """Received and matched in JDE after its bill went out: the payment closes that voucher, and none is entered."""
    bill = next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")
    voucher = _match(loop, bill["jde"])
    vouchers, before = len(loop.table("F0411")), loop.ledger()
    assert loop.open_amount(voucher) == bill["amount"]
    loop.pay(bill)
    assert loop.payments().counts["posted"] == 1
    assert len(loop.table("F0411")) == vouchers
    assert (loop.open_amount(voucher), loop.calls("JDEBILL_AP_VOUCHER"), loop.calls("JDEBILL_AP_PAYMENT")) == (0, 0, 1)
    assert loop.moved(before) == {BANK: -bill["amount"], "00001001": bill["amount"]}
    assert [w.content["route"] for w in loop.postings()] == ["payment"]
    assert loop.check("jde/postings", "posting_matches_jde").passed
    assert loop.payments().counts["posted"] == 0


def test_an_order_that_was_matched_for_less_waits_for_a_person(loop: Loop) -> None:
    """Half of the order was received and matched, all of it is paid: nothing is posted, and it says what is open."""
    bill = next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")
    voucher = _match(loop, bill["jde"], share="0.5")
    open_ = loop.open_amount(voucher)
    assert 0 < open_ < bill["amount"]
    payment = loop.pay(bill)
    assert loop.payments().counts["posted"] == 0
    (draft,) = loop.drafted(payment)
    assert (draft.status, draft.source) == ("held", bill["jde"])
    assert (
        draft.reason
        == f"JD Edwards does not have that much open: {bill['amount']} is to be settled, but {open_} is open."
    )
    assert [row.rule for row in loop.store.quarantine.show(draft.natural_key)] == ["order_invoiced"]
    assert loop.open_amount(voucher) == open_
    assert loop.calls("JDEBILL_AP_VOUCHER") == loop.calls("JDEBILL_AP_PAYMENT") == 0


def test_what_the_connection_writes_back_is_its_choice(loop: Loop) -> None:
    """``none`` writes nothing for bills of vouchers and says so; the order's journal entry needs no voucher."""
    writeback = type(loop.runtime.connections["acme"].sync.writeback)
    loop.choose(writeback=writeback(voucher="none", purchase_order="journal", other="journal"))
    (bill,) = loop.dollar_bills()
    order = next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")
    nothing = loop.pay(bill)
    loop.pay(order)
    assert loop.payments().counts["posted"] == 1
    (draft,) = loop.drafted(nothing)
    assert (draft.status, draft.reason) == ("not_due", "the connection writes nothing back for such bills")
    assert loop.open_amount(bill["jde"]) == bill["amount"]
    (write,) = loop.postings()
    assert (write.content["route"], loop.calls("JDEBILL_JOURNAL"), loop.calls("JDEBILL_AP_VOUCHER")) == (
        "journal",
        1,
        0,
    )


def _match(loop: Loop, order: str, share: str = "1") -> str:
    """Receive an order in JDE and match what was received to a voucher; its key."""
    company, kind, number, suffix = order.split("-")
    named = {"KCOO": company, "DCTO": kind, "DOCO": int(number), "SFXO": suffix}
    loop.sandbox.control_ais("clerk/receive_order", {**named, "share": share})
    made = loop.sandbox.control_ais("clerk/match_order", {**named, "VINV": "INV-4711"})
    return f"{made['KCO']}-{made['DCT']}-{made['DOC']}"


def _of_one_vendor(loop: Loop, n: int) -> list[dict[str, Any]]:
    by_vendor: dict[str, list[dict[str, Any]]] = {}
    for bill in loop.open_bills():
        if bill["currency"] == "USD":
            by_vendor.setdefault(bill["vendorId"], []).append(bill)
    bills = next(found for found in by_vendor.values() if len(found) >= n)
    return bills[:n]
