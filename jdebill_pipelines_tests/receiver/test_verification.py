"""What the receiver takes in and what it refuses, step by step, over a real socket and a real database."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from jdebill_pipelines.bill.webhook_keys import WebhookKeys
from jdebill_pipelines.receiver.app import MAX_BODY_BYTES
from jdebill_pipelines_tests.receiver.conftest import KEY, Receiver, event, signed, wait_until


def stored(receiver: Receiver) -> list[str]:
    """The ids of the events in the inbox."""
    return [row.event_id for row in receiver.store.inbox.read()]


def test_signed_event_is_stored_before_the_answer(receiver: Receiver) -> None:
    """The answer is exactly 200, and the raw bytes, the object's id and its time are in the inbox by then."""
    raw = json.dumps(event("e1", "stp7"), indent=1).encode()
    assert receiver.post(raw).status_code == 200
    (row,) = receiver.store.inbox.read()
    assert (row.event_id, row.event_type, row.entity_kind, row.entity_id) == (
        "e1",
        "payment.updated",
        "payment",
        "stp7",
    )
    assert (row.entity_updated, row.source, row.body) == ("2026-06-12T14:00:03.000+00:00", "webhook", raw)
    assert receiver.store.alerts.outbox() == []


def test_duplicate_is_answered_200_and_counted(receiver: Receiver) -> None:
    """BILL delivers an event twice: both are 200, one row, the second is counted."""
    body = event("e1")
    assert [receiver.post(body).status_code for _ in range(3)] == [200, 200, 200]
    (row,) = receiver.store.inbox.read()
    assert row.deliveries == 3
    metrics = receiver.metrics()
    assert metrics['jdebill_receiver_events_total{connection="acme",kind="new"}'] == 1
    assert metrics['jdebill_receiver_events_total{connection="acme",kind="duplicate"}'] == 2
    assert metrics['jdebill_inbox_duplicates_total{connection="acme"}'] == 2


@pytest.mark.parametrize("wrappings", [1, 2])
def test_body_that_is_json_in_a_text_is_read(receiver: Receiver, wrappings: int) -> None:
    """The documentation shows the body escaped into a text; the signature is over what was sent."""
    raw = json.dumps(event("e1", "stp7")).encode()
    for _ in range(wrappings):
        raw = json.dumps(raw.decode()).encode()
    assert receiver.post(raw).status_code == 200
    (row,) = receiver.store.inbox.read()
    assert (row.event_id, row.entity_id, row.body) == ("e1", "stp7", raw)


def test_unknown_connection_is_404_and_makes_no_row_of_its_own(receiver: Receiver) -> None:
    """Whatever names are asked for, they are counted under one."""
    assert {receiver.post(event(), name=name).status_code for name in ("other", "x" * 2000, "%00")} == {404}
    assert receiver.refused("unknown connection", connection="(unknown)") >= 1
    wait_until(lambda: receiver.refused("unknown connection", connection="(unknown)") == 3)
    assert stored(receiver) == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_other_content_type_is_415(receiver: Receiver, kind: str) -> None:
    """Only JSON is read."""
    raw = json.dumps(event()).encode()
    assert receiver.post(raw, headers={**signed(raw), "content-type": kind}).status_code == 415
    assert receiver.refused("content type") == 1
    assert stored(receiver) == []


def test_json_with_a_charset_is_json(receiver: Receiver) -> None:
    """A parameter of the content type is no other content type."""
    raw = json.dumps(event("e1")).encode()
    answer = receiver.post(raw, headers={**signed(raw), "content-type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 200
    assert stored(receiver) == ["e1"]


def test_oversized_body_is_413_whether_it_says_so_or_not(receiver: Receiver) -> None:
    """More than a mebibyte is refused by its announced length, and while it is read; the limit itself fits."""
    fits = json.dumps({**event("fits"), "padding": ""}).encode()
    fits = fits.replace(b'"padding": ""', b'"padding": "' + b"x" * (MAX_BODY_BYTES - len(fits)) + b'"')
    assert len(fits) == MAX_BODY_BYTES
    assert receiver.post(fits).status_code == 200
    assert receiver.post(b"x" * (MAX_BODY_BYTES + 1)).status_code == 413

    def chunks() -> object:
        for _ in range(40):
            yield b"x" * 65536

    headers = {"content-type": "application/json", "x-bill-sha-signature": "x"}
    answer = receiver.http.post(f"{receiver.url}/webhooks/acme", data=chunks(), headers=headers, timeout=20)
    assert answer.status_code == 413
    wait_until(lambda: receiver.refused("too large") == 2)
    assert stored(receiver) == ["fits"]


def test_missing_signature_is_401(receiver: Receiver) -> None:
    """Step one: the header."""
    raw = json.dumps(event()).encode()
    for value in (None, ""):
        headers = {"content-type": "application/json", **({} if value is None else {"x-bill-sha-signature": value})}
        assert receiver.post(raw, headers=headers).status_code == 401
    wait_until(lambda: receiver.refused("no signature") == 2)
    assert stored(receiver) == []


@pytest.mark.parametrize("value", ["not base64!", "c2hvcnQ=", "0" * 64])
def test_signature_that_is_no_base64_of_32_bytes_is_401(receiver: Receiver, value: str) -> None:
    """Step two: the encoding; a hexadecimal digest is none."""
    raw = json.dumps(event()).encode()
    assert receiver.post(raw, headers={**signed(raw), "x-bill-sha-signature": value}).status_code == 401
    assert receiver.refused("signature is not base64") == 1
    assert stored(receiver) == []


def test_forged_event_is_401_stored_nowhere_and_told_once(receiver: Receiver) -> None:
    """Step three: the match. Wrong key, changed body, the signature of another body: refused, counted, one alert."""
    raw, other = json.dumps(event("e1")).encode(), json.dumps(event("e2")).encode()
    assert receiver.post(raw, key="somebody else's").status_code == 401
    assert receiver.post(raw + b" ", headers=signed(raw)).status_code == 401
    assert receiver.post(raw, headers=signed(other)).status_code == 401
    wait_until(lambda: receiver.refused("bad signature") == 3)
    assert stored(receiver) == []
    (alert,) = receiver.store.alerts.outbox()
    assert (alert["fingerprint"], alert["state"]) == ("webhook:bad signature", "pending")
    assert alert["body"]["where"] == "/webhooks/acme"
    assert alert["body"]["facts"]["sender"] == "127.0.0.1"
    assert "run: jdebill webhooks rotate-key acme." in alert["body"]["fix"]
    assert "e1" not in json.dumps(alert["body"]), "nothing of a forged body is passed on"
    assert receiver.post(raw).status_code == 200, "the sender of the forged one has blocked nothing"


def test_post_without_any_key_in_the_vault_is_401(receiver: Receiver) -> None:
    """Step zero: nothing to verify with, whatever the header says."""
    receiver.store.credentials.remove("webhook")
    wait_until(lambda: receiver.post(event()).status_code == 401, seconds=8)
    assert receiver.refused("no key") >= 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b'{"payment": {}}',
        b'{"metadata": {"eventId": 7, "eventType": "a.b", "organizationId": "o"}}',
        b'{"metadata": {"eventId": "", "eventType": "a.b", "organizationId": "o"}}',
        b'{"metadata": {"eventId": "a\\u0000b", "eventType": "a.b", "organizationId": "o"}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_signed_body_that_is_no_event_is_400(receiver: Receiver, raw: bytes) -> None:
    """A right signature makes no event of it."""
    assert receiver.post(raw).status_code == 400
    assert receiver.refused("malformed") == 1
    assert stored(receiver) == []


def test_event_of_another_organization_is_refused_and_told(receiver: Receiver) -> None:
    """A signed event of somebody else's organization is not this connection's."""
    assert receiver.post(event("e1", organizationId="00801SOMEBODYELSE001")).status_code == 403
    assert receiver.refused("other organization") == 1
    wait_until(lambda: len(receiver.store.alerts.outbox()) == 1)
    assert receiver.store.alerts.outbox()[0]["body"]["facts"]["organization"] == "00801SOMEBODYELSE001"
    assert stored(receiver) == []


def test_both_keys_count_during_rotation_and_the_old_one_ends(receiver: Receiver) -> None:
    """A new key counts as soon as it is stored, without a restart; the one before for a day, no longer."""
    assert receiver.post(event("e1")).status_code == 200
    now = datetime.now(UTC)
    receiver.keep_keys(WebhookKeys(security_key=KEY).with_key("key-two", now))
    assert receiver.post(event("e2"), key="key-two").status_code == 200
    assert receiver.post(event("e3"), key=KEY).status_code == 200
    assert receiver.metrics()['jdebill_receiver_previous_key_total{connection="acme"}'] == 1
    receiver.keep_keys(WebhookKeys(security_key=KEY).with_key("key-two", now - timedelta(hours=25)))
    wait_until(lambda: receiver.post(event("e4"), key=KEY).status_code == 401)
    assert receiver.post(event("e5"), key="key-two").status_code == 200
    assert set(stored(receiver)) >= {"e1", "e2", "e3", "e5"}


def test_while_a_key_is_asked_for_the_sender_is_asked_to_come_again(receiver: Receiver) -> None:
    """Between BILL's new key and our storing it nobody is accused of forging: 503, and BILL delivers again."""
    receiver.keep_keys(WebhookKeys(security_key=KEY).asking("request", datetime.now(UTC), rotation=True))
    wait_until(lambda: receiver.post(event("e1"), key="key-two").status_code == 503)
    assert receiver.post(event("e2")).status_code == 200
    assert stored(receiver) == ["e2"]


def test_only_post_and_only_known_paths(receiver: Receiver) -> None:
    """A GET on the webhook's path is 405, anything else 404; health says ok."""
    assert receiver.http.get(f"{receiver.url}/webhooks/acme", timeout=5).status_code == 405
    assert receiver.http.get(f"{receiver.url}/", timeout=5).status_code == 404
    assert receiver.http.get(f"{receiver.url}/healthz", timeout=5).text == "ok\n"


def test_sender_that_stops_in_the_middle_is_not_stored(receiver: Receiver) -> None:
    """Half a body and a closed connection leave nothing behind and the receiver alive."""
    parts = urlsplit(receiver.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as sender:
        sender.sendall(
            b"POST /webhooks/acme HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
        )
    assert receiver.refused("too slow") == 1
    assert receiver.post(event("e1")).status_code == 200
    assert stored(receiver) == ["e1"]


def test_alert_names_the_sender_that_the_proxy_saw(receiver: Receiver) -> None:
    """Behind a proxy on the same host the forger's address is told, not the proxy's."""
    raw = json.dumps(event("e1")).encode()
    headers = {**signed(raw, "somebody else's"), "x-forwarded-for": "203.0.113.7"}
    assert receiver.post(raw, headers=headers).status_code == 401
    wait_until(lambda: bool(receiver.store.alerts.outbox()))
    assert receiver.store.alerts.outbox()[0]["body"]["facts"]["sender"] == "203.0.113.7"
