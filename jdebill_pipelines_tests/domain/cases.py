"""A small company for the tests of the rules: two suppliers, two units, a handful of accounts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from jdebill_pipelines.domain.documents import DraftContext, VendorTarget
from jdebill_pipelines.domain.gl_mapping import GlMap, GlRules, build_gl_map
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.periods import CompanyCalendar, FiscalCalendars
from jdebill_pipelines.domain.suppliers import PostalAddress, Supplier
from jdebill_pipelines.domain.tables import F0006, F0008, F0010, F0411, F0901, F0911
from jdebill_pipelines.schemas.gate import GateReference
from jdebill_pipelines_tests.domain.jde_csv import blank

D = Decimal

ACCOUNTS = [
    # aid, company, unit, object, posting edit code, currency
    ("00000001", "00001", "30", "6110", "", ""),
    ("00000002", "00001", "30", "6120", "", ""),
    ("00000003", "00001", "40", "6110", "", ""),
    ("00000004", "00001", "30", "6000", "N", ""),
    ("00000005", "00001", "30", "6130", "L", ""),
    ("00000006", "00002", "50", "6110", "", ""),
    ("00000007", "00001", "60", "6110", "", ""),
    ("00000008", "00001", "30", "6140", "", "EUR"),
    ("00000009", "00001", "30", "6150", "X", ""),
    ("00000010", "00001", "70", "6110", "", ""),
    ("00000110", "00001", "1", "1110", "", ""),
]
UNITS = [("1", "00001", ""), ("30", "00001", ""), ("40", "00001", ""), ("50", "00002", ""), ("60", "00001", "K")]


def bill_account(number: str, *, archived: bool = False, id_: str = "") -> dict[str, Any]:
    """A BILL account as the API sends it."""
    return {
        "id": id_ or f"0ca{number}",
        "name": f"Account {number}",
        "account": {"number": number},
        "archived": archived,
    }


def bill_department(value: str, *, archived: bool = False, id_: str = "") -> dict[str, Any]:
    """A BILL department as the API sends it."""
    return {"id": id_ or f"0de{value}", "name": f"Unit {value}", "shortName": value, "archived": archived}


def gl_map(rules: GlRules | None = None, **kwargs: Any) -> GlMap:
    """The mapping over the company's accounts; BILL has them all unless told otherwise."""
    accounts = kwargs.pop("accounts", [bill_account(n) for n in ("6110", "6120", "6130", "6140", "6150", "1110")])
    departments = kwargs.pop("departments", [bill_department(u) for u in ("1", "30", "40", "50", "60", "70")])
    f0901 = [
        blank(F0901, AID=aid, CO=co, MCU=mcu, OBJ=obj, DL01=f"Cost {obj}", PEC=pec, CRCD=currency)
        for aid, co, mcu, obj, pec, currency in ACCOUNTS
    ]
    f0006 = [blank(F0006, MCU=mcu, CO=co, DL01=f"Unit {mcu}", PECC=pecc) for mcu, co, pecc in UNITS]
    return build_gl_map(f0901, f0006, accounts, departments, rules=rules or GlRules(), **kwargs)


def supplier(number: str = "4242", **changes: Any) -> Supplier:
    """A supplier that may be paid, unless told otherwise."""
    values: dict[str, Any] = {
        "number": number,
        "name": "Brightwater Plumbing LLC",
        "address": PostalAddress("12 Mill St", "", "Portland", "OR", "97205", "US", "US"),
        "phone": "",
        "email": "",
        "tax_id": "",
        "tax_id_type": "",
        "account_type": "BUSINESS",
        "terms": "N30",
        "currency": "USD",
        "hold_code": "",
        "search_type": "V",
        "inactive": False,
    }
    return Supplier(**{**values, **changes})


def context(**changes: Any) -> DraftContext:
    """What drafts are read against: supplier 4242 in USD, 4343 in EUR."""
    values: dict[str, Any] = {
        "suppliers": {"4242": supplier(), "4343": supplier("4343", currency="EUR")},
        "vendors": {"4242": VendorTarget("00901A", "USD"), "4343": VendorTarget("00901B", "EUR")},
        "gl": gl_map(),
        "currencies": Currencies(),
        "companies": {"00001": "USD"},
    }
    return DraftContext(**{**values, **changes})


def reference(ctx: DraftContext) -> GateReference:
    """The gate's view of the same data."""
    return GateReference(ctx.suppliers, ctx.gl, ctx.currencies)


def pay_item(amount: str, open_: str | None = None, **changes: Any) -> dict[str, Any]:
    """An F0411 row: voucher 00001-PV-1001 of supplier 4242, approved and open."""
    values: dict[str, Any] = {
        "DOC": "1001",
        "DCT": "PV",
        "KCO": "00001",
        "SFX": "001",
        "CO": "00001",
        "AN8": "4242",
        "PYE": "4242",
        "VINV": "BW-20931",
        "DIVJ": date(2026, 3, 2),
        "DGJ": date(2026, 3, 5),
        "DDJ": date(2026, 4, 1),
        "PST": "A",
        "CRRM": "D",
        "CRCD": "USD",
        "AG": amount,
        "AAP": amount if open_ is None else open_,
    }
    return blank(F0411, **{**values, **changes})


def ledger(amount: str, aid: str = "00000001", line: str = "1", **changes: Any) -> dict[str, Any]:
    """An F0911 distribution line of voucher 00001-PV-1001."""
    account = next(a for a in ACCOUNTS if a[0] == aid)
    values: dict[str, Any] = {
        "DOC": "1001",
        "DCT": "PV",
        "KCO": "00001",
        "DGJ": date(2026, 3, 5),
        "JELN": line,
        "LT": "AA",
        "CO": account[1],
        "AID": aid,
        "MCU": account[2],
        "OBJ": account[3],
        "AA": amount,
        "EXR": "Repairs",
    }
    return blank(F0911, **{**values, **changes})


def calendars(current: int = 3) -> dict[str, CompanyCalendar]:
    """Company 00001 with calendar months; ``current`` is the current period of 2026."""
    months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    rows = []
    for year in (2025, 2026, 2027):
        ends = {f"D{m:02d}J": date(year, m, days) for m, days in enumerate(months, start=1)}
        ends |= {"D13J": date(year, 12, 31), "D14J": date(year, 12, 31)}
        rows.append(blank(F0008, DTPN="R", FY=str(year - 2000), CTRY="20", DFYJ=date(year, 1, 1), **ends))
    start = date(2026, 1, 1)
    company = blank(
        F0010, CO="00001", CRCD="USD", DTPN="R", DFYJ=start, PNC=str(current), APFJ=start, APPN=str(current)
    )
    return {"00001": CompanyCalendar.of(company, FiscalCalendars.from_rows(rows))}
