"""Tokens: who they belong to, how long they live, which device they are bound to.

Belongs here: making, checking and ending sessions. Not here: reading them out of a request (``credentials``).
"""

from __future__ import annotations

import base64
import datetime as dt
import math
import secrets
from dataclasses import dataclass

from jdebill_pipelines.sandbox.ais.answers import AisError
from jdebill_pipelines.sandbox.ais.switches import Switches
from jdebill_pipelines.sandbox.clock import Clock


@dataclass
class Session:
    """One session; without a token it lives for one request only."""

    token: str
    user: str
    environment: str
    role: str
    device: str
    address: str
    created: dt.datetime
    used: dt.datetime

    @property
    def stateless(self) -> bool:
        """Whether it ends with the request."""
        return not self.token


class Sessions:
    """All sessions of the server."""

    def __init__(self, switches: Switches, clock: Clock) -> None:
        self._switches = switches
        self._clock = clock
        self.open: dict[str, Session] = {}
        self.logins = 0
        self.stateless_logins = 0
        self.refused_logins = 0
        self.logouts = 0
        self.expired = 0

    def log_in(
        self,
        user: str,
        password: str,
        *,
        environment: str,
        role: str,
        device: str,
        address: str,
        stateless: bool = False,
    ) -> Session:
        """Check a login and start a session.

        Raises:
            AisError: 405 when the HTML server does not know this AIS Server, 403 when the login is refused.
        """
        switches = self._switches
        if not switches.allowed_hosts:
            self.refused_logins += 1
            raise AisError(405, "The JAS server did not accept the request: check the Allowed Hosts setting.")
        environment = environment or switches.environments[0]
        role = role or switches.roles[0]
        known = switches.users.get(user)
        if (
            known is None
            or not secrets.compare_digest(known.encode(), password.encode())
            or user in switches.locked_users
            or environment not in switches.environments
            or role not in switches.roles
        ):
            self.refused_logins += 1
            raise AisError(403, "Authorization Failure: Invalid user, password, environment or role")
        now = self._clock.now()
        token = "" if stateless else _new_token(now)
        session = Session(token, user, environment, role, device, address, now, now)
        if stateless:
            self.stateless_logins += 1
        else:
            self.logins += 1
            self.open[token] = session
        return session

    def find(self, token: str, device: str, address: str, *, touch: bool = True) -> Session:
        """The session of a token, whose idle time begins anew.

        Raises:
            AisError: 444 when it is unknown, expired, or used from another device or address.
        """
        session = self.open.get(token)
        if session is None:
            raise AisError(444, "Invalid Token")
        now = self._clock.now()
        idle, age = now - session.used, now - session.created
        if idle.total_seconds() > self._switches.idle_seconds or age.total_seconds() > self._switches.life_seconds:
            self.end(token)
            self.expired += 1
            raise AisError(444, "Invalid Token")
        if self._switches.device_binding:
            # JDE AIS: bound to the device name it was asked for with, or else to the address.
            bound = session.device == device if session.device else session.address == address
            if not bound:
                raise AisError(444, "Invalid Token")
        if touch:
            session.used = now
        return session

    def end(self, token: str) -> bool:
        """Forget a token."""
        return self.open.pop(token, None) is not None

    def expire(self) -> int:
        """Forget all tokens, as a restart of the server does."""
        count = len(self.open)
        self.expired += count
        self.open.clear()
        return count


def _new_token(now: dt.datetime) -> str:
    """An opaque token in base64 letters that contains `+`, `/` and `=`, as JDE's do."""
    raw = base64.b64encode(secrets.token_bytes(48)).decode()
    tail = base64.b64encode(f"{now:%H%M%S}".encode()).decode()
    return f"044{raw[:32]}+{raw[32:]}/Qx==MDE5{tail}="


def minutes(seconds: int) -> str:
    """Seconds as the whole minutes that the server's configuration shows, as text."""
    return str(math.ceil(seconds / 60))
