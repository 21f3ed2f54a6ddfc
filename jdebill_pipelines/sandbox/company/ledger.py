"""The books: batches, general ledger lines, automatic offsets and balances.

Belongs here: F0911, F0011, F0902. Does not belong here: what a voucher, a receipt or a payment is.

Sources (JDE): a batch has a type and a number; posting adds automatic entries (document type AE) that bring the batch
to zero; a foreign line has an AA row in the company's currency and a CA row in its own, with the same line number.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from jdebill_pipelines.sandbox.company.calendar import fiscal
from jdebill_pipelines.sandbox.company.model import Company, Row, Value
from jdebill_pipelines.sandbox.company.reference import DECIMALS, RATES, Account, Chart

UNPOSTED_DAYS = 3  # batches of the last days wait for the post
_CENT = Decimal("0.01")


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Return an amount with exactly the decimals of its currency."""
    return amount.quantize(Decimal(1).scaleb(-DECIMALS[currency]))


def domestic(amount: Decimal, currency: str) -> Decimal:
    """Return an amount in the company's currency (US dollars, to the cent)."""
    return (amount * RATES[currency]).quantize(_CENT)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in its own currency and in the company's."""

    amount: Decimal
    base: Decimal
    currency: str

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> Money:
        """Make both sides of an amount."""
        amount = rounded(amount, currency)
        return cls(amount, domestic(amount, currency), currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + other.amount, self.base + other.base, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, -self.base, self.currency)


@dataclass(slots=True)
class _Batch:
    type: str
    number: int
    day: date
    documents: set[tuple[str, int]] = field(default_factory=set)
    offsets: dict[tuple[Account, str], Money] = field(default_factory=dict)
    entered: Decimal = Decimal(0)


class Ledger:
    """Writes lines into F0911 and closes the batches.

    Args:
        company: gets the rows.
        chart: the accounts.
    """

    def __init__(self, company: Company, chart: Chart) -> None:
        self.company = company
        self.chart = chart
        self._batches: dict[tuple[str, date], _Batch] = {}
        self._line_numbers: dict[tuple[str, int, date], int] = defaultdict(int)

    def posted(self, day: date) -> bool:
        """Tell whether a batch of that day has been posted."""
        return day <= self.company.today - timedelta(days=UNPOSTED_DAYS)

    def batch(self, type_: str, day: date) -> dict[str, Value]:
        """Return the batch columns of a document of that day."""
        batch = self._batch(type_, day)
        return {"ICU": batch.number, "ICUT": batch.type}

    def line(
        self, batch_type: str, document: tuple[str, int], day: date, account: Account, money: Money, **more: Value
    ) -> None:
        """Write one line: an AA row, and a CA row when the currency is foreign.

        Args:
            batch_type: V, O, K ...
            document: document type and number.
            day: G/L date.
            account: where it goes.
            money: debit positive.
            more: further columns.
        """
        self._batch(batch_type, day).documents.add(document)
        self._rows(self._batch(batch_type, day), document, day, account, money, more)

    def offset(self, batch_type: str, day: date, account: Account, money: Money) -> None:
        """Remember what the post will book automatically, one sum per account and currency."""
        batch = self._batch(batch_type, day)
        found = batch.offsets.get((account, money.currency))
        batch.offsets[account, money.currency] = found + money if found else money
        if account is self.chart.payables:
            batch.entered -= money.base

    def close(self) -> None:
        """Write batch headers, the automatic entries of posted batches, and the balances."""
        for batch in self._batches.values():
            done = self.posted(batch.day)
            if done:
                for (account, _), money in batch.offsets.items():
                    self._rows(
                        batch, ("AE", batch.number), batch.day, account, money, {"EXA": "Accounts Payable Offset"}
                    )
            self.company.add(
                "F0011",
                {
                    "ICUT": batch.type,
                    "ICU": batch.number,
                    "IST": "D" if done else "A",
                    "IAPP": "A",
                    "POB": "",
                    "USER": "APCLERK",
                    "DICJ": batch.day,
                    "AME": batch.entered,
                    "DOCN": len(batch.documents),
                    "UPMJ": batch.day,
                    "UPMT": 173_000,
                },
            )
        self._balances()

    def _batch(self, type_: str, day: date) -> _Batch:
        key = (type_, day)
        if key not in self._batches:
            self._batches[key] = _Batch(type_, 9_001 + len(self._batches), day)
        return self._batches[key]

    def _rows(
        self,
        batch: _Batch,
        document: tuple[str, int],
        day: date,
        account: Account,
        money: Money,
        more: dict[str, Value],
    ) -> None:
        slot = (*document, day)
        self._line_numbers[slot] += 1
        foreign = money.currency != "USD"
        row: Row = {
            "DCT": document[0],
            "DOC": document[1],
            "KCO": self.company.company,
            "DGJ": day,
            "JELN": self._line_numbers[slot],
            "LT": "AA",
            "EXTL": "",
            "POST": "P" if self.posted(batch.day) else "",
            "ICU": batch.number,
            "ICUT": batch.type,
            "CO": account.company,
            "ANI": account.code,
            "AM": "2",
            "AID": account.aid,
            "MCU": account.unit,
            "OBJ": account.object,
            "SUB": account.subsidiary,
            **fiscal(day),
            "CRRM": "F" if foreign else "D",
            "CRCD": money.currency,
            "CRR": RATES[money.currency] if foreign else 0,
            "AA": money.base,
            "ACR": money.amount if foreign else 0,
            "USER": "APCLERK",
            "UPMJ": day,
            "UPMT": 120_000,
            **more,
        }
        self.company.add("F0911", row)
        if foreign:
            self.company.add("F0911", {**row, "LT": "CA", "AA": money.amount, "ACR": 0})

    def _balances(self) -> None:
        sums: dict[tuple[str, int, int], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 14)
        owners: dict[str, Row] = {}
        for row in self.company.tables["F0911"]:
            if row["LT"] == "AA" and row["POST"] == "P":
                key = (str(row["AID"]), int(str(row["CTRY"])), int(str(row["FY"])))
                owners[key[0]] = row
                amount = row["AA"]
                assert isinstance(amount, Decimal)
                sums[key][int(str(row["PN"])) - 1] += amount
        for (aid, century, year), nets in sums.items():
            owner = owners[aid]
            self.company.add(
                "F0902",
                {"AID": aid, "CTRY": century, "FY": year, "FQ": "", "LT": "AA", "SBL": "", "SBLT": "", "CRCD": ""},
                {name: owner[name] for name in ("CO", "MCU", "OBJ", "SUB")},
                {"APYC": Decimal(0)},
                {f"AN{n:02d}": net for n, net in enumerate(nets, start=1)},
            )
