"""The security keys in memory: read from the vault every few seconds, and at once when a signature does not fit.

Belongs here: caching and refreshing. Does not belong here: which keys are accepted (bill/webhook_keys).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from jdebill_pipelines.bill.webhook_keys import SYSTEM, WebhookKeys
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.store.store import Store

TTL_SECONDS = 3.0
# Anybody can send a bad signature: however many do, the vault is asked this often at most.
MIN_SECONDS_BETWEEN = 0.5

Run = Callable[[Callable[[], WebhookKeys]], Awaitable[WebhookKeys]]


class KeyRing:
    """The keys of one connection.

    Args:
        load: reads the secret; runs where it may block.
        run: runs ``load`` outside the event loop.
    """

    def __init__(self, load: Callable[[], WebhookKeys], run: Run) -> None:
        self._load = load
        self._run = run
        self._keys: WebhookKeys | None = None
        self._read_at = float("-inf")
        self._reading: asyncio.Task[WebhookKeys] | None = None

    async def current(self) -> WebhookKeys:
        """The keys, at most a few seconds old.

        Raises:
            Exception: whatever reading them raises, when none are known yet; known ones outlive an outage.
        """
        if self._keys is not None and time.monotonic() - self._read_at < TTL_SECONDS:
            return self._keys
        try:
            return await self._refresh()
        except Exception:  # the outage is told by whatever needs the database next
            if self._keys is None:
                raise
            return self._keys

    async def newer_than(self, moment: float) -> WebhookKeys:
        """The keys as they are stored at or after a moment of the monotonic clock.

        Raises:
            Exception: whatever reading them raises.
        """
        if self._keys is not None and self._read_at >= moment:
            return self._keys
        wait = self._read_at + MIN_SECONDS_BETWEEN - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        if self._keys is not None and self._read_at >= moment:
            return self._keys
        return await self._refresh()

    async def _refresh(self) -> WebhookKeys:
        """Read once for everybody who waits."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return await asyncio.shield(self._reading)

    async def _read(self) -> WebhookKeys:
        begun = time.monotonic()
        self._keys = await self._run(self._load)
        self._read_at = begun
        return self._keys


def loaders(stores: Mapping[str, Store], vault: Vault) -> dict[str, Callable[[], WebhookKeys]]:
    """For every connection: what reads its secret. No secret at all is an empty one."""

    def loader(name: str, store: Store) -> Callable[[], WebhookKeys]:
        def load() -> WebhookKeys:
            blob = store.credentials.get(SYSTEM)
            return WebhookKeys() if blob is None else WebhookKeys.decode(vault.decrypt(name, SYSTEM, blob))

        return load

    return {name: loader(name, store) for name, store in stores.items()}
