"""JSON in and out of an AIS Server, amounts exact.

Belongs here: encoding and tolerant decoding. Does not belong here: what the members mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class NotJsonError(ValueError):
    """The answer is not JSON: a proxy, a container or a login page answered."""


def decode(body: bytes) -> Any:
    """Decode JSON; every fractional number becomes a ``Decimal`` with all its digits.

    Tolerates what strict parsers refuse and AIS servers send: raw control characters inside strings, text that is not
    UTF-8, a byte order mark.

    Raises:
        NotJsonError: it is not JSON.
    """
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError:
        pass
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252", "replace")
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant, strict=False)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from error


def decode_object(body: bytes) -> dict[str, Any]:
    """Decode JSON that must be an object.

    Raises:
        NotJsonError: it is something else.
    """
    value = decode(body)
    if not isinstance(value, dict):
        raise NotJsonError(f"expected a JSON object, found {type(value).__name__}")
    return value


def encode(value: Mapping[str, Any]) -> bytes:
    """Encode JSON; a ``Decimal`` becomes a number with all its digits, a ``date`` becomes ISO text.

    Raises:
        TypeError: a float is inside. Money is never a float.
    """
    _refuse_floats(value, "")
    return _ENCODER.encode(_plain(value))


def _plain(value: Any) -> Any:
    """Decimals without exponent: ``1E+3`` is valid JSON, but not every parser of numbers reads it."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} cannot be sent as a number")
        return msgspec.Raw(format(value, "f").encode())
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _refuse_floats(value: Any, where: str) -> None:
    if isinstance(value, float):
        raise TypeError(f"{where or 'the value'} is a float; use Decimal")
    if isinstance(value, Mapping):
        for name, item in value.items():
            _refuse_floats(item, f"{where}.{name}" if where else str(name))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _refuse_floats(item, f"{where}[{number}]")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
