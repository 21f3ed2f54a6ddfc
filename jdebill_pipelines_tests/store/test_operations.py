"""Secrets, runs, alerts and locks."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.store.credentials import connections_with_credentials, rotate_all
from jdebill_pipelines.store.locks import LockBusy, advisory_lock, lock_number
from jdebill_pipelines.store.slots import PgSessionCache
from jdebill_pipelines.store.store import Store


class Shift:
    """A toy cipher with a key, bound to connection and system."""

    def __init__(self, key: int) -> None:
        self.key = key

    def encrypt(self, connection: str, system: str, plaintext: bytes) -> bytes:
        return f"{self.key}|{connection}|{system}|".encode() + plaintext

    def decrypt(self, connection: str, system: str, blob: bytes) -> bytes:
        prefix = f"{self.key}|{connection}|{system}|".encode()
        if not blob.startswith(prefix):
            raise PermissionError("not my ciphertext")
        return blob.removeprefix(prefix)


def test_rotation_is_all_or_nothing(engine: Engine) -> None:
    """All secrets of all connections change the key in one transaction; one that cannot be read stops it all."""
    old, new = Shift(1), Shift(2)
    for name in ("acme", "other"):
        for system in ("jde", "bill"):
            Store(engine, name).credentials.put(system, old.encrypt(name, system, b"secret"))
    session = PgSessionCache(engine, old, "acme")
    session.put("s1")
    assert connections_with_credentials(engine) == {"acme": ["bill", "jde"], "other": ["bill", "jde"]}
    assert rotate_all(engine, old, new) == 4
    store = Store(engine, "acme")
    assert new.decrypt("acme", "jde", store.credentials.get("jde") or b"") == b"secret"
    assert PgSessionCache(engine, old, "acme").get() is None
    store.credentials.put("jde", b"garbage")
    with pytest.raises(PermissionError):
        rotate_all(engine, new, Shift(3))
    assert new.decrypt("other", "bill", Store(engine, "other").credentials.get("bill") or b"") == b"secret"
    assert list(store.credentials.systems()) == ["bill", "jde"]
    assert store.credentials.remove("jde")
    assert not store.credentials.remove("jde")
    assert store.credentials.get("jde") is None


def test_new_login_ends_the_session_of_the_old_one(engine: Engine) -> None:
    """Storing new BILL credentials drops the session that the old ones opened."""
    PgSessionCache(engine, Shift(1), "acme").put("s1")
    Store(engine, "acme").credentials.put("jde", b"x")
    assert PgSessionCache(engine, Shift(1), "acme").get() == "s1"
    Store(engine, "acme").credentials.put("bill", b"x")
    assert PgSessionCache(engine, Shift(1), "acme").get() is None


def test_runs_tell_who_did_what(store: Store) -> None:
    """A run's record grows while it runs and says how it ended; amounts in it stay exact."""
    store.runs.start("r1", flow="sync", mode="full", periods=["2026-01"], actor="kim", code_version="abc")
    store.runs.start("r1", flow="sync", mode="delta")
    store.runs.add_summary("r1", {"read": 10})
    store.runs.finish("r1", "succeeded", {"total": Decimal("12.30")})
    record = store.runs.get("r1")
    assert record is not None
    assert (record.mode, record.status, record.summary) == (
        "full",
        "succeeded",
        {"read": 10, "total": Decimal("12.30")},
    )
    with pytest.raises(KeyError, match="never started"):
        store.runs.finish("r2", "failed")
    now = datetime.now(UTC)
    assert [r.run_id for r in store.runs.recent()] == ["r1"]
    assert [r.run_id for r in store.runs.between(now - timedelta(hours=1), now + timedelta(hours=1))] == ["r1"]
    assert store.runs.get("r9") is None


def test_one_alert_per_cause_and_window_and_the_rest_is_counted(store: Store) -> None:
    """While one waits or its window is open the cause is not told again; the next alert says how many were not sent."""
    assert store.alerts.offer("check:bills", "3 held", {"rows": [1]}, window_minutes=60)
    assert not store.alerts.offer("check:bills", "4 held", {}, window_minutes=60)
    assert store.alerts.offer("run:failed", "run failed", {}, window_minutes=60)
    first, second = store.alerts.take("w1")
    assert (first.subject, first.suppressed, second.fingerprint) == ("3 held", 1, "run:failed")
    assert store.alerts.take("w2") == []
    assert store.alerts.windows() == [], "a window opens when it was sent"
    store.alerts.sent(first.id, told=first.suppressed)
    (window,) = store.alerts.windows()
    assert (window.fingerprint, window.suppressed) == ("check:bills", 0)
    assert not store.alerts.offer("check:bills", "5 held", {}, window_minutes=60)
    assert store.alerts.windows()[0].suppressed == 1
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE jdebill.alert_windows SET until = now() - interval '1 second'"))
    assert store.alerts.offer("check:bills", "6 held", {}, window_minutes=60)
    assert [(a.subject, a.suppressed) for a in store.alerts.take("w1")] == [("6 held", 1)]


def test_failed_alert_is_tried_again_and_a_dead_sender_loses_nothing(store: Store) -> None:
    """A failing channel backs off and is retried, in the end given up visibly; what a dead sender took comes back."""
    store.alerts.offer("x", "s", {}, window_minutes=5)
    (alert,) = store.alerts.take("w1")
    assert store.alerts.failed(alert.id, "connection refused", max_attempts=2)
    assert store.alerts.take("w1") == []
    assert store.alerts.windows() == []
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE jdebill.alert_outbox SET not_before = now()"))
    assert store.alerts.take("dead", lease_seconds=0)[0].attempts == 2
    (again,) = store.alerts.take("w2")
    assert again.attempts == 3
    assert not store.alerts.failed(again.id, "still refused", max_attempts=2)
    (row,) = store.alerts.outbox()
    assert (row["state"], row["last_error"]) == ("given_up", "still refused")
    assert store.alerts.offer("x", "s", {}, window_minutes=5), "a given-up alert does not silence its cause"


def test_named_lock_is_exclusive_and_says_who_waits(engine: Engine) -> None:
    """A second taker waits, gives up in time, or is told at once; other names are free; it is given back."""
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with advisory_lock(engine, "sync", "acme"):
            held.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(5)
    for wait in (0, 0.05):
        with pytest.raises(LockBusy, match="sync/acme"), advisory_lock(engine, "sync", "acme", wait_seconds=wait):
            pass
    with advisory_lock(engine, "sync", "other", wait_seconds=0):
        pass
    leave.set()
    with advisory_lock(engine, "sync", "acme"):
        pass
    holder.join()
    assert lock_number("a", "b") != lock_number("ab")


def test_store_needs_a_connection_name(engine: Engine) -> None:
    """An empty connection name would mix customers: refused."""
    with pytest.raises(ValueError, match="empty"):
        Store(engine, "")
