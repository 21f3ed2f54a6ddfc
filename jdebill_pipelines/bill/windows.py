"""Reading a whole list over several calls at once.

Belongs here: the walk over windows of ``createdTime``. Does not belong here: serial walks (``listing``) or the limit on
calls in flight, which the call gate holds.

Why ``createdTime``: it never changes and nothing is deleted in BILL, so within this order rows only appear at the end.
Each lane walks upwards from a start; a lane that is done takes over the upper half of what the slowest one has left.
All that is asked of BILL is the filter ``gte`` and the ascending order, and both are verified on every page: where they
do not hold, or all times are equal, the list is walked serially.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Generic

from jdebill_pipelines.bill import filters as f
from jdebill_pipelines.bill.listing import MILLISECOND, Fetch, OrderError, Page, Query, R, follow, pages, span, take_new

ASCENDING = "createdTime:asc"
DESCENDING = "createdTime:desc"

_SHOWN = timedelta(seconds=2)
"""How much before a window a row's time may be shown: BILL's samples have whole seconds."""

_WORTH_SPLITTING = 3.0
"""Pages that a lane must have left before another takes half of them: a split costs up to one page read twice."""


class _Lane(Generic[R]):
    """One walk from ``position`` up to, and not including, ``until`` (None: to the end of the list)."""

    def __init__(self, query: Query, position: datetime, until: datetime | None) -> None:
        self.query = query
        self.position = position
        self.until = until
        self.pace: float | None = None  # seconds of createdTime that the last page covered
        self.done = False
        self.victim: _Lane[R] | None = None  # whose upper half it took over
        self.barren_at: datetime | None = None  # where it stood when its upper half turned out to be empty


def list_parallel(
    fetch: Fetch[R],
    *,
    filters: Sequence[f.Filter] = (),
    created_of: Callable[[R], datetime | None],
    lanes: int = 3,
) -> Iterator[tuple[R, ...]]:
    """Walk a list with up to ``lanes`` calls in flight; every id comes once, in no particular order.

    Rows that are created meanwhile are at the end of the order and come as well, as long as the last lane has not seen
    the end.

    Args:
        fetch: asks for one page; called from several threads.
        filters: conditions on members that do not change while the list is read (``vendorId``, not ``archived``).
        created_of: the row's ``createdTime``.
        lanes: most calls in flight, 1 to 3.

    Raises:
        PagingError: BILL's page tokens go in circles.
        Exception: whatever ``fetch`` raises; the walk ends with it.
    """
    base = tuple(filters)
    seen: set[str] = set()
    try:
        yield from _parallel(fetch, base, created_of, max(1, lanes), seen)
    except OrderError:
        for rows in pages(fetch, Query(base)):
            fresh = take_new(rows, seen)
            if fresh:
                yield fresh


def _parallel(
    fetch: Fetch[R],
    filters: tuple[f.Filter, ...],
    created_of: Callable[[R], datetime | None],
    lanes: int,
    seen: set[str],
) -> Iterator[tuple[R, ...]]:
    head_query = Query(filters, ASCENDING)
    head = fetch(head_query)
    first, start = span(head.results, created_of)
    fresh = take_new(head.results, seen)
    if fresh:
        yield fresh
    if head.token is None:
        return
    rest = follow(head_query, head.token, set())
    end = None
    if lanes > 1 and start is not None:
        tail = fetch(Query(filters, DESCENDING, max=1))
        end = created_of(tail.results[0]) if tail.results else None
    if start is None or first is None or end is None or end - start <= MILLISECOND:
        for rows in pages(fetch, rest):
            fresh = take_new(rows, seen)
            if fresh:
                yield fresh
        return
    plan = _Plan(fetch, filters, created_of, end)
    plan.lanes.append(_Lane(rest, start, None))
    plan.lanes[0].pace = (start - first).total_seconds()
    for _ in range(lanes - 1):
        plan.split_evenly(lanes)
    yield from plan.run(lanes, seen)


class _Plan(Generic[R]):
    """The lanes of one walk and what they have left."""

    def __init__(
        self,
        fetch: Fetch[R],
        filters: tuple[f.Filter, ...],
        created_of: Callable[[R], datetime | None],
        end: datetime,
    ) -> None:
        self.fetch = fetch
        self.filters = filters
        self.created_of = created_of
        self.end = end
        self.lanes: list[_Lane[R]] = []
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.out: queue.Queue[tuple[R, ...] | BaseException | None] = queue.Queue(maxsize=64)

    def split_evenly(self, parts: int) -> None:
        """Cut the next of ``parts`` equal windows off the last lane."""
        last = self.lanes[-1]
        left = parts - len(self.lanes) + 1
        cut = last.position + (self.end - last.position) / left
        last.until = cut
        self.lanes.append(self._lane_from(cut, None))

    def _lane_from(self, position: datetime, until: datetime | None) -> _Lane[R]:
        # A little before the cut: times are shown with fewer digits than BILL may compare.
        query = Query((*self.filters, f.gte("createdTime", position - MILLISECOND)), ASCENDING)
        return _Lane(query, position, until)

    def take_over(self) -> _Lane[R] | None:
        """The upper half of the lane with most left, as a new lane; None when nothing is worth it."""
        with self.lock:
            best: _Lane[R] | None = None
            most = _WORTH_SPLITTING
            for lane in self.lanes:
                left = (min(lane.until or self.end, self.end) - lane.position).total_seconds()
                if lane.done or left <= 2 * MILLISECOND.total_seconds() or lane.barren_at == lane.position:
                    continue
                estimate = left / lane.pace if lane.pace else most + 1
                if estimate >= most:
                    best, most = lane, estimate
            if best is None:
                return None
            limit = min(best.until or self.end, self.end)
            cut = best.position + (limit - best.position) / 2
            lane = self._lane_from(cut, best.until)
            lane.pace, lane.victim = best.pace, best
            best.until = cut
            self.lanes.append(lane)
            return lane

    def run(self, workers: int, seen: set[str]) -> Iterator[tuple[R, ...]]:
        """Walk all lanes and hand out their rows."""
        with ThreadPoolExecutor(workers, thread_name_prefix="bill-list") as pool:
            for lane in list(self.lanes):
                pool.submit(self._work, lane)
            running = workers
            try:
                while running:
                    item = self.out.get()
                    if item is None:
                        running -= 1
                    elif isinstance(item, BaseException):
                        raise item
                    else:
                        fresh = take_new(item, seen)
                        if fresh:
                            yield fresh
            finally:
                self.stop.set()

    def _work(self, lane: _Lane[R] | None) -> None:
        try:
            while lane is not None and not self.stop.is_set():
                self._walk(lane)
                lane = self.take_over()
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            self._put(error)
        else:
            self._put(None)

    def _walk(self, lane: _Lane[R]) -> None:
        tokens: set[str] = set()
        query = lane.query
        while not self.stop.is_set():
            page: Page[R] = self.fetch(query)
            first, last = span(page.results, self.created_of)
            self._put(page.results)
            with self.lock:
                if first is not None and last is not None:
                    if first < lane.position - _SHOWN:
                        raise OrderError("rows from before the window: the filter on createdTime is not honoured")
                    if lane.victim is not None and lane.until is not None and first >= lane.until:
                        lane.victim.barren_at = lane.victim.position
                    lane.victim = None
                    lane.position = last
                    lane.pace = (last - first).total_seconds()
                past = lane.until is not None and last is not None and last >= lane.until
                lane.done = page.token is None or past
            if lane.done or page.token is None:
                return
            query = follow(query, page.token, tokens)

    def _put(self, item: tuple[R, ...] | BaseException | None) -> None:
        while not self.stop.is_set():
            try:
                self.out.put(item, timeout=0.2)
            except queue.Full:
                continue
            return
