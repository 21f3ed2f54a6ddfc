"""Months, fiscal periods and the rule that says into which a date may be posted.

Belongs here: calendars. Does not belong here: what is posted.

Sources: F0008 holds per date pattern and fiscal year the start and the end dates of up to 14 periods (12 calendar
months, 4-4-5 weeks, 13 periods); unused trailing periods repeat the last end date. F0010 names the company's pattern,
its current general ledger period (DFYJ, PNC) and its current payables period (APFJ, APPN). JDE accepts a G/L date in
the current or the next period; PYEB (before the fiscal year) and PBCO (before the current period) are refused, PACO and
WACO (after the next period) are warnings.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

from jdebill_pipelines.domain.rows import Row, day, number, text


def month_of(when: date) -> str:
    """Return the month of a date as ``YYYY-MM``."""
    return f"{when.year:04d}-{when.month:02d}"


def month_bounds(period: str) -> tuple[date, date]:
    """Return the first and the last day of a month ``YYYY-MM``.

    Raises:
        ValueError: the text is no month.
    """
    year, _, month = period.partition("-")
    if len(year) != 4 or len(month) != 2:
        raise ValueError(f"{period!r} is no month YYYY-MM")
    first = date(int(year), int(month), 1)
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def months(first: str, last: str) -> list[str]:
    """Return the months from ``first`` to ``last``, both included; empty when ``last`` is earlier."""
    start, end = month_bounds(first)[0], month_bounds(last)[0]
    found = []
    while start <= end:
        found.append(month_of(start))
        start = month_bounds(month_of(start))[1] + timedelta(days=1)
    return found


class FiscalPeriod(msgspec.Struct, frozen=True):
    """One period of a fiscal year.

    Attributes:
        year: the calendar year in which the fiscal year is named (CTRY and FY of F0008).
        number: 1 to 14.
        start, end: first and last day.
    """

    year: int
    number: int
    start: date
    end: date

    @property
    def label(self) -> str:
        """Name for people: ``2026-P03``."""
        return f"{self.year}-P{self.number:02d}"


class FiscalCalendar(msgspec.Struct, frozen=True):
    """The periods of one date pattern, all years, in order of time."""

    pattern: str
    periods: tuple[FiscalPeriod, ...]

    def period_of(self, when: date) -> FiscalPeriod | None:
        """Return the period a date is in, or None when F0008 has no such year."""
        return next((p for p in self.periods if p.start <= when <= p.end), None)

    def of_year(self, year: int) -> tuple[FiscalPeriod, ...]:
        """Return the periods of a fiscal year."""
        return tuple(p for p in self.periods if p.year == year)

    def starting(self, fiscal_year_start: date) -> tuple[FiscalPeriod, ...]:
        """Return the periods of the fiscal year that begins on a date."""
        years = {p.year for p in self.periods if p.number == 1 and p.start == fiscal_year_start}
        return tuple(p for p in self.periods if p.year in years)


class FiscalCalendars(msgspec.Struct, frozen=True):
    """All date patterns of a site."""

    by_pattern: dict[str, FiscalCalendar]

    @classmethod
    def from_rows(cls, rows: Iterable[Row]) -> FiscalCalendars:
        """Read F0008. Rows of 52-period calendars (FQ not blank) describe other things and are left out."""
        found: dict[str, list[FiscalPeriod]] = {}
        for row in rows:
            start = day(row, "DFYJ")
            if start is None or text(row, "FQ"):
                continue
            year = int(number(row, "CTRY") * 100 + number(row, "FY"))
            periods = found.setdefault(text(row, "DTPN"), [])
            for n in range(1, 15):
                end = day(row, f"D{n:02d}J")
                if end is None or end < start:
                    continue
                periods.append(FiscalPeriod(year, n, start, end))
                start = end + timedelta(days=1)
        return cls({k: FiscalCalendar(k, tuple(sorted(v, key=lambda p: p.start))) for k, v in found.items()})

    def calendar(self, pattern: str) -> FiscalCalendar | None:
        """Return the calendar of a pattern, or None when F0008 does not have it."""
        return self.by_pattern.get(pattern)


class DateState(StrEnum):
    """Where a G/L date lies, as JDE calls it."""

    OPEN = "OPEN"  # current or next period
    PYEB = "PYEB"  # before the current fiscal year
    PBCO = "PBCO"  # in the current fiscal year, before the current period
    PACO = "PACO"  # after the next period, within the current fiscal year
    WACO = "WACO"  # after the next period and after the current fiscal year
    NO_PERIOD = "NO_PERIOD"  # the company's pattern or current period is not set up, or F0008 lacks the year


class GlDate(msgspec.Struct, frozen=True):
    """What JDE says about a G/L date.

    Attributes:
        accepted: JDE posts it; a warning (PACO, WACO) does not stop it.
        warning: JDE will warn.
    """

    when: date
    state: DateState
    period: FiscalPeriod | None

    @property
    def accepted(self) -> bool:
        """Whether JDE posts this date."""
        return self.state in (DateState.OPEN, DateState.PACO, DateState.WACO)

    @property
    def warning(self) -> bool:
        """Whether JDE accepts it with a warning only."""
        return self.state in (DateState.PACO, DateState.WACO)


class CompanyCalendar(msgspec.Struct, frozen=True):
    """The fiscal calendar of a company and its open periods.

    Attributes:
        company: CO.
        calendar: its date pattern's periods, or None when F0008 does not have the pattern.
        current: the period that F0010 calls current, or None when that is not set up.
        following: the period after it, or None when F0008 ends there.
    """

    company: str
    calendar: FiscalCalendar | None
    current: FiscalPeriod | None
    following: FiscalPeriod | None

    @classmethod
    def of(cls, company: Row, calendars: FiscalCalendars, system: Literal["ap", "gl"] = "ap") -> CompanyCalendar:
        """Read an F0010 row.

        Args:
            company: the F0010 row.
            calendars: all date patterns.
            system: ``ap`` for vouchers and payments (APFJ, APPN), ``gl`` for journal entries (DFYJ, PNC).
        """
        calendar = calendars.calendar(text(company, "DTPN"))
        start, n = ("APFJ", "APPN") if system == "ap" else ("DFYJ", "PNC")
        year_start, current_number = day(company, start), number(company, n)
        current = following = None
        if calendar is not None and year_start is not None and current_number != Decimal(0):
            current = next((p for p in calendar.starting(year_start) if p.number == current_number), None)
        if calendar is not None and current is not None:
            following = next((p for p in calendar.periods if p.start > current.end), None)
        return cls(text(company, "CO"), calendar, current, following)

    def judge(self, when: date) -> GlDate:
        """Say what JDE will say about a G/L date."""
        period = self.calendar.period_of(when) if self.calendar is not None else None
        if self.calendar is None or self.current is None or period is None:
            return GlDate(when, DateState.NO_PERIOD, period)
        if period == self.current or period == self.following:
            state = DateState.OPEN
        elif period.year < self.current.year:
            state = DateState.PYEB
        elif period.start < self.current.start:
            state = DateState.PBCO
        else:
            state = DateState.PACO if period.year == self.current.year else DateState.WACO
        return GlDate(when, state, period)

    def next_open(self, when: date) -> date | None:
        """Return the first accepted date on or after a date: itself, or the first day of the current period."""
        if self.judge(when).accepted:
            return when
        if self.current is not None and when < self.current.start:
            return self.current.start
        return None
