"""Webhook management: subscriptions, their keys, and the history of what BILL sent.

Belongs here: the calls under ``/connect-events``. Does not belong here: checking a delivery (``signature``) or keeping
it (the receiver).

BILL API v3: success is HTTP 200 for all of these, creating and a new key need ``X-Idempotent-Key`` (a UUID; the answer
is replayed for 24 hours), an organization has at most ten subscriptions, the key is shown once, and the history goes
back 180 days.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from jdebill_pipelines.bill import codec
from jdebill_pipelines.bill.calls import BillCaller, Safety
from jdebill_pipelines.bill.filters import moment
from jdebill_pipelines.bill.listing import PAGE_SIZE, PagingError, decode_page, only_array
from jdebill_pipelines.bill.models.base import Moment, Received
from jdebill_pipelines.transport.errors import NotFound

MOST_SUBSCRIPTIONS = 10

K = TypeVar("K")


class SubscriptionStatus(Received, frozen=True, kw_only=True):
    """Whether a subscription sends; BILL switches it off itself after failed deliveries."""

    enabled: bool | None = None


class SubscribedEvent(Received, frozen=True, kw_only=True):
    """One kind of event; the version is the text ``1``."""

    type: str | None = None
    version: str | None = "1"


class Subscription(Received, frozen=True, kw_only=True):
    """A subscription. ``security_key`` is there only in the answer to its creation."""

    id: str
    name: str | None = None
    organization_id: str | None = None
    status: SubscriptionStatus | None = None
    events: tuple[SubscribedEvent, ...] = ()
    notification_url: str | None = None
    created_time: Moment | None = None
    updated_time: Moment | None = None
    security_key: str | None = None

    @property
    def enabled(self) -> bool:
        """Whether BILL sends; a subscription that does not say so counts as disabled."""
        return bool(self.status and self.status.enabled)

    @property
    def event_types(self) -> frozenset[str]:
        """The kinds of events it sends."""
        return frozenset(e.type for e in self.events if e.type)

    def __repr__(self) -> str:
        # BILL shows the security key once, a log never.
        return f"Subscription(id={self.id!r}, name={self.name!r}, enabled={self.enabled})"


class SentEvent(Received, frozen=True, kw_only=True):
    """One event as BILL's history has it: what was sent and how our endpoint answered."""

    id: str
    type: str | None = None
    version: str | None = None
    subscription_id: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")
    created_time: Moment | None = None
    status_code: int | None = None

    @property
    def delivered(self) -> bool:
        """Whether our endpoint took it: BILL counts HTTP 200 only."""
        return self.status_code == 200

    @property
    def body(self) -> bytes:
        """The delivered document, byte for byte. In the history it is JSON escaped into a text, sometimes twice.

        Raises:
            MalformedAnswerError: not JSON.
        """
        raw = bytes(self.payload)
        for _ in range(2):
            if raw.lstrip()[:1] == b'"':
                raw = str(codec.decode_any(raw)).encode("utf-8")
        return raw


class CatalogEntry(Received, frozen=True, kw_only=True):
    """A kind of event that BILL can send."""

    type: str
    versions: tuple[str, ...] = ()


class _Key(Received, frozen=True, kw_only=True):
    security_key: str

    def __repr__(self) -> str:
        return "_Key(***)"


P = TypeVar("P", Subscription, SentEvent)


class Subscriptions:
    """The webhook subscriptions of the organization."""

    def __init__(self, caller: BillCaller) -> None:
        self._caller = caller

    def catalog(self) -> tuple[CatalogEntry, ...]:
        """The kinds of events that BILL can send."""

        def read(body: bytes) -> tuple[CatalogEntry, ...]:
            value = codec.decode_any(body)
            entries = only_array(value) if isinstance(value, dict) else value
            return codec.convert(entries, tuple[CatalogEntry, ...])

        return self._caller.call("GET", "/v3/events/catalog", read=read, events=True)

    def list(self) -> list[Subscription]:
        """All subscriptions."""
        return list(self._pages("/v3/subscriptions", {}, Subscription))

    def get(self, id: str) -> Subscription:
        """One subscription, without its key."""
        return self._call("GET", self._path(id), Subscription)

    def create(
        self, name: str, url: str, events: Sequence[str], *, idempotency_key: uuid.UUID | None = None
    ) -> Subscription:
        """Subscribe. The answer alone carries the security key: put it into the vault at once.

        Args:
            name: for people.
            url: HTTPS address that BILL posts to.
            events: types of the catalog, such as ``payment.updated``.
            idempotency_key: the same key within 24 hours gives the same answer; default a new one.
        """
        payload = _whole(name, url, events, enabled=True)
        return self._call(
            "POST", "/v3/subscriptions", Subscription, payload=payload, key=idempotency_key or uuid.uuid4()
        )

    def replace(self, id: str, name: str, url: str, events: Sequence[str], *, enabled: bool = True) -> Subscription:
        """Replace everything that can be set; the security key stays."""
        return self._call("PUT", self._path(id), Subscription, payload=_whole(name, url, events, enabled=enabled))

    def enable(self, id: str) -> Subscription:
        """Let a disabled subscription send again; what was missed meanwhile is only in the history."""
        return self._call("PATCH", self._path(id), Subscription, payload={"status": {"enabled": True}})

    def disable(self, id: str) -> Subscription:
        """Let a subscription rest."""
        return self._call("PATCH", self._path(id), Subscription, payload={"status": {"enabled": False}})

    def delete(self, id: str) -> None:
        """Remove a subscription."""
        self._caller.call("DELETE", self._path(id), read=lambda _body: None, safety=Safety.REPEATABLE, events=True)

    def rotate_key(self, id: str, *, idempotency_key: uuid.UUID | None = None) -> str:
        """Ask for a new security key. How long the old one still signs is not documented: accept both for a while.

        The path is ``security_key``; older pages spell it ``security-key``, which is tried when the first is not there.
        """
        key = idempotency_key or uuid.uuid4()
        try:
            return self._call("POST", self._path(id) + "/security_key", _Key, key=key).security_key
        except NotFound:
            return self._call("POST", self._path(id) + "/security-key", _Key, key=key).security_key

    def test(self, id: str, event: str) -> SentEvent:
        """Let BILL send a test event."""
        return self._call("POST", self._path(id) + "/test", SentEvent, payload={"eventType": event, "version": "1"})

    def history(
        self,
        id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        entity_id: str | None = None,
        ascending: bool = False,
    ) -> Iterator[SentEvent]:
        """What BILL sent, each event once: of one that was sent again the newest record.

        Args:
            id: of the subscription.
            since: aware; at most 180 days back.
            until: aware.
            entity_id: only events of this bill, vendor or payment.
            ascending: oldest first. BILL answers newest first; the order is turned here, once all of it is read.
        """
        params = {}
        if since is not None:
            params["createdTimeFrom"] = moment(since)
        if until is not None:
            params["createdTimeTo"] = moment(until)
        if entity_id is not None:
            params["entityId"] = entity_id
        if ascending:
            found = list(self.history(id, since=since, until=until, entity_id=entity_id))
            yield from sorted(found, key=lambda e: (e.created_time is not None, e.created_time or _NEVER))
            return
        seen: set[str] = set()
        for event in self._pages(f"/v3/events/subscription/{quote(id, safe='')}", params, SentEvent):
            if event.id not in seen:
                seen.add(event.id)
                yield event

    def resend(self, id: str, event_id: str) -> SentEvent:
        """Let BILL deliver an event again."""
        return self._call(
            "POST", f"/v3/events/subscription/{quote(id, safe='')}/event/{quote(event_id, safe='')}", SentEvent
        )

    def health(self) -> None:
        """Whether webhook management answers; needs no session."""
        self._caller.call("GET", "/v3/health", read=bytes, events=True, anonymous=True)

    def _pages(self, path: str, params: dict[str, str], kind: type[P]) -> Iterator[P]:
        tokens: set[str] = set()
        query = {**params, "max": str(PAGE_SIZE)}
        while True:
            page = self._caller.call("GET", path, read=lambda body: decode_page(body, kind), params=query, events=True)
            yield from page.results
            if not page.next_page:
                return
            if page.next_page in tokens:
                raise PagingError(f"{path}: BILL handed out the same page token twice")
            tokens.add(page.next_page)
            query = {**query, "page": page.next_page}

    def _call(
        self, method: str, path: str, kind: type[K], *, payload: object = None, key: uuid.UUID | None = None
    ) -> K:
        return self._caller.call(
            method,
            path,
            read=lambda body: codec.decode(body, kind),
            # The idempotency key makes a repeated create harmless; the others leave the same state.
            safety=Safety.READ if method == "GET" else Safety.REPEATABLE,
            payload=payload,
            headers={"X-Idempotent-Key": str(key)} if key else None,
            events=True,
        )

    @staticmethod
    def _path(id: str) -> str:
        if not id:
            raise ValueError("an empty id would address the whole list")
        return f"/v3/subscriptions/{quote(id, safe='')}"


_NEVER = datetime.min.replace(tzinfo=UTC)


def _whole(name: str, url: str, events: Sequence[str], *, enabled: bool) -> dict[str, Any]:
    return {
        "name": name,
        "status": {"enabled": enabled},
        "events": [{"type": event, "version": "1"} for event in events],
        "notificationUrl": url,
    }
