"""Time as BILL writes it, and business days.

Belongs here: writing and counting time. Not here: telling it (``sandbox.clock``), or what happens when it passes.
"""

from __future__ import annotations

import datetime as dt

from jdebill_pipelines.sandbox.clock import UTC, Clock

__all__ = ["UTC", "Clock", "add_business_days", "is_business_day", "stamp"]


def stamp(moment: dt.datetime) -> str:
    """A date-time as BILL writes it: `2026-05-04T15:20:11.417+00:00`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+00:00"


def is_business_day(day: dt.date) -> bool:
    """Monday to Friday; bank holidays are not modelled."""
    return day.weekday() < 5


def add_business_days(day: dt.date, count: int) -> dt.date:
    """The date so many business days after `day`."""
    while count > 0:
        day += dt.timedelta(days=1)
        count -= is_business_day(day)
    return day
