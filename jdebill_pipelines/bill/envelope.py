"""The envelope of a webhook event: which event, of which organization, about which object.

Belongs here: reading a delivered body whose signature was verified before. Does not belong here: the signature
(``signature``) and what an event means for anybody.

BILL API v3: ``{"metadata": {eventId, subscriptionId, organizationId, eventType, version}, "<entity>": {...}}``. The
documentation shows the body as JSON in a text, real deliveries are a plain object: both are read. An event is a hint;
the object is read again before anything is done with it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jdebill_pipelines.bill import codec

# An id is a key of ours: what is longer, or has control characters, is none of BILL's.
_LONGEST_ID = 200
_WRAPPINGS = 2


class EnvelopeError(ValueError):
    """A body that is no event; the text says what is missing, not what was sent."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    Attributes:
        event_id: the key of duplicates.
        event_type: for example ``payment.updated``.
        organization_id: whose event it is.
        subscription_id: that asked for it, ``''`` when it does not say.
        entity_kind: ``payment``, ``bill``, ``vendor`` ...; the family of the type.
        entity_id: of the object; ``''`` where the event names none (``payment.failed``).
        entity_updated: the object's ``updatedTime`` as written.
        entity: the object, numbers with a fraction as Decimal.
        errors: what stands beside the object of ``payment.failed``.
    """

    event_id: str
    event_type: str
    organization_id: str
    subscription_id: str = ""
    entity_kind: str = ""
    entity_id: str = ""
    entity_updated: str = ""
    entity: dict[str, Any] = {}
    errors: tuple[dict[str, Any], ...] = ()


def read_envelope(body: bytes) -> Envelope:
    """Read a body: an object, or an object in a text, at most twice.

    Raises:
        EnvelopeError: it is no event.
    """
    value = _decoded(body)
    for _ in range(_WRAPPINGS):
        if isinstance(value, str):
            value = _decoded(value.encode("utf-8", "surrogatepass"))
    if not isinstance(value, dict):
        raise EnvelopeError("the body is not a JSON object")
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        raise EnvelopeError("the body has no metadata")
    event_type = _id(metadata, "eventType")
    kind, entity = _entity(value, event_type)
    found_id, updated, errors = entity.get("id"), entity.get("updatedTime"), value.get("errors")
    return Envelope(
        event_id=_id(metadata, "eventId"),
        event_type=event_type,
        organization_id=_id(metadata, "organizationId"),
        subscription_id=_id(metadata, "subscriptionId", needed=False),
        entity_kind=kind,
        entity_id=found_id if isinstance(found_id, str) and _usable(found_id) else "",
        entity_updated=updated if isinstance(updated, str) and _usable(updated) else "",
        entity=entity,
        errors=tuple(e for e in errors if isinstance(e, dict)) if isinstance(errors, list) else (),
    )


def _decoded(body: bytes) -> Any:
    try:
        return codec.decode_any(body)
    except codec.MalformedAnswerError as error:
        raise EnvelopeError(f"the body is {error}") from None
    except RecursionError:
        raise EnvelopeError("the body is nested too deeply") from None


def _id(metadata: dict[str, Any], name: str, *, needed: bool = True) -> str:
    value = metadata.get(name)
    if isinstance(value, str) and _usable(value):
        return value
    if needed or value not in (None, ""):
        raise EnvelopeError(f"metadata.{name} is missing or no id")
    return ""


def _usable(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_ID and text.isprintable()


def _entity(value: dict[str, Any], event_type: str) -> tuple[str, dict[str, Any]]:
    """The object stands under the family of its type; ``bank-account`` may be spelled ``bankAccount``."""
    family = event_type.split(".", 1)[0]
    head, *rest = family.split("-")
    for name in (family, head + "".join(part.title() for part in rest)):
        if isinstance(value.get(name), dict):
            return name, value[name]
    return family, {}
