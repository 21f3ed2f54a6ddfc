"""Days and fiscal periods of the generated company: calendar months, pattern R.

Belongs here: dates. Does not belong here: documents.
"""

from __future__ import annotations

import random
from calendar import monthrange
from datetime import date, timedelta


def months_before(day: date, months: int) -> date:
    """Return the first day of the month that lies ``months`` before the one of ``day``."""
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def month_end(year: int, month: int) -> date:
    """Return the last day of a month."""
    return date(year, month, monthrange(year, month)[1])


def business_days(first: date, last: date) -> list[date]:
    """Return Monday to Friday from ``first`` to ``last``; never empty."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [d for d in days if d.weekday() < 5] or [last]


def fiscal(day: date) -> dict[str, int]:
    """Return FY (two digits), CTRY and PN of a date."""
    return {"FY": day.year % 100, "CTRY": day.year // 100, "PN": day.month}


def office_time(rng: random.Random) -> int:
    """Return a time of an office day as HHMMSS."""
    return rng.randint(8, 17) * 10_000 + rng.randint(0, 59) * 100 + rng.randint(0, 59)
