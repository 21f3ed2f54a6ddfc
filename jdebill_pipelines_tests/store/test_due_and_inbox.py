"""Due work and the inbox: ten events become one run, and nothing is lost when a run fails or dies."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from jdebill_pipelines.store.due import DueRequest
from jdebill_pipelines.store.inbox import InboxEvent, InboxRow
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.store.conftest import NOW


def later(store: Store, seconds: int) -> None:
    """Let time pass for everything that waits or is held."""
    with store.engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE jdebill.due SET not_before = not_before - make_interval(secs => :s), "
                "held_until = held_until - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )


def test_many_reasons_become_one_piece_of_work_per_flow(store: Store) -> None:
    """Months and entities are united, the earliest since counts, flows stay apart, another connection sees nothing."""
    store.due.record("jde", periods=["2026-02"], since=NOW, source="schedule")
    store.due.record("jde", periods=["2026-01", "2026-02"], since=NOW - timedelta(hours=1), source="sweep")
    store.due.record_many([DueRequest(flow="payments", entities=(f"stp{n}",), source="webhook") for n in (2, 1, 2)])
    jde, payments = store.due.pending()
    assert (jde.flow, jde.periods, jde.since, jde.sources) == (
        "jde",
        ("2026-01", "2026-02"),
        NOW - timedelta(hours=1),
        ("schedule", "sweep"),
    )
    assert (payments.entities, len(payments.ids), payments.attempts) == (("stp1", "stp2"), 3, 0)
    assert [w.flow for w in store.due.pending(["payments"])] == ["payments"]
    assert Store(store.engine, "other").due.pending() == []


def test_requested_work_is_not_asked_for_twice_and_falls_back(store: Store) -> None:
    """A sensor asks for a run; until it starts nobody asks again; a run that never starts gives the work back."""
    store.due.record("jde", periods=["2026-01"], source="schedule")
    assert len(store.due.request("tick-1")) == 1
    assert store.due.request("tick-2") == []
    store.due.record("jde", periods=["2026-02"], source="schedule")
    (work,) = store.due.claim("run-1", request_id="tick-1")
    assert work.periods == ("2026-01", "2026-02"), "what came meanwhile is taken along"
    assert store.due.done("run-1") == 2
    store.due.record("jde", source="schedule")
    store.due.request("tick-3")
    later(store, 601)
    assert len(store.due.request("tick-4")) == 1
    assert store.due.failed("tick-4", "the run could not be launched") == []
    assert store.due.pending() == []
    later(store, 200)
    assert store.due.pending()[0].attempts == 1


def test_failed_work_backs_off_and_is_given_up_loudly(store: Store) -> None:
    """Each failure waits longer; the last one is returned, listed, and comes back only at a person's word."""
    store.due.record("payments", entities=["stp1"], source="webhook")
    for attempt in range(1, 4):
        assert len(store.due.claim(f"run-{attempt}")) == 1
        given_up = store.due.failed(f"run-{attempt}", "BILL is down", max_attempts=3)
        assert store.due.pending() == []
        assert len(given_up) == (attempt == 3)
        later(store, 30 * 2**attempt - 5)
        assert store.due.pending() == [], "not before its time"
        later(store, 10)
    assert given_up[0].last_error == "BILL is down"
    (listed,) = store.due.given_up()
    assert listed.attempts == 3
    assert store.due.retry(listed.ids) == 1
    assert store.due.pending()[0].attempts == 0
    store.due.claim("run-9")
    store.due.done("run-9", flows=["payments"])
    assert store.due.prune(NOW + timedelta(days=3650)) == 1


def test_work_of_a_dead_run_comes_back(store: Store) -> None:
    """The run that had it died without a word: after its lease the work is due again, its attempt counted."""
    store.due.record("jde", periods=["2026-01"], source="schedule")
    store.due.claim("run-1", lease_seconds=30)
    assert store.due.claim("run-2") == []
    assert store.due.reclaim_expired() == []
    assert store.due.claim("run-1")[0].periods == ("2026-01",), "the run itself still has it"
    later(store, 4000)
    assert store.due.reclaim_expired() == []
    later(store, 200)
    (work,) = store.due.claim("run-2")
    assert (work.attempts, work.last_error) == (1, "the run that had it died")
    assert store.due.done("run-1") == 0, "the dead run's late word does not count"


def test_racing_runs_share_work_without_overlap(store: Store) -> None:
    """Four runs claim at once: every entry is held by exactly one."""
    store.due.record_many([DueRequest(flow="payments", entities=(f"stp{n}",), source="webhook") for n in range(100)])
    start, taken = threading.Barrier(4), []

    def claim(number: int) -> None:
        start.wait()
        taken.extend(i for work in store.due.claim(f"run-{number}") for i in work.ids)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(Counter(taken).values()) == 1
    assert len(taken) == 100


def test_watermark_never_goes_back(store: Store) -> None:
    """Two runs end in the other order: the later mark stays."""
    assert store.due.watermark("jde") is None
    assert store.due.set_watermark("jde", "2026-01-02T10:00:00", run_id="r2")
    assert not store.due.set_watermark("jde", "2026-01-02T09:00:00", run_id="r1")
    assert store.due.watermark("jde") == "2026-01-02T10:00:00"


def event(number: int, **changes: str) -> InboxEvent:
    values = {"event_type": "payment.updated", "entity_kind": "payment", "entity_id": f"stp{number}", **changes}
    return InboxEvent(event_id=f"e{number}", body=b'{"raw": true}\x00\xff', **values)


def to_due(row: InboxRow) -> DueRequest | None:
    if row.entity_kind != "payment":
        return None
    return DueRequest(flow="payments", entities=(row.entity_id,), source="webhook")


def test_events_are_kept_once_and_become_due_once(store: Store) -> None:
    """Doubled deliveries count but change nothing; events nobody cares about are marked; the raw bytes survive."""
    assert store.inbox.put([event(1), event(2), event(1)]) == 2
    assert store.inbox.put([event(2), event(3, entity_kind="vendor")]) == 1
    assert store.inbox.known(["e1", "e9"]) == {"e1"}
    assert store.inbox.read(event_ids=["e1"])[0].body == b'{"raw": true}\x00\xff'
    assert store.inbox.drain(to_due, limit=2) == 2
    assert store.inbox.drain(to_due) == 1
    assert store.inbox.drain(to_due) == 0
    assert store.due.pending()[0].entities == ("stp1", "stp2")
    assert [r.outcome for r in store.inbox.read(limit=3)] == ["due", "due", "ignored"]
    assert [r.deliveries for r in store.inbox.read(entity_ids=["stp1"])] == [2]
    for _ in range(3):
        store.inbox.refuse("bad signature")
    stats = store.inbox.stats()
    assert (stats.waiting, stats.total, stats.duplicates, stats.refused) == (0, 3, 2, 3)
    assert stats.last_received_at is not None
    assert store.inbox.refusals() == {"bad signature": 3}
    assert store.inbox.read(since=stats.last_received_at + timedelta(seconds=1)) == []


def test_drain_that_fails_keeps_the_events(store: Store) -> None:
    """The mapping raises in the middle: no event is marked and nothing is due; the next drain takes all."""
    store.inbox.put([event(1), event(2)])

    def broken(row: InboxRow) -> DueRequest | None:
        if row.event_id == "e2":
            raise LookupError("no such flow")
        return to_due(row)

    with pytest.raises(LookupError):
        store.inbox.drain(broken)
    assert store.due.pending() == []
    assert store.inbox.drain(to_due) == 2


RECEIVE = """
import os, sys
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.inbox import InboxEvent
from jdebill_pipelines.store.store import Store
store = Store(create_engine(sys.argv[1]), "acme")
for n in range(30): store.inbox.put([InboxEvent(event_id=f"e{n}", event_type="t", body=b"x")])
os._exit(9)
"""


def test_event_is_safe_when_the_receiver_dies_after_its_answer(store: Store, database_url: str) -> None:
    """The process is gone right after ``put`` returned: every event is there."""
    assert subprocess.run([sys.executable, "-c", RECEIVE, database_url], check=False).returncode == 9
    assert store.inbox.stats().waiting == 30
