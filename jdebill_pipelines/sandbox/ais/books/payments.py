"""Entering a manual payment of vouchers that exist (P0413M): checks, F0411, F0413, F0414, batch M.

Belongs here: paying. Not here: posting (F0911 has nothing of a payment before it), voiding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from jdebill_pipelines.sandbox.ais.books.accounts import find_account
from jdebill_pipelines.sandbox.ais.books.base import PAYMENT_TYPES, Books, Currency, amount_of
from jdebill_pipelines.sandbox.ais.books.fiscal import Period, check_date
from jdebill_pipelines.sandbox.ais.books.messages import Findings
from jdebill_pipelines.sandbox.ais.columns import Row, Value


@dataclass(frozen=True)
class PaidItem:
    """A pay item with what is paid of it, in its currency; credits are negative."""

    number: int
    kind: str
    company: str
    item: str
    amount: Decimal
    discount: Decimal = Decimal(0)


@dataclass(frozen=True)
class PaymentInput:
    """A payment to enter; dates are `YYYYMMDD`."""

    payee: int
    bank: str
    payment_date: str
    gl_date: str
    currency: str
    items: Sequence[PaidItem]
    number: int | None = None
    rate: Decimal | None = None
    remark: str = ""


@dataclass(frozen=True)
class Payment:
    """A payment that has been entered."""

    payment_id: int
    number: int
    batch: dict[str, Value]


@dataclass
class _Part:
    """What is paid of one pay item: own currency, and domestic at the voucher's rate and at the payment's."""

    row: Row
    given: PaidItem
    base_open: Decimal = Decimal(0)
    base_discount: Decimal = Decimal(0)
    base_paid: Decimal = Decimal(0)


@dataclass
class _Checked:
    company: Row
    currency: Currency
    period: Period
    bank: Row
    parts: list[_Part] = field(default_factory=list)


def enter(books: Books, given: PaymentInput, found: Findings) -> Payment:
    """Check a payment and write it.

    Raises:
        FormError: it has errors; nothing is written.
    """
    checked = _check(books, given, found)
    found.stop_if_wrong()
    batch = books.open_batch("M", sum((part.base_paid for part in checked.parts), Decimal(0)))
    return _write(books, given, checked, batch)


def pay_without_match(books: Books, given: PaymentInput, row: Row, batch: dict[str, Value]) -> Payment:
    """Pay a voucher in full that was entered and checked just now, with its bank account, in its own batch W."""
    found = Findings()
    checked = _check(books, given, found, approved=False)
    assert not found.errors, found.errors
    assert [part.row for part in checked.parts] == [row]
    return _write(books, given, checked, batch)


def check_bank(books: Books, bank: str, number: int | None, found: Findings) -> Row:
    """The bank account of a payment; an error when it is none or the payment number is taken."""
    account = find_account(books, bank)
    banks = [row for row in books.tables["F0030"].with_value("AID", bank) if row.get("BKTP", "") == "G"]
    if account is None or not banks:
        found.error("0028", f"Bank Account {bank or 'blank'} is not a G/L bank account")
        return {}
    if number is not None:
        taken = books.tables["F0413"].where(DOCM=number, GLBA=bank)
        if any(row.get("DCTM", "") in PAYMENT_TYPES for row in taken):
            found.error("0190", f"Payment number {number} exists already on this bank account")
    return banks[0]


def _check(books: Books, given: PaymentInput, found: Findings, *, approved: bool = True) -> _Checked:
    if books.tables["F0401"].get(given.payee) is None:
        found.error("0006", f"Payee {given.payee} is not in the supplier master")
    bank = check_bank(books, given.bank, given.number, found)
    if not given.items:
        found.error("0010", "The payment has no vouchers")
    number = given.items[0].company if given.items else ""
    first = next(iter(_rows(books, given.items[0])), None) if given.items else None
    company = books.company(str(first.get("CO", "")) if first else number, found)
    currency = books.currency(given.currency, company, given.rate or _rate_of(first), given.gl_date, found)
    checked = _Checked(company, currency, check_date(books, company, given.gl_date, found), bank)
    seen = set()
    for item in given.items:
        key = (item.number, item.kind, item.company, item.item)
        if key in seen:
            found.error("0191", f"Pay item {_name(item)} is given twice")
        seen.add(key)
        part = _check_item(books, given, item, checked, found, approved=approved)
        if part is not None:
            checked.parts.append(part)
    if sum((item.amount for item in given.items), Decimal(0)) < 0:
        found.error("0192", "The payment is negative")
    return checked


def _rows(books: Books, item: PaidItem) -> list[Row]:
    return books.tables["F0411"].where(DOC=item.number, DCT=item.kind, KCO=item.company, SFX=item.item)


def _rate_of(row: Row | None) -> Decimal | None:
    return Decimal(row["CRR"]) if row and row.get("CRR") else None


def _name(item: PaidItem) -> str:
    return f"{item.number} {item.kind} {item.company} {item.item}"


def _check_item(
    books: Books, given: PaymentInput, item: PaidItem, checked: _Checked, found: Findings, *, approved: bool
) -> _Part | None:
    rows = _rows(books, item)
    row = next((row for row in rows if not row.get("SFXE")), None)
    if row is None:
        found.error("0193", f"Pay item {_name(item)} does not exist")
        return None
    currency = checked.currency
    foreign = row.get("CRRM", "") == "F"
    open_own = amount_of(row, "FAP") if foreign else amount_of(row, "AAP")
    taken = item.amount + item.discount
    for amount in (item.amount, item.discount):
        books.check_amount(amount, currency, "Amount", found)
    if row.get("PYE", 0) != given.payee:
        found.error("0194", f"Pay item {_name(item)} has payee {row.get('PYE', 0)}")
    if row.get("CO", "") != checked.company.get("CO", ""):
        found.error("0195", f"Pay item {_name(item)} belongs to company {row.get('CO', '')}")
    if row.get("CRCD", "") != currency.code:
        found.error("0081", f"Pay item {_name(item)} is in {row.get('CRCD', '')}, the payment in {currency.code}")
    if open_own == 0:
        found.error("0196", f"Pay item {_name(item)} has no open amount")
    elif approved and row.get("PST", "") != "A":
        found.error("0197", f"Pay item {_name(item)} is not approved for payment (status {row.get('PST', '')})")
    elif taken == 0 or (taken < 0) != (open_own < 0) or abs(taken) > abs(open_own):
        found.error("0198", f"Pay item {_name(item)}: {taken} cannot be paid of {open_own}")
    if item.discount and (item.discount < 0) != (open_own < 0):
        found.error("0199", f"Pay item {_name(item)}: the discount has the wrong sign")
    if not foreign:
        return _Part(row, item, taken, item.discount, item.amount)
    historic = Currency(currency.code, currency.base, currency.decimals, currency.base_decimals, amount_of(row, "CRR"))
    whole = taken == open_own
    discount = historic.domestic(item.discount)
    base = amount_of(row, "AAP") if whole else historic.domestic(taken)
    return _Part(row, item, base, discount, currency.domestic(item.amount))


def _write(books: Books, given: PaymentInput, checked: _Checked, batch: dict[str, Value]) -> Payment:
    payment = books.next_number("payment")
    number = given.number or _next_check(books, checked.bank)
    currency, foreign = checked.currency, checked.currency.foreign
    none = Decimal(0)
    for line, part in enumerate(checked.parts, start=1):
        row, item = part.row, part.given
        own = row.get("CRRM", "") == "F"
        open_base = amount_of(row, "AAP") - part.base_open
        open_own = amount_of(row, "FAP") - item.amount - item.discount if own else none
        closed = (open_own if own else open_base) == 0
        books.write(
            "F0411",
            row,
            {"AAP": open_base, "FAP": open_own, "ADSA": amount_of(row, "ADSA") + part.base_discount},
            {"CDSA": amount_of(row, "CDSA") + item.discount if own else none, "PST": "P" if closed else row["PST"]},
            program="P0413M",
        )
        books.write(
            "F0414",
            {name: row.get(name, "") for name in ("KCO", "DCT", "DOC", "SFX", "GLC", "CO", "MCU", "PO")},
            {"PYID": payment, "RC5": line, "DCTM": "PN", "SFXE": 0, "AN8": given.payee, "RMK": given.remark},
            {"PAAP": part.base_paid, "ADSC": amount_of(row, "ADSC"), "ADSA": part.base_discount},
            {"PFAP": item.amount if foreign else none, "CDSA": item.discount if foreign else none},
            {"CDS": amount_of(row, "CDS")},
            currency.columns(),
            checked.period.columns(),
            program="P0413M",
        )
    books.write(
        "F0413",
        {"PYID": payment, "DCTM": "PN", "DOCM": number, "PYE": given.payee, "GLBA": given.bank, "AM": "1"},
        {"DMTJ": given.payment_date, "VLDT": given.payment_date, "PYIN": "C", "TORG": books.user},
        batch,
        currency.columns(),
        {"PAAP": sum((part.base_paid for part in checked.parts), none)},
        program="P0413M",
    )
    books.world.gl_dates[payment, "PN"] = given.gl_date
    return Payment(payment, number, batch)


def _next_check(books: Books, bank: Row) -> int:
    """The next number of the bank account, or of all payments when the bank account counts none."""
    used = {int(row.get("DOCM", 0)) for row in books.tables["F0413"].with_value("GLBA", bank.get("AID", ""))}
    number = int(bank.get("NXTC", 0)) or books.next_number("check")
    while number in used:
        number += 1
    books.write("F0030", bank, {"NXTC": number + 1})
    return number
