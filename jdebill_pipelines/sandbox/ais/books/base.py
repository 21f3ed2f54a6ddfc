"""What all programs share: next numbers, batches, companies, currencies, writing a row.

Belongs here: the plumbing of JDE's ledgers. Not here: the rules of one program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from jdebill_pipelines.sandbox.ais.books.messages import Findings
from jdebill_pipelines.sandbox.ais.columns import AUDIT_TIME, Row, Value
from jdebill_pipelines.sandbox.ais.values import number

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.ais.world import AisWorld

Written = Mapping[str, Value | Decimal]
PAYMENT_TYPES = ("PK", "PN", "PT")


@dataclass(frozen=True)
class Currency:
    """The currency of a document in a company: rate is base units for one unit, 0 for a domestic document."""

    code: str
    base: str
    decimals: int
    base_decimals: int
    rate: Decimal

    @property
    def foreign(self) -> bool:
        """Whether it is another one than the company's."""
        return self.code != self.base

    def domestic(self, amount: Decimal) -> Decimal:
        """An amount in the company's currency."""
        if not self.foreign:
            return amount
        return (amount * self.rate).quantize(Decimal(1).scaleb(-self.base_decimals), ROUND_HALF_UP)

    def columns(self) -> dict[str, Value]:
        """CRRM, CRCD, CRR and BCRC of a row."""
        mode = "F" if self.foreign else "D"
        return {"CRRM": mode, "CRCD": self.code, "CRR": number(self.rate), "BCRC": self.base}


def amount_of(row: Row, item: str) -> Decimal:
    """A number of a row."""
    return Decimal(row.get(item, 0))


class Books:
    """One user at work in one installation."""

    def __init__(self, world: AisWorld, user: str) -> None:
        self.world = world
        self.tables = world.tables
        self.switches = world.switches
        self.user = user

    @property
    def today(self) -> str:
        """The JDE server's local date."""
        return self.world.stamp_row()[0]

    def write(self, table: str, *parts: Written, program: str = "P04BILL") -> Row:
        """Insert or replace a row, stamped with user, program, date and time; blanks are left out."""
        target = self.tables[table]
        day, time = self.world.stamp_row()
        audit: dict[str, Value] = {"USER": self.user, "PID": program, "JOBN": "AIS", "UPMJ": day}
        audit.update((item, time) for item in AUDIT_TIME)
        whole: dict[str, Value | Decimal] = {}
        for part in (*parts, audit):
            whole.update(part)
        row: Row = {}
        for item, value in whole.items():
            if item not in target.definition.kinds:
                continue
            kept = number(value) if isinstance(value, Decimal) else value
            if kept not in ("", 0):
                row[item] = kept
        target.put(row)
        self.world.written[table] += 1
        return row

    def remove(self, table: str, row: Row) -> None:
        """Delete a row."""
        self.tables[table].remove(row)
        self.world.written[f"{table} deleted"] += 1

    def next_number(self, name: str) -> int:
        """The next document, payment or batch number; it begins after the highest one in the tables."""
        numbers = self.world.next_numbers
        if name not in numbers:
            numbers[name] = max((self._highest(*place) for place in _SOURCES[name]), default=0)
        numbers[name] += 1
        return numbers[name]

    def _highest(self, table: str, item: str) -> int:
        return max((int(row.get(item, 0)) for row in self.tables[table].rows()), default=0)

    def open_batch(self, kind: str, amount: Decimal) -> dict[str, Value]:
        """A new batch header; returns the batch columns of its documents."""
        batch = self.next_number("batch")
        status = "" if self.switches.management_approval else "A"
        self.write(
            "F0011",
            {"ICUT": kind, "ICU": batch, "IST": status, "IAPP": status, "DICJ": self.today, "AME": amount, "DOCN": 1},
            {"BAL": "Y", "BALJ": "Y"},
        )
        return {"ICUT": kind, "ICU": batch, "DICJ": self.today}

    def reopen_batch(self, kind: str, batch: Value) -> None:
        """Make a posted batch wait for the post again."""
        header = self.tables["F0011"].get(kind, batch)
        if header is not None:
            self.write("F0011", header, {"IST": "" if self.switches.management_approval else "A"})

    def close_batch(self, kind: str, batch: Value) -> None:
        """Delete the header of a batch that has nothing left."""
        header = self.tables["F0011"].get(kind, batch)
        if header is not None:
            self.remove("F0011", header)

    def company(self, number_: str, found: Findings) -> Row:
        """The constants of a company; an error when it may not be used."""
        row = self.tables["F0010"].get(number_)
        if row is None or number_ == "00000":
            found.error("0037", f"Company {number_ or 'blank'} Invalid")
            return {"CO": number_, "CRCD": "USD"}
        return row

    def currency(self, code: str, company: Row, rate: Decimal | None, day: str, found: Findings) -> Currency:
        """The currency of a document.

        Args:
            code: blank for the company's own.
            company: its F0010 row.
            rate: base units for one unit of the currency; None to read it from F0015.
            day: effective date of the rate, `YYYYMMDD`.
            found: gets an error for an unknown currency or a missing rate.
        """
        base = str(company.get("CRCD", ""))
        code = code or base
        row = self.tables["F0013"].get(code)
        if row is None and (code != base or len(self.tables["F0013"])):
            found.error("0081", f"Currency Code {code} Invalid")
        decimals, base_decimals = self._decimals(code), self._decimals(base)
        if code == base:
            return Currency(code, base, decimals, base_decimals, Decimal(0))
        rate = rate or self._rate(code, base, day)
        if rate is None or rate <= 0:
            found.error("2597", f"No exchange rate from {code} to {base}")
            rate = Decimal(1)
        return Currency(code, base, decimals, base_decimals, rate)

    def _decimals(self, code: str) -> int:
        row = self.tables["F0013"].get(code) or {}
        return int(row.get("CDEC", "2"))

    def _rate(self, code: str, base: str, day: str) -> Decimal | None:
        rows = [row for row in self.tables["F0015"].where(CRCD=code, CRDC=base) if str(row.get("EFT", "")) <= day]
        newest = max(rows, key=lambda row: str(row.get("EFT", "")), default=None)
        return amount_of(newest, "CRR") if newest else None

    def check_amount(self, amount: Decimal, currency: Currency, what: str, found: Findings) -> None:
        """An amount must have no more decimals than its currency."""
        if amount != amount.quantize(Decimal(1).scaleb(-currency.decimals)):
            found.error("4363", f"{what} {amount} has more decimals than {currency.code} has")


_SOURCES: dict[str, tuple[tuple[str, str], ...]] = {
    "batch": (("F0011", "ICU"), ("F0411", "ICU"), ("F0413", "ICU"), ("F0911", "ICU")),
    "voucher": (("F0411", "DOC"),),
    "journal": (("F0911", "DOC"),),
    "payment": (("F0413", "PYID"),),
    "check": (("F0413", "DOCM"),),
    "receipt": (("F43121", "DOC"),),
}
