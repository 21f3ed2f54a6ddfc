"""A stored value as each format needs it: typed, as exact text, and as people read it.

Belongs here: the conversions that CSV, workbook and page share. Does not belong here: any format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from jdebill_pipelines.audit.model import Column, Rule, Shape
from jdebill_pipelines.domain.canonical import canonical_json
from jdebill_pipelines.domain.money import in_words

Value: TypeAlias = "str | int | Decimal | date | datetime | None"

# What a spreadsheet takes for the beginning of a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
CAUSES = ("exception", "finding")  # the columns that say what is wrong with a row
RIGHT_ALIGNED = (Shape.AMOUNT, Shape.NUMBER)


def typed_row(row: Mapping[str, Any], columns: Sequence[Column]) -> list[Value]:
    """Return the values of a stored row in the order of the columns, typed by their shapes.

    Raises:
        KeyError: the row lacks a column.
    """
    return [typed(row[column.name], column.shape) for column in columns]


def typed(value: Any, shape: Shape) -> Value:
    """Return a stored value with the type of its shape; one that does not fit it stays text and loses nothing.

    Args:
        value: as it is stored: None, text, whole number, Decimal, bool, list or object.
        shape: of its column. A date is ISO text, a time ISO 8601 text with its offset; a time comes back in UTC.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if shape is Shape.AMOUNT or shape is Shape.NUMBER:
        return _number(value, shape)
    if not isinstance(value, str):
        return value if isinstance(value, date) else _text(value)
    if shape is Shape.DATE or shape is Shape.TIME:
        return _moment(value, shape)
    return value


def exact_text(value: Value) -> str:
    """Return a value as text that loses nothing: decimals as stored, times in UTC ending in ``Z``, '' for none."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}" + (f".{value.microsecond:06d}" if value.microsecond else "") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def people_text(value: Value, shape: Shape, currency: str = "") -> str:
    """Return a value as people read it: thousands separated, an amount with its currency's decimals at least.

    Args:
        value: as ``typed`` gives it.
        shape: of its column.
        currency: of the amount; '' is taken for two decimals. Never rounds.
    """
    if isinstance(value, Decimal) and shape is Shape.AMOUNT:
        return in_words(value, currency)
    if isinstance(value, Decimal):
        exponent = value.normalize().as_tuple().exponent
        return f"{value:,.{max(-exponent, 0) if isinstance(exponent, int) else 0}f}"
    if isinstance(value, int) and shape is Shape.NUMBER:
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return exact_text(value)


def is_exception(row: Mapping[str, Any], rule: Rule) -> bool:
    """Tell whether a stored row is an exception of a procedure with this rule."""
    return rule is Rule.NO_ROWS or (rule is Rule.FLAGGED and bool(row.get("exception")))


def currency_columns(columns: Sequence[Column]) -> dict[int, int]:
    """Return, by the position of each amount, the position of the column that names its currency.

    That is the one that the column says, or else the nearest before it that is called ``currency`` or ends with
    ``_currency``, or else the first such one. Amounts without one are left out.
    """
    names = [column.name for column in columns]
    named = [at for at, name in enumerate(names) if f"_{name}".endswith("_currency")]
    found = {}
    for at, column in enumerate(columns):
        if column.shape is not Shape.AMOUNT or column.currency == "-":
            continue
        if column.currency:
            found[at] = names.index(column.currency)
        elif named:
            found[at] = max([n for n in named if n < at], default=named[0])
    return found


def heading(column: Column) -> str:
    """Return the title of a column; that of a time says its zone."""
    return f"{column.title} (UTC)" if column.shape is Shape.TIME else column.title


def _number(value: Any, shape: Shape) -> Value:
    if isinstance(value, int):
        return Decimal(value) if shape is Shape.AMOUNT else value
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        return _text(value)
    if not number.is_finite():
        return str(value)
    return int(number) if shape is Shape.NUMBER and number == number.to_integral_value() else number


def _moment(value: str, shape: Shape) -> Value:
    try:
        if shape is Shape.DATE:
            return date.fromisoformat(value)
        time = datetime.fromisoformat(value)
    except ValueError:
        return value
    return time.astimezone(UTC) if time.tzinfo is not None else value


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, str):
        return value
    return canonical_json(value).decode("utf-8")
