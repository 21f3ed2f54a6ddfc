"""BILL's limits over threads and processes: never a fourth call, fair turns, slots of the dead given back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.bill.ports import CallGate, SessionCache
from jdebill_pipelines.store.slots import PgCallGate, PgSessionCache

CALLER = """
import sys, threading, time
import sqlalchemy as sa
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.slots import PgCallGate
engine = create_engine(sys.argv[1], pool_size=5)
gate = PgCallGate(engine, "key", "org")
def call():
    for _ in range(30):
        with gate.slot(), engine.connect() as c:
            c = c.execution_options(isolation_level="AUTOCOMMIT")
            number = c.scalar(sa.text("INSERT INTO calls (who) VALUES (:w) RETURNING id"), {"w": sys.argv[2]})
            time.sleep(0.01)
            c.execute(sa.text("UPDATE calls SET ended = clock_timestamp() WHERE id = :i"), {"i": number})
with engine.connect() as c:
    c.execute(sa.text("SELECT pg_advisory_lock_shared(42)"))   # all start together
threads = [threading.Thread(target=call) for _ in range(3)]
[t.start() for t in threads]; [t.join() for t in threads]; gate.close()
"""


@pytest.fixture
def gate(engine: Engine) -> Iterator[PgCallGate]:
    gate = PgCallGate(engine, "key", "org")
    yield gate
    gate.close()


def test_fits_the_protocols_of_the_client(engine: Engine, gate: PgCallGate) -> None:
    """The client's protocols are met by structure."""
    assert isinstance(gate, CallGate)
    assert isinstance(PgSessionCache(engine, Plain(), "acme"), SessionCache)
    for wrong in ({"max_in_flight": 4}, {"max_in_flight": 0}, {"hourly_budget": 0}):
        with pytest.raises(ValueError, match="must be"):
            PgCallGate(engine, "k", "o", **wrong)


def test_three_processes_of_three_threads_never_make_a_fourth_call(engine: Engine, database_url: str) -> None:
    """Nine callers in three processes: at no moment more than three calls overlap, and everybody gets a fair share."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TABLE calls "
                "(id serial, who text, began timestamptz DEFAULT clock_timestamp(), ended timestamptz)"
            )
        )
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted")
    with engine.connect() as starter:
        starter.execute(sa.text("SELECT pg_advisory_lock(42)"))
        processes = [subprocess.Popen([sys.executable, "-c", CALLER, database_url, name]) for name in "abc"]
        while starter.scalar(waiting) < 3:
            assert all(process.poll() is None for process in processes)
        starter.execute(sa.text("SELECT pg_advisory_unlock(42)"))
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT who, began, ended FROM calls ORDER BY began")).all()
    assert len(rows) == 270
    most = max(sum(1 for other in rows if other.began <= row.began < other.ended) for row in rows)
    assert most == 3
    # While all three were at work, nobody was served more than twice as often as another.
    last_start = max(min(r.began for r in rows if r.who == who) for who in "abc")
    first_end = min(max(r.ended for r in rows if r.who == who) for who in "abc")
    share = Counter(r.who for r in rows if last_start <= r.began <= first_end)
    assert sum(share.values()) > 100
    assert max(share.values()) <= 2 * min(share.values())


def test_slots_of_a_killed_process_are_free_at_once(gate: PgCallGate, database_url: str) -> None:
    """A process is killed in the middle of three calls: the next caller gets a slot without any time-out."""
    code = (
        "import sys, threading\nfrom jdebill_pipelines.store.engine import create_engine\n"
        "from jdebill_pipelines.store.slots import PgCallGate\n"
        "gate = PgCallGate(create_engine(sys.argv[1]), 'key', 'org')\n"
        "slots = [gate.slot() for _ in range(3)]\n[s.__enter__() for s in slots]\n"
        "print('held', flush=True); threading.Event().wait()"
    )
    victim = subprocess.Popen([sys.executable, "-c", code, database_url], stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "held\n"
    got = threading.Event()

    def enter() -> None:
        with gate.slot():
            got.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not got.wait(0.2)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    assert got.wait(5)
    waiting.join()


def test_other_organization_has_slots_of_its_own(engine: Engine, gate: PgCallGate) -> None:
    """Three calls of one organization do not keep another one waiting."""
    other = PgCallGate(engine, "key", "other-org", max_in_flight=1)
    with gate.slot(), gate.slot(), gate.slot(), other.slot():
        pass
    other.close()


def test_gate_survives_a_restarted_database(engine: Engine, gate: PgCallGate) -> None:
    """The server drops the gate's connections in the middle of a call: the call ends, the next ones work."""
    with gate.slot(), engine.begin() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jdebill-gate' "
                "AND datname = current_database()"
            )
        )
    for _ in range(2):
        with gate.slot(), gate.slot(), gate.slot():
            assert gate.spend() == 0.0
    with engine.connect() as connection:
        left = connection.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"))
    assert left == 0


def test_budget_is_shared_and_ends_with_the_hour(engine: Engine, gate: PgCallGate) -> None:
    """Two gates of one key share the budget; when it is used up the answer is the time to the next hour."""
    first = PgCallGate(engine, "budget-key", "org", hourly_budget=10)
    second = PgCallGate(engine, "budget-key", "other-org", hourly_budget=10)
    assert [first.spend(6), second.spend(4)] == [0.0, 0.0]
    assert 0 < first.spend() <= 3600
    assert second.spent == 10
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE jdebill.call_budget SET hour = hour - interval '1 hour'"))
    assert first.spend(10) == 0.0
    assert gate.spend() == 0.0
    gate.exhaust()
    assert gate.spend() > 0
    assert PgCallGate(engine, "key", "x").spend() > 0, "the key's budget is over for every organization"
    first.close()
    second.close()
    with engine.connect() as connection:
        stored = connection.scalars(sa.text("SELECT key_digest FROM jdebill.call_budget")).all()
    assert not any("key" in digest for digest in stored)


class Plain:
    """A cipher that shows what it was bound to."""

    def encrypt(self, connection: str, system: str, plaintext: bytes) -> bytes:
        return f"{connection}/{system}/".encode() + plaintext[::-1]

    def decrypt(self, connection: str, system: str, blob: bytes) -> bytes:
        prefix = f"{connection}/{system}/".encode()
        assert blob.startswith(prefix)
        return blob.removeprefix(prefix)[::-1]


def test_session_is_shared_encrypted_and_dropped_only_by_who_saw_it_expire(engine: Engine) -> None:
    """Two processes share a session; a late 401 on the old one does not drop the new one; another login sees none."""
    one, two = (PgSessionCache(engine, Plain(), "acme", identity="key|org|user") for _ in range(2))
    assert one.get() is None
    one.put("session-1")
    assert two.get() == "session-1"
    two.drop("session-1")
    one.put("session-2")
    one.drop("session-1")
    assert two.get() == "session-2"
    assert PgSessionCache(engine, Plain(), "acme", identity="key|org|somebody else").get() is None
    with engine.connect() as connection:
        stored = bytes(connection.scalar(sa.text("SELECT ciphertext FROM jdebill.sessions")))
    assert stored == b"acme/bill-session/2-noisses"


def test_three_callers_that_see_a_401_log_in_once(engine: Engine) -> None:
    """All three find the session expired at once; under the shared lock only the first logs in."""
    caches = [PgSessionCache(engine, Plain(), "acme") for _ in range(3)]
    caches[0].put("expired")
    logins: list[int] = []
    start = threading.Barrier(3)

    def renew(cache: PgSessionCache) -> None:
        start.wait()
        with cache.exclusive():
            if cache.get() in {None, "expired"}:
                cache.drop("expired")
                logins.append(1)
                cache.put(f"fresh-{len(logins)}")

    threads = [threading.Thread(target=renew, args=(cache,)) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(logins) == 1
    assert {cache.get() for cache in caches} == {"fresh-1"}


def test_wait_for_a_slot_ends_when_the_database_is_gone(engine: Engine) -> None:
    """Nobody can hand out slots without the database: the caller gets the driver's error, not silence."""
    gate = PgCallGate(sa.create_engine(engine.url.set(database="no_such_database")), "key", "org")
    with pytest.raises(psycopg2.OperationalError, match="no_such_database"), gate.slot():
        pass
