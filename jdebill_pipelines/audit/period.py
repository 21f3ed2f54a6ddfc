"""The period of a report: a month, or a fiscal period of the company's own calendar.

Belongs here: from a label to first and last day. Does not belong here: calendars themselves (domain/periods.py).

Source: JDE keeps the calendar of a company in F0008 (date pattern F0010.DTPN): 12 months, 4-4-5 weeks or 13 periods.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from jdebill_pipelines.audit.model import AuditPeriod
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.periods import FiscalCalendar, FiscalCalendars, FiscalPeriod, month_bounds
from jdebill_pipelines.store.store import Store

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_FISCAL = re.compile(r"(\d{4})-P(\d{2})")


class UnknownPeriod(ValueError):
    """The label names no period of this connection; the text says what is allowed."""


def audit_period(store: Store, connection: Connection, label: str) -> AuditPeriod:
    """Return the period that a label names.

    Args:
        store: of the connection; a fiscal period needs the copies of F0010 and F0008.
        connection: its companies, zone and start.
        label: ``2026-10``, or ``2026-P10`` of the companies' own calendar.

    Raises:
        UnknownPeriod: it is neither, or the companies' calendars do not have it or disagree about it.
    """
    label = label.strip().upper()
    if _MONTH.fullmatch(label):
        return of_days(connection, label, *month_bounds(label))
    fiscal = _FISCAL.fullmatch(label)
    if fiscal is None:
        raise UnknownPeriod(f"{label!r} is no period: write a month 2026-10, or a fiscal period 2026-P10")
    year, number = int(fiscal[1]), int(fiscal[2])
    found: dict[str, FiscalPeriod] = {}
    for company, calendar in calendars(store, connection).items():
        period = next((p for p in calendar.of_year(year) if p.number == number), None)
        if period is None:
            raise UnknownPeriod(f"company {company}: its fiscal calendar {calendar.pattern} (F0008) has no {label}")
        found[company] = period
    bounds = {(p.start, p.end) for p in found.values()}
    if len(bounds) > 1:
        told = "; ".join(f"{company} {p.start} to {p.end}" for company, p in sorted(found.items()))
        raise UnknownPeriod(
            f"{label} is not the same in all companies ({told}): report them as connections of their own"
        )
    return of_days(connection, label, *bounds.pop())


def of_days(connection: Connection, label: str, first: date, last: date) -> AuditPeriod:
    """Return the period of these days."""
    return AuditPeriod(
        label=label,
        first=first,
        last=last,
        timezone=connection.timezone,
        start=connection.start_date,
        companies=tuple(connection.jde.companies),
        post_when=connection.sync.post_when,
    )


def fiscal_periods_ending_in(store: Store, connection: Connection, month: str) -> Sequence[str]:
    """Return the labels of the fiscal periods whose last day lies in a month, in order; none of 13 periods is lost.

    Raises:
        UnknownPeriod: a company has no fiscal calendar here.
    """
    first, last = month_bounds(month)
    ends = {
        (period.end, period.label)
        for calendar in calendars(store, connection).values()
        for period in calendar.periods
        if first <= period.end <= last
    }
    return [label for _, label in sorted(ends)]


def calendars(store: Store, connection: Connection) -> dict[str, FiscalCalendar]:
    """Return the fiscal calendar of each company of the connection.

    Raises:
        UnknownPeriod: F0010 or F0008 as we have read them do not have one.
    """
    known = FiscalCalendars.from_rows(store.staging.read(t.F0008))
    patterns = {row["CO"]: row["DTPN"] for row in store.staging.read(t.F0010)}
    found = {}
    for company in connection.jde.companies:
        calendar = known.calendar(patterns.get(company, ""))
        if calendar is None:
            raise UnknownPeriod(f"company {company} has no fiscal calendar here: run the asset jde/companies first")
        found[company] = calendar
    return found
