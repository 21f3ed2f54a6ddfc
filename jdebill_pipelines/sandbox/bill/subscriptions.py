"""Managing webhook subscriptions under `/connect-events/v3`, and reading what was sent.

Belongs here: the rules of these calls; success is 200 for all of them. Not here: delivery (`webhooks`).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from typing import Any
from urllib.parse import urlsplit

from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.errors import invalid, no_object
from jdebill_pipelines.sandbox.bill.listing import parse_time
from jdebill_pipelines.sandbox.bill.routing import Answer, Call
from jdebill_pipelines.sandbox.bill.schema import arr, checked, obj, plain, text
from jdebill_pipelines.sandbox.bill.webhooks import Event, Subscription, Webhooks

LIMIT = 10
REPLAYED = dt.timedelta(hours=24)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CATALOG = [
    "vendor.created",
    "vendor.updated",
    "vendor.archived",
    "vendor.restored",
    "autopay.failed",
    "bill.created",
    "bill.updated",
    "bill.archived",
    "bill.restored",
    "payment.updated",
    "payment.failed",
    "bank-account.created",
    "bank-account.updated",
    "card-account.created",
    "card-account.updated",
    "invoice.created",
    "invoice.updated",
    "invoice.archived",
    "invoice.restored",
    "risk-verification.updated",
    "spend.transaction.updated",
    "spend.reimbursement.created",
    "spend.reimbursement.updated",
    "spend.reimbursement.deleted",
    "spend.three-ds-challenge.created",
]
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)

SUBSCRIPTION = obj(
    {
        "name": text(required=True, low=1),
        "status": obj({"enabled": plain("bool", required=True)}, required=True),
        "events": arr(
            obj({"type": text(required=True, one_of=" ".join(CATALOG)), "version": text(required=True, one_of="1")}),
            required=True,
            low=1,
        ),
        "notificationUrl": text(required=True),
    }
)
TEST = obj(
    {
        "eventType": text(one_of=" ".join(CATALOG)),
        "version": text(one_of="1"),
        **{entity: plain("any") for entity in ("bill", "vendor", "payment", "bankAccount", "invoice")},
    }
)


def catalog(_call: Call) -> Answer:
    """`GET /v3/events/catalog`: a bare array."""
    return Answer([{"type": name, "versions": ["1"]} for name in CATALOG])


def list_subscriptions(call: Call) -> Answer:
    """`GET /v3/subscriptions`: forward only."""
    hooks = _hooks(call)
    return Answer(_page(call, [item.shown() for item in hooks.subscriptions.values()]))


def get_subscription(call: Call) -> Answer:
    """`GET /v3/subscriptions/{id}`: without the key."""
    return Answer(_subscription(call).shown())


def post_subscription(call: Call) -> Answer:
    """`POST /v3/subscriptions`: the key is shown this once; the same idempotent key answers the same for 24 hours."""
    hooks = _hooks(call)
    kept = _replay(call, "create")
    if kept is not None:
        return Answer(kept)
    given = _checked(call)
    if len(hooks.subscriptions) >= LIMIT:
        raise invalid([f"subscriptions: an organization has at most {LIMIT}"])
    _refuse_twin(hooks, given["events"], given["notificationUrl"])
    now = hooks.world.clock.now()
    subscription = Subscription(
        id=hooks.world.ids.uuid(),
        name=given["name"],
        organization_id=hooks.world.switches.organization_id,
        enabled=given["status"]["enabled"],
        events=given["events"],
        url=given["notificationUrl"],
        key=hooks.world.ids.token(48),
        created=now,
        updated=now,
    )
    hooks.subscriptions[subscription.id] = subscription
    return Answer(_keep(call, "create", {**subscription.shown(), "securityKey": subscription.key}))


def put_subscription(call: Call) -> Answer:
    """`PUT /v3/subscriptions/{id}`: all four members are needed."""
    subscription = _subscription(call)
    return _change(call, subscription, _checked(call))


def patch_subscription(call: Call) -> Answer:
    """`PATCH /v3/subscriptions/{id}`."""
    subscription = _subscription(call)
    return _change(call, subscription, _checked(call, partial=True))


def delete_subscription(call: Call) -> Answer:
    """`DELETE /v3/subscriptions/{id}`: an empty body."""
    subscription = _subscription(call)
    subscription.enabled = False
    del _hooks(call).subscriptions[subscription.id]
    return Answer()


def new_key(call: Call) -> Answer:
    """`POST /v3/subscriptions/{id}/security_key`; how long the old key still signs is a switch."""
    subscription = _subscription(call)
    kept = _replay(call, subscription.id)
    if kept is not None:
        return Answer(kept)
    world = call.organization
    subscription.old_key = subscription.key
    subscription.old_key_until = world.clock.now() + dt.timedelta(seconds=world.switches.webhook_old_key_seconds)
    subscription.key = world.ids.token(48)
    return Answer(_keep(call, subscription.id, {"securityKey": subscription.key}))


def send_test(call: Call) -> Answer:
    """`POST /v3/subscriptions/{id}/test`: sends an event with what was given, or a stand-in."""
    subscription = _subscription(call)
    given = checked(call.json() if call.body.strip() else {}, TEST, strict=call.organization.switches.strict_members)
    event_type = given.get("eventType", subscription.events[0]["type"])
    entity = next((name for name in given if name not in {"eventType", "version"}), _entity(event_type))
    body = given.get(entity) if isinstance(given.get(entity), dict) else {"id": f"test-{entity}"}
    hooks = _hooks(call)
    event = hooks.make(subscription, event_type, entity, str(body.get("id", "")), body, {})
    hooks.send(subscription, event)
    return Answer(event.record())


def history(call: Call) -> Answer:
    """`GET /v3/events/subscription/{id}`: what was sent in the last 180 days, newest first unless asked otherwise."""
    subscription = _subscription(call)
    query = {name: values[-1] for name, values in call.query.items()}
    events = _hooks(call).trimmed(subscription)
    try:
        if "createdTimeFrom" in query:
            since = parse_time(query["createdTimeFrom"])
            events = [event for event in events if event.created >= since]
        if "createdTimeTo" in query:
            until = parse_time(query["createdTimeTo"])
            events = [event for event in events if event.created <= until]
    except ValueError as error:
        raise invalid([f"createdTime: {error}"]) from None
    if "entityId" in query:
        events = [event for event in events if event.entity_id == query["entityId"]]
    ascending = {query.get(name, "false").lower() for name in ("ascending", "ascendingOrder", "isAscending")}
    if "true" not in ascending:
        events.reverse()
    return Answer(_page(call, events))


def resend(call: Call) -> Answer:
    """`POST /v3/events/subscription/{id}/event/{eventId}`: sends one event again, with its old id."""
    subscription = _subscription(call)
    for event in _hooks(call).trimmed(subscription):
        if event.id == call.ids["event"]:
            _hooks(call).send(subscription, event)
            return Answer(event.record())
    raise no_object(call.ids["event"])


def _hooks(call: Call) -> Webhooks:
    hooks = call.organization.webhooks
    assert hooks is not None
    return hooks


def _subscription(call: Call) -> Subscription:
    found = _hooks(call).subscriptions.get(call.ids["id"])
    if found is None:
        raise no_object(call.ids["id"])
    return found


def _checked(call: Call, *, partial: bool = False) -> Json:
    rule = SUBSCRIPTION.optional if partial else SUBSCRIPTION
    given: Json = checked(call.json(), rule, strict=call.organization.switches.strict_members)
    url = given.get("notificationUrl")
    if url is not None:
        parts = urlsplit(url)
        loopback = parts.hostname in LOOPBACK and call.organization.switches.webhook_http_loopback
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
            raise invalid(["notificationUrl: must be an https URL"])
    return given


def _refuse_twin(hooks: Webhooks, events: list[Json], url: str, own: Subscription | None = None) -> None:
    wanted = {(item["type"], item["version"]) for item in events}
    for other in hooks.subscriptions.values():
        same = {(item["type"], item["version"]) for item in other.events} == wanted and other.url == url
        if other is not own and same:
            raise invalid(["subscription: another one has the same events and URL"])


def _change(call: Call, subscription: Subscription, given: Json) -> Answer:
    hooks = _hooks(call)
    events, url = given.get("events", subscription.events), given.get("notificationUrl", subscription.url)
    _refuse_twin(hooks, events, url, subscription)
    subscription.name = given.get("name", subscription.name)
    subscription.events, subscription.url = events, url
    enabled = given.get("status", {}).get("enabled", subscription.enabled)
    if enabled and not subscription.enabled:
        subscription.failures = 0
    subscription.enabled = enabled
    subscription.updated = hooks.world.clock.now()
    return Answer(subscription.shown())


def _replay(call: Call, what: str) -> Json | None:
    key = call.headers.get("x-idempotent-key", "")
    if not _UUID4.fullmatch(key):
        raise invalid(["X-Idempotent-Key: must be a UUID of version 4"])
    at, answer = _hooks(call).idempotent.get((what, key), (None, None))
    fresh = at is not None and call.organization.clock.now() - at <= REPLAYED
    return answer if fresh else None


def _keep(call: Call, what: str, answer: Json) -> Json:
    _hooks(call).idempotent[what, call.headers["x-idempotent-key"]] = (call.organization.clock.now(), answer)
    return answer


def _entity(event_type: str) -> str:
    family = event_type.split(".", 1)[0]
    return {"bank-account": "bankAccount", "card-account": "cardAccount", "autopay": "vendor"}.get(family, family)


def _page(call: Call, rows: list[Any]) -> Json:
    query = call.query
    size = (query.get("max") or ["20"])[-1]
    if not re.fullmatch(r"\d{1,4}", size) or not 1 <= int(size) <= 100:
        raise invalid(["max: must be between 1 and 100"])
    offset = 0
    token = (query.get("page") or [""])[-1]
    if token:
        try:
            offset = int(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        except (binascii.Error, ValueError):
            raise invalid(["page: is not valid"]) from None
    part = rows[offset : offset + int(size)]
    shown: Json = {"results": [row.record() if isinstance(row, Event) else row for row in part]}
    if offset + int(size) < len(rows):
        shown["nextPage"] = base64.urlsafe_b64encode(str(offset + int(size)).encode()).decode().rstrip("=")
    return shown
