"""What the BILL client asks of its surroundings: who may call now, and where the session is kept.

Belongs here: the two protocols and their in-process versions (tests, ``doctor``, a single process). Does not belong
here: the versions that all processes of an installation share, which live with the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable

HOUR = 3600.0

MAX_IN_FLIGHT = 3
"""BILL API v3: three requests in flight per developer key and organization (``BDC_1322`` beyond that)."""

HOURLY_BUDGET = 20_000
"""BILL API v3: requests per developer key and clock hour (``BDC_1144`` beyond that)."""


@runtime_checkable
class CallGate(Protocol):
    """Keeps BILL's two limits for every caller that shares a developer key."""

    def slot(self) -> AbstractContextManager[None]:
        """Block until one of the slots of (developer key, organization) is free and hold it for the block."""
        ...

    def spend(self, n: int = 1) -> float:
        """Take ``n`` requests from the budget of this clock hour.

        Returns:
            ``0.0`` when they were taken; otherwise nothing was taken and the number is the seconds until the budget
            renews (start of the next clock hour, UTC). The client decides whether it waits.
        """
        ...

    def exhaust(self) -> None:
        """BILL itself said that the hour is used up (``BDC_1144``): nobody may spend until the next clock hour."""
        ...


@runtime_checkable
class SessionCache(Protocol):
    """Keeps the session id of one (developer key, organization, user) for everybody who uses it."""

    def get(self) -> str | None:
        """The cached session id, or None."""
        ...

    def put(self, session_id: str) -> None:
        """Remember a fresh session id, replacing what was there."""
        ...

    def drop(self, session_id: str) -> None:
        """Forget the session, but only if it is still this one: another caller may have logged in meanwhile."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Held while one caller logs in, so that the others wait and then find its session."""
        ...


class InProcessCallGate:
    """The limits kept for the threads of this process only.

    Args:
        max_in_flight: slots, 1 to 3.
        hourly_budget: requests per clock hour.
        clock: seconds since the epoch (UTC); injectable for tests.
    """

    def __init__(
        self,
        max_in_flight: int = MAX_IN_FLIGHT,
        hourly_budget: int = HOURLY_BUDGET,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= max_in_flight <= MAX_IN_FLIGHT:
            raise ValueError(f"max_in_flight must be 1 to {MAX_IN_FLIGHT}, not {max_in_flight}")
        if hourly_budget < 1:
            raise ValueError(f"hourly_budget must be positive, not {hourly_budget}")
        self._slots = threading.BoundedSemaphore(max_in_flight)
        self._budget = hourly_budget
        self._clock = clock
        self._lock = threading.Lock()
        self._hour = -1
        self._spent = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """See :meth:`CallGate.slot`."""
        with self._slots:
            yield

    def spend(self, n: int = 1) -> float:
        """See :meth:`CallGate.spend`."""
        with self._lock:
            now = self._turn_hour()
            if self._spent + n > self._budget:
                return HOUR - now % HOUR
            self._spent += n
            return 0.0

    def exhaust(self) -> None:
        """See :meth:`CallGate.exhaust`."""
        with self._lock:
            self._turn_hour()
            self._spent = self._budget

    @property
    def spent(self) -> int:
        """Requests taken from the budget of the current clock hour."""
        with self._lock:
            self._turn_hour()
            return self._spent

    def _turn_hour(self) -> float:
        now = self._clock()
        hour = int(now // HOUR)
        if hour != self._hour:
            self._hour, self._spent = hour, 0
        return now


class InProcessSessionCache:
    """The session kept in the memory of this process."""

    def __init__(self, session_id: str | None = None) -> None:
        self._session_id = session_id
        self._lock = threading.Lock()
        self._login = threading.RLock()

    def get(self) -> str | None:
        """See :meth:`SessionCache.get`."""
        with self._lock:
            return self._session_id

    def put(self, session_id: str) -> None:
        """See :meth:`SessionCache.put`."""
        with self._lock:
            self._session_id = session_id

    def drop(self, session_id: str) -> None:
        """See :meth:`SessionCache.drop`."""
        with self._lock:
            if self._session_id == session_id:
                self._session_id = None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See :meth:`SessionCache.exclusive`."""
        with self._login:
            yield
