"""Reference tables: companies, calendars, currencies, payment terms, business units, accounts, bank account.

Belongs here: everything that no document changes. Does not belong here: suppliers and documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from jdebill_pipelines.sandbox.company.calendar import month_end
from jdebill_pipelines.sandbox.company.model import Company

OTHER_COMPANY = "00070"
CLOSED_UNIT = "190"
SHEET_UNIT = "1"
RATES = {"USD": Decimal(1), "EUR": Decimal("1.0842"), "GBP": Decimal("1.2715"), "CAD": Decimal("0.7308"),
         "JPY": Decimal("0.0067")}  # fmt: skip
DECIMALS = {"USD": 2, "EUR": 2, "GBP": 2, "CAD": 2, "JPY": 0}
NET_DAYS = {"N14": 14, "N30": 30, "N45": 45, "N60": 60, "D21": 30, "DUR": 0}
DISCOUNT = {"D21": (Decimal("0.02"), 10)}

_UNITS = {
    "110": "Operations",
    "120": "Maintenance",
    "130": "Information Technology",
    "140": "Facilities",
    "150": "Marketing",
    "160": "Logistics",
    "170": "Research and Development",
    "180": "People",
    CLOSED_UNIT: "Legacy Plant (closed)",
}
_EXPENSES = {
    "8110": "Office Supplies",
    "8120": "Software Subscriptions",
    "8130": "Telephone and Internet",
    "8140": "Electricity and Gas",
    "8150": "Water and Waste",
    "8210": "Repairs and Maintenance",
    "8220": "Spare Parts",
    "8230": "Tools and Small Equipment",
    "8310": "Freight In",
    "8320": "Courier Services",
    "8410": "Advertising",
    "8420": "Travel and Lodging",
    "8510": "Consulting Fees",
    "8520": "Legal Fees",
    "8530": "Training",
    "8610": "Rent",
    "8620": "Cleaning Services",
    "8710": "Raw Materials",
}
_SHEET = {
    "1110": "Bank - Operating Account",
    "1320": "Recoverable Tax",
    "4110": "Accounts Payable Trade",
    "4115": "Received Not Vouchered",
    "7910": "Discounts Taken",
}
_SUBSIDIARIES = {"8210": ("BLDG", "VEH"), "8120": ("CLOUD",)}


@dataclass(frozen=True, slots=True)
class Account:
    """An account of F0901."""

    aid: str
    company: str
    unit: str
    object: str
    subsidiary: str = ""

    @property
    def code(self) -> str:
        """The account as entered: BU.OBJ or BU.OBJ.SUB."""
        return ".".join(part for part in (self.unit, self.object, self.subsidiary) if part)


@dataclass(frozen=True, slots=True)
class Chart:
    """The accounts by use.

    Attributes:
        expenses: accounts that take postings.
        inactive, non_posting, closed_unit, other_company: one account each that must not be used.
        bank, payables, received, tax, discounts: balance sheet accounts.
    """

    expenses: list[Account]
    inactive: Account
    non_posting: Account
    closed_unit: Account
    other_company: Account
    bank: Account
    payables: Account
    received: Account
    tax: Account
    discounts: Account


def add_reference(company: Company) -> Chart:
    """Add all reference tables and return the chart of accounts."""
    _companies(company)
    _currencies_and_terms(company)
    return _accounts(company)


def _companies(company: Company) -> None:
    today, first_of_year = company.today, date(company.today.year, 1, 1)
    for number, name, currency in (
        (company.company, "Acme Example Manufacturing", "USD"),
        (OTHER_COMPANY, "Acme Example Services Ltd", "GBP"),
    ):
        company.add(
            "F0010",
            {
                "CO": number,
                "NAME": name,
                "CRCD": currency,
                "DTPN": "R",
                "DFYJ": first_of_year,
                "PNC": today.month,
                "APFJ": first_of_year,
                "APPN": today.month,
                "NNP": 12,
            },
        )
    for year in range(company.start.year - 1, today.year + 2):
        ends = [month_end(year, min(n, 12)) for n in range(1, 15)]
        company.add(
            "F0008",
            {"DTPN": "R", "FY": year % 100, "CTRY": year // 100, "DFYJ": date(year, 1, 1), "FQ": ""},
            {f"D{n:02d}J": end for n, end in enumerate(ends, start=1)},
        )


def _currencies_and_terms(company: Company) -> None:
    names = {"USD": "US Dollar", "EUR": "Euro", "GBP": "Pound Sterling", "CAD": "Canadian Dollar", "JPY": "Yen"}
    for code, decimals in DECIMALS.items():
        company.add("F0013", {"CRCD": code, "DL01": names[code], "CDEC": str(decimals)})
        if code not in ("USD", "GBP"):
            # A document that is entered in another currency takes its rate from here; nobody here bills in pounds.
            since = date(company.start.year - 1, 1, 1)
            company.add(
                "F0015", {"CRCD": code, "CRDC": "USD", "AN8": 0, "RTTYP": "S", "EFT": since, "CRR": RATES[code]}
            )
    words = {"D21": "2% 10 Days, Net 30", "DUR": "Due upon Receipt"}
    for code, days in NET_DAYS.items():
        percent, discount_days = DISCOUNT.get(code, (Decimal(0), 0))
        company.add(
            "F0014",
            {
                "PTC": code,
                "PTD": words.get(code, f"Net {days} Days"),
                "DCP": percent,
                "DCD": discount_days,
                "NDTP": days,
                "NSP": 0,
            },
        )


def _posting_code(unit: str) -> str:
    return "N" if unit == CLOSED_UNIT else ""


def _accounts(company: Company) -> Chart:
    changed = company.start - timedelta(days=400)
    units = {SHEET_UNIT: ("Balance Sheet", company.company, "BS"), "700": ("Services", OTHER_COMPANY, "IS")}
    units |= {code: (name, company.company, "IS") for code, name in _UNITS.items()}
    for code, (name, owner, style) in units.items():
        company.add(
            "F0006",
            {
                "MCU": code,
                "STYL": style,
                "CO": owner,
                "DL01": name,
                "PECC": _posting_code(code),
                "UPMJ": changed,
                "UPMT": 90_000,
            },
        )
    numbers = iter(n for n in range(1000, 100_000))

    def add(unit: str, obj: str, name: str, *, sub: str = "", pec: str = "", level: int = 6, aid: str = "") -> Account:
        account = Account(aid or f"{next(numbers):08d}", units[unit][1], unit, obj, sub)
        company.add(
            "F0901",
            {
                "AID": account.aid,
                "CO": account.company,
                "MCU": unit,
                "OBJ": obj,
                "SUB": sub,
                "DL01": name[:30],
                "LDA": str(level),
                "PEC": pec,
                "UPMJ": changed,
                "UPMT": 90_000,
            },
        )
        return account

    sheet = {
        obj: add(SHEET_UNIT, obj, name, aid=company.bank_account if obj == "1110" else "")
        for obj, name in _SHEET.items()
    }
    expenses: list[Account] = []
    headings: list[Account] = []
    closed: list[Account] = []
    for unit in _UNITS:
        headings.append(add(unit, "8000", "Operating Expenses", pec="N", level=4))
        for obj, name in _EXPENSES.items():
            found = [add(unit, obj, name)]
            found += [add(unit, obj, f"{name} {sub}", sub=sub, level=7) for sub in _SUBSIDIARIES.get(obj, ())]
            (closed if unit == CLOSED_UNIT else expenses).extend(found)
    inactive = add("110", "8990", "Telex Charges (inactive)", pec="I")
    company.add(
        "F0030",
        {
            "UKID": 1,
            "BKTP": "G",
            "AN8": 1,
            "AID": company.bank_account,
            "CRCD": "USD",
            "DL01": "Operating Account",
            "NXTC": 30_001,
            "NXTA": 1,
            "UPMJ": changed,
            "UPMT": 90_000,
        },
    )
    return Chart(
        expenses=expenses,
        inactive=inactive,
        non_posting=headings[0],
        closed_unit=closed[0],
        other_company=add("700", "8510", "Consulting Fees"),
        bank=sheet["1110"],
        payables=sheet["4110"],
        received=sheet["4115"],
        tax=sheet["1320"],
        discounts=sheet["7910"],
    )
