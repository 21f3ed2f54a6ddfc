"""The security keys of a webhook subscription as the vault keeps them, and which of them may have signed.

Belongs here: the shape of the secret and the time a replaced key lives on. Does not belong here: the vault, the
signature (``signature``), asking BILL for a key (``events``).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

SYSTEM = "webhook"
# BILL API v3 does not say how long the old key signs after a rotation; deliveries are retried for hours.
OVERLAP = timedelta(hours=24)
# BILL API v3: the answer to an idempotent request is replayed for 24 hours; asked again within it, no key is lost.
REPLAYED = timedelta(hours=23)
# From asking BILL for a key until it is in the vault: deliveries may be signed with a key that nobody here knows yet.
CHANGE_TAKES = timedelta(minutes=2)


class WebhookKeys(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The secret of system ``webhook``; all times are ISO 8601 texts with their zone.

    Attributes:
        security_key: the current key, ``''`` when there is no subscription yet.
        previous_key: the one before it.
        rotated_at: when the previous one was replaced; ``''`` counts as now: a person stored both on purpose.
        pending_request: idempotency key (a UUID) of a request for a key whose answer is not stored yet.
        pending_at: when that request was made first.
        pending_rotation: whether it asked for a new key of a subscription, not for a subscription.
    """

    security_key: str = ""
    previous_key: str = ""
    rotated_at: str = ""
    pending_request: str = ""
    pending_at: str = ""
    pending_rotation: bool = False

    def accepted(self, now: datetime) -> tuple[str, ...]:
        """The keys that may have signed, the current one first."""
        fresh = not self.rotated_at or now - _moment(self.rotated_at) < OVERLAP
        return tuple(key for key in (self.security_key, self.previous_key if fresh else "") if key)

    def is_changing(self, now: datetime) -> bool:
        """Whether a new key is being asked for right now."""
        return bool(self.pending_request) and now - _moment(self.pending_at) < CHANGE_TAKES

    def asking(self, request: str, now: datetime, *, rotation: bool) -> WebhookKeys:
        """The secret while a key is asked for: a crash then loses neither the request nor the old key."""
        return msgspec.structs.replace(
            self, pending_request=request, pending_at=now.isoformat(), pending_rotation=rotation
        )

    def open_request(self, now: datetime, *, rotation: bool) -> str:
        """The request of this kind that a crash left open and that BILL still answers alike; ``''`` for none."""
        if not self.pending_request or self.pending_rotation is not rotation:
            return ""
        return self.pending_request if now - _moment(self.pending_at) < REPLAYED else ""

    def with_key(self, key: str, now: datetime) -> WebhookKeys:
        """The secret with a new key; the one before lives on for a while."""
        if key == self.security_key:
            return msgspec.structs.replace(self, pending_request="", pending_at="", pending_rotation=False)
        return WebhookKeys(
            security_key=key, previous_key=self.security_key, rotated_at=now.isoformat() if self.security_key else ""
        )

    def encode(self) -> bytes:
        """The plaintext for the vault."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, plaintext: bytes) -> WebhookKeys:
        """Read the plaintext of the vault."""
        return msgspec.json.decode(plaintext, type=cls)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
