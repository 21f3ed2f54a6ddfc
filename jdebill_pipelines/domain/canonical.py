"""One byte form per value, and the digests built on it.

Belongs here: canonical JSON and content hashes of drafts. Does not belong here: what is hashed.

Both forms survive PostgreSQL's ``jsonb``: member order, spacing and exponents do not matter, so a content read back
from the database hashes as it did before it was stored. They differ in the zeros at the end of a number: for a document
10.0 and 10.00 are one amount, for evidence they are two texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
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
    return _canonical(value).encode("utf-8")


def written_json(value: Any) -> bytes:
    """Return the form in which a value was written, UTF-8: as ``canonical_json``, but 10, 10.0 and 10.00 are three.

    Raises:
        TypeError, ValueError: as ``canonical_json``.
    """
    return _written(value).encode("utf-8")


def content_hash(kind: str, content: Mapping[str, Any]) -> str:
    """Return the hash that names exactly this content as this kind of document: 64 hexadecimal digits (SHA-256)."""
    return form_hash(kind, canonical_json(content))


def form_hash(kind: str, form: bytes) -> str:
    """Return the content hash of a content whose canonical form is known."""
    return digest(b'{"content":' + form + b',"kind":' + encode_basestring(kind).encode("utf-8") + b"}")


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
    text = _written_number(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _written_number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is not a number that JSON can hold")
    # PostgreSQL knows no negative zero.
    return format(value if value else abs(value), "f")


def _former(number_text: Callable[[Decimal], str]) -> Callable[[Any], str]:
    def form(value: Any) -> str:
        # By exact type, the frequent ones first: a first load hashes every document more than once.
        kind = type(value)
        if kind is str:
            if "\x00" in value:
                raise ValueError("a text with a NUL character cannot be stored")
            return encode_basestring(value)
        if kind is Decimal:
            return number_text(value)
        if kind is dict:
            try:
                return "{" + ",".join([f"{encode_basestring(key)}:{form(value[key])}" for key in sorted(value)]) + "}"
            except TypeError:
                if any(type(key) is not str for key in value):
                    raise TypeError("a JSON member needs a text name") from None
                raise
        if kind is list or kind is tuple:
            return "[" + ",".join([form(item) for item in value]) + "]"
        if value is None:
            return "null"
        if kind is bool:
            return "true" if value else "false"
        if kind is int:
            return str(value)
        return form(_simple(value))

    return form


_canonical = _former(number)
_written = _former(_written_number)


def _simple(value: Any) -> Any:
    """A value of a rarer type as one of the frequent ones."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a time without a zone has no exact form")
        return msgspec.to_builtins(value)  # the form in which the database gets it
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, msgspec.Struct):
        return plain(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no exact JSON form")
