"""Payloads: exact amounts out, tolerant reading in."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdebill_pipelines.bill.codec import MalformedAnswerError, decode, encode, money
from jdebill_pipelines.bill.models import (
    Account,
    Bill,
    BillIn,
    BillLineIn,
    Classifications,
    Invoice,
    Payment,
    Vendor,
    VendorPatch,
)


def bill_in(*amounts: Decimal) -> BillIn:
    return BillIn(
        vendor_id="00901V",
        due_date=date(2026, 6, 15),
        invoice=Invoice(invoice_number="BW-1", invoice_date=date(2026, 5, 16)),
        bill_line_items=tuple(BillLineIn(amount=a) for a in amounts),
    )


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("0.1") + Decimal("0.2"), "0.30"),
        (Decimal("12345678901.23"), "12345678901.23"),
        (Decimal("99999999999999999999999999999999.99"), "99999999999999999999999999999999.99"),
        (Decimal("1250"), "1250.00"),
        (Decimal("1.25E+3"), "1250.00"),
        (Decimal("-7.5"), "-7.50"),
        (Decimal("41.505"), "41.505"),
        (Decimal("0"), "0.00"),
    ],
)
def test_amounts_leave_as_plain_json_numbers_digit_for_digit(amount: Decimal, text: str) -> None:
    """Every amount is written out exactly, at least two decimals, never with an exponent."""
    body = encode(bill_in(amount))
    assert f'"amount":{text}}}'.encode() in body


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=2))
def test_amounts_survive_the_round_trip(amount: Decimal) -> None:
    """What is sent and read back is the same number."""
    sent = json.loads(encode(bill_in(amount)), parse_float=Decimal)["billLineItems"][0]["amount"]
    assert sent == amount
    read = decode(encode({"id": "00n", "amount": amount}), Bill)
    assert read.amount == amount


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("Infinity")])
def test_amounts_that_are_no_numbers_are_refused(amount: Decimal) -> None:
    """NaN and infinity never become a line."""
    with pytest.raises(ValueError, match="finite"):
        BillLineIn(amount=amount)


def test_floats_never_leave() -> None:
    """A float is refused when the line is made, and again when anything is encoded."""
    with pytest.raises(TypeError, match="Decimal"):
        BillLineIn(amount=0.3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"\$\.lines\[0\] is a float"):
        encode({"lines": [0.3]})
    with pytest.raises(TypeError, match="price must be a Decimal"):
        money(1, "price")  # type: ignore[arg-type]


def test_absent_members_are_left_out() -> None:
    """None is not sent as null: BILL would read it as a value."""
    assert encode(VendorPatch(name="Acme")) == b'{"name":"Acme"}'
    line = BillLineIn(amount=Decimal(1), classifications=Classifications(chart_of_account_id="0ca1"))
    assert json.loads(encode(line)) == {"amount": 1.00, "classifications": {"chartOfAccountId": "0ca1"}}


def test_a_bill_is_read_exactly_and_unknown_members_are_ignored() -> None:
    """Large amounts, text amounts, an undocumented member."""
    bill = decode(
        b'{"id":"00n1","archived":false,"vendorId":"009","amount":12345678901.23,"paidAmount":"0.30","dueDate":"2026-06-15",'
        b'"payments":[{"x":1}],"invoice":{"invoiceNumber":"A","invoiceDate":"2026-05-16"},"somethingNew":{"deep":[1]},'
        b'"billLineItems":[{"id":"bli1","amount":12345678901.23,"quantity":3,"price":41.5}],'
        b'"createdTime":"2026-05-16T17:02:09.000+00:00"}',
        Bill,
    )
    assert bill.amount == Decimal("12345678901.23")
    assert str(bill.paid_amount) == "0.30"
    assert bill.bill_line_items[0].price == Decimal("41.5")
    assert bill.created_time == datetime(2026, 5, 16, 17, 2, 9, tzinfo=UTC)
    assert (bill.exchange_rate, bill.approvers, bill.is_archived) == (None, (), False)


def test_awkward_members_are_read_on_the_second_try() -> None:
    """A number as account number, nulls for lists, a date-time as date, no zone, blank dates and amounts."""
    vendor = decode(
        b'{"id":"009","accountNumber":44710000000000000001,"phone":5035550142,"name":"null","balance":{"amount":""},'
        b'"address":{"zipOrPostalCode":97205},"additionalInfo":{"taxId":123456789,"track1099":"true"}}',
        Vendor,
    )
    assert vendor.account_number == "44710000000000000001"
    assert vendor.phone == "5035550142"
    assert vendor.name == "null"
    assert vendor.address is not None
    assert vendor.address.zip_or_postal_code == "97205"
    assert vendor.additional_info is not None
    assert vendor.additional_info.track1099 is True
    assert vendor.balance is not None
    assert vendor.balance.amount is None
    bill = decode(
        b'{"id":"00n","amount":7.10,"billLineItems":null,"dueDate":"","invoice":{"invoiceDate":"2026-05-16T00:00:00.000Z"},'
        b'"createdTime":"2026-05-16T17:02:09.000","updatedTime":"2026-05-16T17:02Z","approvers":[null]}',
        Bill,
    )
    assert bill.bill_line_items == ()
    assert bill.due_date is None
    assert bill.invoice is not None
    assert bill.invoice.invoice_date == date(2026, 5, 16)
    assert bill.created_time == datetime(2026, 5, 16, 17, 2, 9, tzinfo=UTC)
    assert str(bill.amount) == "7.10"
    account = decode(b'{"id":"0ca","account":{"type":"EXPENSE","number":6140}}', Account)
    assert account.number == "6140"


def test_payment_statuses_have_one_spelling_and_links_are_complete() -> None:
    """CANCELED and CANCELLED are the same; a payment with only billId still links its bill with its whole amount."""
    payment = decode(
        b'{"id":"stp","status":"CANCELED","singleStatus":"CANCELLED","billId":"00n1","amount":10.05,'
        b'"disbursementInfo":{"checkDisbursement":{"checkNumber":1042}}}',
        Payment,
    )
    assert (payment.plain_status, payment.plain_single_status) == ("CANCELLED", "CANCELED")
    assert [(link.bill_id, link.amount) for link in payment.links] == [("00n1", Decimal("10.05"))]
    assert payment.disbursement_info is not None
    assert payment.disbursement_info.check_disbursement is not None
    assert payment.disbursement_info.check_disbursement.check_number == "1042"
    assert decode(b'{"id":"stp","singleStatus":"NEVER_HEARD_OF"}', Payment).single_status == "NEVER_HEARD_OF"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"<html>502</html>", "not JSON"),
        (b"", "not JSON"),
        (b'{"vendorId":"009"}', "id"),
        (b'{"id":"00n","amount":"1,000.00"}', "amount"),
        (b'{"id":"00n","amount":true}', "amount"),
        (b'{"id":"00n","dueDate":"soon"}', "dueDate"),
        (b"\xff\xfe", "not"),
    ],
)
def test_what_cannot_be_read_is_named(body: bytes, where: str) -> None:
    """No guessing: a wrong shape is an error that says where."""
    with pytest.raises(MalformedAnswerError, match=where):
        decode(body, Bill)


def test_structs_are_frozen() -> None:
    """A read object cannot be changed by accident."""
    with pytest.raises(AttributeError):
        decode(b'{"id":"1"}', Bill).amount = Decimal(1)  # type: ignore[misc]
    assert msgspec.structs.replace(decode(b'{"id":"1"}', Bill), amount=Decimal(1)).amount == 1
