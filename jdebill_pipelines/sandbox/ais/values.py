"""Values of a table from text and from JSON.

Belongs here: reading a value by the kind of its column. Not here: literals of conditions.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from jdebill_pipelines.sandbox.ais.columns import BUSINESS_UNITS, Kind, Row, TableDef, Value

_WHOLE = re.compile(r"[+-]?\d+")


def number(given: str | int | Decimal) -> int | Decimal:
    """An exact number as AIS shows it: whole numbers without decimals, no trailing zeros, no exponent.

    Raises:
        ValueError: it is not a number.
    """
    if isinstance(given, int):
        return given
    if isinstance(given, str):
        if _WHOLE.fullmatch(given):
            return int(given)
        try:
            given = Decimal(given)
        except InvalidOperation:
            raise ValueError(f"{given!r} is not a number") from None
    if not given.is_finite():
        raise ValueError(f"{given} is not a number")
    whole = given.to_integral_value()
    if whole == given:
        return int(whole)
    # Trailing zeros are cut without normalize(), which would round to the context's precision.
    text = f"{given:f}".rstrip("0")
    return Decimal(text)


def read_value(definition: TableDef, item: str, given: Any) -> Value:
    """A value of a column from text or JSON (null is blank; dates as ``YYYYMMDD`` or ISO).

    Raises:
        ValueError: no such column, or not a value of its kind.
    """
    kind = definition.kinds.get(item)
    if kind is None:
        raise ValueError(f"{definition.name} has no column {item}")
    if isinstance(given, bool | float | list | dict):
        raise ValueError(f"{definition.name}.{item} cannot be {given!r}")
    if given is None or given == "":
        return 0 if kind is Kind.NUMBER else ""
    if kind is Kind.NUMBER:
        try:
            return number(given)
        except ValueError as error:
            raise ValueError(f"{definition.name}.{item}: {error}") from None
    if isinstance(given, dt.date):
        given = f"{given:%Y%m%d}"
    text = str(given).rstrip()
    if kind is Kind.DATE:
        return read_day(text, f"{definition.name}.{item}")
    return text.strip() if item in BUSINESS_UNITS else text


def read_day(text: str, what: str) -> str:
    """A date ``YYYYMMDD`` or ISO as ``YYYYMMDD``; blank and zero are blank.

    Raises:
        ValueError: it is not a date.
    """
    if text in ("", "0"):
        return ""
    plain = text.replace("-", "")
    try:
        return f"{dt.datetime.strptime(plain, '%Y%m%d').date():%Y%m%d}"  # noqa: DTZ007 - a date without a zone
    except ValueError:
        raise ValueError(f"{what}: {text!r} is not a date") from None


def read_row(definition: TableDef, given: dict[str, Any]) -> Row:
    """A row from text or JSON; blanks are left out.

    Raises:
        ValueError: as `read_value`.
    """
    row: Row = {}
    for item, raw in given.items():
        value = read_value(definition, item, raw)
        if value not in ("", 0):
            row[item] = value
    return row


def to_date(value: Value) -> dt.date | None:
    """The date that a table holds as ``YYYYMMDD``."""
    text = str(value)
    return dt.date(int(text[:4]), int(text[4:6]), int(text[6:])) if text else None


def from_date(day: dt.date) -> str:
    """A date as a table holds it."""
    return f"{day:%Y%m%d}"
