"""The simulators' clock: real time, shifted or stopped by the control endpoint.

Belongs here: telling and moving time. Not here: how a system writes it, or what happens when it passes.
"""

from __future__ import annotations

import datetime as dt

UTC = dt.UTC


class Clock:
    """UTC with milliseconds.

    A shifted clock still runs; a frozen one stands until it is set again.
    """

    def __init__(self) -> None:
        self._offset = dt.timedelta()
        self._frozen: dt.datetime | None = None

    def now(self) -> dt.datetime:
        """The current moment, cut to milliseconds."""
        moment = self._frozen or dt.datetime.now(UTC) + self._offset
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def today(self) -> dt.date:
        """The current date in UTC."""
        return self.now().date()

    def set(self, moment: dt.datetime, *, frozen: bool = False) -> None:
        """Set the clock to an aware moment; it runs on from there unless it is frozen."""
        moment = moment.astimezone(UTC)
        self._frozen = moment if frozen else None
        self._offset = moment - dt.datetime.now(UTC)

    def advance(self, by: dt.timedelta) -> None:
        """Move the clock forward (or back)."""
        if self._frozen is not None:
            self._frozen += by
        self._offset += by

    def real(self) -> None:
        """Go back to real time."""
        self._frozen, self._offset = None, dt.timedelta()
