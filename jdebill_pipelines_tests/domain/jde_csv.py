"""Reads a folder of JDE table CSVs as the rows that staging gives, without any server."""

from __future__ import annotations

import csv
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jdebill_pipelines.domain.tables import TABLES, JdeTable, Kind


def typed(kind: Kind, raw: str) -> Any:
    """One value as the AIS client decodes it."""
    if kind is Kind.TEXT:
        return raw.strip()
    if kind is Kind.NUMBER:
        return Decimal(raw or "0")
    if kind is Kind.TIME:
        return int(raw or "0")
    return datetime.strptime(raw, "%Y%m%d").date() if raw else None


def blank(table: JdeTable, **values: Any) -> dict[str, Any]:
    """A row with every column blank but the given ones; numbers may be given as text."""
    unknown = set(values) - set(table.columns)
    assert not unknown, f"{table.name} has no {unknown}"
    row = {item: typed(kind, "") for item, kind in table.columns.items()}
    for item, value in values.items():
        row[item] = Decimal(value) if table.columns[item] is Kind.NUMBER else value
    return row


def read_table(folder: Path, name: str) -> list[dict[str, Any]]:
    """All rows of a table; [] where the folder has no such file."""
    path = folder / f"{name}.csv"
    if not path.is_file():
        return []
    table = TABLES[name]
    with path.open(encoding="utf-8", newline="") as lines:
        return [{i: typed(k, raw.get(i) or "") for i, k in table.columns.items()} for raw in csv.DictReader(lines)]
