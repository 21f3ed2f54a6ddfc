"""Stores events: those that arrive together in one transaction, each answered only after its commit.

Belongs here: batching and what becomes of a failed batch. Does not belong here: HTTP.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from jdebill_pipelines.receiver.metrics import Metrics
from jdebill_pipelines.store.inbox import InboxEvent
from jdebill_pipelines.store.store import Store

T = TypeVar("T")

MOST_WAITING = 2000
MOST_IN_A_BATCH = 200
# While one transaction is committed the next is filled; more than two only share the disk.
COMMITTERS = 2
# A lost connection, a full disk, a timeout: what concerns every event alike.
_OF_ALL = (OperationalError, InterfaceError, PoolTimeoutError)


class Busy(Exception):
    """More events wait than can be stored soon; the sender has to come again."""


@dataclass(slots=True)
class _Waiting:
    connection: str
    event: InboxEvent
    stored: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Intake:
    """Takes events and stores them in batches.

    Args:
        stores: by connection.
        executor: threads for the database, at least as many as committers.
        metrics: where batches are counted.
    """

    def __init__(self, stores: Mapping[str, Store], executor: Executor, metrics: Metrics) -> None:
        self._stores = stores
        self._executor = executor
        self._metrics = metrics
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many events wait for their transaction."""
        return len(self._queue)

    def start(self) -> None:
        """Begin to store."""
        self._tasks = [asyncio.get_running_loop().create_task(self._work()) for _ in range(COMMITTERS)]

    async def close(self) -> None:
        """Store what waits, then end."""
        self._closing = True
        self._arrived.set()
        await asyncio.gather(*self._tasks)

    async def put(self, connection: str, event: InboxEvent) -> None:
        """Store an event; when this returns it is committed.

        Raises:
            Busy: too many wait already, or the process ends.
            SQLAlchemyError: the database did not take it.
        """
        if self._closing or len(self._queue) >= MOST_WAITING:
            raise Busy
        waiting = _Waiting(connection, event)
        self._queue.append(waiting)
        self._arrived.set()
        await waiting.stored

    async def _work(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), MOST_IN_A_BATCH))]
            by_connection: dict[str, list[_Waiting]] = defaultdict(list)
            for waiting in batch:
                by_connection[waiting.connection].append(waiting)
            for connection, group in by_connection.items():
                await self._store(connection, group)

    async def _store(self, connection: str, group: list[_Waiting]) -> None:
        try:
            new = await self._run(lambda: self._put(connection, [waiting.event for waiting in group]))
        except Exception as error:  # noqa: BLE001 - whoever waits must be answered, whatever it was
            if len(group) > 1 and not isinstance(error, _OF_ALL):
                # One event that the database refuses must not take the others with it.
                for waiting in group:
                    await self._store(connection, [waiting])
                return
            for waiting in group:
                if not waiting.stored.done():
                    waiting.stored.set_exception(error)
        else:
            self._metrics.batch(connection, len(group), new)
            for waiting in group:
                if not waiting.stored.done():
                    waiting.stored.set_result(None)

    def _put(self, connection: str, events: Sequence[InboxEvent]) -> int:
        return self._stores[connection].inbox.put(events)

    def _run(self, call: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, call)
