"""How a table is read as a whole: which way of paging, in how many lanes, and children by the keys of their parents.

Belongs here: the choice and the splitting. Does not belong here: paging itself (``paging``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Literal

from jdebill_pipelines.jde.ahead import ahead, in_order
from jdebill_pipelines.jde.dataservice import DataService, Query
from jdebill_pipelines.jde.grid import Grid
from jdebill_pipelines.jde.paging import Pager, Pages, Span, unique
from jdebill_pipelines.jde.where import Where, all_of, any_of, between
from jdebill_pipelines.transport.errors import PermanentError

Paging = Literal["auto", "cursor", "keyset"]

_PAGES_PER_LANE = 3
_LANES_PER_CALL = 4
_DENSE = 2
_MOST_IN_RANGE = 400
_LEAST_IN_RANGE = 5


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the server can.

    Attributes:
        cursor: keep cursors (capability ``nextPage``).
        order: order rows (capability ``dataServiceOrderBy``).
        parallel: calls at once.
    """

    cursor: bool
    order: bool
    parallel: int


def extract(service: DataService, query: Query, paging: Paging, abilities: Abilities) -> Pages:
    """All rows of a query.

    Args:
        service: asks.
        query: columns hold the whole primary key.
        paging: ``auto`` pages by key where the table has a numeric one, and by cursor elsewhere.
        abilities: what the server can.

    Raises:
        PermanentError: the way asked for is not possible on this server or table.
    """
    item = query.table.page_key
    if paging == "keyset" and item is None:
        raise PermanentError(f"{query.table.name} has no numeric key to page by")
    if paging == "cursor" and not abilities.cursor:
        raise PermanentError("this AIS Server keeps no cursors (capability nextPage)")
    if paging == "keyset" or (paging == "auto" and item is not None and (abilities.order or not abilities.cursor)):
        return _by_key(service, query, item, abilities)
    pager = Pager(service, query, item, can_cursor=abilities.cursor)
    return ahead(pager.by_cursor if abilities.cursor else pager.whole)


def children(
    service: DataService, query: Query, item: str, keys: Iterable[Decimal | int], abilities: Abilities, chunk: int
) -> Pages:
    """The rows whose ``item`` is one of the keys: neighbouring keys by range, the others by list.

    Args:
        service: asks.
        query: columns hold the whole primary key.
        item: numeric data item.
        keys: values, in any order, any number of times.
        abilities: what the server can.
        chunk: most values of one list.
    """
    wanted = frozenset(Decimal(key) for key in keys)
    at = query.columns.index(item)

    def stream(condition: Where) -> Pages:
        asked = replace(query, where=all_of(query.where, condition))
        page_key = query.table.page_key
        pager = Pager(service, asked, page_key, can_cursor=abilities.cursor)
        way = pager.by_key if page_key is not None else pager.by_cursor if abilities.cursor else pager.whole
        for page in way():
            rows = [row for row in page if row[at] in wanted]
            if rows:
                yield rows

    conditions = [_condition(item, group) for group in groups(wanted, chunk)]
    return in_order([partial(stream, c) for c in conditions], workers=abilities.parallel)


def groups(keys: Iterable[Decimal], chunk: int) -> list[list[Decimal]]:
    """Split keys into runs of neighbours (at least half of a range is wanted) and lists of at most ``chunk``."""
    runs: list[list[Decimal]] = []
    for key in sorted(keys):
        run = runs[-1] if runs else []
        if run and len(run) < _MOST_IN_RANGE and key - run[0] + 1 <= (len(run) + 1) * _DENSE:
            run.append(key)
        else:
            runs.append([key])
    single = [key for run in runs if len(run) < _LEAST_IN_RANGE for key in run]
    lists = [single[start : start + chunk] for start in range(0, len(single), chunk)]
    return [run for run in runs if len(run) >= _LEAST_IN_RANGE] + lists


def _condition(item: str, group: Sequence[Decimal]) -> Where:
    is_run = len(group) >= _LEAST_IN_RANGE and group[-1] - group[0] + 1 <= len(group) * _DENSE
    return between(item, group[0], group[-1]) if is_run else any_of(item, group)


def _by_key(service: DataService, query: Query, item: str | None, abilities: Abilities) -> Pages:
    def pager() -> Pager:
        return Pager(service, query, item, can_cursor=abilities.cursor)

    start = pager()
    first = service.first(start.ordered(Span()))
    lanes = _lanes(start, service, first, query, abilities) if abilities.parallel > 1 else []
    if lanes:
        yield unique(first.rows, start.key_of)
        yield from in_order([partial(pager().by_key, lane) for lane in lanes], workers=abilities.parallel)
    elif start.is_more(first, query.size, first.rows):
        yield from ahead(partial(start.by_key, Span(), first))
    else:
        yield from start.by_key(Span(), first)


def _lanes(pager: Pager, service: DataService, first: Grid, query: Query, abilities: Abilities) -> list[Span]:
    """Parts of what follows the first page, of about equal key ranges; [] when one lane does as well.

    The last part has no upper end: what was inserted meanwhile, or a wrong answer about the highest key, loses nothing.
    """
    rows = first.rows
    if not rows or not pager.is_more(first, query.size, rows) or not pager.in_order(rows, Span()):
        return []
    values = pager.values(rows)
    low, last = values[0], values[-1]
    if low == last:
        return []
    top_query = replace(pager.ordered(Span(low=last)), descending=True, size=1)
    top = max(pager.values(service.first(top_query).rows), default=last)
    pages = (top - last) / (last - low)
    count = min(abilities.parallel * _LANES_PER_CALL, math.ceil(pages / _PAGES_PER_LANE))
    if count < 2:
        return []
    step = max(Decimal(1), ((top - last) / count).to_integral_value())
    bounds = [last, *(last + step * n for n in range(1, count) if last + step * n < top)]
    done = frozenset(pager.key_of(row) for row in rows if row[pager.position] == last)
    spans = [Span(start, False, end) for start, end in pairwise(bounds)] + [Span(bounds[-1], False)]
    return [replace(spans[0], inclusive=True, done=done), *spans[1:]]
