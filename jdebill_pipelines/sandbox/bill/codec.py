"""JSON in and out of the BILL simulator, with exact amounts.

Belongs here: the one decoder and the one encoder. Not here: which members an object has.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

Json = dict[str, Any]
CENT = Decimal("0.01")
ZERO = Decimal("0.00")

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def decode(data: bytes | str) -> Any:
    """JSON to Python with every fractional number as a `Decimal`.

    Raises:
        msgspec.DecodeError: the text is not JSON.
    """
    return _DECODER.decode(data)


def encode(value: Any) -> bytes:
    """Python to minified JSON; a `Decimal` becomes a JSON number with its own digits."""
    return _ENCODER.encode(value)


def money(value: Decimal | int) -> Decimal:
    """An amount in major units with two decimals, halves rounded away from zero (BILL API v3: two decimals)."""
    return Decimal(value).quantize(CENT, rounding=ROUND_HALF_UP)


def with_text_amounts(value: Any) -> Any:
    """The same value with every `Decimal` as text: one client of BILL saw numerics arrive as strings."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: with_text_amounts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_text_amounts(item) for item in value]
    return value
