"""From events in the inbox to what is due.

Belongs here: what an event asks for, and which ask for nothing. Does not belong here: the subscription and missed
events (``webhooks``), receiving (receiver/), and what is then done (the steps of payments, vendors and bills).

An event is a hint and never more: what it names is read again. BILL sends events of our own writes too, and may send
``bill.updated`` when a bill is paid: what shows nothing new of what we write is no work.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from jdebill_pipelines.bill.envelope import EnvelopeError, read_envelope
from jdebill_pipelines.domain.periods import month_of
from jdebill_pipelines.steps.webhook_alerts import payment_refused
from jdebill_pipelines.store.due import DueRequest
from jdebill_pipelines.store.inbox import InboxRow
from jdebill_pipelines.store.store import Store

# The flow of due work that an event's family belongs to.
FLOWS = {"payment": "payments", "bill": "bill", "vendor": "vendors"}
# An event and its object may be a little apart.
OVERLAP = timedelta(hours=1)
_BILLS_GATE = "bills"
# What we write and an event shows; whatever else changes there is BILL's own.
_WRITTEN = {
    "bill": ("vendorId", "amount", "description", "dueDate", "archived"),
    "vendor": ("name", "email", "phone", "address", "archived"),
}
_MIRRORED = {"bill": "bills", "vendor": "vendors"}


def drain(store: Store, *, limit: int = 1000, window_minutes: int = 60) -> int:
    """Turn the inbox into due work; a payment that BILL could not make is told to a person.

    Args:
        store: of the connection.
        limit: how many events at most.
        window_minutes: of the alert.

    Returns:
        How many events were taken.
    """

    def take(event: InboxRow) -> DueRequest | None:
        if event.event_type == "payment.failed":
            # Before the event is taken: rather told twice than not at all.
            payment_refused(store, event, window=window_minutes)
        return to_due(store, event)

    return store.inbox.drain(take, limit=limit)


def to_due(store: Store, event: InboxRow) -> DueRequest | None:
    """What an event makes due, None when nothing of ours.

    An event that names no object (``payment.failed``) makes due what changed around the time it came. What a bill or a
    vendor needs is found in JDE's changes since then, and in the month of its document.
    """
    family = event.event_type.split(".", 1)[0]
    if family == "payment" and event.entity_id:
        return DueRequest(flow=FLOWS[family], source=event.source, entities=(event.entity_id,))
    since = event.received_at - OVERLAP
    if family == "payment":
        return DueRequest(flow=FLOWS[family], source=event.source, since=since)
    if family not in FLOWS:
        return None
    link = store.links.by_remote(family, [event.entity_id]).get(event.entity_id)
    if link is None and family == "bill":
        # Made in BILL: it concerns JDE when it is paid, and that has an event of its own.
        return None
    if link is not None and not _news(store, event, family):
        return None
    periods = {month_of(event.received_at.date())}
    if link is not None and family == "bill":
        periods = {d.period for d in store.drafts.read(_BILLS_GATE, keys=[link.natural_key])} or periods
    return DueRequest(
        flow=FLOWS[family],
        source=event.source,
        entities=(event.entity_id,),
        since=since,
        periods=tuple(sorted(periods)),
    )


def _news(store: Store, event: InboxRow, family: str) -> bool:
    """Whether an event shows something of what we write otherwise than it was when we last saw it."""
    try:
        shown = read_envelope(event.body).entity
    except EnvelopeError:
        return True
    found = store.mirror.read(_MIRRORED[family], where={"id": event.entity_id}, columns=("raw",))
    if not found:
        return True
    known = found[0]["raw"]
    if "invoice" in shown and _invoice(shown) != _invoice(known):
        return True
    return any(_differs(shown[member], known.get(member)) for member in _WRITTEN[family] if member in shown)


def _differs(shown: Any, known: Any) -> bool:
    """Whether two values differ; what an object does not show is not compared, and blank is blank."""
    if isinstance(shown, Mapping) and isinstance(known, Mapping):
        return any(_differs(shown[name], known[name]) for name in shown.keys() & known.keys())
    return (shown or None) != (known or None)


def _invoice(raw: Mapping[str, Any]) -> tuple[str, str]:
    """Number and day of a bill's invoice: an event writes the day with a time, the API without."""
    invoice = raw.get("invoice")
    if not isinstance(invoice, Mapping):
        return "", ""
    return str(invoice.get("invoiceNumber") or ""), str(invoice.get("invoiceDate") or "")[:10]
