"""Checking of five-field cron expressions.

Belongs here: whether an expression is one, and which field is wrong. Does not belong here: when it fires (Dagster's).
"""

from __future__ import annotations

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "day of week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}


def cron_problem(expression: str) -> str | None:
    """Say what is wrong with a cron expression, or None when it is right.

    Args:
        expression: five fields (minute, hour, day of month, month, day of week), as Dagster's schedules take it.

    Returns:
        Words that complete "the expression ...", or None.
    """
    parts = expression.split()
    if len(parts) != len(_FIELDS):
        return f"has {len(parts)} fields, not five (minute hour day month weekday), such as '*/15 * * * *'"
    for part, (name, low, high) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _item_is_right(item, name, low, high):
                return f"has {item!r} as {name}; allowed: {low}-{high}, ranges (a-b), lists (a,b), steps (*/n) and *"
    return None


def _item_is_right(item: str, name: str, low: int, high: int) -> bool:
    body, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and 1 <= int(step) <= high):
        return False
    if body == "*":
        return True
    first, dash, last = body.partition("-")
    start = _number(first, name, low)
    if start is None or not low <= start <= high:
        return False
    if not dash:
        return True
    end = _number(last, name, low)
    return end is not None and start <= end <= high


def _number(text: str, name: str, low: int) -> int | None:
    if text.isdecimal():
        return int(text)
    names = _NAMES.get(name, ())
    return names.index(text.lower()) + low if text.lower() in names else None
