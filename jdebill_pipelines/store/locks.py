"""Advisory locks by name.

Belongs here: turning names into PostgreSQL's lock numbers and holding them. Not here: call slots (slots.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2.errors
import sqlalchemy as sa
from sqlalchemy.engine import Engine


class LockBusy(RuntimeError):
    """Somebody else has held the lock for longer than the caller wanted to wait."""


def lock_number(*names: str) -> int:
    """Return the 64-bit lock number of a name, the same in every process."""
    text = "\x1f".join(names).encode("utf-8")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)


def lock_in(tx: sa.Connection, *names: str) -> None:
    """Take the lock until the end of the transaction, waiting for it."""
    tx.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": lock_number(*names)})


@contextmanager
def advisory_lock(engine: Engine, *names: str, wait_seconds: float | None = None) -> Iterator[None]:
    """Hold a named lock over all processes; a process that dies gives it back.

    Args:
        engine: where; the lock occupies one connection for as long as it is held.
        names: the lock's name.
        wait_seconds: None waits for ever, 0 not at all.

    Raises:
        LockBusy: it was not free in time.
    """
    label = "/".join(names)
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        number = {"n": lock_number(*names)}
        if wait_seconds == 0:
            if not connection.scalar(sa.text("SELECT pg_try_advisory_lock(:n)"), number):
                raise LockBusy(f"{label} is held by another process")
        else:
            timeout = 0 if wait_seconds is None else max(1, int(wait_seconds * 1000))
            connection.execute(sa.text(f"SET lock_timeout = {timeout}"))
            try:
                connection.execute(sa.text("SELECT pg_advisory_lock(:n)"), number)
            except sa.exc.OperationalError as error:
                if isinstance(error.orig, psycopg2.errors.LockNotAvailable):
                    raise LockBusy(f"{label} was held by another process for {wait_seconds} s") from None
                raise
            finally:
                if not connection.invalidated:
                    connection.execute(sa.text("SET lock_timeout = 0"))
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:n)"), number)
