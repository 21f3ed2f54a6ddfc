"""Months, fiscal calendars of every shape, and JDE's rule for G/L dates."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from jdebill_pipelines.domain.periods import (
    CompanyCalendar,
    DateState,
    FiscalCalendars,
    month_bounds,
    month_of,
    months,
)
from jdebill_pipelines.domain.tables import F0008, F0010
from jdebill_pipelines_tests.domain.cases import calendars
from jdebill_pipelines_tests.domain.jde_csv import blank


def test_months_run_over_years() -> None:
    """A range of months includes both ends and crosses the year; a backwards one is empty."""
    assert months("2025-11", "2026-02") == ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert months("2026-02", "2026-01") == []
    assert month_bounds("2028-02") == (date(2028, 2, 1), date(2028, 2, 29))
    assert month_of(date(2026, 3, 31)) == "2026-03"
    with pytest.raises(ValueError, match="no month"):
        month_bounds("2026-3")


def fiscal(pattern: str, start: date, lengths: list[int]) -> FiscalCalendars:
    """A year whose periods have these lengths in days; unused trailing periods repeat the last end."""
    ends, day = [], start
    for length in lengths:
        day += timedelta(days=length)
        ends.append(day - timedelta(days=1))
    ends += [ends[-1]] * (14 - len(ends))
    row = blank(F0008, DTPN=pattern, FY="26", CTRY="20", DFYJ=start, **{f"D{n:02d}J": e for n, e in enumerate(ends, 1)})
    return FiscalCalendars.from_rows([row])


def test_four_four_five_weeks() -> None:
    """A 4-4-5 calendar has twelve periods of whole weeks; the day after a period's end is in the next one."""
    calendar = fiscal("F", date(2026, 2, 2), [28, 28, 35] * 4).calendar("F")
    assert calendar is not None
    assert len(calendar.of_year(2026)) == 12
    third = calendar.of_year(2026)[2]
    assert (third.start, third.end, third.label) == (date(2026, 3, 30), date(2026, 5, 3), "2026-P03")
    assert calendar.period_of(date(2026, 5, 4)) == calendar.of_year(2026)[3]
    assert calendar.period_of(date(2026, 2, 1)) is None


def test_thirteen_periods() -> None:
    """Thirteen periods of four weeks cover 364 days without a gap."""
    calendar = fiscal("M", date(2026, 1, 1), [28] * 13).calendar("M")
    assert calendar is not None
    periods = calendar.of_year(2026)
    assert [p.number for p in periods] == list(range(1, 14))
    assert all(b.start == a.end + timedelta(days=1) for a, b in pairwise(periods))


@pytest.mark.parametrize(
    ("when", "state", "accepted"),
    [
        (date(2025, 12, 31), DateState.PYEB, False),
        (date(2026, 2, 28), DateState.PBCO, False),
        (date(2026, 3, 1), DateState.OPEN, True),
        (date(2026, 4, 30), DateState.OPEN, True),
        (date(2026, 5, 1), DateState.PACO, True),
        (date(2027, 1, 1), DateState.WACO, True),
        (date(2028, 1, 1), DateState.NO_PERIOD, False),
    ],
)
def test_gl_dates_as_jde_judges_them(when: date, state: DateState, accepted: bool) -> None:
    """With March 2026 current: March and April are open, earlier is refused, later is a warning."""
    judged = calendars()["00001"].judge(when)
    assert (judged.state, judged.accepted) == (state, accepted)
    assert judged.warning == (state in (DateState.PACO, DateState.WACO))


def test_next_open_day_is_the_first_of_the_current_period() -> None:
    """A closed date moves to the first open day; an open one stays; one without calendar has none."""
    company = calendars()["00001"]
    assert company.next_open(date(2026, 1, 15)) == date(2026, 3, 1)
    assert company.next_open(date(2026, 3, 15)) == date(2026, 3, 15)
    assert company.next_open(date(2030, 3, 15)) is None


def test_a_company_without_current_period_accepts_nothing() -> None:
    """F0010 without current period, or with a pattern that F0008 lacks, cannot be judged: nothing is accepted."""
    known = fiscal("R", date(2026, 1, 1), [31, 28, 31])
    for row in (
        blank(F0010, CO="00001", DTPN="R"),
        blank(F0010, CO="00001", DTPN="Q", APFJ=date(2026, 1, 1), APPN="1"),
    ):
        company = CompanyCalendar.of(row, known)
        assert company.judge(date(2026, 1, 5)).state is DateState.NO_PERIOD
        assert not company.judge(date(2026, 1, 5)).accepted
        assert company.next_open(date(2026, 1, 5)) is None


def test_journal_entries_follow_the_ledgers_period() -> None:
    """Payables may be a period behind the ledger: each system has its own current period."""
    start = date(2026, 1, 1)
    row = blank(F0010, CO="00001", DTPN="R", DFYJ=start, PNC="3", APFJ=start, APPN="1")
    year = fiscal("R", start, [31, 28, 31, 30])
    day = date(2026, 1, 20)
    assert CompanyCalendar.of(row, year, "ap").judge(day).state is DateState.OPEN
    assert CompanyCalendar.of(row, year, "gl").judge(day).state is DateState.PBCO
