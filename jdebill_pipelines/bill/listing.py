"""Reading whole lists of BILL, page after page.

Belongs here: how a list is walked completely. Does not belong here: which lists exist (``client``), how one call is
made (``calls``), or several walks at once (``windows``).

BILL API v3: at most 100 rows a page, an opaque ``nextPage`` token (absent on the last page), no total count, default
order unknown. Whether tokens stay right while rows change is unknown, too; the walks below do not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from jdebill_pipelines.bill import filters as f
from jdebill_pipelines.bill.codec import MalformedAnswerError, convert, decode, decode_any

PAGE_SIZE = 100
"""BILL API v3: ``max`` is 1 to 100; anything else is refused with 400."""


class Row(Protocol):
    """What every listed object has."""

    @property
    def id(self) -> str:
        """BILL's id."""
        ...


R = TypeVar("R", bound=Row)


class PagingError(Exception):
    """A list that cannot be walked to its end: BILL handed out the same page token twice."""


class OrderError(Exception):
    """A list that does not come in the order that was asked for."""


class Query(msgspec.Struct, frozen=True):
    """One page to ask for. Filters and sort are repeated with every token, as BILL's samples do."""

    filters: tuple[f.Filter, ...] = ()
    sort: str | None = None
    page: str | None = None
    max: int = PAGE_SIZE

    def params(self) -> dict[str, str]:
        """The query string's parameters, not yet encoded."""
        found = {"max": str(self.max), "filters": f.join(self.filters), "sort": self.sort, "page": self.page}
        return {name: value for name, value in found.items() if value}


class Page(msgspec.Struct, Generic[R], rename="camel", frozen=True):
    """One page: its rows and the token of the next one; None (absent, null or blank) is the end."""

    results: tuple[R, ...]
    next_page: str | None = None

    @property
    def token(self) -> str | None:
        """The next page's token, None at the end."""
        return self.next_page or None


Fetch = Callable[[Query], Page[R]]


def decode_page(body: bytes, kind: type[R]) -> Page[R]:
    """Read a page.

    Besides ``{"results": [...], "nextPage": ...}`` it takes a bare array, another name for the only array member, and
    an answer without any rows member as an empty page (BILL leaves out what is not populated), but nothing else: an
    error object that arrives with status 200 must not look like an empty list.

    Raises:
        MalformedAnswerError: not a page of such rows.
    """
    try:
        return decode(body, Page[kind])  # type: ignore[valid-type]
    except MalformedAnswerError:
        value = decode_any(body)
    if isinstance(value, list):
        return Page(tuple(convert(v, kind) for v in value))
    if not isinstance(value, dict):
        raise MalformedAnswerError("neither a list nor an object")
    token = value.get("nextPage")
    rest = {name: member for name, member in value.items() if name not in {"nextPage", "prevPage"}}
    if not rest or rest == {"results": None}:
        return Page((), token)
    return Page(tuple(convert(v, kind) for v in only_array(rest)), token)


def only_array(value: dict[str, Any]) -> list[Any]:
    """The only array member of a wrapped answer; BILL names it after the kind of object, not always as documented.

    Raises:
        MalformedAnswerError: there is none, or more than one.
    """
    arrays = [member for member in value.values() if isinstance(member, list)]
    if len(arrays) != 1:
        raise MalformedAnswerError(f"{len(arrays)} array members where one is expected")
    return arrays[0]


def pages(fetch: Fetch[R], query: Query) -> Iterator[tuple[R, ...]]:
    """Walk a list by its tokens; every id comes once.

    Raises:
        PagingError: the same token twice: the walk would never end.
    """
    tokens: set[str] = set()
    seen: set[str] = set()
    while True:
        page = fetch(query)
        fresh = take_new(page.results, seen)
        if fresh:
            yield fresh
        if page.token is None:
            return
        query = follow(query, page.token, tokens)


def take_new(rows: Iterable[R], seen: set[str]) -> tuple[R, ...]:
    """The rows whose id is not in ``seen`` yet, which then holds them."""
    fresh = []
    for row in rows:
        if row.id not in seen:
            seen.add(row.id)
            fresh.append(row)
    return tuple(fresh)


def follow(query: Query, token: str, tokens: set[str]) -> Query:
    """The query of the next page.

    Raises:
        PagingError: the token was handed out before in this walk.
    """
    if token in tokens:
        raise PagingError(f"BILL handed out the same page token twice after {len(tokens)} pages")
    tokens.add(token)
    return Query(query.filters, query.sort, token, query.max)


def changes(
    fetch: Fetch[R], since: datetime, *, filters: Sequence[f.Filter] = (), moment_of: Callable[[R], datetime | None]
) -> Iterator[tuple[R, ...]]:
    """What was created or changed since a time, oldest first.

    A row that changes during the walk moves to the end of the order and everything behind it moves up by one: a walk
    by tokens (if they are positions) would then miss a row for good. So the walk anchors itself anew on the time of
    the last row it saw, and uses a token only to pass rows of one same time. Where BILL does not keep the order, the
    list is walked by its tokens alone.

    Args:
        fetch: asks for one page.
        since: aware time; the watermark less an overlap (BILL's recipe: five minutes).
        filters: further conditions.
        moment_of: the row's ``updatedTime``.

    Yields:
        Rows; one that changes during the walk comes again with its newer ``updatedTime``.

    Raises:
        PagingError: the walk does not advance.
    """
    seen: set[tuple[str, datetime | None]] = set()
    try:
        for rows in _anchored(fetch, since, tuple(filters), moment_of):
            fresh = _take_new_versions(rows, seen, moment_of)
            if fresh:
                yield fresh
    except OrderError:
        for rows in pages(fetch, Query((*filters, f.gte("updatedTime", since)))):
            fresh = _take_new_versions(rows, seen, moment_of)
            if fresh:
                yield fresh


def _take_new_versions(
    rows: Iterable[R], seen: set[tuple[str, datetime | None]], moment_of: Callable[[R], datetime | None]
) -> tuple[R, ...]:
    fresh = tuple(r for r in rows if (r.id, moment_of(r)) not in seen)
    seen.update((r.id, moment_of(r)) for r in fresh)
    return fresh


def _anchored(
    fetch: Fetch[R], since: datetime, filters: tuple[f.Filter, ...], moment_of: Callable[[R], datetime | None]
) -> Iterator[tuple[R, ...]]:
    anchor = since
    query = Query((*filters, f.gte("updatedTime", anchor)), "updatedTime:asc")
    tokens: set[str] = set()
    while True:
        page = fetch(query)
        first, last = span(page.results, moment_of)
        yield page.results
        if page.token is None:
            return
        if first is not None and last is not None and last > first and last - MILLISECOND > anchor:
            # Times are shown in milliseconds; one less, in case BILL rounds up what it compares with more digits.
            anchor = last - MILLISECOND
            query, tokens = Query((*filters, f.gte("updatedTime", anchor)), "updatedTime:asc"), set()
        else:
            query = follow(query, page.token, tokens)


MILLISECOND = timedelta(milliseconds=1)


def span(rows: Sequence[R], moment_of: Callable[[R], datetime | None]) -> tuple[datetime, datetime] | tuple[None, None]:
    """First and last time of a page.

    Raises:
        OrderError: the times do not rise, or a row has none.
    """
    times = [moment_of(r) for r in rows]
    if not times:
        return None, None
    last = times[0]
    if last is None:
        raise OrderError("a row has no time to sort by")
    first = last
    for time in times[1:]:
        if time is None or time < last:
            raise OrderError("the rows do not come in the order that was asked for")
        last = time
    return first, last
