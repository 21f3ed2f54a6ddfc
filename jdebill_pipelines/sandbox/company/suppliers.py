"""Suppliers and the people who buy and approve: address book, supplier master, contacts.

Belongs here: F0101, F0401, F0111, F0115, F0116, F01151. Does not belong here: documents.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from jdebill_pipelines.sandbox.company.calendar import office_time
from jdebill_pipelines.sandbox.company.model import Awkward, Company, Outcome
from jdebill_pipelines.sandbox.company.reference import NET_DAYS

FIRST_SUPPLIER = 60_001
BUYERS = (7001, 7002, 7003)
APPROVER = 7010

_FIRST = (
    "Northfield", "Bluewater", "Granite", "Sunrise", "Keystone", "Redwood", "Summit", "Harbor", "Prairie", "Evergreen",
    "Ironbridge", "Clearview", "Silverline", "Oakdale", "Crosswind", "Maplewood", "Lakeshore", "Copperfield",
    "Stonegate", "Westbrook", "Highland", "Riverbend", "Foxglove", "Timberline", "Brightside",
)  # fmt: skip
_SECOND = (
    ("Paper Supply", "8110"), ("Software", "8120"), ("Telecom", "8130"), ("Energy", "8140"), ("Water Services", "8150"),
    ("Mechanical", "8210"), ("Bearings", "8220"), ("Tools", "8230"), ("Freight", "8310"), ("Couriers", "8320"),
    ("Media", "8410"), ("Travel", "8420"), ("Consulting", "8510"), ("Legal Group", "8520"), ("Training", "8530"),
    ("Properties", "8610"), ("Cleaning", "8620"), ("Metals", "8710"),
)  # fmt: skip
_FORMS = ("Inc", "LLC", "Corp", "Co", "Partners")
_PLACES = (
    ("Portland", "OR", "97205"), ("Denver", "CO", "80202"), ("Austin", "TX", "78701"), ("Columbus", "OH", "43215"),
    ("Madison", "WI", "53703"), ("Boise", "ID", "83702"), ("Raleigh", "NC", "27601"), ("Omaha", "NE", "68102"),
)  # fmt: skip
_STREETS = ("Main St", "Industrial Pkwy", "Market St", "Commerce Dr", "Mill Rd", "Station Ave")


@dataclass(frozen=True, slots=True)
class Supplier:
    """A supplier as the documents need it."""

    number: int
    name: str
    currency: str
    terms: str
    object: str


@dataclass(frozen=True, slots=True)
class _Place:
    lines: tuple[str, ...]
    city: str
    state: str
    postcode: str
    country: str


@dataclass(slots=True)
class Suppliers:
    """All suppliers: ``ordinary`` may get any document; the others are named by their case."""

    ordinary: list[Supplier]
    special: dict[str, Supplier]


@dataclass(frozen=True, slots=True)
class _Special:
    case: str
    why: str
    outcome: Outcome
    name: str
    currency: str = "USD"
    place: _Place | None = _Place(("500 Example Plaza", "Suite 12"), "Denver", "CO", "80203", "US")
    tax: str = "auto"
    hold: str = "N"
    search_type: str = "V"


_TWIN_NAME = "Twin Peaks Services Inc"
_LONG_NAME = "Consolidated Example Bearings of Ohio Co"
_SPECIAL = (
    _Special("non-ascii name", "umlauts in the name, bills in euros", "vendor", "Müller & Söhne Werkzeugbau GmbH",
             "EUR", _Place(("Lindenstraße 7",), "Köln", "", "50667", "DE"), tax=""),
    _Special("currency without decimals", "Japanese name, bills in yen", "vendor", "サンプル商事株式会社",
             "JPY", _Place(("1-2-3 Example", "Chiyoda-ku"), "Tokyo", "", "100-0001", "JP"), tax=""),
    _Special("supplier on hold", "HDPY is Y: nothing of it may be paid", "not due", "Foothill Disputed Supplies Inc",
             hold="Y"),
    _Special("supplier without address", "no row in F0116, and BILL demands an address", "held", "Nowhere Courier LLC",
             place=None),
    _Special("supplier without tax id", "TAX is blank: matched by name and address", "vendor", "Taxfree Catering Co",
             tax=""),
    _Special("duplicate name", "same name as the next, another address: two vendors", "vendor", _TWIN_NAME,
             place=_Place(("10 First Ave",), "Boise", "ID", "83702", "US")),
    _Special("duplicate name (second)", "same name as the one before, another address: two vendors", "vendor",
             _TWIN_NAME, place=_Place(("99 Second Ave",), "Raleigh", "NC", "27601", "US")),
    _Special("inactive supplier", "search type VX: no longer used", "not due", "Retired Vendor Corp", search_type="VX"),
    _Special("supplier without name", "ALPH and mailing name are blank, and BILL demands a name", "held", ""),
    _Special("name of forty characters", "the longest name F0101 holds", "vendor", _LONG_NAME),
)  # fmt: skip


def add_suppliers(company: Company, rng: random.Random, count: int) -> Suppliers:
    """Add people and ``count`` suppliers, of which the first ones are the awkward ones.

    Args:
        company: gets the rows.
        rng: source of all choices.
        count: how many suppliers; at least two more than there are special ones.
    """
    _people(company)
    special: dict[str, Supplier] = {}
    number = FIRST_SUPPLIER
    for case in _SPECIAL:
        supplier = Supplier(number, case.name, case.currency, "N30", "8230")
        tax = f"{rng.randint(10, 98)}-{rng.randint(1_000_000, 9_999_999)}" if case.tax == "auto" else case.tax
        _write(company, rng, supplier, case.place, tax=tax, hold=case.hold, search_type=case.search_type)
        company.awkward.append(Awkward(str(number), case.case, case.why, case.outcome))
        special[case.case] = supplier
        number += 1
    ordinary = []
    names: set[str] = set()
    for index in range(max(count - len(_SPECIAL), 2)):
        supplier = _ordinary(rng, number, names, foreign=index % 25 == 24)
        city, state, postcode = rng.choice(_PLACES)
        foreign = supplier.currency != "USD"
        place = _Place(
            (f"{rng.randint(1, 9800)} {rng.choice(_STREETS)}",),
            "Toronto" if foreign else city,
            "ON" if foreign else state,
            "M5H 2N2" if foreign else postcode,
            "CA" if foreign else "US",
        )
        tax = "" if foreign else f"{rng.randint(10, 98)}-{rng.randint(1_000_000, 9_999_999)}"
        _write(company, rng, supplier, place, tax=tax, moved=index % 40 == 10)
        ordinary.append(supplier)
        number += 1
    return Suppliers(ordinary, special)


def _ordinary(rng: random.Random, number: int, names: set[str], *, foreign: bool) -> Supplier:
    while True:
        trade, obj = rng.choice(_SECOND)
        name = f"{rng.choice(_FIRST)} {trade} {rng.choice(_FORMS)}"
        if name not in names:
            break
    names.add(name)
    return Supplier(number, name, "CAD" if foreign else "USD", rng.choice(list(NET_DAYS)), obj)


def _write(
    company: Company,
    rng: random.Random,
    supplier: Supplier,
    place: _Place | None,
    *,
    tax: str,
    hold: str = "N",
    search_type: str = "V",
    moved: bool = False,
) -> None:
    since = company.start - timedelta(days=rng.randint(30, 2000))
    stamp: dict[str, str | int | Decimal | date | None] = {"UPMJ": since, "UPMT": office_time(rng)}
    number = supplier.number
    company.add(
        "F0101",
        {"AN8": number, "ALKY": f"V{number}", "TAX": tax, "TAXC": "C", "ALPH": supplier.name, "AT1": search_type},
        {"ATP": "Y", "RMK": "", **stamp},
    )
    company.add(
        "F0401",
        {"AN8": number, "APC": "", "HDPY": hold, "TRAP": supplier.terms, "CRRP": supplier.currency, "CRCA": "USD"},
        {"HOLD": "", "PYIN": "C", "SNTO": APPROVER, **stamp},
    )
    company.add("F0111", {"AN8": number, "IDLN": 0, "MLNM": supplier.name, "ALPH": supplier.name, **stamp})
    phone = f"555-{rng.randint(0, 199):04d}"
    company.add(
        "F0115",
        {"AN8": number, "IDLN": 0, "RCK7": 1, "CNLN": 0, "PHTP": "", "AR1": str(rng.randint(201, 989)), "PH1": phone},
        stamp,
    )
    company.add(
        "F01151",
        {"AN8": number, "IDLN": 0, "RCK7": 1, "ETP": "E", "EMAL": f"ap{number}@example.com", "EHIER": 1, **stamp},
    )
    if place is None:
        return
    _address(company, number, place, since, stamp)
    if moved:
        # An address that is not in force yet: the one with the latest start until today counts.
        future = company.today + timedelta(days=60)
        _address(company, number, _Place(("1 Future Way",), "Denver", "CO", "80202", "US"), future, stamp)


def _address(
    company: Company,
    number: int,
    place: _Place,
    since: date,
    stamp: dict[str, str | int | Decimal | date | None],
) -> None:
    lines = (*place.lines, "", "", "", "")[:4]
    company.add(
        "F0116",
        {"AN8": number, "EFTB": since},
        {f"ADD{n}": line for n, line in enumerate(lines, start=1)},
        {"ADDZ": place.postcode, "CTY1": place.city, "ADDS": place.state, "CTR": place.country, **stamp},
    )


def _people(company: Company) -> None:
    since = company.start - timedelta(days=900)
    people = [(number, f"buyer{n}", "Buyer") for n, number in enumerate(BUYERS, start=1)]
    for number, name, title in [*people, (APPROVER, "approver1", "Purchasing Manager")]:
        company.add(
            "F0101",
            {"AN8": number, "ALPH": name, "AT1": "E", "ATP": "N", "RMK": title, "UPMJ": since, "UPMT": 90_000},
        )
    company.add(
        "F0101",
        {"AN8": 1, "ALPH": "Acme Example Manufacturing", "AT1": "O", "ATP": "N", "UPMJ": since, "UPMT": 90_000},
    )
