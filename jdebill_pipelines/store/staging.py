"""Loading what JDE said into the staging tables.

Belongs here: replacing a month or a snapshot, merging a delta, replacing the children of documents, the extraction log.
Does not belong here: reading it again (staging_reads.py) and what the rows mean (domain/).

Every load streams its pages into a temporary table first and touches the staging table only at the end, in the same
transaction, under a lock per connection and table: a reader sees the old rows or the new ones, never a part.
"""

# ruff: noqa: S608 - names in these statements come from the domain's table metadata, values are parameters
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import psycopg2
import sqlalchemy as sa

from jdebill_pipelines.domain.tables import JdeTable, Kind
from jdebill_pipelines.store.copying import CopyReader, Rows, encode_page
from jdebill_pipelines.store.engine import SCHEMA
from jdebill_pipelines.store.locks import lock_in
from jdebill_pipelines.store.staging_reads import SQL_TYPES, StagingReads, quoted

PeriodOf = Callable[[Sequence[Any]], str]
_COPY_CHUNK = 1 << 20


class StagingError(ValueError):
    """The rows do not fit what was said about them; nothing was changed."""


class LoadResult(msgspec.Struct, frozen=True):
    """What a load did.

    Attributes:
        read: rows given.
        written: rows now staged because of this load.
        removed: rows that were staged and are gone: they disappeared in JDE.
        periods: months of the rows written and of those they replaced, in order.
        newer: rows not written because a later extraction had staged their key already.
    """

    read: int
    written: int
    removed: int
    periods: tuple[str, ...] = ()
    newer: int = 0


class Staging(StagingReads):
    """The staging tables of one connection."""

    def load_period(
        self,
        table: JdeTable,
        periods: Sequence[str],
        pages: Iterable[Rows],
        *,
        run_id: str,
        extracted_at: datetime,
        periods_of: PeriodOf | None = None,
        columns: Sequence[str] | None = None,
        watermark: str | None = None,
    ) -> LoadResult:
        """Replace everything staged for these months by the rows given.

        Args:
            table: whose rows.
            periods: months ``YYYY-MM`` that the rows are complete for.
            pages: lists of row tuples, values in the order of ``columns``.
            run_id: who loads.
            extracted_at: aware moment that the rows show, at the latest when reading began.
            periods_of: gives a row's month where the table has no period date of its own.
            columns: data items that the rows hold, default all of the table's.
            watermark: of the source, kept in the extraction log.

        Raises:
            StagingError: a row belongs to a month that is not among ``periods``.
            TypeError: a value is not of its column's kind.
        """
        wanted = sorted(set(periods))
        with self._incoming(table, columns, pages, periods_of) as (tx, load):
            strangers = load.scalars(
                tx, "SELECT DISTINCT period FROM incoming WHERE period <> ALL(:periods)", periods=wanted
            )
            if strangers:
                raise StagingError(
                    f"{table.name}: rows of {', '.join(repr(p) for p in sorted(strangers))} among those for "
                    f"{', '.join(wanted)}; nothing was staged"
                )
            newer = load.yield_to_newer(tx, extracted_at)
            removed = load.delete_absent(tx, "s.period = ANY(:periods)", extracted_at, periods=wanted)
            return load.finish(tx, "full", wanted, removed, newer, run_id, extracted_at, watermark)

    def replace_snapshot(
        self,
        table: JdeTable,
        pages: Iterable[Rows],
        *,
        run_id: str,
        extracted_at: datetime,
        columns: Sequence[str] | None = None,
        watermark: str | None = None,
    ) -> LoadResult:
        """Replace everything staged of an unpartitioned table by the rows given."""
        with self._incoming(table, columns, pages, lambda _row: "") as (tx, load):
            newer = load.yield_to_newer(tx, extracted_at)
            removed = load.delete_absent(tx, "true", extracted_at)
            return load.finish(tx, "snapshot", [], removed, newer, run_id, extracted_at, watermark)

    def merge(
        self,
        table: JdeTable,
        pages: Iterable[Rows],
        *,
        run_id: str,
        extracted_at: datetime,
        periods_of: PeriodOf | None = None,
        columns: Sequence[str] | None = None,
        watermark: str | None = None,
    ) -> LoadResult:
        """Put changed rows over those of the same key and leave the others alone; costs as much as the change."""
        if table.period_date is None and periods_of is None:
            periods_of = _no_period
        with self._incoming(table, columns, pages, periods_of) as (tx, load):
            newer = load.yield_to_newer(tx, extracted_at)
            return load.finish(tx, "delta", None, 0, newer, run_id, extracted_at, watermark)

    def merge_children(
        self,
        table: JdeTable,
        parent_items: Sequence[str],
        parent_keys: Iterable[Sequence[Any]],
        pages: Iterable[Rows],
        *,
        run_id: str,
        extracted_at: datetime,
        periods_of: PeriodOf | None = None,
        columns: Sequence[str] | None = None,
        watermark: str | None = None,
    ) -> LoadResult:
        """Replace all children of the given parents by the rows given.

        Args:
            table: of the children, for example F4311.
            parent_items: data items of the child row that name the parent: ``("KCOO", "DOCO", "DCTO", "SFXO")``.
            parent_keys: their values, one tuple per parent; a parent without rows loses its children.
            pages: the children, as in ``load_period``.
            run_id: who loads.
            extracted_at: as in ``load_period``.
            periods_of: as in ``load_period``.
            columns: as in ``load_period``.
            watermark: as in ``load_period``.
        """
        if table.period_date is None and periods_of is None:
            periods_of = _no_period
        keys = list(dict.fromkeys(tuple(key) for key in parent_keys))
        with self._incoming(table, columns, pages, periods_of) as (tx, load):
            load.keys_table(tx, "parents", parent_items, keys)
            newer = load.yield_to_newer(tx, extracted_at)
            match = " AND ".join(f"p.{quoted(item)} = s.{quoted(item)}" for item in parent_items)
            removed = load.delete_absent(tx, f"EXISTS (SELECT FROM parents p WHERE {match})", extracted_at)
            return load.finish(tx, "delta", None, removed, newer, run_id, extracted_at, watermark)

    def remove(self, table: JdeTable, keys: Iterable[Sequence[Any]]) -> int:
        """Remove the rows with these keys (values in ``table.key`` order); returns how many there were."""
        listed = list(dict.fromkeys(tuple(key) for key in keys))
        if not listed:
            return 0
        load = _Load(self.scope.connection, table, list(table.columns))
        with self.scope.transaction() as tx:
            load.keys_table(tx, "parents", table.key, listed)
            lock_in(tx, "staging", self.scope.connection, table.log_name)
            return tx.execute(
                sa.text(f"DELETE FROM {load.target} s USING parents i WHERE s.connection = :c AND {load.match}"),
                {"c": self.scope.connection},
            ).rowcount

    def _incoming(
        self, table: JdeTable, columns: Sequence[str] | None, pages: Iterable[Rows], periods_of: PeriodOf | None
    ) -> _Incoming:
        if table.period_date is None and periods_of is None:
            raise StagingError(f"{table.name} has no period date: say what month a row belongs to (periods_of)")
        return _Incoming(self, _Load(self.scope.connection, table, list(columns or table.columns)), pages, periods_of)


def _no_period(_row: Sequence[Any]) -> str:
    return ""


class _Incoming:
    """A transaction with the rows in a temporary table and the staging table locked."""

    def __init__(self, staging: Staging, load: _Load, pages: Iterable[Rows], periods_of: PeriodOf | None) -> None:
        self._scope = staging.scope
        self._load = load
        self._pages = pages
        self._periods_of = periods_of

    def __enter__(self) -> tuple[sa.Connection, _Load]:
        self._manager = self._scope.transaction()
        tx = self._manager.__enter__()
        try:
            self._load.copy(tx, self._pages, self._periods_of)
            # Only now: a slow source must not keep others from the table.
            lock_in(tx, "staging", self._scope.connection, self._load.table.log_name)
        except BaseException as error:
            self._manager.__exit__(type(error), error, error.__traceback__)
            raise
        return tx, self._load

    def __exit__(self, *error: Any) -> None:
        self._manager.__exit__(*error)


class _Load:
    """One load: its statements, on the temporary table ``incoming`` (alias i) and the staging table (alias s)."""

    def __init__(self, connection: str, table: JdeTable, columns: list[str]) -> None:
        unknown = [item for item in columns if item not in table.columns]
        missing = [item for item in table.key if item not in columns]
        if unknown or missing:
            raise StagingError(f"{table.name}: no columns {unknown}, or key items {missing} left out")
        self.connection = connection
        self.table = table
        self.columns = columns
        self.target = f"{SCHEMA}.{table.staging_name}"
        # A date in a key may be blank; the other items stay plain equalities so that the join can use an index or hash.
        self.match = " AND ".join(
            f"s.{quoted(item)} IS NOT DISTINCT FROM i.{quoted(item)}"
            if table.columns[item] is Kind.DATE
            else f"s.{quoted(item)} = i.{quoted(item)}"
            for item in table.key
        )
        self.read = 0

    def scalars(self, tx: sa.Connection, sql: str, **values: Any) -> list[Any]:
        return list(tx.execute(sa.text(sql), values).scalars())

    def copy(self, tx: sa.Connection, pages: Iterable[Rows], periods_of: PeriodOf | None) -> None:
        kinds = self.table.columns
        definition = ", ".join(f"{quoted(item)} {SQL_TYPES[kinds[item]]}" for item in self.columns)
        tx.execute(sa.text(f"CREATE TEMP TABLE incoming ({definition}, period text) ON COMMIT DROP"))
        names = ", ".join(quoted(item) for item in self.columns)
        driver = tx.connection.driver_connection
        assert driver is not None
        reader = CopyReader(self._encoded(pages, periods_of))
        with driver.cursor() as cursor:
            try:
                cursor.copy_expert(f"COPY incoming ({names}, period) FROM STDIN", reader, size=_COPY_CHUNK)
            except psycopg2.Error:
                if reader.error is not None:
                    raise reader.error from None
                raise

    def _encoded(self, pages: Iterable[Rows], periods_of: PeriodOf | None) -> Iterator[bytes]:
        kinds = [*(self.table.columns[item] for item in self.columns), Kind.TEXT]
        dated = self.table.period_date
        position = self.columns.index(dated) if periods_of is None and dated is not None else -1
        known: dict[date | None, str] = {None: ""}
        for page in pages:
            self.read += len(page)
            if any(len(row) != len(self.columns) for row in page):
                raise ValueError(
                    f"{self.table.name}: a row does not have the {len(self.columns)} values of its columns"
                )
            if periods_of is not None:
                full = [(*row, periods_of(row)) for row in page]
            else:
                full = []
                for row in page:
                    day = row[position]
                    period = known.get(day)
                    if period is None:
                        period = known[day] = day.strftime("%Y-%m")
                    full.append((*row, period))
            yield encode_page(full, kinds)

    def keys_table(self, tx: sa.Connection, name: str, items: Sequence[str], keys: Sequence[Sequence[Any]]) -> None:
        kinds = [self.table.columns[item] for item in items]
        definition = ", ".join(f"{quoted(item)} {SQL_TYPES[kind]}" for item, kind in zip(items, kinds, strict=True))
        tx.execute(sa.text(f"CREATE TEMP TABLE {name} ({definition}) ON COMMIT DROP"))
        driver = tx.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor:
            cursor.copy_expert(f"COPY {name} FROM STDIN", CopyReader(iter([encode_page(keys, kinds)])))
        tx.execute(sa.text(f"ANALYZE {name}"))

    def yield_to_newer(self, tx: sa.Connection, extracted_at: datetime) -> int:
        """Drop incoming rows whose key a later extraction has staged: two runs may finish in the other order."""
        return tx.execute(
            sa.text(
                f"DELETE FROM incoming i USING {self.target} s "
                f"WHERE s.connection = :c AND s.extracted_at > :at AND {self.match}"
            ),
            {"c": self.connection, "at": extracted_at},
        ).rowcount

    def delete_absent(self, tx: sa.Connection, scope: str, extracted_at: datetime, **values: Any) -> int:
        return tx.execute(
            sa.text(
                f"DELETE FROM {self.target} s WHERE s.connection = :c AND s.extracted_at <= :at AND {scope} "
                f"AND NOT EXISTS (SELECT FROM incoming i WHERE {self.match})"
            ),
            {"c": self.connection, "at": extracted_at, **values},
        ).rowcount

    def finish(
        self,
        tx: sa.Connection,
        mode: str,
        periods: list[str] | None,
        removed: int,
        newer: int,
        run_id: str,
        extracted_at: datetime,
        watermark: str | None,
    ) -> LoadResult:
        """Put the incoming rows in the place of those with their keys and log the extraction."""
        replaced = self.scalars(
            tx,
            f"WITH gone AS (DELETE FROM {self.target} s USING incoming i WHERE s.connection = :c AND {self.match} "
            "RETURNING s.period) SELECT DISTINCT period FROM gone",
            c=self.connection,
        )
        values = {"c": self.connection, "at": extracted_at, "run": run_id}
        names = ", ".join(quoted(item) for item in self.columns)
        insert = (
            f"INSERT INTO {self.target} (connection, period, extracted_at, run_id, {names}) "
            f"SELECT :c, period, :at, :run, {names} FROM "
        )
        try:
            with tx.begin_nested():
                written = tx.execute(sa.text(insert + "incoming"), values).rowcount
        except sa.exc.IntegrityError as error:
            if getattr(error.orig, "pgcode", None) != "23505":
                raise
            # JDE moved a row from one page to the next while we read: the later one shows the later state.
            key = ", ".join(quoted(item) for item in self.table.key)
            later = f"(SELECT DISTINCT ON ({key}) * FROM incoming ORDER BY {key}, ctid DESC) AS later"
            written = tx.execute(sa.text(insert + later), values).rowcount
        touched = {*self.scalars(tx, "SELECT DISTINCT period FROM incoming"), *replaced}
        logged = sorted(touched) if periods is None else periods
        tx.execute(
            sa.text(
                f"INSERT INTO {SCHEMA}.extractions (connection, table_name, mode, periods, extracted_at, started_at, "
                "finished_at, rows_read, rows_written, rows_removed, watermark, run_id) VALUES (:c, :table, :mode, "
                ":periods, :at, now(), clock_timestamp(), :read, :written, :removed, :watermark, :run)"
            ),
            {
                **values,
                "table": self.table.log_name,
                "mode": mode,
                "periods": logged,
                "read": self.read,
                "written": written,
                "removed": removed,
                "watermark": watermark,
            },
        )
        return LoadResult(self.read, written, removed, tuple(sorted(touched)), newer)
