"""The signature on BILL's webhook deliveries.

Belongs here: signing and verifying raw bytes. Does not belong here: receiving, storing or reading events.

BILL API v3: header ``x-bill-sha-signature`` holds the base64 (not hex) HMAC-SHA256 of the raw request body under the
subscription's security key (its UTF-8 bytes as delivered). There is no timestamp: replays are caught by event id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum

SIGNATURE_HEADER = "x-bill-sha-signature"


class SignatureStep(StrEnum):
    """The step of the verification that failed."""

    KEY = "key"
    HEADER = "header"
    ENCODING = "encoding"
    MATCH = "match"


class SignatureError(Exception):
    """A delivery that cannot be trusted.

    Attributes:
        step: which step failed.
    """

    def __init__(self, step: SignatureStep, message: str) -> None:
        super().__init__(f"webhook signature, step {step.value}: {message}")
        self.step = step


def sign(body: bytes, key: str) -> str:
    """The signature that BILL puts on a body.

    Args:
        body: the raw request body, byte for byte.
        key: the subscription's security key.
    """
    return base64.b64encode(_digest(body, key)).decode("ascii")


def check(body: bytes, header: str | None, keys: Sequence[str]) -> int:
    """Verify a delivery and say which key signed it.

    Args:
        body: the raw request body, before any parsing.
        header: the value of ``x-bill-sha-signature``; None when it is missing.
        keys: keys that may have signed, current one first. BILL does not say how long the old key lives on after a
            rotation, so the previous one is accepted for a while.

    Returns:
        The index of the key that matched.

    Raises:
        SignatureError: not verified; ``step`` says why.
    """
    usable = [(index, key) for index, key in enumerate(keys) if key]
    if not usable:
        raise SignatureError(SignatureStep.KEY, "no security key is known; subscribe or store it first")
    text = (header or "").strip()
    if not text:
        raise SignatureError(SignatureStep.HEADER, f"the {SIGNATURE_HEADER} header is missing or blank")
    try:
        given = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise SignatureError(SignatureStep.ENCODING, "the header is not base64") from None
    if len(given) != hashlib.sha256().digest_size:
        raise SignatureError(SignatureStep.ENCODING, f"the header decodes to {len(given)} bytes, not 32")
    # Every key is tried even after a match: the time taken tells nothing.
    matched = [index for index, key in usable if hmac.compare_digest(_digest(body, key), given)]
    if not matched:
        raise SignatureError(SignatureStep.MATCH, "the body was not signed with any known key, or was changed")
    return matched[0]


def verify(body: bytes, header: str | None, keys: Sequence[str]) -> bool:
    """Whether a delivery is BILL's: :func:`check` without the reason."""
    try:
        check(body, header, keys)
    except SignatureError:
        return False
    return True


def _digest(body: bytes, key: str) -> bytes:
    return hmac.new(key.encode("utf-8"), body, hashlib.sha256).digest()
