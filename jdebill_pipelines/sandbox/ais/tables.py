"""The tables in memory: rows by primary key, with indexes made when they are first needed.

Belongs here: keeping, finding and sorting rows. Not here: business rules, conditions as JSON.
"""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jdebill_pipelines.sandbox.ais.columns import BUSINESS_UNITS, TABLES, Row, TableDef, Value
from jdebill_pipelines.sandbox.ais.values import read_value

Key = tuple[Value, ...]
Order = tuple[tuple[str, bool], ...]  # item, descending


class Table:
    """The rows of one table. A row is never changed in place, so a result set that was read keeps what it read."""

    def __init__(self, definition: TableDef) -> None:
        self.definition = definition
        self._rows: dict[Key, Row] = {}
        self._all: list[Row] | None = None
        self._by_value: dict[str, dict[Value, list[Row]]] = {}
        self._sorted: dict[Order, list[Row]] = {}
        self._sort_values: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[Row]:
        """All rows in the order of their arrival; not to be changed."""
        if self._all is None:
            self._all = list(self._rows.values())
        return self._all

    def key_of(self, row: Mapping[str, Value]) -> Key:
        """The primary key of a row."""
        return tuple(row.get(item, self.definition.blank(item)) for item in self.definition.key)

    def get(self, *key: Value) -> Row | None:
        """The row with this primary key."""
        return self._rows.get(key)

    def put(self, row: Row) -> None:
        """Insert a row or replace the one with its key."""
        key = self.key_of(row)
        self._reindex(self._rows.get(key), row)
        self._rows[key] = row
        self._changed()

    def load(self, rows: Iterable[Row]) -> None:
        """Insert many rows."""
        for row in rows:
            self._rows[self.key_of(row)] = row
        self._by_value = {}
        self._changed()

    def remove(self, row: Mapping[str, Value]) -> bool:
        """Delete the row with the key of this one."""
        found = self._rows.pop(self.key_of(row), None)
        self._reindex(found, None)
        self._changed()
        return found is not None

    def where(self, **items: Value) -> list[Row]:
        """The rows with exactly these values."""
        (first, value), *others = items.items()
        blanks = [(item, wanted, self.definition.blank(item)) for item, wanted in others]
        return [
            row
            for row in self.with_value(first, value)
            if all(row.get(item, blank) == wanted for item, wanted, blank in blanks)
        ]

    def with_value(self, item: str, value: Value) -> list[Row]:
        """The rows that have this value in a column, by index."""
        index = self._by_value.get(item)
        if index is None:
            index = {}
            blank = self.definition.blank(item)
            for row in self.rows():
                index.setdefault(row.get(item, blank), []).append(row)
            self._by_value[item] = index
        return index.get(value, [])

    def between(self, item: str, low: Any, high: Any, order: Order = ()) -> Sequence[Row]:
        """The rows whose column is at least `low` and at most `high` (None: open), by index.

        Args:
            item: the column.
            low: lowest value.
            high: highest value.
            order: of the rows; it begins with the column, ascending. Default: the column alone.
        """
        rows = self.sorted(order or ((item, False),))
        values = self._sort_values.get(item)
        if values is None:
            blank = self.definition.blank(item)
            values = self._sort_values[item] = [comparable(item, row.get(item, blank)) for row in rows]
        start = 0 if low is None else bisect_left(values, low)
        end = len(rows) if high is None else bisect_right(values, high)
        return rows[start:end] if (start, end) != (0, len(rows)) else rows

    def sorted(self, order: Order) -> list[Row]:
        """All rows in this order; kept until the table changes."""
        found = self._sorted.get(order)
        if found is None:
            found = self._sorted[order] = self.sort(self.rows(), order)
        return found

    def sort(self, rows: Iterable[Row], order: Order) -> list[Row]:
        """Some rows in this order; ties stay as they came."""
        found = list(rows)
        for item, descending in reversed(order):
            found.sort(key=self._sort_key(item), reverse=descending)
        return found

    def _reindex(self, old: Row | None, new: Row | None) -> None:
        """Keep the indexes by value; their lists are replaced, as somebody may be reading the old ones."""
        for item, index in self._by_value.items():
            blank = self.definition.blank(item)
            if old is not None:
                value = old.get(item, blank)
                index[value] = [row for row in index[value] if row is not old]
            if new is not None:
                value = new.get(item, blank)
                index[value] = [*index.get(value, ()), new]

    def _sort_key(self, item: str) -> Callable[[Row], Any]:
        blank = self.definition.blank(item)
        if item in BUSINESS_UNITS:
            return lambda row: comparable(item, row.get(item, ""))
        return lambda row: row.get(item, blank)

    def _changed(self) -> None:
        self._all = None
        if self._sorted:
            self._sorted = {}
            self._sort_values = {}


def comparable(item: str, value: Value) -> Value:
    """What a column is compared and sorted by: a business unit is right-justified to 12 characters in the database."""
    return str(value).rjust(12) if item in BUSINESS_UNITS else value


class TableStore:
    """All tables by name."""

    def __init__(self) -> None:
        self._tables = {name: Table(definition) for name, definition in TABLES.items()}

    def __getitem__(self, name: str) -> Table:
        return self._tables[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def copy(self) -> TableStore:
        """The same rows in a store of their own."""
        other = TableStore()
        for name, table in self._tables.items():
            other[name].load(table.rows())
        return other

    def counts(self) -> dict[str, int]:
        """Rows by table, the empty ones left out."""
        return {name: len(table) for name, table in self._tables.items() if len(table)}

    def load_folder(self, folder: Path) -> None:
        """Load every ``<TABLE>.csv`` of a folder (data items in the header, dates ``YYYYMMDD``, decimals applied).

        Raises:
            ValueError: a file has a column that its table does not have, or a cell that is not of its column's kind.
        """
        for path in sorted(folder.glob("*.csv")):
            if path.stem not in self._tables:
                continue
            table = self._tables[path.stem]
            with path.open(encoding="utf-8", newline="") as file:
                table.load(_read_csv(table.definition, csv.reader(file), path))

    def load_rows(self, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Load rows by table, as a generated company has them."""
        for name, given in rows.items():
            table = self._tables[name]
            table.load(_read_rows(table.definition, given))


def _read_rows(definition: TableDef, given: Iterable[Mapping[str, Any]]) -> Iterable[Row]:
    """Rows from Python values; the same value in the same column is read once."""
    known: dict[str, dict[Any, Value]] = {item: {} for item in definition.kinds}
    for source in given:
        row: Row = {}
        for item, raw in source.items():
            values = known.get(item, {})
            value = values.get(raw)
            if value is None:
                value = values[raw] = read_value(definition, item, raw)
            if value not in ("", 0):
                row[item] = value
        yield row


def _read_csv(definition: TableDef, lines: Iterable[list[str]], path: Path) -> Iterable[Row]:
    """Rows of a file; the same text in the same column is read once."""
    source = iter(lines)
    header = next(source, [])
    known: list[dict[str, Value]] = [{} for _ in header]
    for count, cells in enumerate(source, start=2):
        if len(cells) != len(header):
            raise ValueError(f"{path.name} line {count}: {len(cells)} cells, {len(header)} in the header")
        row: Row = {}
        for item, text, values in zip(header, cells, known, strict=True):
            if not text:
                continue
            value = values.get(text)
            if value is None:
                try:
                    value = values[text] = read_value(definition, item, text)
                except ValueError as error:
                    raise ValueError(f"{path.name} line {count}: {error}") from None
            if value not in ("", 0):
                row[item] = value
        yield row
