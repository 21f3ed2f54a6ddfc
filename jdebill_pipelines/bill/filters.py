"""The ``filters`` and ``sort`` parameters of BILL's lists.

Belongs here: how a condition is written. Does not belong here: which conditions are useful (``listing``, ``lookup``).

BILL API v3: ``field:op:value``, joined with commas (AND); values with ``:`` or ``,`` stand in double quotes, and no
escape for a double quote is documented, so a value that has one cannot be filtered on and must be compared locally.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Literal

import msgspec

Op = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "sw"]
Scalar = str | bool | int | date | datetime


class FilterError(ValueError):
    """A value that BILL's filter language cannot carry."""


class Filter(msgspec.Struct, frozen=True):
    """One condition on one field."""

    field: str
    op: Op
    value: str

    def __str__(self) -> str:
        return f"{self.field}:{self.op}:{self.value}"


def eq(field: str, value: Scalar) -> Filter:
    """The field equals the value."""
    return Filter(field, "eq", _write(value))


def ne(field: str, value: Scalar) -> Filter:
    """The field differs from the value."""
    return Filter(field, "ne", _write(value))


def gte(field: str, value: Scalar) -> Filter:
    """The field is at or after the value."""
    return Filter(field, "gte", _write(value))


def gt(field: str, value: Scalar) -> Filter:
    """The field is after the value."""
    return Filter(field, "gt", _write(value))


def lt(field: str, value: Scalar) -> Filter:
    """The field is before the value."""
    return Filter(field, "lt", _write(value))


def lte(field: str, value: Scalar) -> Filter:
    """The field is at or before the value."""
    return Filter(field, "lte", _write(value))


def any_of(field: str, values: Iterable[str]) -> Filter:
    """The field is one of the values (operator ``in``).

    Raises:
        FilterError: no value, or one with a comma or a double quote: the list is comma-separated inside quotes.
    """
    items = list(values)
    if not items:
        raise FilterError(f"{field}: an empty list matches nothing and is not sent")
    for item in items:
        if "," in item or '"' in item:
            raise FilterError(f"{field}: a value with a comma or a double quote cannot stand in a list")
    return Filter(field, "in", '"' + ",".join(items) + '"')


def can_carry(text: str) -> bool:
    """Whether a text can be filtered on at all: BILL documents no escape for a double quote, nor control characters."""
    return bool(text) and '"' not in text and "\\" not in text and text.isprintable()


def join(filters: Iterable[Filter]) -> str | None:
    """The ``filters`` parameter, not yet URL-encoded; None without conditions."""
    return ",".join(str(f) for f in filters) or None


def moment(value: datetime) -> str:
    """A time as BILL writes it: UTC, milliseconds (rounded down), ``Z``.

    Raises:
        FilterError: a time without a zone.
    """
    if value.tzinfo is None:
        raise FilterError("a time without a zone")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f'"{moment(value)}"'
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    if not can_carry(value):
        raise FilterError("a blank value or one with a double quote cannot be filtered on: compare locally")
    return f'"{value}"' if not value.isalnum() else value
