"""Many events at once, a database that is away, a process that is killed: what was answered 200 is there."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.receiver import intake as intake_module
from jdebill_pipelines.receiver.intake import Busy, Intake
from jdebill_pipelines.receiver.metrics import Metrics
from jdebill_pipelines.receiver.server import open_engine
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.inbox import InboxEvent
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.receiver.conftest import Receiver, event, signed, wait_until
from jdebill_pipelines_tests.receiver.process import ReceiverProcess


def test_events_that_arrive_together_share_transactions(receiver: Receiver) -> None:
    """Two hundred posts from sixteen senders: all stored, in far fewer transactions."""

    def send(n: int) -> int:
        raw = json.dumps(event(f"e{n}")).encode()
        return requests.post(f"{receiver.url}/webhooks/acme", data=raw, headers=signed(raw), timeout=20).status_code

    with ThreadPoolExecutor(16) as senders:
        assert set(senders.map(send, range(200))) == {200}
    assert len(receiver.store.inbox.read()) == 200
    metrics = receiver.metrics()
    assert metrics['jdebill_receiver_events_total{connection="acme",kind="new"}'] == 200
    assert metrics['jdebill_receiver_transactions_total{connection="acme"}'] < 190
    assert metrics["jdebill_receiver_post_seconds_count"] == 200
    assert metrics['jdebill_receiver_posts_total{connection="acme",outcome="stored"}'] == 200


def test_database_that_is_away_is_503_and_never_200(
    receiver: Receiver, postgres_server: str, database_url: str
) -> None:
    """While the database takes no connection BILL is asked to come again; after it the same event is stored once."""
    assert receiver.post(event("e1")).status_code == 200
    name = sa.make_url(database_url).database
    admin = create_engine(postgres_server, pooled=False, isolation_level="AUTOCOMMIT")

    def allow(yes: bool) -> None:
        with admin.connect() as connection:
            connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {yes}'))
            connection.execute(
                sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"), {"n": name}
            )

    receiver.store.engine.dispose()
    allow(False)
    try:
        answer = receiver.post(event("e2"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        health = receiver.http.get(f"{receiver.url}/healthz", timeout=10)
        assert health.status_code == 503
        assert receiver.metrics()["jdebill_receiver_database_up"] == 0
        assert receiver.post(event("e3"), key="forged").status_code == 503, "nobody can tell without the keys"
    finally:
        allow(True)
    wait_until(lambda: receiver.post(event("e2")).status_code == 200)
    assert [row.event_id for row in receiver.store.inbox.read()] == ["e1", "e2"]
    assert receiver.http.get(f"{receiver.url}/healthz", timeout=10).status_code == 200
    admin.dispose()


def test_refused_event_does_not_take_its_neighbours_with_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch in which the database refuses one event the others are stored; beyond the limit it is busy."""

    async def run() -> list[object]:
        with ThreadPoolExecutor(2) as executor:
            intake = Intake({"acme": store}, executor, Metrics())
            ids = ["a", "b\0", "c"]
            puts = [
                asyncio.ensure_future(intake.put("acme", InboxEvent(event_id=i, event_type="t", body=b"{}")))
                for i in ids
            ]
            await asyncio.sleep(0)
            monkeypatch.setattr(intake_module, "MOST_WAITING", 3)
            with pytest.raises(Busy):
                await intake.put("acme", InboxEvent(event_id="d", event_type="t", body=b"{}"))
            intake.start()
            await intake.close()
            with pytest.raises(Busy):
                await intake.put("acme", InboxEvent(event_id="d", event_type="t", body=b"{}"))
            return list(await asyncio.gather(*puts, return_exceptions=True))

    first, second, third = asyncio.run(run())
    assert (first, third) == (None, None)
    assert isinstance(second, ValueError)
    assert [row.event_id for row in store.inbox.read()] == ["a", "c"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "terminate"])
def test_no_answered_event_is_lost_when_the_process_ends_under_load(
    store: Store, database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed while senders post: every event answered 200 is stored. Restarted, all sent again: each is there once."""
    running = ReceiverProcess(tmp_path, database_url, store)
    sent: list[str] = []
    answered: list[str] = []
    stop = threading.Event()

    def post(http: requests.Session, event_id: str) -> int:
        raw = json.dumps(event(event_id)).encode()
        return http.post(f"{running.url}/webhooks/acme", data=raw, headers=signed(raw), timeout=10).status_code

    def send(sender: int) -> None:
        with requests.Session() as http:
            for n in itertools.count():
                if stop.is_set():
                    return
                sent.append(event_id := f"s{sender}-{n}")
                try:
                    status = post(http, event_id)
                except requests.RequestException:
                    return
                if status == 200:
                    answered.append(event_id)

    senders = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for sender in senders:
        sender.start()
    try:
        wait_until(lambda: len(answered) > 150, seconds=30)
        running.end(number)
        stop.set()
        for sender in senders:
            sender.join(20)
        kept = {row.event_id for row in store.inbox.read()}
        assert len(answered) > 150
        assert set(answered) - kept == set()
        # What was stored and not answered is at most what was on its way.
        assert len(kept) - len(answered) <= 8
        running.restart()
        with requests.Session() as http:
            assert {post(http, event_id) for event_id in sent} == {200}
    finally:
        stop.set()
        running.stop()
    rows = store.inbox.read()
    assert sorted(row.event_id for row in rows) == sorted(sent)
    assert {row.event_id: row.deliveries for row in rows} == {one: 2 if one in kept else 1 for one in sent}


def test_answer_waits_for_the_disk_whatever_the_database_has_set(database_url: str, engine: Engine) -> None:
    """A database that commits asynchronously could forget an answered event: the receiver's own commits wait."""
    name = sa.make_url(database_url).database
    for setting, kept in (("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f'ALTER DATABASE "{name}" SET synchronous_commit = {setting}'))
        ours = open_engine(database_url)
        try:
            with ours.connect() as connection:
                assert connection.execute(sa.text("SHOW synchronous_commit")).scalar_one() == kept
        finally:
            ours.dispose()
