"""Webhooks of the BILL simulator: subscriptions, signed deliveries, retries, history."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from jdebill_pipelines_tests.sandbox.bill.caller import Bill, bill, vendor, wait_until

EVENTS = "/connect-events/v3"
FAST = {"webhook_retry_seconds": [0, 0]}


@dataclass
class Receiver:
    """A subscriber that keeps what it gets and answers what it is told."""

    url: str = ""
    got: list[tuple[bytes, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def events(self) -> list[dict[str, Any]]:
        """The delivered bodies."""
        return [json.loads(body) for body, _ in self.got]

    def types(self) -> list[str]:
        """The delivered event types."""
        return [event["metadata"]["eventType"] for event in self.events()]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A subscriber on a free port; it answers 200 unless told otherwise."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((body, self.headers["x-bill-sha-signature"]))
            self.send_response(kept.answers.pop(0) if kept.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_address[1]}/bill?x=1"
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def subscribe(api: Bill, url: str, *types: str, **more: Any) -> dict[str, Any]:
    """Create a subscription."""
    events = [{"type": name, "version": "1"} for name in types]
    body = {"name": "erp", "status": {"enabled": True}, "events": events, "notificationUrl": url, **more}
    headers = {"X-Idempotent-Key": str(uuid.uuid4())}
    made: dict[str, Any] = api.ok("POST", "/subscriptions", body, base=EVENTS, headers=headers)
    return made


def signed(body: bytes, key: str) -> str:
    """The signature as BILL documents it."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def test_subscriptions_are_made_once_per_key_and_show_their_secret_once(api: Bill, receiver: Receiver) -> None:
    """Idempotent keys, a replay, a twin, a plain-http URL, eleven subscriptions, rotation, deletion."""
    body = {
        "name": "erp",
        "status": {"enabled": True},
        "events": [{"type": "bill.updated", "version": "1"}],
        "notificationUrl": receiver.url,
    }
    path = "/subscriptions"
    api.refused(400, "POST", path, body, base=EVENTS)
    api.refused(400, "POST", path, body, base=EVENTS, headers={"X-Idempotent-Key": "1"})
    key = {"X-Idempotent-Key": str(uuid.uuid4())}
    answer = api.call("POST", path, body, base=EVENTS, headers=key)
    assert answer.status_code == 200
    made = answer.json()
    assert api.ok("POST", path, body, base=EVENTS, headers=key) == made
    other = {"X-Idempotent-Key": str(uuid.uuid4())}
    api.refused(400, "POST", path, body, base=EVENTS, headers=other)
    for url in ("http://hooks.example.com/bill", "ftp://127.0.0.1/", "hooks"):
        api.refused(400, "POST", path, {**body, "notificationUrl": url}, base=EVENTS, headers=other)
    api.refused(400, "POST", path, {**body, "events": [{"type": "payment.created", "version": "1"}]}, base=EVENTS)
    shown = api.ok("GET", f"{path}/{made['id']}", base=EVENTS)
    assert shown == {k: v for k, v in made.items() if k != "securityKey"}
    rotate = f"{path}/{made['id']}/security_key"
    api.refused(400, "POST", rotate, base=EVENTS)
    key = {"X-Idempotent-Key": str(uuid.uuid4())}
    fresh = api.ok("POST", rotate, base=EVENTS, headers=key)["securityKey"]
    assert fresh != made["securityKey"]
    assert api.ok("POST", rotate, base=EVENTS, headers=key)["securityKey"] == fresh
    assert api.ok("PATCH", f"{path}/{made['id']}", {"name": "new"}, base=EVENTS)["name"] == "new"
    api.refused(400, "PUT", f"{path}/{made['id']}", {"name": "new"}, base=EVENTS)
    for number in range(9):
        subscribe(api, f"https://hooks.example.com/{number}", "bill.created")
    eleventh = {**body, "notificationUrl": "https://hooks.example.com/11"}
    api.refused(400, "POST", path, eleventh, base=EVENTS, headers={"X-Idempotent-Key": str(uuid.uuid4())})
    page = api.ok("GET", path, base=EVENTS, params={"max": 6})
    rest = api.ok("GET", path, base=EVENTS, params={"max": 6, "page": page["nextPage"]})
    assert len(page["results"]) + len(rest["results"]) == 10
    assert api.call("DELETE", f"{path}/{made['id']}", base=EVENTS).content == b""
    api.refused(404, "GET", f"{path}/{made['id']}", base=EVENTS)
    catalog = {item["type"] for item in api.ok("GET", "/events/catalog", base=EVENTS)}
    assert {"bill.updated", "payment.updated", "payment.failed"} <= catalog
    assert "payment.created" not in catalog


def test_a_payment_is_told_signed_with_bill_ids_but_without_their_amounts(api: Bill, receiver: Receiver) -> None:
    """The whole life of a bill and its payment, as a subscriber sees it."""
    names = ("bill.created", "bill.updated", "bill.archived", "vendor.created", "payment.updated", "payment.failed")
    made = subscribe(api, receiver.url, *names)
    acme = api.ok("POST", "/vendors", vendor("Acme"))["id"]
    paper = api.ok("POST", "/bills", bill(acme, "B-1", "100.10"))
    line = paper["billLineItems"][0]["id"]
    api.control("clerk/create_failed", {"billId": paper["id"]})
    api.ok("PATCH", f"/bills/{paper['id']}", {"description": "not told"})
    api.control("clerk/edit_bill", {"billId": paper["id"], "changes": {"billLineItems": [{"id": line, "amount": 90}]}})
    payment = api.control("clerk/pay", {"billId": paper["id"], "processDate": "2026-06-12"})
    api.control("clerk/clear", {"paymentId": payment["id"]})
    api.control("webhooks/idle", {})
    assert all(signature == signed(body, made["securityKey"]) for body, signature in receiver.got)
    by_type: dict[str, list[dict[str, Any]]] = {}
    for event in receiver.events():
        by_type.setdefault(event["metadata"]["eventType"], []).append(event)
    assert {name: len(found) for name, found in by_type.items()} == {
        "vendor.created": 1,
        "bill.created": 1,
        "bill.updated": 1,
        "payment.failed": 1,
        "payment.updated": 6,
    }
    told = by_type["bill.created"][0]["bill"]
    assert told["invoice"]["invoiceDate"] == "2026-05-16T00:00:00.000Z"
    assert "billLineItems" not in told
    assert by_type["bill.updated"][0]["bill"]["vendorName"] == "Acme"
    failed = by_type["payment.failed"][0]
    assert "id" not in failed["payment"]
    assert failed["errors"][0]["code"] == "BDC_1151"
    statuses = [event["payment"]["status"] for event in by_type["payment.updated"]]
    assert set(statuses) == {"SCHEDULED", "READY_TO_FUND", "FUNDING_STARTED", "PROCESSED", "SENT", "CLEARED"}
    assert all(event["payment"]["billIds"] == [paper["id"]] for event in by_type["payment.updated"])
    assert not any("billPayments" in event["payment"] for event in by_type["payment.updated"])
    assert len({event["metadata"]["eventId"] for event in receiver.events()}) == len(receiver.got)


def test_anything_but_200_is_retried_and_then_the_subscription_is_disabled(api: Bill, receiver: Receiver) -> None:
    """202 is a failure; the second try succeeds; three failures disable; what was missed is not sent later."""
    api.switch(**FAST)
    made = subscribe(api, receiver.url, "bill.created")
    acme = api.ok("POST", "/vendors", vendor())["id"]
    receiver.answers[:] = [202]
    api.ok("POST", "/bills", bill(acme, "R-1"))
    api.control("webhooks/idle", {})
    assert len(receiver.got) == 2
    assert receiver.got[0] == receiver.got[1]
    receiver.answers[:] = [500, 500, 503]
    api.ok("POST", "/bills", bill(acme, "R-2"))
    wait_until(lambda: api.ok("GET", f"/subscriptions/{made['id']}", base=EVENTS)["status"] == {"enabled": False})
    api.ok("POST", "/bills", bill(acme, "R-3"))
    assert len(receiver.got) == 5
    path = f"/events/subscription/{made['id']}"
    history = api.ok("GET", path, base=EVENTS)["results"]
    assert [event["statusCode"] for event in history] == [503, 200]
    assert [json.loads(event["payload"])["bill"]["invoice"]["invoiceNumber"] for event in history] == ["R-2", "R-1"]
    api.ok("PATCH", f"/subscriptions/{made['id']}", {"status": {"enabled": True}}, base=EVENTS)
    api.ok("POST", f"{path}/event/{history[0]['id']}", base=EVENTS)
    api.control("webhooks/idle", {})
    assert receiver.events()[-1]["metadata"]["eventId"] == history[0]["id"]
    api.refused(404, "POST", f"{path}/event/{uuid.uuid4()}", base=EVENTS)


def test_history_is_paged_filtered_and_ordered(api: Bill, receiver: Receiver) -> None:
    """Newest first or ascending, by entity, by time, three to a page, forgotten after 180 days."""
    made = subscribe(api, receiver.url, "bill.created")
    acme = api.ok("POST", "/vendors", vendor())["id"]
    api.control("clock", {"set": "2026-05-01T00:00:00", "frozen": True})
    api.login()
    bills = []
    for number in range(5):
        bills.append(api.ok("POST", "/bills", bill(acme, f"H-{number}"))["id"])
        api.control("clock", {"advance_seconds": 60})
    path = f"/events/subscription/{made['id']}"

    def entities(**query: Any) -> list[str]:
        found = api.ok("GET", path, base=EVENTS, params=query)["results"]
        return [json.loads(event["payload"])["bill"]["id"] for event in found]

    assert entities() == bills[::-1]
    assert entities(ascending="true") == bills
    assert entities(entityId=bills[2]) == [bills[2]]
    times = {"createdTimeFrom": "2026-05-01T00:01:00.000Z", "createdTimeTo": "2026-05-01T00:03:00Z"}
    assert entities(ascending="true", **times) == bills[1:4]
    first = api.ok("GET", path, base=EVENTS, params={"max": 3})
    second = api.ok("GET", path, base=EVENTS, params={"max": 3, "page": first["nextPage"]})
    assert len(second["results"]) == 2
    assert "nextPage" not in second
    api.refused(400, "GET", path, base=EVENTS, params={"max": 101})
    api.control("clock", {"advance_days": 181})
    api.login()
    assert entities() == []


def test_test_events_and_the_old_key_after_rotation(api: Bill, receiver: Receiver) -> None:
    """A test event carries what was given; after rotation the switch decides how long the old key signs."""
    api.switch(webhook_old_key_seconds=3600)
    made = subscribe(api, receiver.url, "bill.created")
    path = f"/subscriptions/{made['id']}"
    sent = api.ok("POST", f"{path}/test", {"eventType": "bill.updated", "bill": {"id": "x", "amount": 1}}, base=EVENTS)
    assert sent["type"] == "bill.updated"
    headers = {"X-Idempotent-Key": str(uuid.uuid4())}
    fresh = api.ok("POST", f"{path}/security_key", base=EVENTS, headers=headers)["securityKey"]
    api.ok("POST", f"{path}/test", base=EVENTS)
    api.control("webhooks/idle", {})
    api.control("clock", {"advance_seconds": 3601})
    api.login()
    api.ok("POST", f"{path}/test", {}, base=EVENTS)
    api.control("webhooks/idle", {})
    keys = [made["securityKey"], made["securityKey"], fresh]
    for (body, signature), key in zip(receiver.got, keys, strict=True):
        assert signature == signed(body, key)
    assert receiver.events()[0]["bill"] == {"id": "x", "amount": 1}
    assert receiver.types()[1] == "bill.created"


def test_deliveries_can_be_doubled_lost_reordered_and_double_encoded(api: Bill, receiver: Receiver) -> None:
    """Each switch does what it says, and the history still has everything but the silent ones."""
    made = subscribe(api, receiver.url, "bill.created")
    acme = api.ok("POST", "/vendors", vendor())["id"]

    def create(count: int, prefix: str) -> list[str]:
        before = len(receiver.got)
        for number in range(count):
            api.ok("POST", "/bills", bill(acme, f"{prefix}-{number}"))
        api.control("webhooks/idle", {})
        return [json.loads(body)["bill"]["invoice"]["invoiceNumber"] for body, _ in receiver.got[before:]]

    api.switch(webhook_duplicate_percent=100)
    assert sorted(create(3, "D")) == ["D-0", "D-0", "D-1", "D-1", "D-2", "D-2"]
    api.switch(webhook_duplicate_percent=0, webhook_drop_percent=100)
    assert create(3, "L") == []
    api.switch(webhook_drop_percent=0, webhook_silent_percent=100)
    assert create(3, "S") == []
    api.switch(webhook_silent_percent=0, webhook_reorder=True)
    reordered = create(12, "O")
    assert sorted(reordered) == sorted(f"O-{n}" for n in range(12)) != reordered
    history = api.ok("GET", f"/events/subscription/{made['id']}", base=EVENTS, params={"max": 100})["results"]
    assert len(history) == 3 + 3 + 12
    api.switch(webhook_reorder=False, webhook_double_encoded=True)
    api.ok("POST", "/bills", bill(acme, "E-1"))
    api.control("webhooks/idle", {})
    body, signature = receiver.got[-1]
    assert signature == signed(body, made["securityKey"])
    text = json.loads(body)
    assert isinstance(text, str)
    assert json.loads(text)["bill"]["invoice"]["invoiceNumber"] == "E-1"
