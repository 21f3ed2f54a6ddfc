"""Whether BILL's webhooks work: what was sent against what came, and payments against events.

Belongs here: looking and mending. Does not belong here: managing the subscription (``webhooks``).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.steps.webhook_alerts import offer
from jdebill_pipelines.steps.webhook_events import OVERLAP
from jdebill_pipelines.steps.webhooks import (
    EVENTS,
    GRACE,
    HISTORY,
    fetch_missed,
    make_due,
    ours_of,
    read_keys,
    unannounced_payments,
)
from jdebill_pipelines.store.inbox import InboxStats

SILENT_HOURS = 24


class WebhookStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the events of a connection are.

    Attributes:
        connection: its name.
        subscription_id: ``''`` when there is none for our address.
        missing_events: types that we need and the subscription does not have.
        key_known: whether the vault has a security key.
        sent: events in BILL's history since ``since``.
        failed: how many of them our endpoint did not answer with 200.
        missed: ids of those that are not in the inbox.
        last_sent_at: the latest event in the history.
        unannounced: payments that BILL shows as changed since ``since`` and that no event told.
    """

    connection: str
    url: str
    since: datetime
    subscription_id: str = ""
    enabled: bool = False
    missing_events: tuple[str, ...] = ()
    key_known: bool = False
    sent: int = 0
    failed: int = 0
    missed: tuple[str, ...] = ()
    last_sent_at: datetime | None = None
    last_answer: int | None = None
    unannounced: tuple[str, ...] = ()
    inbox: InboxStats
    refusals: dict[str, int] = {}

    @property
    def problems(self) -> list[str]:
        """What a person has to do, one line each."""
        if not self.url:
            return ["bill.webhook_url is not set in the connection file: BILL cannot tell us of payments"]
        if not self.subscription_id:
            return [f"BILL has no subscription for {self.url}; run: jdebill webhooks subscribe {self.connection}"]
        replay, subscribe = (f"run: jdebill webhooks {what} {self.connection}" for what in ("replay", "subscribe"))
        found = []
        if not self.enabled:
            found.append(f"BILL has disabled the subscription after failed deliveries; {replay}")
        if not self.key_known:
            found.append(f"the security key is not in the vault; {subscribe}")
        if self.missing_events:
            found.append(f"not subscribed to {', '.join(self.missing_events)}; {subscribe}")
        if self.missed:
            found.append(f"{len(self.missed)} event(s) of BILL's history never came; {replay}")
        if self.unannounced:
            found.append(f"{len(self.unannounced)} changed payment(s) were announced by no event; {replay}")
        return found


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What ``watch`` found and did."""

    subscribed: bool
    was_disabled: bool = False
    silent: bool = False
    replayed: int = 0
    unannounced: int = 0


def status(runtime: Runtime, name: str, *, hours: int = 24) -> WebhookStatus:
    """Ask BILL how the subscription is, and compare its history and its payments with the inbox. Changes nothing.

    Args:
        runtime: opens database, vault and client.
        name: the connection.
        hours: how far back is compared.
    """
    store, url = runtime.store(name), runtime.connections[name].bill.webhook_url or ""
    since = datetime.now(UTC) - timedelta(hours=hours)
    found = WebhookStatus(
        connection=name,
        url=url,
        since=since,
        key_known=bool(read_keys(runtime, name).security_key),
        inbox=store.inbox.stats(),
        refusals=store.inbox.refusals(since),
    )
    ours = ours_of(runtime.bill(name).subscriptions.list(), url) if url else None
    if ours is None:
        return found
    sent = list(runtime.bill(name).subscriptions.history(ours.id, since=since))
    settled = datetime.now(UTC) - GRACE
    due_here = [e for e in sent if e.delivered or e.created_time is None or e.created_time < settled]
    known = store.inbox.known([e.id for e in sent])
    latest = max(sent, key=lambda e: e.created_time or since, default=None)
    return msgspec.structs.replace(
        found,
        subscription_id=ours.id,
        enabled=ours.enabled,
        missing_events=tuple(sorted(set(EVENTS) - ours.event_types)),
        sent=len(sent),
        failed=sum(1 for e in sent if not e.delivered),
        missed=tuple(e.id for e in due_here if e.id not in known),
        last_sent_at=latest.created_time if latest else None,
        last_answer=latest.status_code if latest else None,
        unannounced=tuple(unannounced_payments(runtime, name, since)),
    )


def watch(runtime: Runtime, name: str, *, silent_hours: int = SILENT_HOURS) -> Watched:
    """Look after the subscription: enable it again, fetch what was missed, raise the alarm when BILL has gone silent.

    Silence alone is no fault, nights and holidays are silent; silence while BILL shows changed payments is one.
    Payments that no event announced become due at once.

    Args:
        runtime: opens database, vault and client.
        name: the connection.
        silent_hours: without any event for so long, BILL's payments are looked at.
    """
    connection, store = runtime.connections[name], runtime.store(name)
    url = connection.bill.webhook_url
    if not url:
        return Watched(subscribed=False)
    window = connection.alerts.window_minutes
    hooks = runtime.bill(name).subscriptions
    ours = ours_of(hooks.list(), url)
    if ours is None:
        offer(store, "subscription is missing", url, "Run: jdebill webhooks subscribe " + name, window=window)
        return Watched(subscribed=False)
    now, last = datetime.now(UTC), store.inbox.stats().last_received_at
    since = max(now - HISTORY, (last or now - HISTORY) - OVERLAP)
    if not ours.enabled:
        hooks.enable(ours.id)
        replayed = fetch_missed(runtime, name, ours.id, since)
        # What changed while nothing was sent may be in no history: everything that no event told is read.
        unannounced = unannounced_payments(runtime, name, since, grace=timedelta(0))
        make_due(store, unannounced)
        offer(
            store,
            "subscription was disabled by BILL",
            url,
            "It is enabled again and what was missed was fetched. Find out why deliveries failed: is the receiver "
            "running, does the proxy pass on /webhooks/? See: jdebill webhooks status " + name,
            window=window,
            rows=[{"payment": id} for id in unannounced],
            facts={"events fetched": str(replayed.missing), "last event received": _when(last)},
        )
        return Watched(subscribed=True, was_disabled=True, replayed=replayed.missing, unannounced=len(unannounced))
    if last is not None and now - last < timedelta(hours=silent_hours):
        return Watched(subscribed=True)
    unannounced = unannounced_payments(runtime, name, max(since, now - timedelta(hours=silent_hours)))
    if not unannounced:
        return Watched(subscribed=True)
    replayed = fetch_missed(runtime, name, ours.id, since)
    make_due(store, unannounced)
    offer(
        store,
        "no event although payments changed",
        url,
        f"BILL sent nothing for {silent_hours} hours while payments changed; they are read now. Check the address "
        "and the proxy, then: jdebill webhooks status " + name,
        window=window,
        rows=[{"payment": id} for id in unannounced],
        facts={"last event received": _when(last)},
    )
    return Watched(subscribed=True, silent=True, replayed=replayed.missing, unannounced=len(unannounced))


def _when(moment: datetime | None) -> str:
    return "never" if moment is None else moment.isoformat(timespec="minutes")
