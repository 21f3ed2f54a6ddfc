"""Columns of a JDE table: which there are, of what kind, and what a blank of it is.

Belongs here: kinds and blanks. Not here: how AIS writes a value (``render``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from jdebill_pipelines.sandbox.ais.catalog import TABLE_ITEMS, TABLE_KEYS

Value = str | int | Decimal
Row = dict[str, Value]
"""Data item to value; what is absent is blank. A date is text ``YYYYMMDD``, a whole number is an int."""


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"


# Dates whose name does not end in J, and numbers whose name does (JDE data dictionary).
_DATES = {"EFTB", "EFT", "PTI", "PDI", "URDT", "VLDT", "DGL", "DKC", "IVD", "EDDT", "POHD01", "POHD02"}
_NO_DATES = {"QTYJ"}
BUSINESS_UNITS = {"MCU", "OMCU", "IMCU", "MCUP", "MCU2", "HMCU", "MCUS", "RMCU1"}
TEXT_LENGTHS = {
    **dict.fromkeys(("ALPH", "DC", "MLNM", "SRNM", "ADD1", "ADD2", "ADD3", "ADD4"), 40),
    **dict.fromkeys(("RMK", "DESC", "EXA", "EXR", "DL01", "DSC1", "DSC2", "NAME", "PTD"), 30),
    **dict.fromkeys(("VINV", "VR01", "VR02", "LITM", "AITM", "CTY1", "ANS"), 25),
    **dict.fromkeys(("TAX", "PH1", "CBNK", "TNST", "ALKY"), 20),
    **dict.fromkeys(BUSINESS_UNITS, 12),
    **dict.fromkeys(("USER", "PID", "JOBN", "TORG"), 10),
    **dict.fromkeys(("AID", "SUB", "SBL", "PO", "GLBA", "OORN", "RORN", "R1", "R2", "R3", "CN"), 8),
    **dict.fromkeys(("CO", "KCO", "KCOO", "PKCO", "OKCO", "RKCO"), 5),
    **dict.fromkeys(("CRCD", "BCRC", "PTC", "SFX", "SFXO", "AT1", "ADDS", "CTR", "TRAP", "NXTR", "LTTR"), 3),
    **dict.fromkeys(("DCT", "DCTO", "DCTM", "PDCT", "ICUT", "ASTS", "HCOD", "UOM"), 2),
    **dict.fromkeys(("PST", "POST", "CRRM", "VOD", "PEC", "PECC", "HDPY", "IST", "PYIN", "AM", "SBLT"), 1),
    "ANI": 29,
    "EMAL": 256,
    "IBAN": 34,
    "OBJ": 6,
}
USUAL_LENGTH = 10
_TITLES = {
    "AAP": "Open Amount",
    "AG": "Gross Amount",
    "AID": "Account ID",
    "ALPH": "Alpha Name",
    "AN8": "Address Number",
    "CO": "Co",
    "CRCD": "Cur Code",
    "DCT": "Do Ty",
    "DDJ": "Due Date",
    "DGJ": "G/L Date",
    "DIVJ": "Invoice Date",
    "DOC": "Document Number",
    "KCO": "Doc Co",
    "MCU": "Business Unit",
    "PST": "Pay Stat",
    "RMK": "Remark",
    "SFX": "Pay Itm",
    "UPMJ": "Date Updated",
    "VINV": "Invoice Number",
}


@dataclass(frozen=True)
class TableDef:
    """A table: its columns in table order and its primary key."""

    name: str
    title: str
    key: tuple[str, ...]
    kinds: dict[str, Kind]

    def blank(self, item: str) -> Value:
        """The value of a column that a row does not have."""
        return 0 if self.kinds[item] is Kind.NUMBER else ""

    def column_title(self, item: str) -> str:
        """The heading that the Data Browser shows."""
        return _TITLES.get(item, item)


def _kind(item: str, numeric: bool) -> Kind:
    if not numeric:
        return Kind.TEXT
    is_date = item in _DATES or (item.endswith("J") and item not in _NO_DATES)
    return Kind.DATE if is_date else Kind.NUMBER


def _expand(items: str) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for word in items.split():
        numeric, name = word.endswith("#"), word.removesuffix("#")
        first, _, last = name.partition("..")
        if not last:
            kinds[name] = _kind(name, numeric)
            continue
        first, last = first.removesuffix("#"), last.removesuffix("#")
        found = re.fullmatch(r"(.*?)(\d+)", first)
        assert found is not None
        stem, digits = found[1], len(found[2])
        for number in range(int(found[2]), int(last.removeprefix(stem)) + 1):
            item = f"{stem}{number:0{digits}d}"
            kinds[item] = _kind(item, numeric)
    return kinds


TABLES: dict[str, TableDef] = {
    name: TableDef(name, title, tuple(key.split()), _expand(TABLE_ITEMS[name]))
    for name, (title, key) in TABLE_KEYS.items()
}
AUDIT_TIME = ("UPMT", "TDAY")
