"""`jdebill webhooks` against a BILL simulator that posts to a real receiver: what is said and what both sides have."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from sqlalchemy.engine import Engine

from jdebill_pipelines.bill.webhook_keys import WebhookKeys
from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.receiver.app import build_app
from jdebill_pipelines.receiver.server import open_engine
from jdebill_pipelines.sandbox.bill.app import build_bill_app
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.receiver.conftest import MASTER_KEY, ORGANIZATION, event, signed, wait_until
from jdebill_pipelines_tests.sandbox.bill.caller import Bill, bill, vendor
from jdebill_pipelines_tests.support.commands import Command, Said
from jdebill_pipelines_tests.support.serving import Serving

FILE = """
name: acme
start_date: 2026-01-01
timezone: America/Denver
jde: {{ais_url: "http://127.0.0.1:1/jderest", environment: JDV920, role: "*ALL", companies: ["00001"]}}
bill:
  api_url: {bill}/connect
  organization_id: "{organization}"
  {webhook_url}
sync: {{documents: [vouchers], writeback: {{voucher: none, purchase_order: none, other: none}}}}
"""
LOGIN = {"bill": {"username": "sync@example.com", "password": "sandbox-password", "dev_key": "sandbox-dev-key"}}
EVENTS = "/connect-events/v3"


@dataclass
class Place:
    """BILL, our receiver, our database and the command line between them."""

    jdebill: Command
    api: Bill
    store: Store
    receiver: str
    folder: Path
    said: list[Said] = field(default_factory=list)

    def __call__(self, *arguments: str) -> Said:
        """Run `jdebill webhooks ...`; what it said is kept."""
        self.said.append(self.jdebill("webhooks", *arguments))
        return self.said[-1]

    @property
    def keys(self) -> WebhookKeys:
        """What the vault has."""
        blob = self.store.credentials.get("webhook")
        return WebhookKeys() if blob is None else WebhookKeys.decode(Vault(MASTER_KEY).decrypt("acme", "webhook", blob))

    @property
    def url(self) -> str:
        """The address that BILL posts to."""
        return f"{self.receiver}/webhooks/acme"

    def subscriptions(self) -> list[dict[str, Any]]:
        """What BILL has."""
        return list(self.api.ok("GET", "/subscriptions", base=EVENTS)["results"])

    def pay(self, number: str) -> str:
        """A clerk makes a bill and pays it; returns the payment's id once every delivery has ended."""
        if not hasattr(self, "vendor_id"):
            self.vendor_id = self.api.ok("POST", "/vendors", vendor())["id"]
        made = self.api.ok("POST", "/bills", bill(self.vendor_id, number))
        paid = self.api.control("clerk/pay", {"billId": made["id"], "to": "PROCESSED"})
        self.api.control("webhooks/idle", {})
        return str(paid["id"])

    def sources(self, entity_id: str) -> set[str]:
        """How the events about an object came into the inbox."""
        return {row.source for row in self.store.inbox.read(entity_ids=[entity_id])}

    def post(self, event_id: str, key: str) -> int:
        """Deliver an event signed with a key, as BILL would; returns the receiver's status."""
        raw = json.dumps(event(event_id)).encode()
        return requests.post(self.url, data=raw, headers=signed(raw, key), timeout=20).status_code

    def write_file(self, webhook_url: str | None, organization: str = ORGANIZATION) -> None:
        """Write the connection file with this ``bill.webhook_url``, or without."""
        line = "" if webhook_url is None else f"webhook_url: {webhook_url}"
        text = FILE.format(bill=self.api.root, organization=organization, webhook_url=line)
        (self.folder / "connections" / "acme.yaml").write_text(text, "utf-8")

    def check_nothing_leaked(self) -> None:
        """Neither a present nor a replaced key is in anything that was printed."""
        printed = "".join(said.out + said.err for said in self.said)
        keys = [key for key in (self.keys.security_key, self.keys.previous_key) if key]
        assert [key for key in keys if key in printed] == []


@pytest.fixture
def place(
    jdebill: Command, home: Path, database: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """Connection ``acme`` between a simulated BILL and a running receiver, with BILL's login in the vault."""
    monkeypatch.setenv("JDEBILL_MASTER_KEY", base64.b64encode(MASTER_KEY).decode())
    ours = open_engine(database)
    with Serving(build_bill_app(Organization(seed=7))) as organization:
        api = Bill(organization.url)
        found = Place(jdebill, api, Store(engine, "acme"), "", home)
        found.write_file("https://jdebill.example.com/webhooks/acme")
        connections = load_connections(home / "connections")
        with Serving(build_app(ours, Vault(MASTER_KEY), connections)) as receiver:
            found.receiver = receiver.url
            found.write_file(found.url)
            assert jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGIN)).code == 0
            api.login()
            api.switch(webhook_retry_seconds=[])
            try:
                yield found
                found.check_nothing_leaked()
            finally:
                api.http.close()
    ours.dispose()


def test_subscribe_makes_one_subscription_and_tells_no_key(place: Place) -> None:
    """Once it subscribes and seals the key; again it changes nothing, on either side; events arrive."""
    first = place("subscribe", "acme")
    assert first.out == f"Subscribed: {place.url}, 10 kinds.\nThe security key is stored, encrypted.\n"
    assert (first.code, first.err) == (0, "")
    (made,), key = place.subscriptions(), place.keys.security_key
    assert key
    assert key.encode() not in (place.store.credentials.get("webhook") or b"")
    again = place("subscribe", "acme")
    assert (again.code, again.out) == (0, f"Subscribed already: {place.url}, 10 kinds.\n")
    as_json = place("subscribe", "acme", "--json").json
    assert (as_json["subscription_id"], as_json["created"], as_json["key_stored"]) == (made["id"], False, False)
    assert set(as_json) == {"subscription_id", "url", "events", "created", "key_stored"}
    assert place.subscriptions() == [made]
    assert place.keys.security_key == key
    assert place.sources(place.pay("INV-1")) == {"webhook"}


def test_answer_that_was_lost_makes_no_second_subscription(place: Place) -> None:
    """BILL subscribed us and its answer never came: run again, the same subscription and its key are adopted."""
    lost = {"route": "subscriptions", "method": "POST", "fault": "reset_after_commit", "times": 50}
    place.api.control("faults", lost)
    failed = place("subscribe", "acme")
    assert failed.code == 3
    assert failed.err.count("\n") == 1
    (made,) = place.subscriptions()
    place.api.control("faults", method="DELETE")
    assert place("subscribe", "acme", "--json").json["subscription_id"] == made["id"]
    assert len(place.subscriptions()) == 1
    assert place.sources(place.pay("INV-1")) == {"webhook"}, "it is the key that BILL signs with"


def test_eleventh_subscription_is_not_asked_for(place: Place) -> None:
    """An organization has ten: the error names them, nothing is asked for or stored; with one less it works."""
    for n in range(10):
        body = {
            "name": f"other {n}",
            "status": {"enabled": True},
            "events": [{"type": "bill.created", "version": "1"}],
            "notificationUrl": f"https://h{n}.example.com/",
        }
        key = {"X-Idempotent-Key": f"00000000-0000-4000-8000-{n:012d}"}
        place.api.ok("POST", "/subscriptions", body, base=EVENTS, headers=key)
    refused = place("subscribe", "acme")
    assert (refused.code, refused.out) == (2, "")
    assert "has 10 webhook subscriptions, BILL allows 10: delete one of other 0, other 1, other 2" in refused.err
    assert len(place.subscriptions()) == 10
    assert place.keys == WebhookKeys()
    place.api.ok("DELETE", f"/subscriptions/{place.subscriptions()[0]['id']}", base=EVENTS)
    assert place("subscribe", "acme").code == 0
    assert len(place.subscriptions()) == 10


def test_disabled_subscription_is_seen_and_enabled_again(place: Place) -> None:
    """BILL gives up on a receiver that refuses its key: status says so and what to run; replay mends all of it."""
    place("subscribe", "acme")
    good = place.keys
    place.store.credentials.put("webhook", Vault(MASTER_KEY).encrypt("acme", "webhook", b'{"security_key": "other"}'))
    failed = place.pay("INV-1")
    meanwhile = place.pay("INV-2")
    assert place.subscriptions()[0]["status"] == {"enabled": False}
    status = place("status", "acme")
    assert status.code == 1
    assert "BILL has disabled the subscription after failed deliveries; run: jdebill webhooks replay acme" in status.err
    lines = dict(line.rsplit(None, 1) for line in status.out.splitlines() if "  " in line.strip())
    assert (lines["Enabled"], lines["  answered with"]) == ("no", "401")
    assert int(lines["Refused: bad signature"]) >= 1
    place.store.credentials.put("webhook", Vault(MASTER_KEY).encrypt("acme", "webhook", good.encode()))
    replayed = place("replay", "acme")
    assert replayed.code == 0
    assert place.subscriptions()[0]["status"] == {"enabled": True}
    # The second payment is in no history: it changed while nothing was sent.
    assert (place.sources(failed), place.sources(meanwhile)) == ({"history"}, set())
    assert "changed payments that no event told of are due." in replayed.out
    assert meanwhile in {one for due in place.store.due.pending(["payments"]) for one in due.entities}
    assert place.sources(place.pay("INV-3")) == {"webhook"}


def test_subscribe_enables_a_disabled_subscription(place: Place) -> None:
    """Somebody switched it off and took a kind of event away: subscribing restores both and keeps the key."""
    place("subscribe", "acme")
    (made,), key = place.subscriptions(), place.keys.security_key
    change = {"status": {"enabled": False}, "events": [{"type": "payment.updated", "version": "1"}]}
    place.api.ok("PATCH", f"/subscriptions/{made['id']}", change, base=EVENTS)
    status = place("status", "acme", "--json")
    assert status.code == 1
    assert (status.json["enabled"], len(status.json["missing_events"])) == (False, 9)
    assert place("subscribe", "acme").code == 0
    (after,) = place.subscriptions()
    assert (after["id"], after["status"], len(after["events"])) == (made["id"], {"enabled": True}, 10)
    assert place.keys.security_key == key


def test_status_of_what_is_well(place: Place) -> None:
    """All that was sent arrived: exit code 0, nothing on standard error, and counts of both sides."""
    place("subscribe", "acme")
    place.pay("INV-1")
    status = place("status", "acme")
    assert (status.code, status.err) == (0, "")
    found = place("status", "acme", "--json", "--hours", "1").json
    assert (found["problems"], found["missed"], found["failed"], found["unannounced"]) == ([], [], 0, [])
    assert found["sent"] == found["inbox"]["total"] > 0
    assert (found["key_known"], found["enabled"], found["last_answer"]) == (True, True, 200)


def test_rotated_key_is_stored_and_both_are_accepted(place: Place) -> None:
    """BILL makes a new key; deliveries signed with either are taken, with any other not; neither is printed."""
    place("subscribe", "acme")
    before = place.keys.security_key
    said = place("rotate-key", "acme")
    assert said.code == 0
    assert said.out.startswith("The new key is stored, encrypted; the old one is accepted until ")
    after = place.keys
    assert after.security_key != before
    assert after.previous_key == before
    assert [place.post(f"e-{key}", key) for key in (after.security_key, before)] == [200, 200]
    assert place.post("forged", "another key") == 401
    assert place.store.inbox.known([f"e-{after.security_key}", f"e-{before}", "forged"]) == {
        f"e-{after.security_key}",
        f"e-{before}",
    }
    assert place.sources(place.pay("INV-1")) == {"webhook"}, "signed by BILL with its new key"
    until = datetime.fromisoformat(place("rotate-key", "acme", "--json").json["previous_key_accepted_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)
    # Of two rotations in a day only the last two keys count, as soon as the receiver has read them.
    wait_until(lambda: place.post("too old", before) == 401)


@pytest.mark.parametrize("command", ["rotate-key", "subscribe"])
def test_rotation_whose_answer_was_lost_is_taken_up(place: Place, command: str) -> None:
    """BILL has a new key that never came: whichever command is run next, ours is BILL's, the old one still counts."""
    place("subscribe", "acme")
    before = place.keys.security_key
    lost = {"route": "security_key", "method": "POST", "fault": "reset_after_commit", "times": 50}
    place.api.control("faults", lost)
    assert place("rotate-key", "acme").code == 3
    place.api.control("faults", method="DELETE")
    assert place(command, "acme").code == 0
    assert len(place.subscriptions()) == 1
    assert place.keys.previous_key == before
    assert place.keys.pending_request == ""
    assert place.sources(place.pay("INV-1")) == {"webhook"}


def test_replay_fetches_what_never_came(place: Place) -> None:
    """Deliveries were lost: status names the gap, replay fills it once, and again finds nothing."""
    place.api.control("clock", {"advance_seconds": -7200})
    place.api.login()
    place("subscribe", "acme")
    arrived = place.pay("INV-1")
    place.api.switch(webhook_drop_percent=100)
    lost = place.pay("INV-2")
    place.api.switch(webhook_drop_percent=0)
    status = place("status", "acme")
    assert status.code == 1
    missing = len(place("status", "acme", "--json").json["missed"])
    assert f"{missing} event(s) of BILL's history never came; run: jdebill webhooks replay acme" in status.err
    # In Denver's time: a UTC reading of it would leave the lost events out.
    since = datetime.now(UTC) - timedelta(hours=3)
    said = place("replay", "acme", "--since", f"{since.astimezone(ZoneInfo('America/Denver')):%Y-%m-%dT%H:%M}")
    assert (said.code, said.err) == (0, "")
    assert f"events in BILL's history since {since:%Y-%m-%d %H:%M}" in said.out
    assert f"; {missing} were missing." in said.out
    assert (place.sources(arrived), place.sources(lost)) == ({"webhook"}, {"history"})
    again = place("replay", "acme", "--json").json
    assert (again["missing"], again["unreadable"], again["unannounced"]) == (0, 0, 0)
    assert place("status", "acme").code == 0
    assert {row.deliveries for row in place.store.inbox.read()} == {1}


def test_event_of_the_history_that_cannot_be_read_is_said(place: Place) -> None:
    """An event of another organization in the history: counted, told with exit code 1, and not stored."""
    place("subscribe", "acme")
    place.api.switch(webhook_drop_percent=100)
    (ours,) = place.subscriptions()
    place.api.ok("POST", f"/subscriptions/{ours['id']}/test", {"eventType": "payment.updated"}, base=EVENTS)
    place.api.control("webhooks/idle", {})
    # The organization of the connection file changes; BILL's history keeps the one before.
    place.write_file(place.url, organization="00801SOMEBODYELSE001")
    place.api.switch(organization_id="00801SOMEBODYELSE001")
    said = place("replay", "acme")
    assert (said.code, said.err) == (1, "1 events could not be read.\n")
    assert place.store.inbox.stats().total == 0


@pytest.mark.parametrize("command", ["rotate-key", "replay"])
def test_without_a_subscription_it_says_which_command_makes_one(place: Place, command: str) -> None:
    """Rotating and replaying need a subscription; status tells of it without an error."""
    said = place(command, "acme")
    assert (said.code, said.out) == (2, "")
    assert f"BILL has no subscription for {place.url}; run: jdebill webhooks subscribe acme" in said.err
    status = place("status", "acme")
    assert status.code == 1
    assert f"BILL has no subscription for {place.url}; run: jdebill webhooks subscribe acme" in status.err


def _without_address(place: Place) -> None:
    place.write_file(None)


def _without_login(place: Place) -> None:
    place.store.credentials.remove("bill")


def _with_wrong_password(place: Place) -> None:
    place.api.switch(users={"sync@example.com": "changed"})


def _with_bill_away(place: Place) -> None:
    place.api.root = "http://127.0.0.1:1"
    place.write_file(place.url)


@pytest.mark.parametrize("command", ["subscribe", "replay"])
@pytest.mark.parametrize(
    ("broken", "code", "words"),
    [
        (_without_address, 2, "bill.webhook_url is not set"),
        (_without_login, 2, "jdebill credentials set acme"),
        (_with_wrong_password, 3, "BDC_"),
        (_with_bill_away, 3, "127.0.0.1:1"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    place: Place, command: str, broken: Callable[[Place], None], code: int, words: str
) -> None:
    """No address, no login, a wrong password, BILL away: one line, the right exit code, nothing stored."""
    broken(place)
    said = place(command, "acme")
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert place.keys == WebhookKeys()


def test_wrong_arguments(place: Place) -> None:
    """A name that is almost right, a moment that has not come, hours beyond the history: exit code 2."""
    assert "did you mean 'acme'?" in place("subscribe", "acne").err
    place("subscribe", "acme")
    assert "--since 2999-01-01 00:00 has not come yet" in place("replay", "acme", "--since", "2999-01-01").err
    assert "--hours" in place("status", "acme", "--hours", "100000").err
    assert [said.code for said in place.said] == [2, 0, 2, 2]
