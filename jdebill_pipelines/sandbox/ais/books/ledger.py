"""Lines of the account ledger F0911 and balances F0902.

Belongs here: writing, reversing and adding up ledger lines. Not here: which lines a document has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from jdebill_pipelines.sandbox.ais.books.accounts import Account
from jdebill_pipelines.sandbox.ais.books.base import Books, Currency, Written, amount_of
from jdebill_pipelines.sandbox.ais.columns import Row, Value


@dataclass(frozen=True)
class LedgerLine:
    """A line to write.

    Attributes:
        account: where it goes.
        amount: in the document's currency, debit positive.
        base: in the company's currency; None to compute it.
        more: further columns.
    """

    account: Account
    amount: Decimal
    base: Decimal | None = None
    more: Written = field(default_factory=dict)


def write_lines(
    books: Books,
    head: Written,
    currency: Currency,
    lines: Sequence[LedgerLine],
    *,
    domestic_total: Decimal | None = None,
) -> None:
    """Write the lines of a document: an AA row each, and a CA row when it is foreign.

    Args:
        books: the installation.
        head: DCT, DOC, KCO, DGJ, batch and period of the document.
        currency: of the amounts.
        lines: what to write.
        domestic_total: what the AA rows must add up to; the last line takes what rounding leaves.
    """
    number = next_line(books, head)
    left = domestic_total
    for at, line in enumerate(lines):
        base = currency.domestic(line.amount) if line.base is None else line.base
        if left is not None:
            base = left if at == len(lines) - 1 else base
            left -= base
        row = {**head, **line.account.columns(), **currency.columns(), **line.more, "JELN": number + at, "LT": "AA"}
        books.write("F0911", row, {"AA": base, "ACR": line.amount if currency.foreign else 0, "DSYJ": books.today})
        if currency.foreign and line.amount:
            books.write("F0911", row, {"LT": "CA", "AA": line.amount, "DSYJ": books.today})


def next_line(books: Books, head: Written) -> int:
    """The next line number of a document on a G/L date."""
    rows = books.tables["F0911"].where(DOC=head["DOC"], DCT=head["DCT"], KCO=head["KCO"])
    return max((int(row.get("JELN", 0)) for row in rows if row.get("DGJ") == head["DGJ"]), default=0) + 1


def lines_of(books: Books, kind: str, number: int, company: str) -> list[Row]:
    """The ledger rows of a document."""
    return books.tables["F0911"].where(DOC=number, DCT=kind, KCO=company)


def reverse_lines(books: Books, rows: Iterable[Row], head: Written, remark: str) -> None:
    """Write the opposite of ledger rows under another head; the rows that are reversed are marked (RE V)."""
    lines = sorted(rows, key=lambda row: (int(row.get("JELN", 0)), str(row.get("LT", ""))))
    shift = next_line(books, head) - min((int(row.get("JELN", 0)) for row in lines), default=1)
    for row in lines:
        opposite: dict[str, Value | Decimal] = {
            "AA": -amount_of(row, "AA"),
            "ACR": -amount_of(row, "ACR"),
            "JELN": int(row.get("JELN", 0)) + shift,
        }
        books.write("F0911", row, {"RE": "V"})
        books.write("F0911", row, head, opposite, {"RE": "V", "POST": "", "EXR": remark or row.get("EXR", "")})


def add_to_balances(books: Books, row: Row) -> None:
    """Add a posted ledger row to its account's balance of the period."""
    ledger = str(row.get("LT", ""))
    currency = str(row.get("CRCD", "")) if ledger == "CA" else ""
    table = books.tables["F0902"]
    key = {
        "AID": row["AID"], "CTRY": row.get("CTRY", 0), "FY": row.get("FY", 0), "FQ": "", "LT": ledger,
        "SBL": row.get("SBL", ""), "SBLT": row.get("SBLT", ""), "CRCD": currency,
    }  # fmt: skip
    balance = table.get(*table.key_of(key)) or {}
    item = f"AN{int(row.get('PN', 0)):02d}"
    owner = {name: row.get(name, "") for name in ("CO", "MCU", "OBJ", "SUB")}
    books.write("F0902", owner, balance, key, {item: amount_of(balance, item) + amount_of(row, "AA")})
