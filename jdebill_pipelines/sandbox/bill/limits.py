"""BILL's limits: three calls in flight per developer key and organization, calls per hour, logins per hour.

Belongs here: counting and refusing. Not here: sessions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from jdebill_pipelines.sandbox.bill.clock import Clock
from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.errors import Refusal, refusal
from jdebill_pipelines.sandbox.bill.switches import Switches

Key = tuple[str, str]


@dataclass
class Limits:
    """What is in flight now and what was called this hour, with the figures tests ask for."""

    switches: Switches
    clock: Clock
    in_flight: Counter[Key] = field(default_factory=Counter)
    max_in_flight: int = 0
    refused_concurrency: int = 0
    refused_quota: int = 0
    hour: str = ""
    calls_this_hour: Counter[str] = field(default_factory=Counter)
    logins_this_hour: Counter[str] = field(default_factory=Counter)

    def enter(self, key: Key) -> None:
        """Count a call in; pair it with `leave`.

        Raises:
            Refusal: `BDC_1322` when as many as allowed are in flight already; the call is then not in flight.
        """
        if self.in_flight[key] >= self.switches.max_in_flight:
            self.refused_concurrency += 1
            raise self._limited("BDC_1322", "Max number of concurrent requests per organization reached.")
        self.in_flight[key] += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight[key])

    def leave(self, key: Key) -> None:
        """Count a call out."""
        self.in_flight[key] -= 1

    def spend(self, dev_key: str) -> None:
        """Take one call of the hour's quota of a developer key; it renews with the clock hour.

        Raises:
            Refusal: `BDC_1144` when the hour is used up.
        """
        self._renew()
        if self.calls_this_hour[dev_key] >= self.switches.hourly_quota:
            self.refused_quota += 1
            quota = self.switches.hourly_quota
            raise self._limited("BDC_1144", f"Max number of allowed requests per hour reached: {quota}.")
        self.calls_this_hour[dev_key] += 1

    def spend_login(self, dev_key: str) -> None:
        """Take one login of the hour's logins of a developer key.

        Raises:
            Refusal: `BDC_1144` when the hour is used up.
        """
        self._renew()
        if self.logins_this_hour[dev_key] >= self.switches.login_quota:
            self.refused_quota += 1
            quota = self.switches.login_quota
            raise self._limited("BDC_1144", f"Max number of allowed requests per hour reached: {quota}.")
        self.logins_this_hour[dev_key] += 1

    def figures(self) -> Json:
        """The counters."""
        return {
            "in_flight": sum(self.in_flight.values()),
            "max_in_flight": self.max_in_flight,
            "refused_concurrency": self.refused_concurrency,
            "refused_quota": self.refused_quota,
            "calls_this_hour": dict(self.calls_this_hour),
            "logins_this_hour": dict(self.logins_this_hour),
        }

    def _renew(self) -> None:
        hour = f"{self.clock.now():%Y-%m-%dT%H}"
        if hour != self.hour:
            self.hour = hour
            self.calls_this_hour.clear()
            self.logins_this_hour.clear()

    def _limited(self, code: str, message: str) -> Refusal:
        wait = self.switches.retry_after
        found = refusal(self.switches.rate_limit_status, code, message)
        if wait is not None:
            found.headers = {"Retry-After": str(wait)}
        return found
