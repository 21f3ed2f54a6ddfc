"""Prove which date literal the server reads, by asking for a row whose date is known.

Belongs here: the probe. Does not belong here: the conversions (``literals``).

JDE AIS: the format of dates in conditions is not documented and follows the user's profile on some releases. A wrong
one swaps day and month silently, so none is believed until it has found a known row, and has not found it by another
date.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from jdebill_pipelines.domain.tables import F0010, F0101, JdeTable, Kind
from jdebill_pipelines.jde.dataservice import DataService, Query
from jdebill_pipelines.jde.literals import COMMON_PATTERNS, COMPACT, format_date
from jdebill_pipelines.jde.session import AisSession
from jdebill_pipelines.jde.where import DateLiteral, Where, all_of, eq
from jdebill_pipelines.transport.errors import ApiError, PermanentError

log = logging.getLogger(__name__)

_SAMPLE = 50
_SECOND_TRY = 3
"""Attempts for a literal that the server answered with an error the first time."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A row of which a date is known.

    Attributes:
        table: whose row.
        item: its date column.
        date: the date.
        keys: conditions on its numeric keys, so that the probe uses an index.
    """

    table: JdeTable
    item: str
    date: dt.date
    keys: Where

    def query(self, date: dt.date) -> Query:
        """Ask for it by a date."""
        columns = tuple(dict.fromkeys((self.item, *self.table.key)))
        return Query(self.table, columns, all_of(self.keys, eq(self.item, date)), size=_SAMPLE)


class DateProbe:
    """Finds the date literal once per login and remembers it with the login.

    Args:
        session: whose server is probed.
    """

    def __init__(self, session: AisSession) -> None:
        self._session = session
        self._lock = threading.Lock()

    def literal(self, service: DataService, query: Query) -> DateLiteral:
        """The literal for the dates of a query.

        Raises:
            PermanentError: rows with dates exist, and no known format finds them.
        """
        return formatter(self.pattern(service, query))

    def pattern(self, service: DataService, query: Query) -> str:
        """The Java date pattern of the literal; see :meth:`literal`."""
        proven = self._session.login().date_literal
        if proven:
            return proven
        with self._lock:
            return self._session.login().date_literal or self._find(service, query)

    def _find(self, service: DataService, query: Query) -> str:
        candidates = self._candidates()
        last: _Known | None = None
        failure: ApiError | None = None
        for table, item in _places(query):
            for known in self._sample(service, table, item):
                last = known
                still = candidates
                # Some servers answer a literal they cannot read with an error, so it is not waited for at once. But a
                # server may fail by itself: what got an error is asked a second time before it is ruled out.
                for attempts in (1, _SECOND_TRY):
                    asked, still = still, []
                    for pattern in asked:
                        try:
                            if not self._proves(service, known, pattern, attempts):
                                continue
                        except ApiError as error:
                            failure = error
                            still.append(pattern)
                            continue
                        log.info("date literals of this AIS Server: %s (proven on %s.%s)", pattern, table.name, item)
                        self._session.remember_date_literal(pattern)
                        return pattern
        if last is not None:
            raise PermanentError(
                f"no known date format finds a row of {last.table.name} by its own {last.item}"
                + (f"; the last answer was: {failure}" if failure else ""),
                fix="Set the date format of the integration user in its JDE user profile to a common one (MDE, DME or "
                "EMD with a separator) and try again.",
            ) from failure
        log.warning("no dated row to prove the date literal by; using %s", candidates[0])
        return candidates[0]

    def _candidates(self) -> list[str]:
        own = self._session.login().date_format
        usable = []
        for pattern in dict.fromkeys([own, *COMMON_PATTERNS] if own else COMMON_PATTERNS):
            try:
                format_date(dt.date(2001, 2, 3), pattern)
            except ValueError:
                continue
            usable.append(pattern)
        return usable or [COMPACT]

    def _sample(self, service: DataService, table: JdeTable, item: str) -> list[_Known]:
        """Up to two rows with a date: a day beyond 12 cannot be a month and comes first; day = month tells nothing."""
        columns = tuple(dict.fromkeys((item, *table.key)))
        try:
            rows = service.first(Query(table, columns, size=_SAMPLE)).rows
        except PermanentError as error:
            log.info("cannot probe on %s: %s", table.name, error)
            return []
        dated = [row for row in rows if row[0] is not None and row[0].year > 1950 and row[0].day != row[0].month]
        found = []
        for row in sorted(dated, key=lambda row: row[0].day <= 12)[:2]:
            numbers = {
                k: v for k, v in zip(columns, row, strict=True) if isinstance(v, Decimal) and v == v.to_integral_value()
            }
            found.append(_Known(table, item, row[0], all_of(*(eq(k, v) for k, v in numbers.items()))))
        return found

    def _proves(self, service: DataService, known: _Known, pattern: str, attempts: int) -> bool:
        literal = formatter(pattern)
        right = service.first(known.query(known.date), literal=literal, attempts=attempts).rows
        if not right or any(row[0] != known.date for row in right):
            return False
        other = known.date + dt.timedelta(days=1)
        wrong = service.first(known.query(other), literal=literal, attempts=attempts).rows
        if any(row[0] != other for row in wrong):
            log.warning("%s is found by a date that is not its own with %s; not believed", known.table.name, pattern)
            return False
        return True


def formatter(pattern: str) -> DateLiteral:
    """The literal that a pattern makes."""
    return lambda value: format_date(value, pattern)


def _places(query: Query) -> Iterator[tuple[JdeTable, str]]:
    """Date columns to probe by: those of the query first, then of tables that every installation has filled."""
    seen: set[tuple[str, str]] = set()
    asked = query.where.conditions() if query.where is not None else ()
    items = [c.item for c in asked if any(isinstance(v, dt.date) for v in c.values)]
    own = [(query.table, i) for i in (*items, query.table.period_date, query.table.updated_date) if i is not None]
    for table, item in [*own, (F0101, "UPMJ"), (F0010, "DFYJ")]:
        if (table.name, item) not in seen and table.columns.get(item) is Kind.DATE:
            seen.add((table.name, item))
            yield table, item
