"""Refused posts: counted in the database, and told when somebody seems to forge events.

Belongs here: counting in batches. Does not belong here: refusing. Anybody on the internet can be refused, so a refusal
costs no transaction of its own: they are added up in memory and written at most once a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain.alerts import AlertContent, fingerprint
from jdebill_pipelines.receiver.reasons import ALERTS, UNKNOWN, Reason
from jdebill_pipelines.store.store import Store

SECONDS_BETWEEN = 1.0
log = logging.getLogger("jdebill.receiver")


class Refusals:
    """Adds up refusals and writes them.

    Args:
        stores: by connection, with ``UNKNOWN`` for posts to no connection.
        connections: their alert windows.
        executor: threads for the database.
    """

    def __init__(self, stores: Mapping[str, Store], connections: Mapping[str, Connection], executor: Executor) -> None:
        self._stores = stores
        self._connections = connections
        self._executor = executor
        self._counts: Counter[tuple[str, Reason]] = Counter()
        self._examples: dict[tuple[str, Reason], dict[str, str]] = {}
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Write what was added up, then end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._flush()

    def add(self, connection: str, reason: Reason, facts: Mapping[str, str]) -> None:
        """Count a refusal; the facts of the first are told in the alert."""
        self._counts[connection, reason] += 1
        self._examples.setdefault((connection, reason), dict(facts))
        self._came.set()

    async def _work(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            await self._flush()
            await asyncio.sleep(SECONDS_BETWEEN)

    async def _flush(self) -> None:
        counts, self._counts = self._counts, Counter()
        examples, self._examples = self._examples, {}
        for (connection, reason), n in counts.items():
            try:
                await self._run(partial(self._write, connection, reason, n, examples[connection, reason]))
            except Exception as error:  # noqa: BLE001 - nobody waits for it; it is written when the database is back
                log.warning("refusals are not written yet: %s", type(error).__name__)
                self._counts[connection, reason] += n
                self._examples.setdefault((connection, reason), examples[connection, reason])
                self._came.set()

    def _write(self, connection: str, reason: Reason, n: int, facts: dict[str, str]) -> None:
        store = self._stores[connection]
        store.inbox.refuse(reason.value, count=n)
        if reason in ALERTS and connection != UNKNOWN:
            told = ALERTS[reason]
            content = AlertContent(
                what=told.what,
                where=f"/webhooks/{connection}",
                fix=told.fix.format(connection=connection),
                owner="team:data-engineering",
                total=n,
                facts={"refused now": str(n), **facts},
            )
            store.alerts.offer(
                fingerprint("webhook", reason.value),
                f"webhook refused: {reason.value}",
                content.body(),
                window_minutes=self._connections[connection].alerts.window_minutes,
            )

    def _run(self, call: Callable[[], Any]) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(self._executor, call)
