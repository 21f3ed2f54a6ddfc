"""One byte form per value, and the digests built on it.

Belongs here: canonical JSON and content hashes of drafts. Does not belong here: what is hashed.

The form survives PostgreSQL's ``jsonb``: member order, spacing, trailing zeros and exponents do not matter, so a
content read back from the database hashes as it did before it was stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring
from typing import Any

import msgspec


def canonical_json(value: Any) -> bytes:
    """Return the one canonical JSON form of a value, UTF-8.

    Args:
        value: None, bool, int, str, Decimal, date, aware datetime, enum, mapping with text keys, list, tuple or msgspec
            struct. 10, 10.0 and 10.00 are the same number.

    Raises:
        TypeError: a float (it does not hold an amount), a naive datetime, or anything else that has no exact JSON form.
        ValueError: a number that is not finite, or a NUL character, which PostgreSQL cannot store.
    """
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts).encode("utf-8")


def content_hash(kind: str, content: Mapping[str, Any]) -> str:
    """Return the hash that names exactly this content as this kind of document: 64 hexadecimal digits (SHA-256)."""
    return digest(canonical_json({"content": content, "kind": kind}))


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def plain(value: Any) -> Any:
    """Turn structs into plain dicts and lists (keys as they are sent), keeping decimals exact."""
    return msgspec.to_builtins(value, builtin_types=(Decimal, datetime, date))


def number(value: Decimal) -> str:
    """Return a decimal in plain notation without superfluous zeros.

    Raises:
        ValueError: NaN or infinity.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is not a number that JSON can hold")
    if value == 0:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _write(value: Any, emit: Any) -> None:
    if isinstance(value, str) and not isinstance(value, Enum):
        if "\x00" in value:
            raise ValueError("a text with a NUL character cannot be stored")
        emit(encode_basestring(value))
    elif value is None:
        emit("null")
    elif isinstance(value, bool):
        emit("true" if value else "false")
    elif isinstance(value, Enum):
        _write(value.value, emit)
    elif isinstance(value, int):
        emit(str(value))
    elif isinstance(value, Decimal):
        emit(number(value))
    elif isinstance(value, Mapping):
        separator = "{"
        for key in sorted(value):
            if not isinstance(key, str):
                raise TypeError(f"a JSON member needs a text name, not {type(key).__name__}")
            emit(separator)
            _write(key, emit)
            emit(":")
            _write(value[key], emit)
            separator = ","
        emit("{}" if separator == "{" else "}")
    elif isinstance(value, (list, tuple)):
        separator = "["
        for item in value:
            emit(separator)
            _write(item, emit)
            separator = ","
        emit("[]" if separator == "[" else "]")
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a time without a zone has no exact form")
        emit(encode_basestring(msgspec.to_builtins(value)))  # the form in which the database gets it
    elif isinstance(value, date):
        emit(f'"{value.isoformat()}"')
    elif isinstance(value, msgspec.Struct):
        _write(plain(value), emit)
    else:
        raise TypeError(f"{type(value).__name__} has no exact JSON form")
