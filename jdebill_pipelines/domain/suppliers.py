"""JDE suppliers and the BILL vendors they become.

Belongs here: reading a supplier from its address book tables and writing a vendor payload. Does not belong here: which
BILL vendor a supplier already is (``vendor_matching``).

Sources: JDE keeps a supplier in F0401 (its existence), F0101 (name, tax id, search type), F0111 line 0 (mailing name),
F0116 (addresses by effective date), F0115 (telephones) and F01151 (ETP E: e-mail). BILL API v3 demands a vendor name of
1 to 100 characters and an address with line1, city, zipOrPostalCode and an ISO 3166 alpha-2 country.

Decisions: BILL's ``accountNumber`` is our account number at the supplier and is printed on checks; JDE does not hold
it, so it is never written. ``shortName`` carries the address number: a help for people and for telling apart two
vendors with one name and one address, never an identity of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Literal

import msgspec

from jdebill_pipelines.domain.countries import country_alpha2
from jdebill_pipelines.domain.keys import supplier_key
from jdebill_pipelines.domain.names import normal_tax_id
from jdebill_pipelines.domain.rows import Row, day, number, text
from jdebill_pipelines.domain.verdicts import Failure

NAME_LENGTH = 100
PAY_FREELY = ("", "N")  # F0401.HDPY, UDC H01/HD: every other code is treated as a hold


class IncompleteSupplierError(ValueError):
    """A supplier that lacks what BILL demands of a vendor."""


class PostalAddress(msgspec.Struct, frozen=True):
    """A supplier's address; ``country`` is ISO 3166 alpha-2 or '' when JDE's code is blank or unknown."""

    line1: str
    line2: str
    city: str
    state: str
    postal_code: str
    country: str
    country_code: str = ""


class Supplier(msgspec.Struct, frozen=True):
    """A supplier as both systems need it.

    Attributes:
        number: address number (AN8) as text, the natural key.
        name: mailing name, or the alpha name where there is none.
        address: the address in force today, or None.
        phone, email: of the supplier itself before those of its contacts; '' when there is none.
        tax_id, tax_id_type: as kept in JDE; type ``EIN``, ``SSN`` or '' when it is no US tax id.
        account_type: ``BUSINESS`` or ``PERSON``.
        terms: payment terms code (F0014), for orders and vouchers that name none.
        currency: default currency for payables (CRRP), '' when JDE has none.
        hold_code: F0401.HDPY when it stops payments, else ''.
        search_type: F0101.AT1.
        inactive: the search type is one that the connection calls inactive.
        problems: what BILL would refuse, each with a fix.
    """

    number: str
    name: str
    address: PostalAddress | None
    phone: str
    email: str
    tax_id: str
    tax_id_type: Literal["EIN", "SSN", ""]
    account_type: Literal["BUSINESS", "PERSON"]
    terms: str
    currency: str
    hold_code: str
    search_type: str
    inactive: bool
    problems: tuple[Failure, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether it has all that BILL demands of a vendor."""
        return not self.problems

    @property
    def on_hold(self) -> bool:
        """Whether JDE stops payments to it."""
        return self.hold_code != ""

    @property
    def payable(self) -> bool:
        """Whether bills for it may go out."""
        return self.complete and not self.on_hold and not self.inactive


class SupplierTables(msgspec.Struct, frozen=True):
    """The rows that describe suppliers."""

    f0401: Iterable[Row]
    f0101: Iterable[Row]
    f0111: Iterable[Row] = ()
    f0115: Iterable[Row] = ()
    f0116: Iterable[Row] = ()
    f01151: Iterable[Row] = ()


def build_suppliers(
    tables: SupplierTables, *, today: date, inactive_search_types: Iterable[str] = ()
) -> dict[str, Supplier]:
    """Return every supplier by its address number as text.

    Args:
        tables: the rows; a supplier exists when F0401 has it.
        today: business date in the connection's zone; the address with the latest start until then is in force.
        inactive_search_types: F0101.AT1 codes that mean that the supplier is no longer used.
    """
    book = {row["AN8"]: row for row in tables.f0101}
    mailing = {row["AN8"]: text(row, "MLNM") for row in tables.f0111 if number(row, "IDLN") == 0}
    addresses = _addresses(tables.f0116, today)
    phones = _first_by_contact(tables.f0115, _phone)
    emails = _first_by_contact(tables.f01151, _email)
    inactive = frozenset(inactive_search_types)
    found: dict[str, Supplier] = {}
    for row in tables.f0401:
        an8 = row["AN8"]
        entry = book.get(an8, {})
        key = supplier_key(an8)
        tax_id = text(entry, "TAX")
        person = text(entry, "TAXC") == "P"
        hold = text(row, "HDPY")
        search_type = text(entry, "AT1")
        name = mailing.get(an8) or text(entry, "ALPH")
        address = addresses.get(an8)
        found[key] = Supplier(
            number=key,
            name=name,
            address=address,
            phone=phones.get(an8, ""),
            email=emails.get(an8, ""),
            tax_id=tax_id,
            tax_id_type=_tax_id_type(tax_id, person=person),
            account_type="PERSON" if person else "BUSINESS",
            terms=text(row, "TRAP"),
            currency=text(row, "CRRP"),
            hold_code="" if hold in PAY_FREELY else hold,
            search_type=search_type,
            inactive=search_type in inactive,
            problems=tuple(_problems(key, name, address)),
        )
    return found


def vendor_content(supplier: Supplier) -> dict[str, Any]:
    """Return the vendor as BILL takes it (JSON names of API v3; what is unknown is left out).

    Raises:
        IncompleteSupplierError: BILL would refuse it; ``supplier.problems`` says why.
    """
    if supplier.problems or supplier.address is None:
        raise IncompleteSupplierError(f"supplier {supplier.number}: {'; '.join(p.reason for p in supplier.problems)}")
    home = supplier.address
    address = {
        "line1": home.line1,
        "line2": home.line2,
        "city": home.city,
        "stateOrProvince": home.state,
        "zipOrPostalCode": home.postal_code,
        "country": home.country,
    }
    content: dict[str, Any] = {
        "name": supplier.name,
        "shortName": supplier.number,
        "accountType": supplier.account_type,
        "address": {k: v for k, v in address.items() if v},
        "paymentInformation": {"payeeName": supplier.name},
    }
    if supplier.email:
        content["email"] = supplier.email
    if supplier.phone:
        content["phone"] = supplier.phone
    if supplier.currency:
        content["billCurrency"] = supplier.currency
    if supplier.tax_id_type:
        content["additionalInfo"] = {"taxId": normal_tax_id(supplier.tax_id), "taxIdType": supplier.tax_id_type}
    return content


def vendor_status(supplier: Supplier) -> tuple[Literal["due", "not_due", "held"], str]:
    """Say whether a supplier without a vendor gets one, and why not.

    A supplier that cannot be paid anyway (on hold, inactive) gets none until that changes.
    """
    if supplier.inactive:
        return "not_due", f"inactive in JD Edwards (search type {supplier.search_type})"
    if supplier.on_hold:
        return "not_due", f"payments to the supplier are on hold (hold code {supplier.hold_code})"
    if supplier.problems:
        return "held", supplier.problems[0].reason
    return "due", ""


def _addresses(rows: Iterable[Row], today: date) -> dict[Any, PostalAddress]:
    latest: dict[Any, tuple[date, Row]] = {}
    for row in rows:
        start = day(row, "EFTB") or date.min
        if start <= today and (row["AN8"] not in latest or start > latest[row["AN8"]][0]):
            latest[row["AN8"]] = (start, row)
    found = {}
    for an8, (_, row) in latest.items():
        lines = [line for line in (text(row, f"ADD{n}") for n in range(1, 5)) if line] or [""]
        found[an8] = PostalAddress(
            line1=lines[0],
            line2=", ".join(lines[1:])[:93],
            city=text(row, "CTY1"),
            state=text(row, "ADDS"),
            postal_code=text(row, "ADDZ"),
            country=country_alpha2(text(row, "CTR")),
            country_code=text(row, "CTR"),
        )
    return found


def _first_by_contact(rows: Iterable[Row], value_of: Any) -> dict[Any, str]:
    """Take each supplier's first value in the order entity, contact, sequence."""
    best: dict[Any, tuple[Any, str]] = {}
    for row in rows:
        value = value_of(row)
        order = (number(row, "IDLN"), number(row, "EHIER"), number(row, "RCK7"), number(row, "CNLN"))
        if value and (row["AN8"] not in best or order < best[row["AN8"]][0]):
            best[row["AN8"]] = (order, value)
    return {an8: value for an8, (_, value) in best.items()}


def _phone(row: Row) -> str:
    if text(row, "PHTP") == "FAX":
        return ""
    return " ".join(part for part in (text(row, "AR1"), text(row, "PH1")) if part)


def _email(row: Row) -> str:
    address = text(row, "EMAL")
    return address if text(row, "ETP") == "E" and "@" in address else ""


def _tax_id_type(tax_id: str, *, person: bool) -> Literal["EIN", "SSN", ""]:
    """F0101.TAXC: P is a person; corporations (C or blank) and other entities (N) have an employer number."""
    plain = normal_tax_id(tax_id)
    if len(plain) != 9 or not plain.isdecimal():
        return ""
    return "SSN" if person else "EIN"


def _problems(number: str, name: str, address: PostalAddress | None) -> Iterable[Failure]:
    where = f"address number {number}"
    if not name:
        yield Failure(
            "", "F0101.ALPH", "", "The supplier has no name.", f"Enter the name of {where} in the address book.", "name"
        )
    elif len(name) > NAME_LENGTH:
        yield Failure(
            "",
            "F0111.MLNM",
            name,
            f"The supplier's name is longer than {NAME_LENGTH} characters.",
            f"Shorten the mailing name of {where} in the address book.",
            "name_length",
        )
    if address is None:
        yield Failure(
            "",
            "F0116",
            "",
            "The supplier has no address.",
            f"Enter an address for {where} in the address book that is in force today.",
            "address",
        )
        return
    for field, value, what in (
        ("ADD1", address.line1, "street (first address line)"),
        ("CTY1", address.city, "city"),
        ("ADDZ", address.postal_code, "postal code"),
    ):
        if not value:
            yield Failure(
                "",
                f"F0116.{field}",
                "",
                f"The supplier's address has no {what}.",
                f"Enter the {what} of {where} in the address book.",
                "address",
            )
    if not address.country:
        wrong = f"has the unknown country code {address.country_code}" if address.country_code else "has no country"
        yield Failure(
            "",
            "F0116.CTR",
            address.country_code,
            f"The supplier's address {wrong}.",
            f"Enter the ISO country code of {where} in the address book.",
            "country",
        )
