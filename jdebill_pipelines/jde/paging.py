"""All rows of a query, page by page: by key or by cursor, whatever the server does in between.

Belongs here: following one query to its end without losing or doubling a row. Does not belong here: one request
(``dataservice``), or running several at once (``extraction``).

JDE AIS: a cursor is a result set on the HTML Server that expires (``JAS_MSG347``) and dies with its session; paging by
key asks again from the last key and holds nothing on the server. Rows have no order unless one is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from operator import itemgetter
from typing import Any

from jdebill_pipelines.jde.dataservice import DataService, Query
from jdebill_pipelines.jde.errors import SessionExpired
from jdebill_pipelines.jde.grid import Grid, Row
from jdebill_pipelines.jde.where import Where, all_of, eq, ge, gt, le
from jdebill_pipelines.transport.errors import ApiError, NotFound, PermanentError, Refused, TransientError
from jdebill_pipelines.transport.retry import Backoff

log = logging.getLogger(__name__)

Pages = Iterator[list[Row]]

_MOST_RESTARTS = 5
_MOST_BARREN = 3
_GROWTH = 4
_MOST_GROWTH = 16


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a table, by its paging key.

    Attributes:
        low: lowest key, None = from the beginning.
        inclusive: whether ``low`` itself belongs to it.
        high: highest key, included; None = to the end.
        done: primary keys of rows that were delivered already.
    """

    low: Decimal | None = None
    inclusive: bool = True
    high: Decimal | None = None
    done: frozenset[Any] = frozenset()

    def where(self, item: str) -> Where:
        """The span as a condition."""
        low = None if self.low is None else (ge if self.inclusive else gt)(item, self.low)
        high = None if self.high is None else le(item, self.high)
        return all_of(low, high)


class Pager:
    """Pages one query.

    Args:
        service: asks.
        query: its columns hold the whole primary key; ``size`` is rows per page.
        item: numeric data item to page by, None when the table has none.
        can_cursor: whether the server keeps cursors.
    """

    def __init__(self, service: DataService, query: Query, item: str | None, *, can_cursor: bool) -> None:
        self._service = service
        self._query = query
        self._item = item
        self._can_cursor = can_cursor
        self._table = query.table.name
        self._pages = 0
        self._barren = 0
        self.key_of: Any = itemgetter(*(query.columns.index(k) for k in query.table.key))
        self.position = query.columns.index(item) if item is not None else 0
        rest = tuple(k for k in query.table.key if k != item)
        self._order = rest if item is None else (item, *rest)

    def ordered(self, span: Span, *, size: int | None = None, cursor: bool = False) -> Query:
        """The query for a span, in key order."""
        where = self._query.where if self._item is None else all_of(self._query.where, span.where(self._item))
        return replace(self._query, where=where, order_by=self._order, size=size or self._query.size, cursor=cursor)

    def values(self, rows: list[Row]) -> list[Decimal]:
        """The paging keys of rows."""
        position = self.position
        return [row[position] for row in rows]

    def in_order(self, rows: list[Row], span: Span) -> bool:
        """Whether the server kept the order and the span that it was asked for."""
        values = self.values(rows)
        if not values:
            return True
        above = span.low is None or values[0] > span.low or (span.inclusive and values[0] == span.low)
        below = span.high is None or values[-1] <= span.high
        return above and below and all(map(Decimal.__le__, values, values[1:]))

    def by_key(self, span: Span = Span(), first: Grid | None = None) -> Pages:
        """Page by key; where keys do not suffice, a cursor helps out.

        Args:
            span: the part of the table.
            first: its first page, when it was asked for already.

        Raises:
            PermanentError: rows are left that cannot be reached, or the paging does not end.
            ApiError: see ``transport.errors``.
        """
        assert self._item is not None
        size = self._query.size
        while True:
            grid = first or self._service.first(self.ordered(span, size=size))
            first = None
            rows = grid.rows
            if not self.in_order(rows, span):
                log.warning("%s: the server does not keep the order asked for; paging without it", self._table)
                yield from self._without_order(span)
                return
            fresh = [row for row in rows if self.key_of(row) not in span.done] if span.done else rows
            fresh = unique(fresh, self.key_of)
            self._count(bool(fresh) or not rows)
            if fresh:
                yield fresh
            if not self.is_more(grid, size, fresh):
                return
            if not rows:
                raise self._truncated("it says that rows are left and gives none")
            low, last = rows[0][self.position], rows[-1][self.position]
            done = frozenset(self.key_of(row) for row in rows if row[self.position] == last)
            if low != last:
                size = self._query.size
            elif size is not None and len(rows) >= size and size < (self._query.size or 0) * _MOST_GROWTH:
                size *= _GROWTH  # a page full of one key: a larger one holds the whole of it
            else:
                yield from self._one_key(last, done | span.done)
                span, size = replace(span, low=last, inclusive=False, done=frozenset()), self._query.size
                continue
            span = replace(span, low=last, inclusive=True, done=done | span.done if last == span.low else done)

    def by_cursor(self, span: Span = Span()) -> Pages:
        """Follow the next links. A lost cursor is asked for again, from the last key where the rows came in order.

        Raises:
            PermanentError: rows are left that cannot be reached, or the paging does not end.
            ApiError: see ``transport.errors``.
        """
        done: set[Any] = set(span.done)
        losses = 0
        sessions_lost = 0
        sorted_so_far = self._item is not None
        biggest = 0
        start = span
        while True:
            grid = self._service.first(self.ordered(start, cursor=True))
            while True:
                rows = grid.rows
                fresh = [row for row in unique(rows, self.key_of) if self.key_of(row) not in done]
                done.update(map(self.key_of, fresh))
                self._count(bool(fresh) or not rows)
                sorted_so_far = sorted_so_far and self.in_order(rows, start)
                if not sorted_so_far:
                    start = span
                elif rows:
                    start = replace(start, low=rows[-1][self.position], inclusive=True)
                biggest = max(biggest, len(rows))
                if fresh:
                    losses = 0
                    yield fresh
                if grid.next_href is None:
                    if grid.more:
                        yield from self._after_truncation(start, done, sorted_so_far, len(rows) >= biggest)
                    return
                try:
                    grid = self._service.next(self._query, grid.next_href)
                except (NotFound, Refused) as error:
                    if not sorted_so_far:
                        raise
                    log.warning("%s: next pages are not to be had (%s); paging by key", self._table, error.what)
                    yield from self.by_key(replace(start, done=frozenset(done)))
                    return
                except TransientError as error:
                    losses += 1
                    sessions_lost += isinstance(error, SessionExpired)
                    if sorted_so_far and sessions_lost > 1:
                        log.warning("%s: sessions do not outlive a page; paging by key", self._table)
                        yield from self.by_key(replace(start, done=frozenset(done)))
                        return
                    self._lost(error, losses)
                    break

    def whole(self) -> Pages:
        """All rows in one page, for servers without cursors and tables without a numeric key.

        A server that cuts the page is asked again from the last value of the key's first item, which is a text.

        Raises:
            PermanentError: the server does not give all of them.
        """
        item = self._query.table.key[0]
        position = self._query.columns.index(item)
        asked = replace(self._query, order_by=self._order, size=None)
        grid, last, done = self._service.first(asked), None, set[Any]()
        while True:
            fresh = [row for row in unique(grid.rows, self.key_of) if self.key_of(row) not in done]
            if fresh:
                yield fresh
            if not grid.more:
                return
            texts = [row[position] for row in grid.rows]
            # Order and comparison are the server's own. A page must begin where the last one ended: that shows that the
            # server keeps the order and compares the text as it shows it (it may store it padded).
            goes_on = last is None or (texts[:1] == [last] and texts[-1] != last)
            if not texts or not isinstance(texts[-1], str) or texts != sorted(texts) or not goes_on:
                raise self._truncated("it keeps no cursor, and the table has no key to page by")
            done.update(map(self.key_of, fresh))
            self._count(bool(fresh))
            last = texts[-1]
            grid = self._service.first(replace(asked, where=all_of(self._query.where, ge(item, last))))

    def is_more(self, grid: Grid, size: int | None, fresh: list[Row]) -> bool:
        """Whether rows may be left after a page. A server that does not say is asked until it has nothing new."""
        if grid.more is None:
            return bool(fresh)
        return grid.more or (size is not None and len(grid.rows) >= size)

    def _one_key(self, value: Decimal, done: frozenset[Any]) -> Pages:
        """The rows of one key value that no page can hold."""
        assert self._item is not None
        only = replace(self._query, where=all_of(self._query.where, eq(self._item, value)))
        pager = Pager(self._service, only, None, can_cursor=self._can_cursor)
        for page in pager.by_cursor() if self._can_cursor else pager.whole():
            fresh = [row for row in page if self.key_of(row) not in done]
            if fresh:
                yield fresh

    def _without_order(self, span: Span) -> Pages:
        """The rows of a span from a server that ignores the order."""
        assert self._item is not None
        where = all_of(self._query.where, span.where(self._item))
        pager = Pager(self._service, replace(self._query, where=where), None, can_cursor=self._can_cursor)
        for page in pager.by_cursor() if self._can_cursor else pager.whole():
            fresh = [row for row in page if self.key_of(row) not in span.done]
            if fresh:
                yield fresh

    def _after_truncation(self, start: Span, done: set[Any], in_order: bool, full: bool) -> Pages:
        """What to do when rows are said to be left and no link leads there."""
        if in_order and start.low is not None:
            log.warning("%s: rows are left and no next link is given; paging by key", self._table)
            yield from self.by_key(replace(start, done=frozenset(done)))
        elif full:
            raise self._truncated("it says that rows are left and gives no next link")

    def _lost(self, error: ApiError, losses: int) -> None:
        if losses > _MOST_RESTARTS:
            raise error
        log.warning("%s: the cursor is lost (%s); asking again", self._table, error.what)
        self._barren = -self._pages  # what was delivered before comes again
        self._service.session.sleep(Backoff(jitter=0.0).seconds(losses, 0.0))

    def _count(self, useful: bool) -> None:
        self._pages += 1
        self._barren = 0 if useful else self._barren + 1
        most = self._service.session.config.max_pages
        if self._pages > most:
            raise PermanentError(
                f"reading {self._table} did not end after {most} pages",
                fix="Read fewer rows at once (shorter periods), or larger pages.",
            )
        if self._barren > _MOST_BARREN:
            raise PermanentError(
                f"reading {self._table} goes in circles: {self._barren} pages one after the other held nothing new",
                fix="Look at the proxy between: it may answer from a cache.",
            )

    def _truncated(self, why: str) -> PermanentError:
        return PermanentError(
            f"reading {self._table} would be incomplete: the server cuts the result short, {why}",
            fix="Use an AIS release with the nextPage capability, or ask the CNC administrator to raise the row limit.",
        )


def unique(rows: list[Row], key_of: Any) -> list[Row]:
    """The rows, each primary key once."""
    if len(set(map(key_of, rows))) == len(rows):
        return rows
    return list({key_of(row): row for row in rows}.values())
