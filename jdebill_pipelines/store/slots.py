"""BILL's two limits kept over all processes of an installation: call slots and the hourly budget.

Belongs here: the shared gate and the shared session cache. Not here: retrying, waiting for the hour (bill/).

A slot is a PostgreSQL advisory lock on a connection of its own, so a process that dies gives its slots back at once.
Whoever waits queues on a turnstile lock, which PostgreSQL hands on in order of arrival; only its holder looks for a
free slot. That is fair over processes, and it polls in one place instead of in every waiting thread. Where nobody waits
and a slot is free, turnstile and slot are passed in one statement.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.errors
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.store.credentials import Cipher
from jdebill_pipelines.store.locks import advisory_lock

MAX_IN_FLIGHT = 3
_POLL_SECONDS = 0.002
_LONG_POLL_SECONDS = 0.05
_QUEUE_MILLISECONDS = 5_000
_REMEMBER_SECONDS = 3.0  # of a session: its end by new credentials is seen that late at most


class PgCallGate:
    """At most ``max_in_flight`` calls per developer key and organization, a budget per developer key and clock hour.

    BILL API v3: three requests in flight per developer key and organization, 20,000 per developer key and hour. Needs
    session-level locks: a pooler in transaction mode between here and PostgreSQL would break it.

    Args:
        engine: the database; two connections of the gate's own are opened beside its pool.
        dev_key: the developer key; only its digest is stored.
        organization_id: the BILL organization.
        max_in_flight: slots, 1 to 3.
        hourly_budget: requests per clock hour, over all organizations of the key.
    """

    def __init__(
        self, engine: Engine, dev_key: str, organization_id: str, *, max_in_flight: int = 3, hourly_budget: int = 20_000
    ) -> None:
        if not 1 <= max_in_flight <= MAX_IN_FLIGHT:
            raise ValueError(f"max_in_flight must be 1 to {MAX_IN_FLIGHT}, not {max_in_flight}")
        if hourly_budget < 1:
            raise ValueError(f"hourly_budget must be positive, not {hourly_budget}")
        self._engine = engine
        self._budget = hourly_budget
        self._key_digest = hashlib.sha256(dev_key.encode("utf-8")).hexdigest()
        # Advisory locks with two 32-bit numbers are a space of their own: the first names key and organization.
        name = hashlib.sha256(f"{dev_key}\x1f{organization_id}".encode()).digest()
        self._space = int.from_bytes(name[:4], "big", signed=True)
        self._numbers = tuple(range(1, max_in_flight + 1))
        self._turn = threading.Lock()  # one thread of this process at the turnstile at a time
        self._freed = threading.Event()  # a slot of this process was given back
        self._sql = threading.Lock()  # one statement at a time on the connection that holds the slots
        self._held: set[int] = set()
        self._epoch = 0  # grows when the connection that held the slots is lost
        self._holding: Any = None
        self._queueing: Any = None
        self._pid = os.getpid()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Block until a slot is free, over all processes, and hold it for the block."""
        held = self._enter()
        try:
            yield
        finally:
            self._leave(*held)

    def spend(self, n: int = 1) -> float:
        """Take ``n`` requests from the budget of this clock hour (of the database's clock, UTC).

        Returns:
            ``0.0`` when they were taken; otherwise nothing was taken, and the seconds until the next hour.
        """
        with self._sql:
            taken, left = self._query(_SPEND, {"key": self._key_digest, "n": n, "budget": self._budget})
        return 0.0 if taken else max(float(left), 0.001)

    def exhaust(self) -> None:
        """BILL itself said that the hour is used up: nobody may spend until the next one."""
        with self._sql:
            self._query(_EXHAUST, {"key": self._key_digest})

    @property
    def spent(self) -> int:
        """Requests taken from this clock hour's budget by all processes."""
        with self._sql:
            return int(self._query(_SPENT, {"key": self._key_digest})[0])

    def close(self) -> None:
        """Close the gate's connections; slots still held are given back with them."""
        with self._turn, self._sql:
            for connection in (self._holding, self._queueing):
                if connection is not None and self._pid == os.getpid():
                    connection.close()
            self._holding = self._queueing = None
            self._held.clear()
            self._epoch += 1

    def _enter(self) -> tuple[int, int]:
        self._after_fork()
        with self._turn:
            number = self._try(_WALK_IN)
            if number > 0:
                return self._epoch, number
            turnstile = self._queue_up()
            try:
                while True:
                    self._freed.clear()
                    number = self._try(_TAKE)
                    if number > 0:
                        return self._epoch, number
                    # Our own slots tell when they are free; those of other processes must be looked at.
                    self._freed.wait(_POLL_SECONDS if len(self._held) < len(self._numbers) else _LONG_POLL_SECONDS)
            finally:
                with contextlib.suppress(psycopg2.Error):  # a lost connection has given the lock back already
                    self._execute(turnstile, "SELECT pg_advisory_unlock(%s, 0)", (self._space,))

    def _queue_up(self) -> Any:
        while True:
            turnstile = self._connected("_queueing")
            try:
                self._execute(turnstile, "SELECT pg_advisory_lock(%s, 0)", (self._space,))
            except psycopg2.errors.LockNotAvailable:
                continue  # lets Python look at its signals; only a wait that long costs the place in the queue
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                if not turnstile.closed:
                    raise
                self._execute(self._connected("_queueing"), "SELECT pg_advisory_lock(%s, 0)", (self._space,))
                return self._queueing
            return turnstile

    def _try(self, statement: str) -> int:
        """Take a free slot: its number, 0 when there is none, -1 when others queue for one."""
        with self._sql:
            free = [number for number in self._numbers if number not in self._held]
            if not free:
                return 0
            # CASE tries one after the other and stops at the first it gets.
            tries = " ".join(f"WHEN pg_try_advisory_lock({self._space}, {number}) THEN {number}" for number in free)
            number = int(self._query(statement.format(tries=tries, space=self._space), {})[0])
            if number > 0:
                self._held.add(number)
            return number

    def _leave(self, epoch: int, number: int) -> None:
        with self._sql:
            if epoch != self._epoch or self._pid != os.getpid():
                return  # given back with the connection
            self._held.discard(number)
            try:
                self._query(_UNLOCK, {"space": self._space, "number": number})
            except psycopg2.Error:
                # The connection is gone, and the lock with it. The next call opens another.
                self._forget()
        self._freed.set()

    def _query(self, sql: str, values: dict[str, Any]) -> tuple[Any, ...]:
        self._after_fork()
        try:
            return self._execute(self._connected("_holding"), sql, values)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            # PostgreSQL was restarted. Slots held through the old connection are free again for everybody: calls under
            # way may briefly be one too many, which BILL answers with BDC_1322 and the client waits out.
            self._forget()
            return self._execute(self._connected("_holding"), sql, values)

    def _execute(self, connection: Any, sql: str, values: Any) -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            found: tuple[Any, ...] = cursor.fetchone()
            return found

    def _connected(self, name: str) -> Any:
        connection = getattr(self, name)
        if connection is None or connection.closed:
            url = self._engine.url.set(drivername="postgresql")
            connection = psycopg2.connect(
                url.render_as_string(hide_password=False),
                application_name="jdebill-gate",
                # A crash may lose the last counts of the budget; waiting for the disk on every call would cost more.
                options=f"-c timezone=UTC -c synchronous_commit=off -c lock_timeout={_QUEUE_MILLISECONDS}",
            )
            connection.autocommit = True
            setattr(self, name, connection)
        return connection

    def _forget(self) -> None:
        if self._holding is not None:
            with contextlib.suppress(psycopg2.Error):
                self._holding.close()
        self._holding = None
        self._held.clear()
        self._epoch += 1

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            # The connections belong to the parent: closing them here would end its session.
            self._pid = os.getpid()
            self._holding = self._queueing = None
            self._held = set()
            self._epoch += 1
            self._turn, self._sql, self._freed = threading.Lock(), threading.Lock(), threading.Event()


class PgSessionCache:
    """The BILL session shared by all processes, encrypted in the database.

    Every call carries the session: a process asks the database for it every few seconds, and whenever BILL refused it.

    Args:
        engine: the database.
        cipher: the vault.
        connection: the connection's name.
        system: what the ciphertext is bound to, ``bill-session``.
        identity: who is logged in where (developer key, organization, user): another login does not get the session.
    """

    def __init__(
        self, engine: Engine, cipher: Cipher, connection: str, *, system: str = "bill-session", identity: str = ""
    ) -> None:
        self._engine = engine
        self._cipher = cipher
        self._connection = connection
        self._system = system
        self._identity = hashlib.sha256(identity.encode("utf-8")).hexdigest()
        self._where = {"connection": connection, "system": system, "identity": self._identity}
        self._known: str | None = None
        self._known_until = 0.0

    def get(self) -> str | None:
        """The cached session id, or None."""
        known = self._known
        if known is not None and time.monotonic() < self._known_until:
            return known
        with self._engine.connect() as connection:
            blob = connection.execute(sa.text(_GET), self._where).scalar_one_or_none()
        if blob is None:
            return None
        session_id = self._cipher.decrypt(self._connection, self._system, bytes(blob)).decode("utf-8")
        self._remember(session_id)
        return session_id

    def put(self, session_id: str) -> None:
        """Remember a fresh session id, replacing what was there."""
        blob = self._cipher.encrypt(self._connection, self._system, session_id.encode("utf-8"))
        with self._engine.begin() as connection:
            connection.execute(sa.text(_PUT), {**self._where, "fingerprint": _fingerprint(session_id), "blob": blob})
        self._remember(session_id)

    def _remember(self, session_id: str) -> None:
        self._known, self._known_until = session_id, time.monotonic() + _REMEMBER_SECONDS

    def drop(self, session_id: str) -> None:
        """Forget the session, but only if it is still this one: another process may have logged in meanwhile."""
        self._known = None
        with self._engine.begin() as connection:
            connection.execute(sa.text(_DROP), {**self._where, "fingerprint": _fingerprint(session_id)})

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Held while one process logs in; the others wait and then find its session.

        Raises:
            LockBusy: a login has not ended within two minutes.
        """
        with advisory_lock(self._engine, "login", self._connection, self._system, wait_seconds=120):
            self._known = None  # another process may have logged in while this one waited
            yield


def _fingerprint(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8")).hexdigest()


_TAKE = "SELECT CASE {tries} ELSE 0 END"
# OFFSET 0 keeps the order: the turnstile is taken, then a slot tried, then the turnstile given back.
_WALK_IN = """
SELECT t.number, CASE WHEN t.number >= 0 THEN pg_advisory_unlock({space}, 0) END
FROM (
  SELECT CASE WHEN pg_try_advisory_lock({space}, 0) THEN CASE {tries} ELSE 0 END ELSE -1 END AS number OFFSET 0) AS t
"""
_UNLOCK = "SELECT pg_advisory_unlock(%(space)s, %(number)s)"
_HOUR = "date_trunc('hour', clock_timestamp())"
_SPEND = f"""
WITH taken AS (
  INSERT INTO jdebill.call_budget AS b (key_digest, hour, spent)
  SELECT %(key)s, {_HOUR}, %(n)s WHERE %(n)s <= %(budget)s
  ON CONFLICT (key_digest, hour) DO UPDATE SET spent = b.spent + excluded.spent
  WHERE NOT b.exhausted AND b.spent + excluded.spent <= %(budget)s
  RETURNING 1)
SELECT EXISTS (SELECT FROM taken), extract(epoch FROM {_HOUR} + interval '1 hour' - clock_timestamp())
"""  # noqa: S608 - built from constants
_EXHAUST = f"""
INSERT INTO jdebill.call_budget AS b (key_digest, hour, spent, exhausted) VALUES (%(key)s, {_HOUR}, 0, true)
ON CONFLICT (key_digest, hour) DO UPDATE SET exhausted = true RETURNING 1
"""  # noqa: S608 - built from constants
_SPENT = f"""
SELECT coalesce((SELECT spent FROM jdebill.call_budget WHERE key_digest = %(key)s AND hour = {_HOUR}), 0)
"""  # noqa: S608 - built from constants
_GET = """
SELECT ciphertext FROM jdebill.sessions
WHERE connection = :connection AND system = :system AND identity = :identity
"""
_PUT = """
INSERT INTO jdebill.sessions (connection, system, identity, fingerprint, ciphertext)
VALUES (:connection, :system, :identity, :fingerprint, :blob)
ON CONFLICT (connection, system) DO UPDATE SET identity = excluded.identity, fingerprint = excluded.fingerprint,
  ciphertext = excluded.ciphertext, updated_at = now()
"""
_DROP = """
DELETE FROM jdebill.sessions WHERE connection = :connection AND system = :system AND identity = :identity
AND fingerprint = :fingerprint
"""
