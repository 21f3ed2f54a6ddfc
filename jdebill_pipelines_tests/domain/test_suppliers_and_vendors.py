"""Suppliers from their address book tables, their vendors in BILL, and who matches whom."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdebill_pipelines.domain.names import normal_invoice_number, normal_name, normal_tax_id
from jdebill_pipelines.domain.suppliers import (
    IncompleteSupplierError,
    PostalAddress,
    Supplier,
    SupplierTables,
    build_suppliers,
    vendor_content,
    vendor_status,
)
from jdebill_pipelines.domain.tables import F0101, F0111, F0115, F01151, F0116, F0401
from jdebill_pipelines.domain.vendor_matching import VendorRecord, match_vendors
from jdebill_pipelines_tests.domain.cases import supplier
from jdebill_pipelines_tests.domain.jde_csv import blank

TODAY = date(2026, 3, 31)
ADDRESS = {
    "AN8": "4242",
    "EFTB": date(2020, 1, 1),
    "ADD1": "12 Mill St",
    "CTY1": "Portland",
    "ADDS": "OR",
    "ADDZ": "97205",
    "CTR": "USA",
}


def tables(**changes: Any) -> SupplierTables:
    """Supplier 4242 with everything filled in."""
    master = {"AN8": "4242", "HDPY": "N", "TRAP": "N30", "CRRP": "USD", **changes.pop("f0401", {})}
    book = {
        "AN8": "4242",
        "ALPH": "BRIGHTWATER",
        "TAX": "12-3456789",
        "TAXC": "C",
        "AT1": "V",
        **changes.pop("f0101", {}),
    }
    addresses = changes.pop("f0116", [ADDRESS])
    return SupplierTables(
        f0401=[blank(F0401, **master)],
        f0101=[blank(F0101, **book), blank(F0101, AN8="77", ALPH="A buyer", AT1="E")],
        f0111=[
            blank(F0111, AN8="4242", IDLN=n, MLNM=name) for n, name in (("1", "A contact"), ("0", "Brightwater LLC"))
        ],
        f0115=[
            blank(F0115, AN8="4242", IDLN="0", PHTP="FAX", AR1="503", PH1="555-0111"),
            blank(F0115, AN8="4242", IDLN="1", AR1="503", PH1="555-0102"),
            blank(F0115, AN8="4242", IDLN="0", CNLN="1", AR1="503", PH1="555-0101"),
        ],
        f0116=[blank(F0116, **a) for a in addresses],
        f01151=[
            blank(F01151, AN8="4242", IDLN="0", ETP="I", EMAL="www.example.com"),
            blank(F01151, AN8="4242", IDLN="1", ETP="E", EMAL="ap@example.com"),
        ],
    )


def only(**changes: Any) -> Supplier:
    found = build_suppliers(tables(**changes), today=TODAY, inactive_search_types=["VX"])
    assert set(found) == {"4242"}  # an address book record without F0401 is no supplier
    return found["4242"]


def test_a_supplier_becomes_exactly_this_vendor() -> None:
    """Mailing name, the address in force, telephone and e-mail of the right kind, employer number, currency."""
    addresses = [
        ADDRESS,
        {**ADDRESS, "EFTB": date(2026, 1, 1), "ADD1": "14 Mill St", "ADD3": "Suite 5"},
        {**ADDRESS, "EFTB": date(2026, 4, 1), "ADD1": "Not yet"},
    ]
    assert vendor_content(only(f0116=addresses)) == {
        "name": "Brightwater LLC",
        "shortName": "4242",
        "accountType": "BUSINESS",
        "address": {
            "line1": "14 Mill St",
            "line2": "Suite 5",
            "city": "Portland",
            "stateOrProvince": "OR",
            "zipOrPostalCode": "97205",
            "country": "US",
        },
        "paymentInformation": {"payeeName": "Brightwater LLC"},
        "email": "ap@example.com",
        "phone": "503 555-0101",
        "billCurrency": "USD",
        "additionalInfo": {"taxId": "123456789", "taxIdType": "EIN"},
    }


def test_persons_and_foreign_tax_ids() -> None:
    """TAXC P is a person with an SSN; a tax id that is no US one is kept for matching and not sent."""
    person = only(f0101={"TAXC": "P"})
    assert (person.tax_id_type, person.account_type) == ("SSN", "PERSON")
    foreign = only(f0101={"TAX": "DE811569869"})
    assert (foreign.tax_id, foreign.tax_id_type) == ("DE811569869", "")
    assert "additionalInfo" not in vendor_content(foreign)


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"f0116": []}, ["address"]),
        ({"f0116": [{**ADDRESS, "EFTB": date(2026, 4, 1)}]}, ["address"]),
        ({"f0116": [{**ADDRESS, "ADD1": "", "CTY1": ""}]}, ["address", "address"]),
        ({"f0116": [{**ADDRESS, "CTR": "XX"}]}, ["country"]),
        ({"f0116": [{**ADDRESS, "CTR": "", "ADDZ": ""}]}, ["address", "country"]),
    ],
)
def test_what_bill_would_refuse_is_held_with_a_fix(changes: dict[str, Any], rules: list[str]) -> None:
    """No address in force, or one without street, city, postal code or country: held, and nothing to send."""
    found = only(**changes)
    assert [p.rule for p in found.problems] == rules
    assert all(p.reason and p.fix and "4242" in p.fix for p in found.problems)
    assert vendor_status(found)[0] == "held"
    with pytest.raises(IncompleteSupplierError):
        vendor_content(found)


@pytest.mark.parametrize(("code", "on_hold"), [("", False), ("N", False), ("Y", True), ("?", True)])
def test_unknown_hold_codes_hold(code: str, on_hold: bool) -> None:
    """Only blank and N pay; every other code holds, also one we have never seen."""
    found = only(f0401={"HDPY": code})
    assert (found.on_hold, found.payable) == (on_hold, not on_hold)
    assert vendor_status(found)[0] == ("not_due" if on_hold else "due")


def test_inactive_suppliers_get_no_vendor() -> None:
    """A search type that the connection calls inactive."""
    found = only(f0101={"AT1": "VX"})
    assert vendor_status(found) == ("not_due", "inactive in JD Edwards (search type VX)")
    assert not found.payable


def test_normal_forms() -> None:
    """Legal form, case, accents and punctuation do not make a name; zeros and INV do not make an invoice number."""
    assert (
        normal_name("Brightwater Plumbing, L.L.C.")
        == normal_name("BRIGHTWATER   PLUMBING LLC")
        == "brightwater plumbing"
    )
    assert normal_name("Müller & Söhne GmbH") == normal_name("Muller and Sohne")
    assert normal_name("The Co") == "the co"
    assert normal_name("株式会社") != ""
    assert normal_tax_id("12-3456789") == "123456789"
    assert normal_tax_id("*****6789") == normal_tax_id("XXX-XX-6789") == normal_tax_id("000000000") == ""
    assert normal_invoice_number("INV-000123") == normal_invoice_number("123") == normal_invoice_number("inv 00 123")
    assert normal_invoice_number("000") == "000"
    assert normal_invoice_number("INV") == "INV"


@given(st.text(max_size=60))
def test_a_normal_name_is_its_own_normal_form(name: str) -> None:
    """Normalising twice changes nothing, so both sides may be normalised independently."""
    assert normal_name(normal_name(name)) == normal_name(name)


def vendor(id_: str, name: str = "BRIGHTWATER PLUMBING", **changes: Any) -> VendorRecord:
    """A BILL vendor at the address of ``supplier()``."""
    raw = {
        "id": id_,
        "name": name,
        "shortName": changes.pop("short_name", ""),
        "address": {"line1": "12 Mill Street", "city": "Portland", "zipOrPostalCode": "97205-1234", "country": "US"},
        "additionalInfo": {"taxId": changes.pop("tax_id", "")},
        "archived": changes.pop("archived", False),
    }
    return VendorRecord.of({**raw, **changes})


def test_tax_id_decides_before_name_and_address() -> None:
    """The vendor with the supplier's tax id is it, though another one has its name and address."""
    one = supplier(tax_id="12-3456789")
    vendors = [vendor("009B"), vendor("009A", "Other name", tax_id="123456789")]
    decision = match_vendors([one], vendors, links={}).decisions["4242"]
    assert (decision.action, decision.vendor_id, decision.by) == ("match", "009A", "tax_id")


def test_name_and_address_match_in_normal_form_only_together() -> None:
    """Street words and long postal codes do not matter; another street does; another tax id does."""
    assert match_vendors([supplier()], [vendor("009A")], links={}).decisions["4242"].vendor_id == "009A"
    elsewhere = vendor(
        "009A", address={"line1": "13 Mill St", "city": "Portland", "zipOrPostalCode": "97205", "country": "US"}
    )
    assert match_vendors([supplier()], [elsewhere], links={}).decisions["4242"].action == "create"
    other_tax = vendor("009A", tax_id="98-7654321")
    assert match_vendors([supplier(tax_id="12-3456789")], [other_tax], links={}).decisions["4242"].action == "create"


def test_doubt_both_ways_waits_for_a_person() -> None:
    """Two vendors fit one supplier; one vendor fits two suppliers: held with candidates, rivals and a way out."""
    several = match_vendors([supplier()], [vendor("009A"), vendor("009B")], links={})
    decision = several.decisions["4242"]
    assert (decision.action, decision.candidates, decision.rivals) == ("held", ("009A", "009B"), ())
    twins = match_vendors([supplier(), supplier("4343")], [vendor("009A")], links={})
    assert [d.action for d in twins.decisions.values()] == ["held", "held"]
    assert twins.decisions["4242"].rivals == ("4343",)
    assert len(twins.held) == 2
    assert all(d.reason and d.fix for d in twins.held)
    settled = match_vendors([supplier(), supplier("4343")], [vendor("009A", short_name="4343")], links={})
    assert settled.decisions["4343"].vendor_id == "009A"
    assert settled.decisions["4242"].action == "create"


def test_held_and_archived_vendors_are_not_looked_at() -> None:
    """A vendor that a supplier holds, or that is archived, is no candidate; two numbers are two vendors."""
    twins = [supplier(), supplier("4343")]
    found = match_vendors(twins, [vendor("009A"), vendor("009B", archived=True)], links={"4242": "009A"})
    assert found.decisions["4242"].by == "link"
    assert found.decisions["4343"].action == "create"
    assert [(d.suppliers, d.why) for d in found.duplicates] == [(("4242", "4343"), "name_address")]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "12-3456789", "98-7654321"])), max_size=6), st.data()
)
def test_no_vendor_is_given_twice(people: list[tuple[str, str]], data: st.DataObject) -> None:
    """Whatever the names and tax ids: a vendor goes to at most one supplier, and the order does not matter."""
    home = PostalAddress("12 Mill St", "", "Portland", "OR", "97205", "US", "US")
    suppliers = [supplier(str(n), name=name, tax_id=tax, address=home) for n, (name, tax) in enumerate(people, 1)]
    picks = data.draw(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "123456789"])), max_size=5))
    vendors = [vendor(f"009{n}", name, tax_id=tax) for n, (name, tax) in enumerate(picks)]
    found = match_vendors(suppliers, vendors, links={}).decisions
    given_away = [d.vendor_id for d in found.values() if d.action == "match"]
    assert len(given_away) == len(set(given_away))
    assert match_vendors(suppliers[::-1], vendors[::-1], links={}).decisions == found
