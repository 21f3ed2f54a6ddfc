"""Ids as BILL makes them: 20 characters, the prefix tells the type of the object.

Belongs here: prefixes and the generator. Not here: where objects are kept.
"""

from __future__ import annotations

import random
import string

USER, VENDOR, BILL, BILL_LINE, BILL_PAYMENT, PAYMENT = "006", "009", "00n", "bli", "blp", "stp"
VENDOR_CREDIT, VENDOR_CREDIT_LINE, BANK = "vcr", "vci", "bac"

_UPPER = string.ascii_uppercase + string.digits
_LOWER = string.ascii_lowercase + string.digits


class Ids:
    """Random-looking ids, the same sequence for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def new(self, prefix: str) -> str:
        """An id of 20 characters that begins with the prefix."""
        head = f"{prefix}01"
        letters = "".join(self.random.choices(_UPPER, k=10)) + "".join(self.random.choices(_LOWER, k=10))
        return head + letters[: 20 - len(head)]

    def uuid(self) -> str:
        """An id that looks like a UUID of version 4, as subscriptions and events have."""
        digits = list(f"{self.random.getrandbits(128):032x}")
        digits[12], digits[16] = "4", self.random.choice("89ab")
        text = "".join(digits)
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def token(self, length: int = 40) -> str:
        """An opaque token (session ids, security keys)."""
        return "".join(self.random.choices(_UPPER + string.ascii_lowercase, k=length))
