"""Processes of ours that post at the same time, and one that dies while JDE is at work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines_tests.payments.loop import Loop, total
from jdebill_pipelines_tests.receiver.conftest import wait_until

PAYMENT = "JDEBILL_AP_PAYMENT"


Child = subprocess.Popen[bytes]


@pytest.fixture
def children() -> Iterator[list[Child]]:
    """Processes that are ended with the test, whatever happened."""
    started: list[Child] = []
    yield started
    for child in started:
        child.kill()
        child.communicate()


def _start(loop: Loop, children: list[Child], run_id: str) -> Child:
    settings = loop.runtime.settings
    assert settings.database_url is not None
    places = {"JDEBILL_HOME": str(settings.home), "JDEBILL_DATABASE_URL": settings.database_url}
    command = [sys.executable, "-m", "jdebill_pipelines_tests.payments.poster"]
    child = subprocess.Popen(
        [*command, run_id, str(settings.home / "acme.yaml"), *loop.months],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **places},
        stdout=subprocess.PIPE,
    )
    children.append(child)
    return child


def test_two_processes_post_each_payment_once(loop: Loop, children: list[Child]) -> None:
    """Both see everything released at the same time: every payment is in JDE once, and both end well."""
    loop.sandbox.control_ais("switches", {"latency_ms": 150})
    bills = loop.dollar_bills(12)
    paid_before = {bill["jde"]: total(loop.paid_rows(bill["jde"]), "PAAP") for bill in bills}
    for bill in bills:
        loop.pay(bill)
    loop.run(["bill/payments", "sync/posting_drafts"], Mode.FULL)
    for run_id in ("one", "other"):
        _start(loop, children, run_id)
    told = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sum(msgspec.json.decode(counts)["posted"] for counts in told) == len(bills)
    assert loop.calls(PAYMENT) == len(bills)
    for bill in bills:
        assert total(loop.paid_rows(bill["jde"]), "PAAP") - paid_before[bill["jde"]] == bill["amount"]
        assert loop.open_amount(bill["jde"]) == 0
    loop.payments()
    assert loop.check("jde/postings", "nothing_uncertain").passed


def test_a_process_that_dies_while_jde_works_leaves_one_posting(loop: Loop, children: list[Child]) -> None:
    """SIGKILL between JDE's commit and its answer: left alone while the lease lives, then found and adopted."""
    (bill,) = loop.dollar_bills()
    loop.pay(bill)
    loop.run(["bill/payments", "sync/posting_drafts"], Mode.FULL)
    order = {"fault": "slow_after", "seconds": 20, "route": f"/orchestrator/{PAYMENT}$"}
    loop.sandbox.control_ais("faults", order)
    child = _start(loop, children, "dies")
    wait_until(lambda: loop.calls(PAYMENT) == 1, 30)
    child.kill()
    child.wait(10)
    made = loop.payments()
    assert (made.counts["posted"], loop.calls(PAYMENT)) == (0, 1)
    with loop.runtime.engine.begin() as tx:
        tx.execute(sa.text("UPDATE jdebill.writes SET lease_until = :now"), {"now": datetime.now(UTC)})
    loop.payments()
    (write,) = loop.store.writes.history("posting", loop.postings()[0].natural_key)
    assert (write.state, loop.store.links.all("posting")[write.natural_key].origin) == ("confirmed", "adopted")
    assert total(loop.paid_rows(bill["jde"]), "PAAP") == bill["amount"]
    assert loop.payments().counts["posted"] == 0
    assert loop.calls(PAYMENT) == 1
    assert loop.check("jde/postings", "posting_matches_jde").passed
