"""How a staged JDE row is read.

Belongs here: access to optional items of a row. Does not belong here: what an item means.

A row maps data items (without table prefix) to ``str`` (trimmed), ``Decimal``, ``date | None`` or ``int``, as
``domain.tables`` types them. Items that money depends on are read as ``row["AAP"]``: a missing one is an error, not
zero. Optional items may have been removed by column security and are read through this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]

ZERO = Decimal(0)


def text(row: Row, item: str) -> str:
    """Return a text item, '' when it is blank or not there."""
    value = row.get(item)
    return "" if value is None else str(value).strip()


def number(row: Row, item: str) -> Decimal:
    """Return a numeric item, 0 when it is blank or not there.

    Raises:
        TypeError: the row holds a float, which must never happen to a number of a ledger.
    """
    value = row.get(item)
    if value is None or value == "":
        return ZERO
    if isinstance(value, float):
        raise TypeError(f"{item} is a float")
    return value if isinstance(value, Decimal) else Decimal(value)


def day(row: Row, item: str) -> date | None:
    """Return a date item, None when it is blank or not there."""
    value = row.get(item)
    return value if isinstance(value, date) else None
