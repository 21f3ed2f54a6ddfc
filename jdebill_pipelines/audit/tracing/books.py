"""Rows of JDE's tables by number: from our copies, or from JDE as it is now.

Belongs here: where a row comes from. Does not belong here: what it means.

A table may have two copies, one that documents are made of and one of the audit, read at different times: the row that
was read later counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import sqlalchemy as sa

from jdebill_pipelines.audit.tracing.model import Read
from jdebill_pipelines.domain.keys import OrderLink
from jdebill_pipelines.domain.tables import AUDITED, TABLES, JdeTable, Kind
from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.where import any_of
from jdebill_pipelines.store.store import Store

Row = dict[str, Any]
_ORDER_DIGITS = 8  # JDE writes an order's number into F0411.PO with or without leading zeros


class Source(Protocol):
    """Gives rows of a table by the values of one item."""

    def rows(self, table: str, item: str, values: list[Any]) -> list[Row]:
        """Rows whose item is one of the values."""

    def read(self) -> tuple[Read, ...]:
        """What was read, and when."""


class Books:
    """Rows of one JDE, each asked for once.

    Args:
        source: of the rows.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: dict[tuple[str, str], dict[Any, list[Row]]] = {}

    def rows(self, table: str, item: str, numbers: Iterable[int]) -> list[Row]:
        """Return the rows of a table whose numeric item is one of the numbers."""
        return self._get(table, item, {Decimal(n) for n in numbers})

    def of_orders(self, orders: Iterable[OrderLink]) -> list[Row]:
        """Return the pay items (F0411) that name one of the orders."""
        wanted = set(orders)
        texts = {form for o in wanted for form in (str(o.number), str(o.number).zfill(_ORDER_DIGITS))}
        return [row for row in self._get("F0411", "PO", texts) if OrderLink.of(row) in wanted]

    def read(self) -> tuple[Read, ...]:
        """What the rows are of, and when it was read."""
        return self._source.read()

    def _get(self, table: str, item: str, values: set[Any]) -> list[Row]:
        known = self._found.setdefault((table, item), {})
        new = sorted(values - known.keys())
        if new:
            known.update({value: [] for value in new})
            for row in self._source.rows(table, item, new):
                known.setdefault(row[item], []).append(row)
        return [row for value in sorted(values) for row in known[value]]


class Copies:
    """Our copies, as the last runs read them.

    Args:
        store: of the connection.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self, table: str, item: str, values: list[Any]) -> list[Row]:
        """Rows of both copies, the later reading of each."""
        found: dict[tuple[Any, ...], tuple[datetime, Row]] = {}
        for copy in _copies(table):
            kind = {Kind.TEXT: "text", Kind.NUMBER: "numeric"}[copy.columns[item]]
            sql = (
                f"SELECT * FROM jdebill.{copy.staging_name} WHERE connection = :connection "  # noqa: S608
                f'AND "{item.lower()}" = ANY(CAST(:values AS {kind}[]))'
            )
            with self._store.engine.connect() as tx:
                parameters = {"connection": self._store.connection, "values": values}
                for raw in tx.execute(sa.text(sql), parameters).mappings():
                    row = {name: raw[name.lower()] for name in copy.columns}
                    key = tuple(row[name] for name in copy.key)
                    if key not in found or found[key][0] < raw["extracted_at"]:
                        found[key] = (raw["extracted_at"], row)
        return [row for _, row in sorted(found.values(), key=lambda pair: _sortable(pair[1], TABLES[table]))]

    def read(self) -> tuple[Read, ...]:
        """The last reading of each copy that documents and ledgers are seen in."""
        with self._store.engine.connect() as tx:
            sql = "SELECT table_name, max(extracted_at) FROM jdebill.extractions WHERE connection = :c GROUP BY 1"
            last = {row[0]: row[1] for row in tx.execute(sa.text(sql), {"c": self._store.connection})}
        return tuple(
            Read("JD Edwards", name, max((last[c.log_name] for c in _copies(name) if c.log_name in last), default=None))
            for name in ("F4301", "F0411", "F0911", "F0413", "F0414", "F0011")
        )


class Live:
    """JDE as it is now.

    Args:
        client: gives the AIS client.
        copies: for what is found by no number.
        now: the moment of the reading.
    """

    def __init__(self, client: Callable[[], AisClient], now: datetime) -> None:
        self._client, self._now = client, now
        self._tables: set[str] = set()

    def rows(self, table: str, item: str, values: list[Any]) -> list[Row]:
        """Rows as JDE shows them now.

        Raises:
            ApiError: JDE cannot be asked, or the role may not read the table.
        """
        definition = TABLES[table]
        self._tables.add(table)
        columns = list(definition.columns)
        if definition.columns[item] is Kind.NUMBER:
            pages = self._client().fetch_by_keys(definition, item, values)
        else:
            pages = self._client().browse(definition, any_of(item, values))
        found = [dict(zip(columns, row, strict=True)) for page in pages for row in page]
        return sorted(found, key=lambda row: _sortable(row, definition))

    def read(self) -> tuple[Read, ...]:
        """What was asked for, now."""
        return tuple(Read("JD Edwards", name, self._now) for name in sorted(self._tables))


def _copies(table: str) -> list[JdeTable]:
    return [TABLES[table], *([AUDITED[table]] if table in AUDITED else [])]


def _sortable(row: Row, table: JdeTable) -> tuple[str, ...]:
    return tuple(f"{row[item]!s:>20}" for item in table.key)
