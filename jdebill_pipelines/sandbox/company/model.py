"""What a generated company is: rows per JDE table, and a list of its awkward documents.

Belongs here: the shape of the result and its CSV form. Does not belong here: what is in it (the other modules).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

Value = str | int | Decimal | date | None
Row = dict[str, Value]
Outcome = Literal["bill", "credit", "vendor", "held", "not due"]

# Primary keys (JDE table metadata), the order of the rows in a file.
KEYS: dict[str, tuple[str, ...]] = {
    "F0006": ("MCU",),
    "F0008": ("DTPN", "DFYJ", "FQ"),
    "F0010": ("CO",),
    "F0011": ("ICUT", "ICU"),
    "F0013": ("CRCD",),
    "F0014": ("PTC",),
    "F0015": ("CRCD", "CRDC", "AN8", "RTTYP", "EFT"),
    "F0030": ("UKID",),
    "F0101": ("AN8",),
    "F0111": ("AN8", "IDLN"),
    "F0115": ("AN8", "IDLN", "RCK7", "CNLN"),
    "F01151": ("AN8", "IDLN", "RCK7"),
    "F0116": ("AN8", "EFTB"),
    "F0401": ("AN8",),
    "F0411": ("DOC", "DCT", "KCO", "SFX", "SFXE"),
    "F0413": ("PYID",),
    "F0414": ("PYID", "RC5"),
    "F0901": ("AID",),
    "F0902": ("AID", "CTRY", "FY", "FQ", "LT", "SBL", "SBLT", "CRCD"),
    "F0911": ("DCT", "DOC", "KCO", "DGJ", "JELN", "LT", "EXTL"),
    "F4209": ("HCOD", "RPER", "KCOO", "DOCO", "DCTO", "SFXO", "LNID", "RDJ", "RDT", "ASTS", "DLNID"),
    "F4301": ("KCOO", "DOCO", "DCTO", "SFXO"),
    "F4311": ("KCOO", "DOCO", "DCTO", "SFXO", "LNID"),
    "F43121": ("MATC", "KCOO", "DOCO", "DCTO", "SFXO", "LNID", "NLIN", "DOC"),
}


@dataclass(frozen=True, slots=True)
class Awkward:
    """A supplier or document that needs care, and what should become of it.

    Attributes:
        key: ``AN8``, ``KCO-DCT-DOC`` or ``KCOO-DCTO-DOCO-SFXO``.
        case: short name of the difficulty, the same for every size of company.
        why: what is unusual, in a sentence.
        outcome: what should become of it on the first run (vouchers and orders on, basis ``ordered``).
    """

    key: str
    case: str
    why: str
    outcome: Outcome


@dataclass(slots=True)
class Company:
    """A generated company.

    Attributes:
        today: the day it is current on.
        start: first day of its documents.
        tables: JDE table -> rows, unsorted while it is being made.
        awkward: what needs care.
        bank_account: short id of its G/L bank account.
    """

    today: date
    start: date
    bank_account: str = "00000123"
    company: str = "00001"
    tables: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in KEYS})
    awkward: list[Awkward] = field(default_factory=list)

    def add(self, table: str, *parts: Mapping[str, Value]) -> Row:
        """Append a row made of its parts and return it, so that it can be changed later."""
        row: Row = {}
        for part in parts:
            row.update(part)
        self.tables[table].append(row)
        return row

    def text_rows(self, table: str) -> list[dict[str, str]]:
        """Return the rows as their CSV has them: all text, sorted by primary key, every column in every row."""
        columns = self.columns(table)
        rows = [{c: as_text(row.get(c)) for c in columns} for row in self.tables[table]]
        # Keys sort as text where they are text, as numbers where they are numbers.
        numeric = {c for c in KEYS[table] if all(isinstance(row.get(c), int) for row in self.tables[table])}
        rows.sort(key=lambda row: tuple(int(row[c]) if c in numeric else row[c] for c in KEYS[table]))
        return rows

    def columns(self, table: str) -> list[str]:
        """Return the columns that any row has, in the order of their first use."""
        found: dict[str, None] = dict.fromkeys(KEYS[table])
        for row in self.tables[table]:
            found.update(dict.fromkeys(row))
        return list(found)

    def write(self, folder: Path) -> None:
        """Write one CSV per table: dates YYYYMMDD, decimals applied, blank is empty, UTF-8, LF."""
        folder.mkdir(parents=True, exist_ok=True)
        for table in KEYS:
            with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, self.columns(table), lineterminator="\n")
                writer.writeheader()
                writer.writerows(self.text_rows(table))


def as_text(value: Value) -> str:
    """Return a value as a CSV has it."""
    if value is None:
        return ""
    if isinstance(value, date):
        return f"{value:%Y%m%d}"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
