"""Many events at once, a database that is away, a process that is killed: what was answered 200 is there."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from jdebill_pipelines.bill.webhook_keys import WebhookKeys
from jdebill_pipelines.cli.children import free_port
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.receiver import intake as intake_module
from jdebill_pipelines.receiver.intake import Busy, Intake
from jdebill_pipelines.receiver.metrics import Metrics
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.inbox import InboxEvent
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.receiver.conftest import KEY, MASTER_KEY, ORGANIZATION, Receiver, event, signed, wait_until

FILE = f"""
name: acme
start_date: 2026-01-01
timezone: UTC
jde: {{ais_url: "http://127.0.0.1:1/jderest", environment: JDV920, role: "*ALL", companies: ["00001"]}}
bill: {{api_url: "http://127.0.0.1:1/connect", organization_id: {ORGANIZATION}}}
sync: {{documents: [vouchers], writeback: {{voucher: none, purchase_order: none, other: none}}}}
"""


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


class Process:
    """`jdebill receiver` as a child process."""

    def __init__(self, folder: Path, database_url: str) -> None:
        (folder / "acme.yaml").write_text(FILE)
        self.port = free_port("127.0.0.1", 0, "")
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            **os.environ,
            "JDEBILL_DATABASE_URL": database_url,
            "JDEBILL_CONNECTIONS_DIR": str(folder),
            "JDEBILL_HOME": str(folder / "home"),
            "JDEBILL_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from jdebill_pipelines.cli.main import main; main()", "receiver", "--port",
             str(self.port)],
            env=environment,
        )  # fmt: skip
        wait_until(self.answers, seconds=60)

    def answers(self) -> bool:
        """Whether it is up."""
        assert self.process.poll() is None, "the receiver ended"
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "terminate"])
def test_no_answered_event_is_lost_when_the_process_ends_under_load(
    store: Store, database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    """Senders post as fast as they can when the process is killed: every event answered 200 is in the inbox."""
    secret = Vault(MASTER_KEY).encrypt("acme", "webhook", WebhookKeys(security_key=KEY).encode())
    store.credentials.put("webhook", secret)
    running = Process(tmp_path, database_url)
    answered: list[str] = []
    stop = threading.Event()

    def send(sender: int) -> None:
        with requests.Session() as http:
            n = 0
            while not stop.is_set():
                n += 1
                raw = json.dumps(event(f"s{sender}-{n}")).encode()
                try:
                    answer = http.post(f"{running.url}/webhooks/acme", data=raw, headers=signed(raw), timeout=10)
                except requests.RequestException:
                    return
                if answer.status_code == 200:
                    answered.append(f"s{sender}-{n}")

    senders = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for sender in senders:
        sender.start()
    try:
        wait_until(lambda: len(answered) > 150, seconds=30)
        running.process.send_signal(number)
        running.process.wait(30)
    finally:
        stop.set()
        running.process.kill()
        running.process.wait(10)
        for sender in senders:
            sender.join(20)
    assert len(answered) > 150
    kept = {row.event_id for row in store.inbox.read()}
    assert set(answered) - kept == set()
    # What was stored and not answered is at most what was on its way.
    assert len(kept) - len(answered) <= 8
