"""JSON in and out of the AIS simulator, with exact amounts.

Belongs here: the one decoder and the one encoder. Not here: the shape of any answer.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

Json = dict[str, Any]

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
