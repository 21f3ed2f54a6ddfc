"""Exact money, natural keys, invoice numbers and content hashes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdebill_pipelines.domain.canonical import canonical_json, content_hash, written_json
from jdebill_pipelines.domain.invoice_numbers import LIMIT, NumberRequest, assign, shortened
from jdebill_pipelines.domain.keys import (
    BadKeyError,
    OrderKey,
    OrderLink,
    PayItemKey,
    PostingKey,
    VoucherKey,
    external_reference,
)
from jdebill_pipelines.domain.money import (
    Currencies,
    InexactAmountError,
    UnallocatableError,
    UnknownCurrencyError,
    allocate,
    from_minor,
    to_minor,
)

MINOR = st.integers(-(10**12), 10**12)


@given(st.integers(-(10**12), 10**12), st.lists(MINOR, min_size=1, max_size=60), st.sampled_from([0, 2, 3]))
def test_allocation_loses_nothing_and_is_fair(total: int, weights: list[int], decimals: int) -> None:
    """The shares add up exactly and none is a minor unit or more from its exact value, negative lines included."""
    amount, lines = from_minor(total, decimals), [from_minor(w, decimals) for w in weights]
    if sum(weights) == 0:
        with pytest.raises(UnallocatableError):
            allocate(amount, lines, decimals)
        return
    shares = allocate(amount, lines, decimals)
    assert sum(shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert abs(to_minor(share, decimals) * sum(weights) - total * weight) < abs(sum(weights))
    if total == sum(weights):
        assert shares == lines


def test_allocation_refuses_what_is_not_exact() -> None:
    """A total with a fraction of a cent is an error, not a rounding."""
    with pytest.raises(InexactAmountError):
        allocate(Decimal("0.005"), [Decimal(1)], 2)
    assert allocate(Decimal("0.30"), [Decimal(1), Decimal(1)], 2) == [Decimal("0.15")] * 2


def test_decimals_follow_the_site_then_iso() -> None:
    """F0013.CDEC wins over ISO 4217; a blank one does not; an unknown currency is an error."""
    site = Currencies.from_rows(
        [{"CRCD": "JPY", "CDEC": "2"}, {"CRCD": "USD", "CDEC": ""}, {"CRCD": "XYZ", "CDEC": "3"}]
    )
    assert [site.decimals(c) for c in ("JPY", "USD", "XYZ", "KWD")] == [2, 2, 3, 3]
    assert Currencies().decimals("JPY") == 0
    assert not Currencies().fits(Decimal("100.5"), "JPY")
    assert Currencies().fits(Decimal("12345678901.23"), "USD")
    with pytest.raises(UnknownCurrencyError):
        site.decimals("QQQ")


codes = st.text(st.characters(categories=["Lu", "Nd"], max_codepoint=127), min_size=1, max_size=5)
numbers = st.integers(1, 99_999_999)


@given(codes, codes, numbers, codes)
def test_keys_read_back_what_they_write(company: str, type_: str, number: int, suffix: str) -> None:
    """Every key parses to itself, and a number from a ledger (Decimal) makes the same key."""
    for key in (VoucherKey(company, type_, number), PayItemKey(company, type_, number, suffix)):
        assert type(key).parse(str(key)) == key
    order = OrderKey(company, type_, number, suffix)
    assert OrderKey.parse(str(order)) == order
    row = {"KCO": company, "DCT": type_, "DOC": Decimal(f"{number}.0")}
    assert VoucherKey.of(row) == VoucherKey(company, type_, number)


@pytest.mark.parametrize("text", ["", "00001-PV", "00001-PV-x", "00001-PV-1.5", "00001--7"])
def test_what_is_no_voucher_key_is_refused(text: str) -> None:
    """A key that was cut or mixed up is an error."""
    with pytest.raises(BadKeyError):
        VoucherKey.parse(text)


def test_order_numbers_compare_as_numbers() -> None:
    """Finance holds PO numbers as text, with or without zeros, and with or without company."""
    row = {"KCO": "00001", "PKCO": "", "PDCT": "OP", "PO": "00004711"}
    assert OrderLink.of(row) == OrderKey("00001", "OP", 4711, "000").link
    assert OrderLink.of({**row, "PO": "4711", "PKCO": "00001"}) == OrderLink.of(row)
    assert OrderLink.of({**row, "PO": ""}) is None
    assert OrderLink.of({**row, "PO": "0000"}) is None
    assert OrderLink.of({**row, "PDCT": ""}) is None


def test_posting_references_fit_the_remark_and_differ() -> None:
    """Every posting of a payment has its own reference of at most 30 characters that names the payment."""
    keys = [PostingKey("stp01QWMZKTRVB5hx8nd", bill, what) for bill in ("00nA", "00nB") for what in ("post", "reverse")]  # type: ignore[arg-type]
    references = [external_reference(key) for key in keys]
    assert len(set(references)) == 4
    assert all(len(r) <= 30 and r.startswith("stp01QWMZKTRVB5hx8nd/") for r in references)
    assert [PostingKey.parse(str(key)) for key in keys] == keys
    for wrong in ("stp:bill", "stp:bill:pay", "stp::post"):
        with pytest.raises(BadKeyError):
            PostingKey.parse(wrong)


@given(st.lists(st.tuples(st.sampled_from(["1", "2"]), st.text(max_size=40)), max_size=30))
def test_invoice_numbers_are_short_unique_and_stable(documents: list[tuple[str, str]]) -> None:
    """Any originals: at most 21 characters, one document per supplier and number, and a second run changes nothing."""
    requests = [NumberRequest(s, f"00001-PV-{n}", text, f"PV{n}-00001") for n, (s, text) in enumerate(documents)]
    numbers = assign(requests, {})
    assert all(n.strip() and len(n) <= LIMIT for n in numbers.values())
    pairs = {(r.supplier, numbers[r.natural_key].casefold()) for r in requests}
    assert len(pairs) == len(requests)
    taken = {(r.supplier, numbers[r.natural_key]): r.natural_key for r in requests}
    assert assign(requests, taken) == numbers
    for request in requests:
        assert assign([request], taken) == {request.natural_key: numbers[request.natural_key]}


def test_a_sent_number_is_kept_when_an_older_document_appears() -> None:
    """A lower voucher number with the same invoice number does not take the number from the one that is in BILL."""
    late = NumberRequest("1", "00001-PV-5", "INV-1", "PV5-00001")
    first = assign([late], {})
    assert first == {"00001-PV-5": "INV-1"}
    both = assign([NumberRequest("1", "00001-PV-3", "inv-1", "PV3-00001"), late], {("1", "INV-1"): "00001-PV-5"})
    assert both["00001-PV-5"] == "INV-1"
    assert both["00001-PV-3"] != "inv-1"


def test_a_number_that_was_told_apart_stays_so() -> None:
    """The document that had the plain number is gone; the other one's bill keeps the number it was sent with."""
    pair = [NumberRequest("1", f"00001-PV-{n}", "INV-1", f"PV{n}-00001") for n in (3, 5)]
    numbers = assign(pair, {})
    assert numbers["00001-PV-3"] == "INV-1"
    alone = assign(pair[1:], {("1", numbers["00001-PV-5"]): "00001-PV-5"})
    assert alone == {"00001-PV-5": numbers["00001-PV-5"]}


def test_long_and_blank_numbers_are_derived() -> None:
    """Long numbers keep their beginning and differ by a digest; blank ones come from the voucher's key."""
    a, b = (shortened(f"2026/INVOICE/000000000000{n}") for n in (1, 2))
    assert a[:12] == b[:12] == "2026/INVOICE"
    assert a != b
    assert len(a) == LIMIT
    assert assign([NumberRequest("1", "k", "  ", "PV7-00001")], {}) == {"k": "PV7-00001"}


def test_content_hash_is_of_the_value_not_of_its_spelling() -> None:
    """Member order and trailing zeros do not matter, the kind and every cent do; a float is refused."""
    one = content_hash("bill", {"amount": Decimal("10.00"), "a": "x"})
    assert one == content_hash("bill", {"a": "x", "amount": Decimal("1E+1")})
    assert one != content_hash("vendor_credit", {"a": "x", "amount": Decimal(10)})
    assert one != content_hash("bill", {"a": "x", "amount": Decimal("10.01")})
    with pytest.raises(TypeError):
        canonical_json({"amount": 0.1 + 0.2})
    assert canonical_json({"n": Decimal("12345678901.23")}) == b'{"n":12345678901.23}'


def test_what_was_written_is_told_by_its_zeros_too() -> None:
    """One amount has one content hash, and as evidence as many forms as PostgreSQL keeps apart."""
    spellings = [10, Decimal("10"), Decimal("1E+1"), Decimal("10.0"), Decimal("10.00")]
    assert {canonical_json(n) for n in spellings} == {b"10"}
    assert [written_json(n) for n in spellings] == [b"10", b"10", b"10", b"10.0", b"10.00"]
    assert written_json(Decimal("-0.00")) == b"0.00"
