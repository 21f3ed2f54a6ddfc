"""Events twice, backwards, some never, one forged, to a real receiver process: JDE ends as if all came in order."""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from jdebill_pipelines.config.connection import load_connection
from jdebill_pipelines.steps import webhooks
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines_tests.payments.loop import NAME, Loop, total
from jdebill_pipelines_tests.receiver.conftest import wait_until

PROGRAM = "from jdebill_pipelines.cli.main import main; main()"
PAYMENTS = 8
_IN_ORDER: list[dict[str, Any]] = []


@pytest.fixture
def receiver(loop: Loop, tmp_path: Path) -> Iterator[str]:
    """`jdebill receiver` as a process, and BILL's subscription for it; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/webhooks/{NAME}"
    file = tmp_path / "acme.yaml"
    file.write_text(file.read_text("utf-8").replace("bill:\n", f"bill:\n  webhook_url: {address}\n"), "utf-8")
    loop.runtime.connections[NAME] = load_connection(file)
    settings = loop.runtime.settings
    assert settings.database_url is not None
    places = {
        "JDEBILL_HOME": str(settings.home),
        "JDEBILL_DATABASE_URL": settings.database_url,
        "JDEBILL_CONNECTIONS_DIR": str(tmp_path),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "receiver", "--port", str(port)],
        env={**os.environ, **places},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(lambda: process.poll() is not None or _healthy(port), 60)
        assert process.poll() is None, (process.stderr and process.stderr.read()) or "it ended"
        webhooks.subscribe(loop.runtime, NAME)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_simulators_own_disorder_changes_nothing(loop: Loop, receiver: str) -> None:
    """BILL delivers everything twice, in any order, a tenth never: after one sweep JDE is as if all came in order."""
    wanted = _in_order(loop)
    _begin_again(loop)
    disorder = {"webhook_duplicate_percent": 100, "webhook_reorder": True, "webhook_drop_percent": 10}
    loop.sandbox.control_bill("switches", {**disorder, "webhook_double_encoded": True, "webhook_retry_seconds": []})
    webhooks.subscribe(loop.runtime, NAME)
    for deed in _deeds(loop):
        deed()
        loop.sandbox.control_bill("webhooks/idle", {})
        loop.work_off()
    loop.payments(Mode.FULL)
    assert _state(loop) == wanted
    figures = loop.sandbox.control_bill("state")["webhooks"]
    assert figures["dropped"] > 0
    assert figures["delivered"] >= 2 * loop.store.inbox.stats().total


def test_events_twice_and_backwards_and_one_forged(loop: Loop, receiver: str) -> None:
    """Each half of the events comes at its end, last one first, each twice, every tenth never, a forged one among them.

    The forged one is refused, told to a person, and makes nothing due.
    """
    wanted = _in_order(loop)
    _begin_again(loop)
    made = webhooks.subscribe(loop.runtime, NAME)
    key = webhooks.read_keys(loop.runtime, NAME).security_key
    loop.sandbox.control_bill("switches", {"webhook_drop_percent": 100})
    deeds = _deeds(loop)
    for half in (deeds[: len(deeds) // 2], deeds[len(deeds) // 2 :]):
        for deed in half:
            deed()
        # The second time the events of the first half come once more.
        events = _history(loop, made.subscription_id)
        assert len(events) > 10
        for number, body in enumerate(reversed(events)):
            if number % 10 == 3:
                continue
            for _ in range(2):
                assert _deliver(receiver, body, key).status_code == 200
            if number % 7 == 0:
                loop.work_off()
        loop.work_off()
    forged = _forged(_history(loop, made.subscription_id)[-1])
    before = loop.store.inbox.stats().total
    assert _deliver(receiver, forged, "not the key").status_code == 401
    wait_until(lambda: sum(loop.store.inbox.refusals().values()) == 1)
    assert loop.store.inbox.stats().total == before
    assert loop.work_off() == 0, "a forged event made something due"
    wait_until(lambda: any(text.startswith("webhook refused") for text in loop.alerts()))
    loop.payments(Mode.FULL)
    assert _state(loop) == wanted


def _in_order(loop: Loop) -> dict[str, Any]:
    """What JDE is when every event comes at once, in order; found out once."""
    if _IN_ORDER:
        return _IN_ORDER[0]
    runs = 0
    for deed in _deeds(loop):
        deed()
        loop.sandbox.control_bill("webhooks/idle", {})
        runs += loop.work_off()
    assert runs >= PAYMENTS
    found = _state(loop)
    assert len({total for total in found["paid"].values() if total}) > 3
    _IN_ORDER.append(found)
    return found


def _begin_again(loop: Loop) -> None:
    """Both sides as they were, and a store that knows nothing but the login (and its journal, which cannot forget)."""
    loop.sandbox.control_ais("reset", {})
    loop.sandbox.control_bill("reset", {})
    kept = {system: loop.store.credentials.get(system) for system in ("jde", "bill")}
    with loop.runtime.engine.begin() as tx:
        names = tx.exec_driver_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'jdebill' AND tablename !~ '^(alembic|journal)'"
        ).scalars()
        tx.exec_driver_sql(f"TRUNCATE {', '.join(f'jdebill.{name}' for name in names)} RESTART IDENTITY CASCADE")
    for system, blob in kept.items():
        assert blob is not None
        loop.store.credentials.put(system, blob)
    loop.runtime.bill(NAME).close()
    loop.runtime.jde(NAME).close()
    loop.runtime._bill.clear()
    loop.runtime._jde.clear()
    loop.documents()


def _deeds(loop: Loop) -> list[Any]:
    """What people do in BILL: pay, in part, advance, hold, cancel, void; in an order that is fixed."""
    bills = loop.open_bills()[: PAYMENTS - 1]
    order = next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")
    paid: dict[int, str] = {}

    def pay(n: int, bill: dict[str, Any], **more: Any) -> Any:
        return lambda: paid.__setitem__(n, loop.pay(bill, "SCHEDULED", **more)["id"])

    def then(n: int, action: str, **more: Any) -> Any:
        return lambda: loop.clerk(action, paymentId=paid[n], **more)

    first = [pay(n, bill, **({"amount": "10.00"} if n % 3 == 0 else {})) for n, bill in enumerate(bills)]
    first += [pay(len(bills), order)]
    first += [then(n, "advance", to="PROCESSED") for n in range(PAYMENTS) if n != 1]
    second = [then(1, "cancel"), then(2, "void"), then(4, "fail", kind="hold"), then(5, "fail", kind="funding_voided")]
    second += [then(len(bills), "void")]
    second += [then(n, "clear") for n in (0, 3, 6)]
    second += [then(4, "advance", to="SENT"), then(3, "void", type="VOID_AND_REISSUE")]
    second += [lambda: loop.clerk("advance_all", to="PROCESSED")]
    return [*first, *second]


def _state(loop: Loop) -> dict[str, Any]:
    """JDE by what is open and paid, and its ledger; what was made and undone in between leaves nothing."""
    rows = loop.table("F0411")
    keys = sorted({f"{r['KCO']}-{r['DCT']}-{r['DOC']}" for r in rows if r["DCT"] == "PV"})
    voided = {w.remote_id for w in loop.postings(kind="posting_voucher")} if loop.postings("reverse") else set()
    return {
        "open": {key: loop.open_amount(key) for key in keys if key not in voided},
        "paid": {key: _paid(loop, key) for key in keys if key not in voided},
        "ledger": {account: amount for account, amount in loop.ledger().items() if amount},
        "held": sorted(rule for _, rule in loop.held()),
        "uncertain": len(loop.store.writes.pending_recovery()),
    }


def _paid(loop: Loop, key: str) -> Decimal:
    live = [r for r in loop.paid_rows(key) if not loop.table("F0413", PYID=r["PYID"])[0].get("VDGJ")]
    return total(live, "PAAP")


def _history(loop: Loop, subscription_id: str) -> list[bytes]:
    """Every event that BILL sent or should have sent, oldest first."""
    sent = loop.runtime.bill(NAME).subscriptions.history(subscription_id)
    return [event.body for event in sorted(sent, key=lambda e: str(e.created_time))]


def _forged(body: bytes) -> bytes:
    """An event like a real one, that names a payment of the forger's."""
    envelope = msgspec.json.decode(body)
    envelope["metadata"]["eventId"] = "00000000-0000-4000-8000-000000000000"
    return msgspec.json.encode(envelope)


def _deliver(address: str, body: bytes, key: str) -> requests.Response:
    signature = b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
    headers = {"Content-Type": "application/json", "x-bill-sha-signature": signature}
    return requests.post(address, data=body, headers=headers, timeout=20)


def _healthy(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code == 200
    except requests.ConnectionError:
        return False
