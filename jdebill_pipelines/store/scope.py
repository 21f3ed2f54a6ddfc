"""The engine and the connection's name that every part of the store works within.

Belongs here: transactions and the one way a list of rows goes to the server. Does not belong here: any table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.store.engine import encode_json

Row = dict[str, Any]


class Scope:
    """One connection's share of the database."""

    def __init__(self, engine: Engine, connection: str) -> None:
        if not connection:
            raise ValueError("a store belongs to a connection; its name is empty")
        self.engine = engine
        self.connection = connection

    @contextmanager
    def transaction(self, tx: sa.Connection | None = None) -> Iterator[sa.Connection]:
        """Open a transaction, or join the caller's."""
        if tx is not None:
            yield tx
            return
        with self.engine.begin() as own:
            yield own


class Part:
    """Base of the facade's parts: statements with ``:connection`` filled in."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def run(self, tx: sa.Connection, sql: str, **values: Any) -> sa.CursorResult[Any]:
        """Execute a statement; ``:connection`` is ours."""
        return tx.execute(sa.text(sql), {"connection": self.scope.connection, **values})

    def select(self, sql: str, tx: sa.Connection | None = None, **values: Any) -> list[Row]:
        """Return the rows of a query as dicts."""
        with self.scope.transaction(tx) as open_tx:
            return [dict(row) for row in self.run(open_tx, sql, **values).mappings()]


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Encode rows for ``jsonb_to_recordset``: one parameter and one round trip, however many rows."""
    return encode_json(list(rows))
