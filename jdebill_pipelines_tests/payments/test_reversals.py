"""Payments that BILL takes back after JDE was told: every route's reversal, posted or not, once."""

from __future__ import annotations

import pytest

from jdebill_pipelines_tests.payments.loop import BANK, D, Loop, total


@pytest.mark.parametrize("batch_posted", [True, False])
def test_a_voided_payment_opens_the_voucher_again(loop: Loop, batch_posted: bool) -> None:
    """A posted payment is reversed by rows of its own, one that is not posted yet disappears; the voucher is open."""
    loop.sandbox.control_ais("switches", {"auto_post": batch_posted})
    (bill,) = loop.dollar_bills()
    before = loop.ledger()
    payment = loop.pay(bill, "SENT")
    loop.payments()
    (row,) = loop.paid_rows(bill["jde"])
    loop.clerk("void", paymentId=payment["id"], reason="Sent to the wrong vendor")
    assert loop.payments().counts["reversed"] == 1
    assert loop.open_amount(bill["jde"]) == bill["amount"]
    assert {r["PST"] for r in loop.voucher(bill["jde"])} == {"A"}
    headers, rows = loop.table("F0413", PYID=row["PYID"]), loop.table("F0414", PYID=row["PYID"])
    assert [bool(h.get("VDGJ")) for h in headers] == ([True] if batch_posted else [])
    assert total(rows, "PAAP") == 0
    assert loop.moved(before) == {}
    assert loop.check("jde/postings", "posting_matches_jde").passed
    again = loop.payments()
    assert (again.counts["posted"], again.counts["reversed"], loop.calls("JDEBILL_AP_VOID")) == (0, 0, 1)
    assert [d.reason for d in loop.drafted(payment)] == ["posted in JD Edwards and reversed there"]
    assert [d.reason for d in loop.drafted(payment, "reverse")] == ["reversed in JD Edwards"]


@pytest.mark.parametrize("batch_posted", [True, False])
def test_a_voided_payment_of_an_order_takes_its_voucher_away_too(loop: Loop, batch_posted: bool) -> None:
    """First the payment is voided, then the voucher that was entered for it: nothing is left to be paid again."""
    loop.sandbox.control_ais("switches", {"auto_post": batch_posted})
    bill = next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")
    before = loop.ledger()
    payment = loop.pay(bill)
    loop.payments()
    (voucher,) = loop.postings(kind="posting_voucher")
    loop.clerk("void", paymentId=payment["id"])
    made = loop.payments()
    assert (made.counts["reversed"], made.counts["vouchers voided"]) == (1, 1)
    rows = loop.voucher(voucher.remote_id)
    assert total(rows, "AG") == total(rows, "AAP") == 0
    assert bool(rows) is batch_posted
    assert all(row.get("VOD") == "V" for row in rows)
    assert loop.moved(before) == {}
    assert loop.check("jde/postings", "posting_matches_jde").passed
    again = loop.payments()
    assert (again.counts["reversed"], again.counts.get("vouchers voided", 0)) == (0, 0)
    assert loop.calls("JDEBILL_AP_VOID") == 2


def test_a_voided_payment_of_a_typed_bill_is_an_opposite_entry(loop: Loop) -> None:
    """The entry stays and an opposite one is made, so that both are in the ledger and nothing is left of them."""
    bill = loop.typed_bill("120.40", "79.61")
    before = loop.ledger()
    payment = loop.pay(bill)
    loop.payments()
    (post,) = loop.postings()
    loop.clerk("void", paymentId=payment["id"])
    assert loop.payments().counts["reversed"] == 1
    (reverse,) = loop.postings("reverse")
    assert reverse.remote_id != post.remote_id
    for write in (post, reverse):
        company, kind, number = write.remote_id.split("-")
        lines = loop.table("F0911", DOC=int(number), DCT=kind, KCO=company, LT="AA")
        assert (total(lines, "AA"), {r["EXA"] for r in lines}) == (D(0), {write.content["reference"]})
        sign = 1 if write is post else -1
        assert {D(r["AA"]) * sign for r in lines} == {D("120.40"), D("79.61"), D("-200.01")}
    assert loop.moved(before) == {}
    assert loop.check("jde/postings", "posting_matches_jde").passed
    assert loop.payments().counts["reversed"] == 0
    assert loop.calls("JDEBILL_JOURNAL") == 2


def test_a_voided_payment_of_several_bills_is_reversed_for_each(loop: Loop) -> None:
    """One void in BILL, one reversal per bill: both vouchers are open again, foreign currency and credits included."""
    (credit,) = [c for c in loop.sandbox.control_bill("vendor-credits") if not c.get("archived")]
    bill = next(b for b in loop.open_bills() if b["vendorId"] == credit["vendorId"] and b["amount"] > credit["amount"])
    euros = next(b for b in loop.open_bills() if b["currency"] == "EUR")
    used = [{"id": credit["id"], "amount": str(credit["amount"])}]
    with_credit = loop.clerk("pay_with_credit", billId=bill["id"], credits=used, to="PROCESSED")
    foreign = loop.pay(euros)
    before = {key: (loop.open_amount(key), loop.open_amount(key, "FAP")) for key in (bill["jde"], euros["jde"])}
    credit_open = loop.open_amount("00001-PV-700004")
    assert loop.payments().counts["posted"] == 2
    for payment in (with_credit, foreign):
        loop.clerk("void", paymentId=payment["id"])
    assert loop.payments().counts["reversed"] == 2
    after = {key: (loop.open_amount(key), loop.open_amount(key, "FAP")) for key in (bill["jde"], euros["jde"])}
    assert (after, loop.open_amount("00001-PV-700004")) == (before, credit_open)
    assert loop.check("jde/postings", "posting_matches_jde").passed


@pytest.mark.parametrize("kind", ["VOID_ONLY", "VOID_AND_CREDIT", "VOID_AND_REISSUE", "VOID_AND_REISSUE_VCARD"])
def test_every_type_of_void(loop: Loop, kind: str) -> None:
    """The reversal is the same for all; a payment that was issued again is another one, posted when it is made."""
    (bill,) = loop.dollar_bills()
    before = loop.ledger()
    payment = loop.pay(bill)
    loop.payments()
    voided = loop.clerk("void", paymentId=payment["id"], type=kind)
    assert loop.payments().counts["reversed"] == 1
    assert loop.open_amount(bill["jde"]) == bill["amount"]
    again = voided.get("reissuedAs")
    assert (again is not None) is kind.startswith("VOID_AND_REISSUE")
    if again is None:
        return
    loop.clerk("advance", paymentId=again, to="PROCESSED")
    assert loop.payments().counts["posted"] == 1
    assert loop.open_amount(bill["jde"]) == 0
    live = [r for r in loop.paid_rows(bill["jde"]) if not loop.table("F0413", PYID=r["PYID"])[0].get("VDGJ")]
    assert (total(live, "PAAP"), len({r["PYID"] for r in live})) == (bill["amount"], 1)
    assert loop.moved(before)[BANK] == -bill["amount"]


def test_what_was_voided_before_it_was_seen_never_gets_to_jde(loop: Loop) -> None:
    """Paid and voided between two runs: nothing is posted, and so nothing is reversed."""
    (bill,) = loop.dollar_bills()
    payment = loop.pay(bill, "SENT")
    loop.clerk("void", paymentId=payment["id"])
    made = loop.payments()
    assert (made.counts["posted"], made.counts["reversed"]) == (0, 0)
    assert [(d.status, d.reason) for d in loop.drafted(payment)] == [
        ("not_due", "Voided and credited to the payer. It was never posted.")
    ]
    assert (loop.calls("JDEBILL_AP_PAYMENT"), loop.calls("JDEBILL_AP_VOID")) == (0, 0)


def test_a_payment_that_somebody_voided_in_jde_first_is_not_voided_twice(loop: Loop) -> None:
    """JDE says that it is voided already, which is what was wanted: adopted, and the voucher is open once."""
    (bill,) = loop.dollar_bills()
    payment = loop.pay(bill)
    loop.payments()
    (row,) = loop.paid_rows(bill["jde"])
    inputs = {"Payment Id": row["PYID"], "Void GL Date": payment["processDate"]}
    loop.sandbox.control_ais("clerk/void", inputs)
    loop.clerk("void", paymentId=payment["id"])
    made = loop.payments()
    assert made.counts["reversed"] == 1
    (reverse,) = loop.postings("reverse")
    assert reverse.remote_id == f"VOID-PYID-{row['PYID']}"
    assert loop.open_amount(bill["jde"]) == bill["amount"]
    assert total(loop.table("F0414", PYID=row["PYID"]), "PAAP") == 0
    assert loop.payments().counts["reversed"] == 0


def test_a_reconciled_payment_cannot_be_voided_and_waits_for_a_person(loop: Loop) -> None:
    """JDE refuses: the words of JDE are in the quarantine, nothing was changed, and it is not tried at every run."""
    (bill,) = loop.dollar_bills()
    payment = loop.pay(bill)
    loop.payments()
    (row,) = loop.paid_rows(bill["jde"])
    (header,) = loop.table("F0413", PYID=row["PYID"])
    loop.sandbox.control_ais("tables/F0413", {**header, "RCND": "R"})
    loop.clerk("void", paymentId=payment["id"])
    made = loop.payments()
    assert made.counts["refused"] == 1
    told = _quarantined(loop)
    assert any("reconciled" in reason for reason in told), told
    assert loop.open_amount(bill["jde"]) == 0
    assert loop.payments().counts.get("refused before") == 1
    assert loop.sandbox.control_ais("state")["calls"]["orchestration"] == 2


def _quarantined(loop: Loop) -> list[str]:
    return [row.reason for row in loop.store.quarantine.open()]
