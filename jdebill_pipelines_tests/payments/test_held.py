"""Payments that JDE would book wrongly, or that it refuses: held with a reason, and posted when it is put right."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from jdebill_pipelines.config.connection import Writeback
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines.steps.gl import mapped
from jdebill_pipelines_tests.payments.loop import BANK, D, Loop, today, total


def _close_until_next_month(loop: Loop) -> str:
    """Make the month after this one the current payables and ledger period; returns its first day."""
    day = date.fromisoformat(today())
    first = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    start = f"{first.year}0101"
    for row in loop.table("F0010", CO="00001"):
        period = {"PNC": first.month, "APPN": first.month, "DFYJ": start, "APFJ": start}
        loop.sandbox.control_ais("tables/F0010", {**row, **period})
    loop.documents()
    return first.isoformat()


@pytest.mark.parametrize("route", ["payment", "journal"])
def test_a_closed_period_holds_the_payment(loop: Loop, route: str) -> None:
    """The rule ``hold``: nothing is sent, the reason names date and company; posted once the period is open again."""
    (company,) = loop.table("F0010", CO="00001")
    bill = loop.typed_bill("100.00") if route == "journal" else loop.dollar_bills()[0]
    _close_until_next_month(loop)
    loop.pay(bill)
    made = loop.payments()
    assert (made.counts["posted"], loop.sandbox.control_ais("state")["calls"].get("orchestration", 0)) == (0, 0)
    (held,) = loop.store.quarantine.open("postings")
    assert (held.kind, held.rule, held.value) == ("posting", "gl_date", today())
    assert "company 00001" in held.reason
    assert not loop.check("sync/posting_drafts", "rows_are_valid").passed
    loop.sandbox.control_ais("tables/F0010", company)
    loop.documents()
    assert loop.payments().counts["posted"] == 1
    assert loop.held() == []


def test_a_closed_period_may_be_dated_on_the_first_open_day(loop: Loop) -> None:
    """The rule ``next_open``: the payment keeps its own date, the G/L date is the first day of the open period."""
    loop.choose(closed_period="next_open")
    first = _close_until_next_month(loop)
    (bill,) = loop.dollar_bills()
    payment = loop.pay(bill)
    assert loop.payments().counts["posted"] == 1
    (row,) = loop.paid_rows(bill["jde"])
    (header,) = loop.table("F0413", PYID=row["PYID"])
    assert header["DMTJ"] == today().replace("-", "")
    ledger = [r for r in loop.table("F0911", ICUT=header["ICUT"], ICU=header["ICU"]) if r["LT"] == "AA"]
    assert {r["DGJ"] for r in ledger} == {first.replace("-", "")}
    # Its reversal is not dated before it.
    loop.clerk("void", paymentId=payment["id"])
    assert loop.payments().counts["reversed"] == 1
    (write,) = loop.postings("reverse")
    assert write.content["gl_date"] == first


def test_a_voucher_that_was_paid_in_jde_meanwhile_is_held(loop: Loop) -> None:
    """Somebody paid it in JDE: BILL's payment is held with what is open, and not booked on top."""
    (bill,) = loop.dollar_bills()
    (row,) = loop.voucher(bill["jde"])
    loop.pay(bill)
    _pay_in_jde(loop, row, bill["amount"])
    made = loop.payments()
    assert made.counts["posted"] == 0
    (held,) = loop.store.quarantine.open("postings")
    assert (held.rule, held.amount) == ("voucher_open", bill["amount"])
    assert total(loop.paid_rows(bill["jde"]), "PAAP") == bill["amount"]


def test_a_voucher_that_fell_short_in_jde_meanwhile_is_held(loop: Loop) -> None:
    """Part of it was paid in JDE, so less is open than BILL paid: held, and posted when the other payment is voided."""
    (bill,) = loop.dollar_bills()
    (row,) = loop.voucher(bill["jde"])
    loop.pay(bill)
    other = _pay_in_jde(loop, row, D(100))
    assert loop.payments().counts["posted"] == 0
    assert loop.held() == [("posting", "voucher_open")]
    loop.sandbox.control_ais("clerk/void", {"Payment Id": other["Payment Id"], "Void GL Date": today()})
    assert loop.payments().counts["posted"] == 1
    assert loop.open_amount(bill["jde"]) == 0


def test_a_voucher_that_was_voided_in_jde_meanwhile_is_held(loop: Loop) -> None:
    """Nothing is open of a voucher that does not exist any more."""
    (bill,) = loop.dollar_bills()
    company, kind, number = bill["jde"].split("-")
    loop.pay(bill)
    loop.sandbox.control_ais(
        "clerk/void",
        {"Document Number": int(number), "Document Type": kind, "Document Company": company, "Void GL Date": today()},
    )
    assert loop.payments().counts["posted"] == 0
    assert loop.held() == [("posting", "voucher_open")]


def test_a_voucher_put_on_hold_is_refused_by_jde_and_told(loop: Loop) -> None:
    """Its pay status is H since: JDE's words are in the quarantine, nothing is booked, and it is not hammered."""
    (bill,) = loop.dollar_bills()
    (row,) = loop.voucher(bill["jde"])
    loop.pay(bill)
    loop.sandbox.control_ais("tables/F0411", {**row, "PST": "H"})
    made = loop.payments()
    assert (made.counts["posted"], made.counts["refused"]) == (0, 1)
    assert any("not approved for payment" in r.reason for r in loop.store.quarantine.open())
    assert loop.paid_rows(bill["jde"]) == []
    assert loop.payments().counts["refused before"] == 1
    assert loop.sandbox.control_ais("state")["calls"]["orchestration"] == 1


@pytest.mark.parametrize("posting_code", ["I", "N"])
def test_an_account_that_was_closed_holds_journal_and_order(loop: Loop, posting_code: str) -> None:
    """Since the bill was made its account takes no postings: the line is named, nothing is sent."""
    typed = loop.typed_bill("100.00")
    order = next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")
    loop.pay(order)
    loop.pay(typed)
    used = {line["aid"] for w in loop.drafted_bills([order["jde"]]) for line in w.details["lines"]}
    classes = typed["billLineItems"][0]["classifications"]
    context = loop.context("sync/gl_map", Mode.FULL, "test")
    used |= {e.aid for e in mapped(context).entries.values() if e.bill_account_id == classes["chartOfAccountId"]}
    accounts = [row for row in loop.table("F0901") if row["AID"] in used]
    loop.sandbox.control_ais("tables/F0901", [{**row, "PEC": posting_code} for row in accounts])
    loop.run(["jde/accounts"])
    assert loop.payments().counts["posted"] == 0
    held = loop.store.quarantine.open("postings")
    assert {h.natural_key.split(":")[1] for h in held} == {order["id"], typed["id"]}
    assert all(h.rule in ("account_posts", "reverse_mapping") for h in held), held
    loop.sandbox.control_ais("tables/F0901", [{"PEC": "", **row} for row in accounts])
    loop.run(["jde/accounts"])
    assert loop.payments().counts["posted"] == 2


@pytest.mark.parametrize(
    ("bank", "rule", "says"),
    [
        (None, "bank_account", "is missing"),
        ("00009999", "bank_account", "does not exist in JD Edwards"),
        ("00001005", "bank_account", "is not registered as a bank account"),
    ],
)
def test_without_a_bank_account_nothing_is_posted(loop: Loop, bank: str | None, rule: str, says: str) -> None:
    """No bank account, an unknown one, and one that is none: held on every route, with what to correct."""
    loop.choose(bank_account=bank)
    (bill,) = loop.dollar_bills()
    order = next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")
    for paid in (bill, order, loop.typed_bill("100.00")):
        loop.pay(paid)
    assert loop.payments().counts["posted"] == 0
    held = loop.store.quarantine.open("postings")
    assert {h.natural_key.split(":")[1] for h in held if h.rule == rule and says in h.reason} == {
        h.natural_key.split(":")[1] for h in held
    }
    assert len({h.natural_key for h in held}) == 3
    loop.choose(bank_account=BANK)
    assert loop.payments().counts["posted"] == 3


def test_a_bill_whose_accounts_say_nothing_is_held(loop: Loop) -> None:
    """Typed into BILL on an account that stands for several accounts of JDE, or for none: a person must choose."""
    bill = loop.typed_bill("100.00")
    without = {"billLineItems": [{"amount": D("55.00"), "description": "Nowhere"}]}
    kept = {key: bill[key] for key in ("vendorId", "dueDate")}
    invoice = {"invoiceNumber": "NOWHERE-1", "invoiceDate": today()}
    nowhere = loop.clerk("create_bill", **kept, invoice=invoice, **without)
    loop.pay(nowhere)
    assert loop.payments().counts["posted"] == 0
    assert loop.held() == [("posting", "reverse_mapping")]
    classes = bill["billLineItems"][0]["classifications"]
    line = {"id": nowhere["billLineItems"][0]["id"], "classifications": classes}
    loop.clerk("edit_bill", billId=nowhere["id"], changes={"billLineItems": [line]})
    assert loop.payments().counts["posted"] == 1
    assert loop.held() == []


def test_a_journal_for_a_voucher_needs_what_the_connection_does_not_say(loop: Loop) -> None:
    """Writeback ``journal`` for vouchers without a payables account: held, and not a guess at the account."""
    loop.choose(writeback=Writeback(voucher="journal"))
    (bill,) = loop.dollar_bills()
    loop.pay(bill)
    assert loop.payments().counts["posted"] == 0
    assert loop.held() == [("posting", "payables_account")]


def _pay_in_jde(loop: Loop, row: dict[str, Any], amount: Any) -> Any:
    voucher = {
        "Document Number": row["DOC"],
        "Document Type": row["DCT"],
        "Document Company": row["KCO"],
        "Pay Item": row["SFX"],
        "Amount": amount,
    }
    inputs = {"Payee": row["AN8"], "Bank Account": BANK, "Payment Date": today(), "GL Date": today()}
    return loop.sandbox.control_ais("clerk/payment", {**inputs, "Vouchers": [voucher]})
