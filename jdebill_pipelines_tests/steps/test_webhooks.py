"""The subscription against a BILL simulator, with a receiver and a database behind it: nothing is missed."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy.engine import Engine

from jdebill_pipelines.bill.webhook_keys import WebhookKeys
from jdebill_pipelines.config.connection import BillConfig
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.domain.alerts import AlertContent
from jdebill_pipelines.receiver.app import build_app
from jdebill_pipelines.receiver.server import open_engine
from jdebill_pipelines.sandbox.bill.app import build_bill_app
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.steps import webhook_events, webhook_watch, webhooks
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.steps.webhooks import WebhookError
from jdebill_pipelines.store.drafts import Draft
from jdebill_pipelines.store.inbox import InboxEvent
from jdebill_pipelines.store.links import Link
from jdebill_pipelines.store.store import Store
from jdebill_pipelines.transport.errors import ApiError
from jdebill_pipelines_tests.receiver.conftest import MASTER_KEY, connection, event, wait_until
from jdebill_pipelines_tests.sandbox.bill.caller import Bill, bill, vendor
from jdebill_pipelines_tests.support.serving import Serving

LOGIN = {"username": "sync@example.com", "password": "sandbox-password", "dev_key": "sandbox-dev-key"}


class World:
    """BILL, our receiver, and what a run has of them."""

    def __init__(self, runtime: Runtime, api: Bill, store: Store, receiver_url: str) -> None:
        self.runtime = runtime
        self.api = api
        self.store = store
        self.receiver_url = receiver_url

    def pay(self, number: str, *, to: str = "PROCESSED") -> str:
        """Make a bill and pay it; returns the payment's id."""
        if not hasattr(self, "vendor_id"):
            self.vendor_id = self.api.ok("POST", "/vendors", vendor())["id"]
        made = self.api.ok("POST", "/bills", bill(self.vendor_id, number))
        paid = self.api.control("clerk/pay", {"billId": made["id"], "to": to})
        self.api.control("webhooks/idle", {})
        return str((paid.get("payment") or paid)["id"])

    def subscription(self) -> dict[str, Any]:
        """Our subscription as BILL has it."""
        (found,) = self.api.ok("GET", "/subscriptions", base="/connect-events/v3")["results"]
        return dict(found)

    def events(self, entity_id: str) -> list[str]:
        """The sources of the events in the inbox about an object."""
        return [row.source for row in self.store.inbox.read(entity_ids=[entity_id])]


@pytest.fixture
def world(database_url: str, engine: Engine, tmp_path: Path) -> Iterator[World]:
    """A connection ``acme`` whose BILL and whose receiver are on loopback ports."""
    vault, receiver_engine = Vault(MASTER_KEY), open_engine(database_url)
    organization = Serving(build_bill_app(Organization(seed=7)))
    bare = connection()
    receiver = Serving(build_app(receiver_engine, vault, {"acme": bare}))
    config = BillConfig(
        api_url=f"{organization.url}/connect",
        organization_id=bare.bill.organization_id,
        webhook_url=f"{receiver.url}/webhooks/acme",
    )
    acme = msgspec.structs.replace(bare, bill=config)
    settings = Settings(database_url, tmp_path, tmp_path, _key_text(), tmp_path / "k", tmp_path / "d")
    runtime = Runtime(settings, {"acme": acme})
    store = Store(engine, "acme")
    store.credentials.put("bill", vault.encrypt("acme", "bill", msgspec.json.encode(LOGIN)))
    api = Bill(organization.url)
    api.login()
    api.switch(webhook_retry_seconds=[])
    try:
        yield World(runtime, api, store, receiver.url)
    finally:
        api.http.close()
        runtime.close()
        receiver.stop()
        organization.stop()
        receiver_engine.dispose()


def _key_text() -> str:
    return base64.b64encode(MASTER_KEY).decode()


def test_subscribed_events_arrive_and_become_due(world: World) -> None:
    """From subscribing to due work: the key goes into the vault only, events are stored and drained by kind."""
    made = webhooks.subscribe(world.runtime, "acme")
    assert (made.created, made.key_stored) == (True, True)
    assert set(made.events) == set(webhooks.EVENTS)
    keys = webhooks.read_keys(world.runtime, "acme")
    assert keys.security_key
    assert not keys.pending_request
    assert keys.security_key not in repr(made)
    assert keys.security_key.encode() not in (world.store.credentials.get("webhook") or b"")
    paid = world.pay("INV-1")
    assert world.events(paid) != []
    taken = webhook_events.drain(world.store)
    assert taken == world.store.inbox.stats().total
    work = {w.flow: w for w in world.store.due.pending()}
    assert work["payments"].entities == (paid,)
    assert work["payments"].sources == ("webhook",)
    assert work["vendors"].entities == (world.vendor_id,)
    assert "bill" not in work, "a bill made in BILL concerns nobody before it is paid"
    assert webhook_events.drain(world.store) == 0


def test_events_of_our_own_writes_are_no_work(world: World) -> None:
    """Vendor and bill as we wrote and mirrored them: their events, and one for a payment, ask for nothing; edits do."""
    webhooks.subscribe(world.runtime, "acme")
    world.api.switch(bill_updated_on=["any", "payment"], vendor_updated_on=["any"])
    world.vendor_id = world.api.ok("POST", "/vendors", vendor())["id"]
    made = world.api.ok("POST", "/bills", bill(world.vendor_id, "INV-1"))
    for kind, key, one in (("vendor", "4242", world.vendor_id), ("bill", "00001-PV-1", made["id"])):
        raw = world.api.ok("GET", f"/{kind}s/{one}")
        world.store.mirror.put(f"{kind}s", [raw], run_id="r", seen_at=datetime.now(UTC), source="get")
        world.store.links.put(kind, [Link(kind=kind, natural_key=key, remote_id=one, origin="created")], run_id="r")
    draft = Draft(kind="bill", natural_key="00001-PV-1", period="2026-02", status="due", content={"amount": Decimal(1)})
    world.store.drafts.put("bills", [draft], run_id="r")
    world.api.control("clerk/pay", {"billId": made["id"], "amount": "1.00", "to": "PROCESSED"})
    world.api.control("webhooks/idle", {})
    kinds = [row.event_type for row in world.store.inbox.read()]
    assert {"bill.created", "bill.updated", "vendor.created", "payment.updated"} <= set(kinds)
    webhook_events.drain(world.store)
    assert [w.flow for w in world.store.due.pending()] == ["payments"]
    world.api.control("clerk/edit_bill", {"billId": made["id"], "changes": {"dueDate": "2027-01-31"}})
    world.api.control("clerk/edit_vendor", {"vendorId": world.vendor_id, "changes": {"name": "Another name"}})
    world.api.control("webhooks/idle", {})
    webhook_events.drain(world.store)
    work = {w.flow: w for w in world.store.due.pending() if w.flow != "payments"}
    assert work["bill"].entities == (made["id"],)
    assert work["bill"].periods == ("2026-02",)
    assert work["vendors"].entities == (world.vendor_id,)
    assert all(w.since is not None for w in work.values()), "a delta of an hour, not of everything since the start"


def test_subscribing_again_changes_nothing(world: World) -> None:
    """Twice is once: same subscription, same key; one that BILL disabled is enabled, missing types are added."""
    first = webhooks.subscribe(world.runtime, "acme")
    key = webhooks.read_keys(world.runtime, "acme").security_key
    again = webhooks.subscribe(world.runtime, "acme")
    assert (again.subscription_id, again.created, again.key_stored) == (first.subscription_id, False, False)
    world.api.ok(
        "PATCH",
        f"/subscriptions/{first.subscription_id}",
        {"status": {"enabled": False}, "events": [{"type": "bill.created", "version": "1"}]},
        base="/connect-events/v3",
    )
    webhooks.subscribe(world.runtime, "acme")
    found = world.subscription()
    assert found["status"]["enabled"]
    assert {e["type"] for e in found["events"]} == set(webhooks.EVENTS)
    assert webhooks.read_keys(world.runtime, "acme").security_key == key


def test_crash_between_subscribing_and_storing_the_key_loses_no_key(world: World) -> None:
    """The idempotency key was stored before: asked again, BILL repeats its answer with the security key."""
    request = str(uuid.uuid4())
    webhooks.write_keys(world.runtime, "acme", WebhookKeys().asking(request, datetime.now(UTC), rotation=False))
    url = world.runtime.connections["acme"].bill.webhook_url or ""
    lost = world.runtime.bill("acme").subscriptions.create(
        "jdebill acme", url, webhooks.EVENTS, idempotency_key=uuid.UUID(request)
    )
    found = webhooks.subscribe(world.runtime, "acme")
    assert found.subscription_id == lost.id
    assert webhooks.read_keys(world.runtime, "acme").security_key == lost.security_key
    assert world.events(world.pay("INV-1")) != []


def test_lost_key_of_an_old_subscription_is_replaced(world: World) -> None:
    """A subscription of which nobody has the key (another machine's vault): a new key is made and works."""
    webhooks.subscribe(world.runtime, "acme")
    world.store.credentials.remove("webhook")
    found = webhooks.subscribe(world.runtime, "acme")
    assert (found.created, found.key_stored) == (False, True)
    assert world.events(world.pay("INV-1")) != []


def test_at_most_ten_subscriptions(world: World) -> None:
    """With ten others the error names them, and BILL is not asked for an eleventh."""
    for n in range(10):
        world.runtime.bill("acme").subscriptions.create(f"other {n}", f"https://h{n}.example.com/", ["bill.created"])
    with pytest.raises(WebhookError, match=r"has 10 webhook subscriptions.*other 3"):
        webhooks.subscribe(world.runtime, "acme")
    with pytest.raises(WebhookError, match="no subscription"):
        webhooks.rotate_key(world.runtime, "acme")


@pytest.mark.parametrize("old_signs_on", [0, 3600])
def test_rotation_loses_no_event(world: World, old_signs_on: int) -> None:
    """Whether BILL signs with the new key at once or with the old one for a while: no delivery fails."""
    webhooks.subscribe(world.runtime, "acme")
    world.pay("INV-1")
    before = webhooks.read_keys(world.runtime, "acme")
    world.api.switch(webhook_old_key_seconds=old_signs_on)
    until = webhooks.rotate_key(world.runtime, "acme")
    after = webhooks.read_keys(world.runtime, "acme")
    assert after.security_key != before.security_key
    assert after.previous_key == before.security_key
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)
    assert world.events(world.pay("INV-2")) != []
    assert world.api.control("state")["webhooks"]["failed"] == 0
    assert world.store.inbox.refusals() == {}


def test_dropped_events_are_fetched_from_the_history(world: World) -> None:
    """Every delivery is lost: the replay puts each into the inbox once, and none again."""
    webhooks.subscribe(world.runtime, "acme")
    world.api.switch(webhook_drop_percent=100)
    paid = world.pay("INV-1")
    assert world.events(paid) == []
    status = webhook_watch.status(world.runtime, "acme")
    assert (status.enabled, status.failed) == (True, status.sent)
    found = webhooks.replay(world.runtime, "acme", since=datetime.now(UTC) - timedelta(hours=1))
    assert (found.missing, found.unreadable, found.unannounced) == (found.read, 0, 0)
    assert set(world.events(paid)) == {"history"}
    again = webhooks.replay(world.runtime, "acme")
    assert (again.read, again.missing) == (found.read, 0)
    webhook_events.drain(world.store)
    assert {w.flow: w.sources for w in world.store.due.pending()}["payments"] == ("history",)


def test_status_tells_gaps(world: World) -> None:
    """Events that were sent and never came, and payments that no event told, are listed with the way out."""
    assert webhook_watch.status(world.runtime, "acme").problems == [
        f"BILL has no subscription for {world.receiver_url}/webhooks/acme; run: jdebill webhooks subscribe acme"
    ]
    world.api.control("clock", {"advance_seconds": -7200})
    world.api.login()
    webhooks.subscribe(world.runtime, "acme")
    world.api.switch(webhook_drop_percent=100)
    lost = world.pay("INV-1")
    world.api.switch(webhook_drop_percent=0, webhook_silent_percent=100)
    silent = world.pay("INV-2")
    world.api.switch(webhook_silent_percent=0)
    told = world.pay("INV-3")
    status = webhook_watch.status(world.runtime, "acme")
    assert len(status.missed) >= 1
    assert set(status.unannounced) == {lost, silent}
    assert told not in status.unannounced
    assert any("never came; run: jdebill webhooks replay" in p for p in status.problems)
    webhooks.replay(world.runtime, "acme")
    status = webhook_watch.status(world.runtime, "acme")
    assert (status.missed, status.unannounced) == ((), (silent,))
    assert world.store.due.pending(["payments"])[0].entities == (silent,)


def test_disabled_subscription_is_enabled_and_what_was_missed_is_due(world: World) -> None:
    """BILL gives up after a failed delivery; the watch enables it, reads what happened meanwhile and tells once."""
    webhooks.subscribe(world.runtime, "acme")
    url = world.runtime.connections["acme"].bill.webhook_url
    webhooks.write_keys(world.runtime, "acme", WebhookKeys(security_key="not BILL's"))
    failed = world.pay("INV-1")
    wait_until(lambda: not world.subscription()["status"]["enabled"])
    meanwhile = world.pay("INV-2")
    assert world.events(failed) == world.events(meanwhile) == []
    first = webhook_watch.watch(world.runtime, "acme")
    assert (first.subscribed, first.was_disabled) == (True, True)
    assert world.subscription()["status"]["enabled"]
    assert first.replayed > 0
    webhook_events.drain(world.store)
    (work,) = world.store.due.pending(["payments"])
    assert {failed, meanwhile} <= set(work.entities)
    told = [a for a in world.store.alerts.outbox() if a["fingerprint"] == "webhook:subscription was disabled by BILL"]
    assert [(a["body"]["where"], a["state"]) for a in told] == [(url, "pending")]
    assert not webhook_watch.watch(world.runtime, "acme").was_disabled


def test_silence_is_an_alarm_only_while_payments_change(world: World) -> None:
    """A day without events is nothing; while BILL shows a changed payment it is told, and the payment read."""
    world.api.control("clock", {"advance_seconds": -7200})
    world.api.login()
    webhooks.subscribe(world.runtime, "acme")
    assert webhook_watch.watch(world.runtime, "acme") == webhook_watch.Watched(subscribed=True)
    world.api.switch(webhook_silent_percent=100)
    silent = world.pay("INV-1")
    found = webhook_watch.watch(world.runtime, "acme")
    assert (found.silent, found.unannounced) == (True, 1)
    assert world.store.due.pending(["payments"])[0].entities == (silent,)
    (alert,) = world.store.alerts.outbox()
    assert alert["fingerprint"] == "webhook:no event although payments changed"
    assert AlertContent.of(alert["body"]).rows == ({"payment": silent},)
    world.store.inbox.put([InboxEvent(event_id="x", event_type="bill.updated", body=b"{}")])
    assert not webhook_watch.watch(world.runtime, "acme").silent, "an event of this hour is no silence"


def test_missing_subscription_is_told(world: World) -> None:
    """The watch of a connection with an address and no subscription says what to run."""
    assert not webhook_watch.watch(world.runtime, "acme").subscribed
    (alert,) = world.store.alerts.outbox()
    assert "jdebill webhooks subscribe acme" in alert["body"]["fix"]


def test_payment_that_bill_could_not_make_is_told_with_its_bills(world: World) -> None:
    """``payment.failed`` names no payment: what changed around then is due, and AP is told why, once per reason."""
    webhooks.subscribe(world.runtime, "acme")
    vendor_id = world.api.ok("POST", "/vendors", vendor())["id"]
    made = world.api.ok("POST", "/bills", bill(vendor_id))
    world.api.control("clerk/create_failed", {"billId": made["id"]})
    world.api.control("webhooks/idle", {})
    (failed,) = [r for r in world.store.inbox.read() if r.event_type == "payment.failed"]
    webhook_events.drain(world.store, window_minutes=5)
    (work,) = world.store.due.pending(["payments"])
    assert work.entities == ()
    assert work.since == failed.received_at - webhook_events.OVERLAP
    (alert,) = world.store.alerts.outbox()
    assert alert["fingerprint"].startswith("payment:failed:")
    assert [row["bill"] for row in AlertContent.of(alert["body"]).rows] == [made["id"]]
    assert alert["body"]["owner"] == "team:accounts-payable"


def test_events_of_no_concern_make_nothing_due(world: World) -> None:
    """An invoice event is taken and ignored."""
    body = msgspec.json.encode(event("e1", eventType="invoice.created"))
    world.store.inbox.put([InboxEvent(event_id="e1", event_type="invoice.created", body=body)])
    assert webhook_events.drain(world.store) == 1
    assert world.store.due.pending() == []
    assert world.store.inbox.read()[0].outcome == "ignored"


def test_without_an_address_nothing_is_asked(world: World) -> None:
    """A connection without ``bill.webhook_url``: subscribing says which key to set; the watch does nothing."""
    bare = msgspec.structs.replace(
        world.runtime.connections["acme"],
        bill=msgspec.structs.replace(world.runtime.connections["acme"].bill, webhook_url=None),
    )
    world.runtime.connections["acme"] = bare
    with pytest.raises(WebhookError, match=r"bill\.webhook_url"):
        webhooks.subscribe(world.runtime, "acme")
    assert not webhook_watch.watch(world.runtime, "acme").subscribed
    assert "bill.webhook_url is not set" in webhook_watch.status(world.runtime, "acme").problems[0]


def test_lost_answer_to_a_rotation_is_asked_for_again(world: World) -> None:
    """BILL made a new key and its answer was lost: the request is kept, and asked again gives BILL's present key."""
    webhooks.subscribe(world.runtime, "acme")
    before = webhooks.read_keys(world.runtime, "acme")
    lost = {"route": "security_key", "method": "POST", "fault": "reset_after_commit", "times": 50}
    world.api.control("faults", lost)
    with pytest.raises(ApiError):
        webhooks.rotate_key(world.runtime, "acme")
    kept = webhooks.read_keys(world.runtime, "acme")
    assert (kept.security_key, bool(kept.pending_request)) == (before.security_key, True)
    world.api.control("faults", method="DELETE")
    webhooks.rotate_key(world.runtime, "acme")
    after = webhooks.read_keys(world.runtime, "acme")
    assert (after.previous_key, after.pending_request) == (before.security_key, "")
    assert world.events(world.pay("INV-1")) != [], "it is the key that BILL signs with"
