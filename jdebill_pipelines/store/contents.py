"""Digests of what is stored, so that Dagster sees whether an asset holds something else than before.

Belongs here: which columns are content, and adding them up inside the database. Does not belong here: which asset holds
which tables (``orchestration.catalog``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import jdebill_pipelines.store.schema  # noqa: F401 - fills the metadata
from jdebill_pipelines.store.canonical import digest
from jdebill_pipelines.store.engine import SCHEMA
from jdebill_pipelines.store.schema.base import metadata
from jdebill_pipelines.store.scope import Part

# Who wrote a row, and when, is not what it says.
BOOKKEEPING = frozenset(
    {"connection", "run_id", "extracted_at", "seen_at", "updated_at", "confirmed_at", "at", "period", "details"}
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What an asset holds of a table.

    Attributes:
        table: its name in our schema.
        kinds: only these kinds of documents; () for a table without kinds.
    """

    table: str
    kinds: tuple[str, ...] = ()


class Contents(Part):
    """What one connection's tables hold."""

    def version(self, stored: Iterable[Stored], periods: Sequence[str] = ()) -> str:
        """Return a digest of the rows, whatever their order: 64 hexadecimal digits, the same for the same content.

        It notices changes; it is no proof against tampering (that is the journal's part).

        Args:
            stored: what to look at.
            periods: only rows of these months, and rows of documents drafted for them; () for all.
        """
        return digest("\n".join(self._sum(one, list(periods)) for one in stored).encode())

    def _sum(self, stored: Stored, periods: list[str]) -> str:
        table = metadata.tables[f"{SCHEMA}.{stored.table}"]
        columns = ", ".join(
            f't."{column.name}"'
            for column in table.columns
            if column.name not in BOOKKEEPING and column.computed is None
        )
        conditions = ["t.connection = :connection"]
        if stored.kinds:
            conditions.append("t.kind = ANY(:kinds)")
        if periods and "period" in table.columns:
            conditions.append("t.period = ANY(:periods)")
        elif periods and stored.kinds:
            conditions.append(
                "EXISTS (SELECT FROM jdebill.drafts d WHERE d.connection = t.connection AND d.kind = t.kind "
                "AND d.natural_key = t.natural_key AND d.period = ANY(:periods))"
            )
        found = self.select(
            f"SELECT count(*) AS rows, coalesce(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0) AS sum "  # noqa: S608 - names of our schema
            f"FROM {SCHEMA}.{stored.table} t WHERE {' AND '.join(conditions)}",
            kinds=list(stored.kinds),
            periods=periods,
        )
        return f"{stored.table} {found[0]['rows']} {found[0]['sum']}"
