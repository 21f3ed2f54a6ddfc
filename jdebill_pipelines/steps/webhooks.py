"""BILL's webhook subscription of a connection: made, its key changed, missed events fetched.

Belongs here: managing the subscription. Does not belong here: whether all is well (``webhook_watch``), receiving
(receiver/), what an event makes due (``webhook_events``).

An event is a hint and never more: what it names is read again. So a missed one costs time, not truth.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import msgspec

from jdebill_pipelines.bill.codec import MalformedAnswerError
from jdebill_pipelines.bill.envelope import EnvelopeError, read_envelope
from jdebill_pipelines.bill.events import MOST_SUBSCRIPTIONS, SentEvent, Subscription, Subscriptions
from jdebill_pipelines.bill.filters import gte
from jdebill_pipelines.bill.webhook_keys import OVERLAP as KEY_OVERLAP
from jdebill_pipelines.bill.webhook_keys import SYSTEM, WebhookKeys
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.steps.webhook_events import FLOWS
from jdebill_pipelines.store.inbox import InboxEvent
from jdebill_pipelines.store.locks import advisory_lock
from jdebill_pipelines.store.store import Store

EVENTS = (
    "vendor.created",
    "vendor.updated",
    "vendor.archived",
    "vendor.restored",
    "bill.created",
    "bill.updated",
    "bill.archived",
    "bill.restored",
    "payment.updated",
    "payment.failed",
)
HISTORY = timedelta(days=180)  # BILL API v3: events are kept so long
# A payment that changed just now has its event still on the way.
GRACE = timedelta(minutes=10)
_BATCH = 500

log = logging.getLogger("jdebill")


class WebhookError(Exception):
    """A subscription cannot be made or changed; the text says what to do."""


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    """What ``subscribe`` found or made.

    Attributes:
        created: False when there was one already.
        key_stored: whether a new key came into the vault.
    """

    subscription_id: str
    url: str
    events: tuple[str, ...]
    created: bool
    key_stored: bool


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What ``replay`` found.

    Attributes:
        read: events of BILL's history.
        missing: those that never came and are in the inbox now.
        unreadable: those that are no events of this organization.
        unannounced: payments that changed and that no event tells of; they are due now.
    """

    since: datetime
    read: int
    missing: int
    unreadable: int
    unannounced: int = 0


def subscribe(runtime: Runtime, name: str, *, label: str = "") -> Subscribed:
    """Make sure that BILL tells us of vendors, bills and payments, and that the key is in the vault.

    Run again it changes nothing, or takes up what a crash left: the idempotency key is stored before BILL is asked, so
    that BILL's one-time answer with the security key can be had again.

    Args:
        runtime: opens database, vault and client.
        name: the connection.
        label: the subscription's name in BILL, default ``jdebill <connection>``.

    Raises:
        WebhookError: no ``bill.webhook_url``, or the organization has ten subscriptions already.
        ApiError: BILL did not answer or refused.
    """
    url = _url(runtime, name)
    with advisory_lock(runtime.engine, "webhook key", name):
        keys, hooks = read_keys(runtime, name), runtime.bill(name).subscriptions
        present = hooks.list()
        ours = ours_of(present, url)
        now = datetime.now(UTC)
        if ours is not None and keys.security_key and not keys.pending_request:
            return _subscribed(_completed(hooks, ours, url), url, created=False, key_stored=False)
        if ours is not None and not keys.open_request(now, rotation=False):
            # The key was shown once and is lost, or a rotation was left open: only a new one helps.
            _rotate(runtime, name, keys, ours.id)
            return _subscribed(_completed(hooks, ours, url), url, created=False, key_stored=True)
        if ours is None and len(present) >= MOST_SUBSCRIPTIONS:
            names = ", ".join(sorted(s.name or s.id for s in present))
            raise WebhookError(
                f"the organization has {len(present)} webhook subscriptions, BILL allows {MOST_SUBSCRIPTIONS}: "
                f"delete one of {names}"
            )
        request = keys.open_request(now, rotation=False) or str(uuid.uuid4())
        keys = keys.asking(request, now, rotation=False)
        write_keys(runtime, name, keys)
        made = hooks.create(label or f"jdebill {name}", url, EVENTS, idempotency_key=uuid.UUID(request))
        if not made.security_key:
            raise WebhookError("BILL's answer has no security key; run: jdebill webhooks rotate-key " + name)
        write_keys(runtime, name, keys.with_key(made.security_key, now))
        return _subscribed(made, url, created=True, key_stored=True)


def rotate_key(runtime: Runtime, name: str) -> datetime:
    """Let BILL make a new security key and store it; the one before is accepted for another day.

    Returns:
        Until when the previous key is accepted (aware, UTC).

    Raises:
        WebhookError: there is no subscription.
        ApiError: BILL did not answer or refused; run again, the same key is asked for.
    """
    with advisory_lock(runtime.engine, "webhook key", name):
        ours = _needed(runtime, name)
        return _rotate(runtime, name, read_keys(runtime, name), ours.id)


def replay(runtime: Runtime, name: str, *, since: datetime | None = None) -> Replayed:
    """Read BILL's history and put into the inbox what never came; enable the subscription if BILL disabled it.

    What happened while BILL had disabled it is in no history: changed payments that no event tells of become due.

    Args:
        runtime: opens database, vault and client.
        name: the connection.
        since: aware; default, and at most, 180 days back.

    Raises:
        WebhookError: there is no subscription.
    """
    oldest = datetime.now(UTC) - HISTORY
    start = max(since, oldest) if since else oldest
    ours = _needed(runtime, name)
    if not ours.enabled:
        # First, so that nothing happens between the end of the history and the first delivery.
        runtime.bill(name).subscriptions.enable(ours.id)
    found = fetch_missed(runtime, name, ours.id, start)
    unannounced = unannounced_payments(runtime, name, start, grace=timedelta(0))
    make_due(runtime.store(name), unannounced)
    return msgspec.structs.replace(found, unannounced=len(unannounced))


def unannounced_payments(runtime: Runtime, name: str, since: datetime, *, grace: timedelta = GRACE) -> list[str]:
    """Ids of payments that BILL shows as changed since a time and that no event in the inbox tells of as new.

    Args:
        runtime: opens database, vault and client.
        name: the connection.
        since: aware.
        grace: what changed within it is left out: its event may be on the way.
    """
    settled = datetime.now(UTC) - grace
    changed = {
        payment.id: payment.updated_time
        for payment in runtime.bill(name).payments.list((gte("updatedTime", since),))
        if payment.updated_time is not None and since <= payment.updated_time < settled
    }
    told: dict[str, datetime] = {}
    for row in runtime.store(name).inbox.read(entity_ids=list(changed)):
        moment = _moment(row.entity_updated)
        if moment is not None and (row.entity_id not in told or told[row.entity_id] < moment):
            told[row.entity_id] = moment
    return sorted(id for id, moment in changed.items() if id not in told or told[id] < moment)


def make_due(store: Store, payment_ids: Sequence[str]) -> None:
    """Record payments that no event announced as due."""
    if payment_ids:
        store.due.record(FLOWS["payment"], source="gap", entities=payment_ids)


def read_keys(runtime: Runtime, name: str) -> WebhookKeys:
    """The webhook keys of a connection; empty ones when none are stored."""
    blob = runtime.store(name).credentials.get(SYSTEM)
    return WebhookKeys() if blob is None else WebhookKeys.decode(runtime.vault.decrypt(name, SYSTEM, blob))


def write_keys(runtime: Runtime, name: str, keys: WebhookKeys) -> None:
    """Store the webhook keys of a connection."""
    runtime.store(name).credentials.put(SYSTEM, runtime.vault.encrypt(name, SYSTEM, keys.encode()))


def _rotate(runtime: Runtime, name: str, keys: WebhookKeys, subscription_id: str) -> datetime:
    now = datetime.now(UTC)
    request = keys.open_request(now, rotation=True) or str(uuid.uuid4())
    keys = keys.asking(request, now, rotation=True)
    write_keys(runtime, name, keys)
    key = runtime.bill(name).subscriptions.rotate_key(subscription_id, idempotency_key=uuid.UUID(request))
    write_keys(runtime, name, keys.with_key(key, now))
    return now + KEY_OVERLAP


def fetch_missed(runtime: Runtime, name: str, subscription_id: str, since: datetime) -> Replayed:
    """Put into the inbox what BILL's history has since a time and the inbox does not."""
    inbox = runtime.store(name).inbox
    organization = runtime.connections[name].bill.organization_id
    read = missing = unreadable = 0
    for batch in _batches(runtime.bill(name).subscriptions.history(subscription_id, since=since)):
        read += len(batch)
        known = inbox.known([event.id for event in batch])
        events = []
        for event in (e for e in batch if e.id not in known):
            found = _from_history(event, organization)
            if found is None:
                unreadable += 1
                log.warning("%s: event %s of BILL's history cannot be read", name, event.id)
            else:
                events.append(found)
        missing += inbox.put(events)
    return Replayed(since=since, read=read, missing=missing, unreadable=unreadable)


def _from_history(event: SentEvent, organization: str) -> InboxEvent | None:
    try:
        body = event.body
        envelope = read_envelope(body)
    except (EnvelopeError, MalformedAnswerError):
        return None
    if envelope.organization_id != organization:
        return None
    return InboxEvent(
        event_id=envelope.event_id,
        event_type=envelope.event_type,
        entity_kind=envelope.entity_kind,
        entity_id=envelope.entity_id,
        entity_updated=envelope.entity_updated,
        body=body,
        source="history",
    )


def _batches(events: Iterable[SentEvent]) -> Iterator[list[SentEvent]]:
    rest = iter(events)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _url(runtime: Runtime, name: str) -> str:
    url = runtime.connections[name].bill.webhook_url
    if not url:
        raise WebhookError(
            f"{name}: bill.webhook_url is not set; give the public https address of the receiver, "
            f"such as https://jdebill.example.com/webhooks/{name}"
        )
    return url


def ours_of(present: Iterable[Subscription], url: str) -> Subscription | None:
    """The subscription for our address, whoever made it."""
    return next((s for s in present if s.notification_url == url), None)


def _needed(runtime: Runtime, name: str) -> Subscription:
    url = _url(runtime, name)
    ours = ours_of(runtime.bill(name).subscriptions.list(), url)
    if ours is None:
        raise WebhookError(f"{name}: BILL has no subscription for {url}; run: jdebill webhooks subscribe {name}")
    return ours


def _completed(hooks: Subscriptions, ours: Subscription, url: str) -> Subscription:
    """Add the types that an older subscription lacks, and let it send."""
    if set(EVENTS) <= ours.event_types:
        return ours if ours.enabled else hooks.enable(ours.id)
    return hooks.replace(ours.id, ours.name or "jdebill", url, sorted({*EVENTS, *ours.event_types}))


def _subscribed(found: Subscription, url: str, *, created: bool, key_stored: bool) -> Subscribed:
    return Subscribed(
        subscription_id=found.id,
        url=url,
        events=tuple(sorted(found.event_types)),
        created=created,
        key_stored=key_stored,
    )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
