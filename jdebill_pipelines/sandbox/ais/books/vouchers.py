"""Entering a voucher (P0411): checks, F0411, F0911, batch V; and one that is paid already, without matching (batch W).

Belongs here: vouchers. Not here: posting, payments of vouchers that exist.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from jdebill_pipelines.sandbox.ais.books.accounts import Account, check_account
from jdebill_pipelines.sandbox.ais.books.base import Books, Currency, amount_of
from jdebill_pipelines.sandbox.ais.books.fiscal import Period, check_date
from jdebill_pipelines.sandbox.ais.books.ledger import LedgerLine, write_lines
from jdebill_pipelines.sandbox.ais.books.messages import Findings
from jdebill_pipelines.sandbox.ais.columns import Row, Value
from jdebill_pipelines.sandbox.ais.values import from_date, to_date


@dataclass(frozen=True)
class Line:
    """A distribution line."""

    account: str
    amount: Decimal
    explanation: str = ""
    subledger: str = ""
    subledger_type: str = ""


@dataclass(frozen=True)
class VoucherInput:
    """A voucher to enter; dates are `YYYYMMDD`, amounts in the document's currency."""

    company: str
    supplier: int
    invoice: str
    invoice_date: str
    gl_date: str
    gross: Decimal
    currency: str
    lines: Sequence[Line]
    rate: Decimal | None = None
    terms: str = ""
    remark: str = ""
    order: str = ""
    order_type: str = ""
    order_company: str = ""


@dataclass(frozen=True)
class Voucher:
    """A voucher that has been entered."""

    number: int
    kind: str
    company: str
    batch: dict[str, Value]
    row: Row
    currency: Currency
    period: Period


@dataclass(frozen=True)
class _Checked:
    company: Row
    currency: Currency
    supplier: Row
    name: str
    period: Period
    accounts: list[Account]


def enter(books: Books, given: VoucherInput, found: Findings, *, kind: str = "PV", batch_type: str = "V") -> Voucher:
    """Check a voucher and write it.

    Raises:
        FormError: it has errors; nothing is written.
    """
    checked = _check(books, given, found)
    found.stop_if_wrong()
    number = books.next_number("voucher")
    currency = checked.currency
    gross = currency.domestic(given.gross)
    batch = books.open_batch(batch_type, gross)
    order = {"PO": given.order, "PDCT": given.order_type, "PKCO": given.order_company}
    document: dict[str, Value] = {"DOC": number, "DCT": kind, "KCO": given.company, "DGJ": given.gl_date}
    shared = {**document, **batch, **checked.period.columns(), **order, "VINV": given.invoice, "AN8": given.supplier}
    foreign = given.gross if currency.foreign else Decimal(0)
    discount, terms = _terms(books, given, checked.supplier, currency)
    row = books.write(
        "F0411",
        shared,
        currency.columns(),
        {"SFX": "001", "SFXE": 0, "CO": given.company, "PYE": given.supplier, "DIVJ": given.invoice_date},
        {"DSVJ": given.gl_date, "PST": books.switches.voucher_pay_status, "RMK": given.remark, "BALJ": "Y", "AM": "2"},
        {"AG": gross, "AAP": gross, "ATXN": gross, "ACR": foreign, "FAP": foreign, "CTXN": foreign},
        {"ADSC": currency.domestic(discount), "CDS": discount if currency.foreign else Decimal(0)},
        {"GLC": checked.supplier.get("APC", ""), "GLBA": _bank(books), "PYIN": checked.supplier.get("PYIN", "")},
        {"MCU": checked.accounts[0].row.get("MCU", ""), "TORG": books.user},
        terms,
        program="P0411",
    )
    lines = [
        LedgerLine(account, line.amount, more={"EXR": line.explanation})
        for account, line in zip(checked.accounts, given.lines, strict=True)
    ]
    head = {**shared, "SFX": "001", "IVD": given.invoice_date, "EXA": checked.name[:30], "TORG": books.user}
    write_lines(books, head, currency, lines, domestic_total=gross)
    return Voucher(number, kind, given.company, batch, row, currency, checked.period)


def _check(books: Books, given: VoucherInput, found: Findings) -> _Checked:
    company = books.company(given.company, found)
    currency = books.currency(given.currency, company, given.rate, given.gl_date, found)
    supplier = books.tables["F0401"].get(given.supplier)
    book = books.tables["F0101"].get(given.supplier)
    if supplier is None or book is None:
        found.error("0006", f"Supplier {given.supplier} is not in the supplier master")
    elif supplier.get("HDPY", "N") not in ("", "N") and books.switches.held_supplier == "refuse":
        found.error("0007", f"Supplier {given.supplier} is on hold")
    period = check_date(books, company, given.gl_date, found)
    books.check_amount(given.gross, currency, "Gross Amount", found)
    if not given.lines:
        found.error("0010", "The voucher has no distribution lines")
    accounts = []
    for line in given.lines:
        books.check_amount(line.amount, currency, "Amount", found)
        account = check_account(
            books, line.account, given.company, currency, found, subledger=line.subledger, kind=line.subledger_type
        )
        if account is not None:
            accounts.append(account)
    total = sum((line.amount for line in given.lines), Decimal(0))
    if given.lines and total != given.gross:
        found.error("0061", f"The distribution adds up to {total}, the gross amount is {given.gross}")
    if given.gross == 0:
        found.error("0011", "The gross amount is zero")
    if given.terms and len(books.tables["F0014"]) and books.tables["F0014"].get(given.terms) is None:
        found.error("0017", f"Payment Terms {given.terms} Invalid")
    _check_order(books, given, found)
    _check_duplicate(books, given, found)
    return _Checked(company, currency, supplier or {}, str((book or {}).get("ALPH", "")), period, accounts)


def _check_order(books: Books, given: VoucherInput, found: Findings) -> None:
    if not given.order:
        return
    rows = books.tables["F4301"].where(
        DOCO=int(given.order) if given.order.isdigit() else -1, DCTO=given.order_type, KCOO=given.order_company
    )
    if not rows:
        found.error("0002", f"Purchase order {given.order} {given.order_type} {given.order_company} does not exist")


def _check_duplicate(books: Books, given: VoucherInput, found: Findings) -> None:
    """JDE: the duplicate invoice check is a constant of accounts payable (error, warning or off)."""
    if not given.invoice or books.switches.duplicate_invoice == "off":
        return
    rows = [r for r in books.tables["F0411"].where(VINV=given.invoice, AN8=given.supplier) if not r.get("VOD", "")]
    if rows:
        text = f"Duplicate Invoice Number {given.invoice}"
        if books.switches.duplicate_invoice == "error":
            found.error("0118", text)
        else:
            found.warning("0118", text)


def _terms(
    books: Books, given: VoucherInput, supplier: Row, currency: Currency
) -> tuple[Decimal, dict[str, Value | Decimal]]:
    """The discount that is available, and terms and due dates."""
    code = given.terms or str(supplier.get("TRAP", ""))
    terms = books.tables["F0014"].get(code) or {}
    invoiced = to_date(given.invoice_date)
    assert invoiced is not None
    due = from_date(invoiced + dt.timedelta(days=int(terms.get("NDTP", 0))))
    days = int(terms.get("DCD", 0))
    discount_due = from_date(invoiced + dt.timedelta(days=days)) if days else due
    percent = amount_of(terms, "DCP")
    percent = percent / 100 if percent >= 1 else percent
    discount = (given.gross * percent).quantize(Decimal(1).scaleb(-currency.decimals))
    return discount, {"PTC": code, "DDJ": due, "DDNJ": discount_due}


def _bank(books: Books) -> Value:
    banks = books.tables["F0030"].where(BKTP="G")
    return banks[0].get("AID", "") if banks else ""
