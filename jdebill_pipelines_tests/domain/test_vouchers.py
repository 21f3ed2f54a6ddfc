"""Vouchers as bills and credits: amounts, statuses, tax, currency, orders, what we have paid already."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from jdebill_pipelines.domain.documents import BillDraft, VendorTarget
from jdebill_pipelines.domain.keys import OrderKey, OrderLink, VoucherKey
from jdebill_pipelines.domain.purchase_orders import orders_of_vouchers
from jdebill_pipelines.domain.vouchers import VoucherRules, build_voucher_drafts
from jdebill_pipelines_tests.domain.cases import D, context, ledger, pay_item


def one(items: list[dict[str, Any]], lines: list[dict[str, Any]], ctx: Any = None, **kwargs: Any) -> BillDraft:
    """The one draft of one voucher."""
    (draft,) = build_voucher_drafts(items, lines, ctx or context(), VoucherRules(), **kwargs)
    return draft


def amounts(draft: BillDraft) -> list[D]:
    return [line.amount for line in draft.lines]


def test_a_plain_voucher_becomes_exactly_this_bill() -> None:
    """Amounts, dates, number and tags of an ordinary voucher, as BILL takes them."""
    draft = one([pay_item("150.30")], [ledger("0.10"), ledger("150.20", "00000003", "2")])
    assert (draft.status, draft.kind, draft.period) == ("due", "bill", "2026-03")
    assert draft.content() == {
        "vendorId": "00901A",
        "dueDate": "2026-04-01",
        "invoice": {"invoiceNumber": "BW-20931", "invoiceDate": "2026-03-02"},
        "description": "JD Edwards voucher 00001-PV-1001",
        "billLineItems": [
            {
                "amount": D("0.10"),
                "description": "Repairs",
                "classifications": {"chartOfAccountId": "0ca6110", "departmentId": "0de30"},
            },
            {
                "amount": D("150.20"),
                "description": "Repairs",
                "classifications": {"chartOfAccountId": "0ca6110", "departmentId": "0de40"},
            },
        ],
    }


def test_several_pay_items_are_one_bill_due_with_the_first() -> None:
    """Two approved pay items: one bill over both, due on the earlier day."""
    items = [pay_item("60", DDJ=date(2026, 5, 1)), pay_item("40", SFX="002", DDJ=date(2026, 4, 15))]
    draft = one(items, [ledger("100")])
    assert (draft.amount, draft.due_date) == (D(100), date(2026, 4, 15))
    assert draft.details["pay_items"] == ["00001-PV-1001-001", "00001-PV-1001-002"]


def test_only_payable_items_count_and_their_share_is_spread_to_the_cent() -> None:
    """One of two items is held: the bill is over the other, spread over all lines by largest remainder."""
    items = [pay_item("70"), pay_item("30", SFX="002", PST="H")]
    draft = one(items, [ledger("33.33"), ledger("33.33", "00000002", "2"), ledger("33.34", "00000003", "3")])
    assert draft.status == "due"
    assert draft.document_amount == D(70)
    assert amounts(draft) == [D("23.33"), D("23.33"), D("23.34")]


@pytest.mark.parametrize(
    ("status", "open_", "reason"),
    [
        ("H", None, "held (pay status H)"),
        ("#", None, "selected for a JD Edwards payment run (pay status #)"),
        ("Z", None, "not payable (pay status Z)"),
        ("", None, "not payable (pay status blank)"),
        ("P", "0", "paid in JD Edwards"),
        ("A", "0", "nothing is open"),
    ],
)
def test_what_is_not_payable_says_why(status: str, open_: str | None, reason: str) -> None:
    """Every status but A waits, unknown ones too."""
    draft = one([pay_item("10", open_, PST=status)], [ledger("10")])
    assert (draft.status, draft.reason) == ("not_due", reason)


def test_voids_other_types_and_foreign_companies_are_not_due() -> None:
    """A voided voucher, a type that is not sent and a company that is not covered each say so."""
    assert one([pay_item("10", "0", VOD="V")], [ledger("10")]).reason == "voided in JD Edwards"
    assert one([pay_item("10", DCT="PR")], []).reason == "document type PR is not sent to BILL"
    (other,) = build_voucher_drafts([pay_item("10")], [], context(), VoucherRules(companies=("00009",)))
    assert other.reason == "company 00001 is not covered by the connection"
    cancelling = [pay_item("10"), pay_item("-10", SFX="002")]
    assert one(cancelling, [ledger("10"), ledger("-10", line="2")]).reason == "the open pay items add up to zero"


def test_tax_in_the_gross_amount_is_spread_over_the_distribution() -> None:
    """Gross 108.25 with 8.25 tax over lines of 100: the lines carry the tax and add up to the gross."""
    draft = one([pay_item("108.25", STAM="8.25")], [ledger("66.67"), ledger("33.33", "00000002", "2")])
    assert draft.status == "due"
    assert amounts(draft) == [D("72.17"), D("36.08")]
    assert sum(amounts(draft)) == draft.amount == D("108.25")


def test_a_difference_that_nothing_explains_is_held() -> None:
    """One cent that is neither distribution nor tax: held, with the cent in the reason."""
    draft = one([pay_item("108.26", STAM="8.25")], [ledger("100")])
    assert draft.status == "held"
    assert [p.rule for p in draft.problems] == ["distribution"]
    assert "0.01 USD is unexplained" in draft.reason
    assert one([pay_item("10")], []).reason == "The voucher has no distribution to general ledger accounts."


def test_a_partly_paid_voucher_is_billed_for_what_is_open() -> None:
    """JDE has paid 1,000.00 of 1,500.01: the rest is spread exactly; negative lines stay negative."""
    lines = [ledger("1600.01"), ledger("-100", "00000002", "2")]
    draft = one([pay_item("1500.01", "500.01")], lines)
    assert draft.amount == sum(amounts(draft)) == D("500.01")
    assert amounts(draft)[1] < 0


def test_our_own_postings_do_not_change_a_bill() -> None:
    """BILL pays 40 of 100, then the rest: the content stays the same although JDE's open amount falls to nothing."""
    lines = [ledger("66.67"), ledger("33.33", "00000002", "2")]
    before = one([pay_item("100")], lines)
    part = one([pay_item("100", "60")], lines, context(settled={"00001-PV-1001-001": D(40)}))
    whole = one([pay_item("100", "0", PST="P")], lines, context(settled={"00001-PV-1001-001": D(100)}))
    assert before.status == part.status == whole.status == "due"
    assert before.content_hash == part.content_hash == whole.content_hash
    not_read_again = one([pay_item("100")], lines, context(settled={"00001-PV-1001-001": D(40)}))
    assert not_read_again.content_hash == before.content_hash
    paid_elsewhere = one([pay_item("100", "0", PST="P")], lines)
    assert paid_elsewhere.status == "not_due"


def test_a_negative_voucher_is_a_vendor_credit() -> None:
    """A debit memo becomes a vendor credit with positive lines, BILL's names and JDE's sign on the side."""
    draft = one([pay_item("-80")], [ledger("-100"), ledger("20", "00000002", "2")])
    assert (draft.kind, draft.amount, draft.signed_amount) == ("vendor_credit", D(80), D(-80))
    content = draft.content()
    assert [line["amount"] for line in content["vendorCreditLineItems"]] == [D(100), D(-20)]
    assert content["referenceNumber"] == "BW-20931"
    assert content["creditDate"] == "2026-03-02"
    assert "invoice" not in content


@pytest.mark.parametrize("release", ["currency ledger", "foreign amount on the domestic ledger"])
def test_foreign_vouchers_are_in_the_transactions_currency(release: str) -> None:
    """A EUR voucher of a USD company: FAP, ACR and CTAM count, on releases with and without a currency ledger."""
    item = pay_item("110", AN8="4343", PYE="4343", CRRM="F", CRCD="EUR", ACR="100", FAP="100", CTAM="0")
    currency_ledger = [ledger("110"), ledger("100", LT="CA")]
    lines = currency_ledger if release == "currency ledger" else [ledger("110", ACR="100")]
    draft = one([item], lines)
    assert (draft.currency, draft.amount, amounts(draft)) == ("EUR", D(100), [D(100)])
    assert draft.vendor_id == "00901B"


def test_yen_has_no_decimals() -> None:
    """A part payment in JPY is spread in whole yen."""
    item = pay_item("9", AN8="4343", PYE="4343", CRRM="F", CRCD="JPY", ACR="1000", FAP="500")
    lines = [ledger(a, line=str(n), LT="CA") for n, a in enumerate(("333", "333", "334"), start=1)]
    draft = one([item], lines, context(vendors={"4343": VendorTarget("00901B", "JPY")}))
    assert sum(amounts(draft)) == D(500)
    assert all(a == a.to_integral_value() for a in amounts(draft))


def test_offsets_reversed_lines_and_adjustments() -> None:
    """Automatic offsets (AE) and reversed lines (RE) are out; a change of the voucher (PE) is part of it."""
    items = [pay_item("100"), pay_item("5", SFXE="1", DCTA="PE")]
    lines = [
        ledger("100"),
        ledger("-105", DCT="AE", line="9"),
        ledger("50", line="2", RE="R"),
        ledger("5", "00000002", "3", DCT="PE"),
    ]
    draft = one(items, lines)
    assert (draft.status, draft.amount, amounts(draft)) == ("due", D(105), [D(100), D(5)])


def test_a_voucher_of_a_billed_order_is_not_billed_again() -> None:
    """The order number on the voucher has leading zeros, the order's has none: still the same order."""
    item = pay_item("100", PO="00004711", PDCT="OP")
    order = OrderKey("00001", "OP", 4711, "000")
    draft = one([item], [ledger("100")], billed_orders={order.link: str(order)})
    assert (draft.status, draft.reason) == ("not_due", "its purchase order 00001-OP-4711-000 is already a bill")
    on_the_line = one([pay_item("100")], [ledger("100", PO="4711", PDCT="OP")], billed_orders={order.link: str(order)})
    assert on_the_line.status == "not_due"
    free = one([item], [ledger("100")], billed_orders={OrderLink("00001", "OP", 4712): "x"})
    assert (free.status, free.purchase_order) == ("due", "OP-4711")


def test_the_payee_gets_the_bill() -> None:
    """A factor as payee: the vendor is the factor's; two payees on one voucher are held."""
    draft = one([pay_item("10", PYE="4343")], [ledger("10")])
    assert (draft.supplier, draft.vendor_id, draft.details["supplier"]) == ("4343", "00901B", "4242")
    both = one([pay_item("10"), pay_item("10", SFX="002", PYE="4343")], [ledger("20")])
    assert [p.rule for p in both.problems] == ["one_payee"]


def test_discount_and_long_invoice_numbers_are_told() -> None:
    """The discount is for people and not part of the content; a shortened number keeps the original in the text."""
    item = pay_item("10", VINV="INVOICE/2026/000000000017", ADSC="0.20", DDNJ=date(2026, 3, 15))
    draft = one([item], [ledger("10")])
    assert draft.details["discount"] == {"amount": D("0.20"), "until": "2026-03-15"}
    assert len(draft.invoice_number) == 21
    assert draft.description.endswith(", invoice INVOICE/2026/000000000017")
    plain = one([pay_item("10", VINV="INVOICE/2026/000000000017")], [ledger("10")])
    assert plain.content_hash == draft.content_hash


def test_a_missing_money_column_is_an_error() -> None:
    """Column security that takes away the open amount must not read as zero."""
    item = pay_item("10")
    del item["AAP"]
    with pytest.raises(KeyError):
        one([item], [ledger("10")])


def test_voucher_match_records_name_the_order() -> None:
    """F43121 rows of match type 2 say which order a voucher was matched to; receipts do not."""
    row = {"KCO": "00001", "DCT": "PV", "DOC": D(7), "KCOO": "00001", "DCTO": "OP", "DOCO": D(9), "SFXO": "000"}
    found = orders_of_vouchers([{**row, "MATC": "2"}, {**row, "MATC": "1", "DOC": D(8)}])
    assert found == {VoucherKey("00001", "PV", 7): OrderKey("00001", "OP", 9, "000")}
