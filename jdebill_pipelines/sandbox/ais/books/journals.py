"""Entering a journal entry (P0911): checks, F0911, batch G.

Belongs here: journal entries. Not here: posting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from jdebill_pipelines.sandbox.ais.books.accounts import check_account
from jdebill_pipelines.sandbox.ais.books.base import Books
from jdebill_pipelines.sandbox.ais.books.fiscal import check_date
from jdebill_pipelines.sandbox.ais.books.ledger import LedgerLine, write_lines
from jdebill_pipelines.sandbox.ais.books.messages import Findings
from jdebill_pipelines.sandbox.ais.columns import Value


@dataclass(frozen=True)
class JournalLine:
    """A line; debits are positive."""

    account: str
    amount: Decimal
    subledger: str = ""
    subledger_type: str = ""
    remark: str = ""
    reference: str = ""


@dataclass(frozen=True)
class JournalInput:
    """A journal entry; the date is `YYYYMMDD`."""

    company: str
    gl_date: str
    kind: str
    explanation: str
    currency: str
    lines: Sequence[JournalLine]
    rate: Decimal | None = None


@dataclass(frozen=True)
class Journal:
    """A journal entry that has been entered."""

    number: int
    kind: str
    company: str
    batch: dict[str, Value]


def enter(books: Books, given: JournalInput, found: Findings) -> Journal:
    """Check a journal entry and write it.

    Raises:
        FormError: it has errors; nothing is written.
    """
    kind = given.kind or "JE"
    company = books.company(given.company, found)
    currency = books.currency(given.currency, company, given.rate, given.gl_date, found)
    period = check_date(books, company, given.gl_date, found, system="gl", kind=kind)
    if len(given.lines) < 2:
        found.error("0010", "A journal entry needs two lines at least")
    lines = []
    for line in given.lines:
        books.check_amount(line.amount, currency, "Amount", found)
        if line.amount == 0:
            found.error("0011", f"The amount on account {line.account} is zero")
        account = check_account(
            books, line.account, given.company, currency, found, subledger=line.subledger, kind=line.subledger_type
        )
        if account is not None:
            lines.append(LedgerLine(account, line.amount, more={"EXR": line.remark, "R1": line.reference}))
    total = sum((line.amount for line in given.lines), Decimal(0))
    if total:
        found.error("0061", f"The journal entry is out of balance by {total}")
    found.stop_if_wrong()
    number = books.next_number("journal")
    debits = sum((line.amount for line in given.lines if line.amount > 0), Decimal(0))
    batch = books.open_batch("G", currency.domestic(debits))
    head = {
        "DCT": kind, "DOC": number, "KCO": given.company, "DGJ": given.gl_date, "EXA": given.explanation,
        "TORG": books.user, **batch, **period.columns(),
    }  # fmt: skip
    write_lines(books, head, currency, lines, domestic_total=Decimal(0))
    return Journal(number, kind, given.company, batch)
