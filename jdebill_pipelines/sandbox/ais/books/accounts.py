"""Accounts: finding them, and whether they take a posting.

Belongs here: account and business unit edits, automatic accounting instructions. Not here: amounts.
"""

from __future__ import annotations

from dataclasses import dataclass

from jdebill_pipelines.sandbox.ais.books.base import Books, Currency
from jdebill_pipelines.sandbox.ais.books.messages import Findings
from jdebill_pipelines.sandbox.ais.columns import Row, Value

# JDE: posting edit codes that refuse a manual entry (F0901.PEC).
_REFUSED = {
    "B": "is for budgets only",
    "I": "is inactive",
    "M": "takes machine entries only",
    "N": "is a non-posting account",
    "U": "needs units",
}
# Where the automatic accounting instructions are not given, the accounts of the demo company by object and name.
_USUAL = {"PC": ("4110", "accounts payable"), "PKD": ("7910", "discounts taken"), "PG": ("7910", "exchange")}


@dataclass(frozen=True)
class Account:
    """An account that may be posted to, with the columns of a ledger row."""

    row: Row
    subledger: str = ""
    subledger_type: str = ""

    @property
    def aid(self) -> str:
        """Short id."""
        return str(self.row["AID"])

    def columns(self) -> dict[str, Value]:
        """The account columns of F0911."""
        parts = [str(self.row.get(item, "")) for item in ("MCU", "OBJ", "SUB")]
        return {
            "CO": self.row.get("CO", ""),
            "ANI": ".".join(part for part in parts if part),
            "AM": "2",
            "AID": self.aid,
            "MCU": parts[0],
            "OBJ": parts[1],
            "SUB": parts[2],
            "SBL": self.subledger,
            "SBLT": self.subledger_type,
        }


def find_account(books: Books, text: str) -> Row | None:
    """The account of a short id or of `BU.OBJ.SUB`."""
    table = books.tables["F0901"]
    text = text.strip()
    if "." not in text:
        return table.get(text)
    unit, obj, sub = (part.strip() for part in (*text.split(".", 2), "")[:3])
    rows = table.where(OBJ=obj, MCU=unit, SUB=sub)
    return rows[0] if rows else None


def check_account(
    books: Books, text: str, company: str, currency: Currency, found: Findings, *, subledger: str = "", kind: str = ""
) -> Account | None:
    """The account of a line; an error for each reason why it cannot be used."""
    row = find_account(books, text)
    if row is None:
        found.error("0026", f"Account Number {text or 'blank'} Invalid")
        return None
    code = str(row.get("PEC", ""))
    if code in _REFUSED:
        found.error("0060", f"Account {text} {_REFUSED[code]}")
    if code in ("L", "S") and not subledger:
        found.error("0064", f"Account {text} needs a subledger")
    if (code == "X" and subledger) or bool(subledger) != bool(kind):
        found.error("0065", f"Account {text}: subledger and subledger type do not fit")
    unit = books.tables["F0006"].get(row.get("MCU", ""))
    if unit is None:
        found.error("0052", f"Business Unit {row.get('MCU', '')} Invalid")
    elif unit.get("PECC", ""):
        found.error("0053", f"Business Unit {row.get('MCU', '')} is closed for posting")
    if row.get("CO", "") != company:
        found.error("0296", f"Account {text} belongs to company {row.get('CO', '')}, not {company}")
    monetary = str(row.get("CRCD", ""))
    if monetary and monetary != currency.code:
        found.error("0082", f"Account {text} takes {monetary} only")
    return Account(row, subledger, kind)


def automatic_account(books: Books, item: str, suffix: str, company: str) -> Account | None:
    """The account of an automatic accounting instruction, for example PC with the G/L class.

    The most exact one is taken: with class and company, without class, of company 00000. A company without instructions
    uses the account that its chart names.
    """
    table = books.tables["F0012"]
    for name in dict.fromkeys((f"{item}{suffix}", item)):
        for owner in (company, "00000"):
            row = table.get(name, owner)
            if row is not None:
                unit = str(row.get("MCU", "")) or company.lstrip("0")
                rows = books.tables["F0901"].where(OBJ=row.get("OBJ", ""), MCU=unit, SUB=row.get("SUB", ""))
                return Account(rows[0]) if rows else None
    obj, words = _USUAL[item]
    own = books.tables["F0901"].where(CO=company)
    for row in own:
        if row.get("OBJ", "") == obj or words in str(row.get("DL01", "")).lower():
            return Account(row)
    return None
