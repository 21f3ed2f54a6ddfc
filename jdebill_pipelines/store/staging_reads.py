"""Reading the staging tables: by month, by value, by key; as dicts, tuples or structs.

Does not belong here: loading them (staging.py).
"""

# ruff: noqa: S608 - names in these statements come from the domain's table metadata, values are parameters
from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from jdebill_pipelines.domain.tables import JdeTable, Kind
from jdebill_pipelines.store.engine import SCHEMA
from jdebill_pipelines.store.scope import Part

T = TypeVar("T")
SQL_TYPES = {Kind.TEXT: "text", Kind.NUMBER: "numeric", Kind.DATE: "date", Kind.TIME: "integer"}
_KEYS_PER_QUERY = 20_000


def quoted(item: str) -> str:
    """The column of a data item, quoted: DESC and others are words of SQL."""
    return '"' + item.lower().replace('"', "") + '"'


class Extraction(msgspec.Struct, frozen=True):
    """One entry of the extraction log.

    Attributes:
        table: JDE table name.
        mode: ``full``, ``delta`` or ``snapshot``.
        periods: months it covered (full) or touched (delta).
        extracted_at: the moment that the rows show.
        watermark: of the source, as the reader understands it.
    """

    table: str
    mode: str
    periods: list[str]
    extracted_at: datetime
    started_at: datetime
    finished_at: datetime
    rows_read: int
    rows_written: int
    rows_removed: int
    watermark: str | None
    run_id: str


class StagingReads(Part):
    """What can be asked of the staging tables."""

    def rows(
        self,
        table: JdeTable,
        *,
        periods: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        order_by: Sequence[str] | None = None,
    ) -> list[tuple[Any, ...]]:
        """Return rows as tuples in the order of ``columns`` (default all): Decimal, str, date or None, int.

        Args:
            table: whose rows.
            periods: only these months ``YYYY-MM``.
            where: data item -> value, or a collection of values, or None for a blank date.
            columns: data items wanted.
            order_by: data items to sort by; default the key, so that two reads give the same order.
        """
        items = list(columns or table.columns)
        condition, values = _condition(table, where)
        if periods is not None:
            condition += " AND s.period = ANY(%s)"
            values.append(list(periods))
        order = ", ".join(f"s.{quoted(item)}" for item in order_by or table.key)
        selected = ", ".join(f"s.{quoted(item)}" for item in items)
        source = f"{SCHEMA}.{table.staging_name} s"
        sql = f"SELECT {selected} FROM {source} WHERE s.connection = %s{condition} ORDER BY {order}"
        return self._fetch(sql, [self.scope.connection, *values])

    def read(
        self,
        table: JdeTable,
        *,
        periods: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        order_by: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """As ``rows``, each row a dict from data item to value."""
        items = list(columns or table.columns)
        found = self.rows(table, periods=periods, where=where, columns=items, order_by=order_by)
        return [dict(zip(items, row, strict=True)) for row in found]

    def structs(
        self,
        table: JdeTable,
        type_: type[T],
        *,
        periods: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[str] | None = None,
    ) -> list[T]:
        """As ``rows``, each row an object of ``type_``, whose fields are data items in lower case."""
        fields = getattr(type_, "__struct_fields__", None) or tuple(getattr(type_, "__dataclass_fields__", ()))
        items = [field.upper() for field in fields]
        found = self.rows(table, periods=periods, where=where, columns=items, order_by=order_by)
        return [type_(*row) for row in found]

    def read_by_keys(
        self,
        table: JdeTable,
        items: Sequence[str],
        keys: Iterable[Sequence[Any]],
        *,
        columns: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Return the rows whose ``items`` equal one of ``keys`` (a part of a key will do), in key order."""
        wanted = list(columns or table.columns)
        selected = ", ".join(f"s.{quoted(item)}" for item in wanted)
        order = ", ".join(f"s.{quoted(item)}" for item in table.key)
        result: list[dict[str, Any]] = []
        for join, values in self._key_joins(table, items, keys):
            sql = f"SELECT {selected} FROM {SCHEMA}.{table.staging_name} s {join} ORDER BY {order}"
            result.extend(dict(zip(wanted, row, strict=True)) for row in self._fetch(sql, values))
        return result

    def periods_by_key(
        self, table: JdeTable, items: Sequence[str], keys: Iterable[Sequence[Any]]
    ) -> dict[tuple[Any, ...], str]:
        """Return the month under which the row of each key is staged; unknown keys are left out."""
        selected = ", ".join(f"s.{quoted(item)}" for item in items)
        result: dict[tuple[Any, ...], str] = {}
        for join, values in self._key_joins(table, items, keys):
            sql = f"SELECT {selected}, s.period FROM {SCHEMA}.{table.staging_name} s {join}"
            result.update({row[:-1]: row[-1] for row in self._fetch(sql, values)})
        return result

    def extracted_by_key(
        self, table: JdeTable, items: Sequence[str], keys: Iterable[Sequence[Any]]
    ) -> dict[tuple[Any, ...], datetime]:
        """Return the moment that the rows of each key show, the earliest of several; unknown keys are left out."""
        selected = ", ".join(f"s.{quoted(item)}" for item in items)
        result: dict[tuple[Any, ...], datetime] = {}
        for join, values in self._key_joins(table, items, keys):
            sql = (
                f"SELECT {selected}, min(s.extracted_at) FROM {SCHEMA}.{table.staging_name} s {join} "
                f"GROUP BY {selected}"
            )
            result.update({row[:-1]: row[-1] for row in self._fetch(sql, values)})
        return result

    def count(self, table: JdeTable, periods: Sequence[str] | None = None) -> int:
        """Return how many rows are staged, in all or for these months."""
        sql = f"SELECT count(*) FROM {SCHEMA}.{table.staging_name} WHERE connection = %s"
        values: list[Any] = [self.scope.connection]
        if periods is not None:
            sql += " AND period = ANY(%s)"
            values.append(list(periods))
        return int(self._fetch(sql, values)[0][0])

    def last_extraction(self, table: JdeTable, *, period: str | None = None) -> Extraction | None:
        """Return the latest extraction of a table, or the latest that covered or touched a month; None if never."""
        sql = f"{_EXTRACTIONS} WHERE connection = %s AND table_name = %s"
        values: list[Any] = [self.scope.connection, table.log_name]
        if period is not None:
            sql += " AND %s = ANY(periods)"
            values.append(period)
        found = self._fetch(f"{sql} ORDER BY extracted_at DESC, id DESC LIMIT 1", values)
        return Extraction(*found[0]) if found else None

    def extractions(self, table: JdeTable | None = None, *, limit: int = 100) -> list[Extraction]:
        """Return the extraction log, latest first."""
        sql = f"{_EXTRACTIONS} WHERE connection = %s"
        values: list[Any] = [self.scope.connection]
        if table is not None:
            sql += " AND table_name = %s"
            values.append(table.log_name)
        return [Extraction(*row) for row in self._fetch(f"{sql} ORDER BY id DESC LIMIT %s", [*values, limit])]

    def _key_joins(
        self, table: JdeTable, items: Sequence[str], keys: Iterable[Sequence[Any]]
    ) -> Iterator[tuple[str, list[Any]]]:
        listed = list(dict.fromkeys(tuple(key) for key in keys))
        arrays = ", ".join(f"%s::{SQL_TYPES[table.columns[item]]}[]" for item in items)
        names = ", ".join(quoted(item) for item in items)
        match = " AND ".join(f"k.{quoted(item)} = s.{quoted(item)}" for item in items)
        join = f"JOIN unnest({arrays}) AS k({names}) ON {match} WHERE s.connection = %s"
        for start in range(0, len(listed), _KEYS_PER_QUERY):
            chunk = listed[start : start + _KEYS_PER_QUERY]
            yield join, [*(list(values) for values in zip(*chunk, strict=True)), self.scope.connection]

    def _fetch(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self.scope.engine.connect() as connection, _driver(connection).cursor() as cursor:
            cursor.execute(sql, values)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found


def _driver(connection: sa.Connection) -> Any:
    """The psycopg2 connection beneath: its tuples cost a third of SQLAlchemy's rows, and these are many."""
    return connection.connection.driver_connection


def _condition(table: JdeTable, where: Mapping[str, Any] | None) -> tuple[str, list[Any]]:
    sql, values = "", []
    for item, value in (where or {}).items():
        kind = SQL_TYPES[table.columns[item]]
        if value is None:
            sql += f" AND s.{quoted(item)} IS NULL"
        elif isinstance(value, Collection) and not isinstance(value, str):
            sql += f" AND s.{quoted(item)} = ANY(%s::{kind}[])"
            values.append(list(value))
        else:
            sql += f" AND s.{quoted(item)} = %s"
            values.append(value)
    return sql, values


_EXTRACTIONS = (
    "SELECT table_name, mode, periods, extracted_at, started_at, finished_at, rows_read, rows_written, rows_removed, "
    f"watermark, run_id FROM {SCHEMA}.extractions"
)
