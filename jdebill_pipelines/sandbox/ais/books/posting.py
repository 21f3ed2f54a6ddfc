"""The post (R09801): approved batches become posted, automatic entries are written, balances move.

Belongs here: what the post writes. Not here: when it runs.

JDE: the post selects approved batches, writes automatic entries (document type AE) to the payables account of the G/L
class, writes a payment's ledger rows, and sets POST to D in F0411 and F0414, to P in F0911. Automatic entries are made
per batch here.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from jdebill_pipelines.sandbox.ais.books.accounts import Account, automatic_account, find_account
from jdebill_pipelines.sandbox.ais.books.base import Books, Currency, amount_of
from jdebill_pipelines.sandbox.ais.books.fiscal import period_of
from jdebill_pipelines.sandbox.ais.books.ledger import LedgerLine, add_to_balances, write_lines
from jdebill_pipelines.sandbox.ais.columns import Row, Value

_NOTHING = Decimal(0)


class CannotPost(Exception):
    """A batch that goes in error; the text says why."""


def post_approved(books: Books) -> list[dict[str, Any]]:
    """Post every approved batch."""
    rows = [row for row in books.tables["F0011"].rows() if row.get("IST", "") == "A"]
    return [post(books, str(row["ICUT"]), int(row["ICU"])) for row in rows]


def post(books: Books, kind: str, batch: int) -> dict[str, Any]:
    """Post one batch.

    Returns:
        Its type and number, the status afterwards (D posted, E in error, unchanged when it is not approved) and why.
    """
    header = books.tables["F0011"].get(kind, batch)
    answer: dict[str, Any] = {"ICUT": kind, "ICU": batch}
    if header is None:
        return {**answer, "IST": "", "why": "no such batch"}
    if header.get("IST", "") not in ("A", "E"):
        return {**answer, "IST": header.get("IST", ""), "why": "not approved, or posted already"}
    try:
        entries = _entries(books, kind, batch)
    except CannotPost as error:
        books.write("F0011", header, {"IST": "E"}, program="R09801")
        return {**answer, "IST": "E", "why": str(error)}
    for head, currency, lines in entries:
        write_lines(books, head, currency, lines)
    _mark(books, kind, batch)
    books.write("F0011", header, {"IST": "D"}, program="R09801")
    return {**answer, "IST": "D", "why": ""}


Entry = tuple[dict[str, Value], Currency, list[LedgerLine]]


def _entries(books: Books, kind: str, batch: int) -> list[Entry]:
    """The ledger documents that the post writes."""
    found: list[Entry] = []
    if kind in ("V", "W"):
        found += _voucher_offsets(books, kind, batch)
    if kind in ("K", "M", "W"):
        for header in books.tables["F0413"].where(ICU=batch, ICUT=kind):
            found += _payment_entries(books, header, kind, batch)
    if kind == "G":
        rows = books.tables["F0911"].where(ICU=batch, ICUT="G")
        off = sum((amount_of(r, "AA") for r in rows if r.get("LT") == "AA" and not r.get("POST", "")), _NOTHING)
        if off:
            raise CannotPost(f"the batch is out of balance by {off}")
    return found


def _voucher_offsets(books: Books, kind: str, batch: int) -> list[Entry]:
    """Per currency, rate and G/L class the opposite of the gross amounts, to payables."""
    sums: defaultdict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in books.tables["F0411"].where(ICU=batch, ICUT=kind):
        if row.get("POST", "") != "D":
            group = (str(row.get("CO", "")), str(row.get("CRCD", "")), str(row.get("GLC", "")), str(row["DGJ"]))
            sums[group].append(row)
    found = []
    for (company, _, glc, day), rows in sums.items():
        account = automatic_account(books, "PC", glc, company)
        if account is None:
            raise CannotPost(f"no account for PC{glc} in company {company}")
        currency = _currency(rows[0])
        item = "ACR" if currency.foreign else "AG"
        base = sum((amount_of(row, "AG") for row in rows), _NOTHING)
        own = sum((amount_of(row, item) for row in rows), _NOTHING)
        found.append(_automatic(books, company, day, kind, batch, currency, account, -own, -base))
    return found


def _automatic(
    books: Books, company: str, day: str, kind: str, batch: int, currency: Currency, account: Account,
    own: Decimal, base: Decimal,
) -> Entry:  # fmt: skip
    head = _head(books, company, "AE", batch, day, kind, batch)
    return head, currency, [LedgerLine(account, own, base, {"EXA": "Automatic Entry"})]


def _head(books: Books, company: str, document: str, number: int, day: str, kind: str, batch: int) -> dict[str, Value]:
    period = period_of(books, books.tables["F0010"].get(company) or {}, day)
    if period is None:
        raise CannotPost(f"{day} is in no fiscal period")
    return {
        "DCT": document, "DOC": number, "KCO": company, "DGJ": day, "ICUT": kind, "ICU": batch, "DICJ": books.today,
        **period.columns(),
    }  # fmt: skip


def _currency(row: Row) -> Currency:
    """The currency of a row that has been written; decimals do not matter, domestic amounts are given."""
    base = str(row.get("BCRC") or row.get("CRCD", ""))
    code = str(row.get("CRCD", "")) if row.get("CRRM", "") == "F" else base
    return Currency(code, base, 2, 2, amount_of(row, "CRR"))


def _payment_entries(books: Books, header: Row, kind: str, batch: int) -> list[Entry]:
    """Per kind (payment, void): payables against bank, with discount and exchange difference to their accounts."""
    payment = int(header["PYID"])
    number = int(header["DOCM"])
    bank_row = find_account(books, str(header.get("GLBA", "")))
    if bank_row is None:
        raise CannotPost(f"no bank account {header.get('GLBA', '')}")
    rows = [row for row in books.tables["F0414"].with_value("PYID", payment) if row.get("POST", "") != "D"]
    found = []
    for document in dict.fromkeys(str(row["DCTM"]) for row in rows):
        mine = [row for row in rows if row["DCTM"] == document]
        company = str(mine[0].get("CO", ""))
        day = books.world.gl_dates.get((payment, document)) or str(header["DMTJ"])
        currency = _currency(mine[0])
        shared: dict[str, Value | Decimal] = {
            "AN8": header["PYE"], "PYID": payment, "CN": str(number), "DKJ": header["DMTJ"],
            "EXA": _name(books, header["PYE"]), "EXR": mine[0].get("RMK", ""),
        }  # fmt: skip
        lines: list[LedgerLine] = []
        for row in mine:
            lines += _payables(books, row, company, currency, shared)
        paid_base = sum((amount_of(row, "PAAP") for row in mine), _NOTHING)
        paid_own = sum((amount_of(row, "PFAP") for row in mine), _NOTHING) if currency.foreign else paid_base
        lines.append(LedgerLine(Account(bank_row), -paid_own, -paid_base, shared))
        found.append((_head(books, company, document, number, day, kind, batch), currency, lines))
    return found


def _payables(
    books: Books, row: Row, company: str, currency: Currency, shared: dict[str, Value | Decimal]
) -> list[LedgerLine]:
    """What one paid item takes from payables, and what discount and exchange rate leave over."""
    glc = str(row.get("GLC", ""))
    payables = automatic_account(books, "PC", glc, company)
    if payables is None:
        raise CannotPost(f"no account for PC{glc} in company {company}")
    paid, discount = amount_of(row, "PAAP"), amount_of(row, "ADSA")
    own_paid = amount_of(row, "PFAP") if currency.foreign else paid
    own_discount = amount_of(row, "CDSA") if currency.foreign else discount
    base = _historic(books, row, currency, own_paid + own_discount)
    link: dict[str, Value | Decimal] = {
        **shared,
        "ODOC": row["DOC"],
        "ODCT": row["DCT"],
        "OKCO": row["KCO"],
        "OSFX": row["SFX"],
    }
    lines = [LedgerLine(payables, own_paid + own_discount, base, link)]
    if discount:
        lines.append(LedgerLine(_needed(books, "PKD", glc, company), -own_discount, -discount, link))
    difference = paid + discount - base
    if difference:
        lines.append(LedgerLine(_needed(books, "PG", currency.code, company), _NOTHING, difference, link))
    return lines


def _needed(books: Books, item: str, suffix: str, company: str) -> Account:
    account = automatic_account(books, item, suffix, company)
    if account is None:
        raise CannotPost(f"no account for {item}{suffix} in company {company}")
    return account


def _historic(books: Books, row: Row, currency: Currency, own: Decimal) -> Decimal:
    """A paid amount at the voucher's rate: what payables were credited with."""
    if not currency.foreign:
        return own
    voucher = books.tables["F0411"].get(row["DOC"], row["DCT"], row["KCO"], row["SFX"], 0)
    if voucher is None:
        return amount_of(row, "PAAP") + amount_of(row, "ADSA")
    if abs(own) == abs(amount_of(voucher, "ACR")):
        return amount_of(voucher, "AG") * (1 if (own < 0) == (amount_of(voucher, "ACR") < 0) else -1)
    rate = amount_of(voucher, "CRR")
    return (own * rate).quantize(Decimal("0.01"))


def _name(books: Books, number: Value) -> str:
    return str((books.tables["F0101"].get(number) or {}).get("ALPH", ""))[:30]


def _mark(books: Books, kind: str, batch: int) -> None:
    for row in list(books.tables["F0411"].where(ICU=batch, ICUT=kind)):
        if row.get("POST", "") != "D":
            books.write("F0411", row, {"POST": "D"}, program="R09801")
    for header in list(books.tables["F0413"].where(ICU=batch, ICUT=kind)):
        for row in list(books.tables["F0414"].with_value("PYID", header["PYID"])):
            if row.get("POST", "") != "D":
                books.write("F0414", row, {"POST": "D"}, program="R09801")
        books.write("F0413", header, {"ISTP": "D"}, program="R09801")
    for row in list(books.tables["F0911"].where(ICU=batch, ICUT=kind)):
        if row.get("POST", "") != "P":
            add_to_balances(books, row)
            books.write("F0911", row, {"POST": "P"}, program="R09801")
