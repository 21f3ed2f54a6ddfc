"""Telling subscriptions what happened: the envelope, the history, and signed deliveries in the background.

Belongs here: events and their delivery. Not here: managing subscriptions (`subscriptions`).
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jdebill_pipelines.sandbox.bill.clock import stamp
from jdebill_pipelines.sandbox.bill.codec import Json, encode
from jdebill_pipelines.sandbox.bill.posting import post

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization

HISTORY = dt.timedelta(days=180)
KEPT_EVENTS = 100_000


@dataclass
class Event:
    """One notification of one subscription."""

    id: str
    type: str
    version: str
    subscription_id: str
    entity_id: str
    payload: bytes
    created: dt.datetime
    status_code: int = 0  # 0: no answer yet
    attempts: int = 0

    def record(self) -> Json:
        """The event as the history shows it: the payload is JSON escaped into a string."""
        return {
            "id": self.id,
            "type": self.type,
            "version": self.version,
            "subscriptionId": self.subscription_id,
            "payload": self.payload.decode(),
            "createdTime": stamp(self.created),
            "statusCode": self.status_code,
        }


@dataclass
class Subscription:
    """What one subscriber wants to hear and where."""

    id: str
    name: str
    organization_id: str
    enabled: bool
    events: list[Json]
    url: str
    key: str
    created: dt.datetime
    updated: dt.datetime
    old_key: str = ""
    old_key_until: dt.datetime | None = None
    failures: int = 0
    history: deque[Event] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))

    def shown(self) -> Json:
        """The subscription without its key."""
        return {
            "id": self.id,
            "name": self.name,
            "organizationId": self.organization_id,
            "status": {"enabled": self.enabled},
            "events": self.events,
            "notificationUrl": self.url,
            "createdTime": stamp(self.created),
            "updatedTime": stamp(self.updated),
        }

    def wants(self, event: str) -> bool:
        """Whether it subscribed to this type."""
        return any(item["type"] == event for item in self.events)


class Webhooks:
    """The subscriptions of an organization and the deliveries under way."""

    def __init__(self, world: Organization) -> None:
        self.world = world
        self.subscriptions: dict[str, Subscription] = {}
        self.idempotent: dict[tuple[str, str], tuple[dt.datetime, Json]] = {}
        self.delivered = 0
        self.failed = 0
        self.dropped = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate: asyncio.Semaphore | None = None
        self._gate_size = 0

    def forget(self) -> None:
        """Drop all subscriptions and stop what is being delivered."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.subscriptions.clear()
        self.idempotent.clear()
        self.delivered = self.failed = self.dropped = 0

    async def stop(self) -> None:
        """Stop deliveries and wait until they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until nothing is being delivered any more."""
        while self._tasks:
            await asyncio.gather(*list(self._tasks), return_exceptions=True)

    @property
    def pending(self) -> int:
        """How many deliveries are under way."""
        return len(self._tasks)

    def emit(self, event: str, entity: str, entity_id: str, body: Json, top_level: Json) -> None:
        """Tell every enabled subscription that wants this type; missed while disabled is never sent later."""
        world = self.world
        for subscription in self.subscriptions.values():
            if not subscription.enabled or not subscription.wants(event):
                continue
            if world.random.randrange(100) < world.switches.webhook_silent_percent:
                continue
            self.send(subscription, self.make(subscription, event, entity, entity_id, body, top_level))

    def make(
        self, subscription: Subscription, event: str, entity: str, entity_id: str, body: Json, top_level: Json
    ) -> Event:
        """An event in its envelope, put into the history."""
        event_id = self.world.ids.uuid()
        envelope = {
            "metadata": {
                "eventId": event_id,
                "subscriptionId": subscription.id,
                "organizationId": subscription.organization_id,
                "eventType": event,
                "version": "1",
            },
            entity: body,
            **top_level,
        }
        made = Event(event_id, event, "1", subscription.id, entity_id, encode(envelope), self.world.clock.now())
        subscription.history.append(made)
        return made

    def send(self, subscription: Subscription, event: Event) -> None:
        """Deliver in the background, with the duplicates, drops and delays that the switches ask for."""
        switches, chance = self.world.switches, self.world.random
        if chance.randrange(100) < switches.webhook_drop_percent:
            self.dropped += 1
            event.status_code = 500
            return
        copies = 2 if chance.randrange(100) < switches.webhook_duplicate_percent else 1
        for _ in range(copies):
            delay = float(switches.webhook_delay_seconds)
            if switches.webhook_reorder:
                delay += chance.random() * 0.3
            task = asyncio.get_running_loop().create_task(self._deliver(subscription, event, delay))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, subscription: Subscription, event: Event, delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
        waits: list[float | None] = [float(wait) for wait in self.world.switches.webhook_retry_seconds]
        for wait in [*waits, None]:
            if not subscription.enabled:
                return
            async with self._slot():
                event.attempts += 1
                event.status_code = await self._post(subscription, event)
            if event.status_code == 200:
                self.delivered += 1
                subscription.failures = 0
                return
            if wait is not None:
                await asyncio.sleep(wait)
        self.failed += 1
        subscription.failures += 1
        if subscription.failures >= self.world.switches.webhook_disable_after:
            subscription.enabled = False
            subscription.updated = self.world.clock.now()

    async def _post(self, subscription: Subscription, event: Event) -> int:
        switches = self.world.switches
        body = encode(event.payload.decode()) if switches.webhook_double_encoded else event.payload
        key = subscription.key
        if subscription.old_key_until is not None and self.world.clock.now() < subscription.old_key_until:
            key = subscription.old_key
        headers = {"Content-Type": "application/json", "x-bill-sha-signature": signature(body, key)}
        return await post(subscription.url, body, headers, timeout=float(switches.webhook_timeout_seconds))

    def _slot(self) -> asyncio.Semaphore:
        size = self.world.switches.webhook_parallel
        if self._gate is None or self._gate_size != size:
            self._gate, self._gate_size = asyncio.Semaphore(size), size
        return self._gate

    def figures(self) -> Json:
        """Counters for the control endpoint."""
        return {
            "subscriptions": len(self.subscriptions),
            "pending": self.pending,
            "delivered": self.delivered,
            "failed": self.failed,
            "dropped": self.dropped,
        }

    def trimmed(self, subscription: Subscription) -> list[Event]:
        """The history of the last 180 days, oldest first."""
        oldest = self.world.clock.now() - HISTORY
        return [event for event in subscription.history if event.created >= oldest]


def signature(body: bytes, key: str) -> str:
    """Base64 of HMAC-SHA256 over the raw body, with the key's UTF-8 bytes."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
