"""Scenario `webhook-latency`: from a payment in BILL to its posting in JD Edwards, with `jdebill up` idle before.

Belongs here: the company, the payments, the target. Measured is the whole way over real sockets and processes: the
clerk pays, BILL signs and posts its event, receiver, inbox, sensor, queue, run process, orchestration, and the payment
is seen in JDE's F0414. The clock starts before the clerk's call.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines_tests.bench.databases import Databases
from jdebill_pipelines_tests.bench.measure import percentile
from jdebill_pipelines_tests.bench.report import Section, Target
from jdebill_pipelines_tests.live.installed import NAME, Installed, open_bills, runs_under_way, wait_for

PAYMENTS = 30
BURST = 30
DOCUMENTS = 400
LIMIT_SECONDS = 15.0
# The sensor looks every three seconds: without a pause of its own length payments would hit the same moment of it.
PAUSE_SECONDS = (1.0, 5.0)
WAIT_SECONDS = 120.0


def scenario(databases: Databases, work: Path, rounds: int) -> Section:
    """Run it; thirty payments, however many rounds."""
    section = Section("webhook-latency", f"{PAYMENTS} payments one by one, then {BURST} at once; `jdebill up` was idle")
    today = dt.datetime.now(dt.UTC).date()
    before = today.replace(day=1) - dt.timedelta(days=1)
    months = [f"{before:%Y-%m}", f"{today:%Y-%m}"]
    options: dict[str, Any] = {"documents": DOCUMENTS, "suppliers": 40, "months": 2}
    with SandboxProcess.start(company="demo", today=today, **options) as sandbox:
        database_url = databases.product()
        installed = Installed(work / "latency", sandbox, database_url, months)
        installed.sync()
        bills = [bill["id"] for bill in open_bills(installed)]
        if len(bills) < PAYMENTS + BURST:
            raise AssertionError(f"the company has only {len(bills)} open bills")
        engine = create_engine(database_url)
        try:
            with installed.up():
                installed.jdebill("webhooks", "subscribe", NAME)
                singly = _one_by_one(installed, engine, bills[:PAYMENTS])
                together, runs = _at_once(installed, engine, bills[PAYMENTS : PAYMENTS + BURST])
        finally:
            engine.dispose()
    parts = {name: [stages[name] for stages in singly] for name in singly[0]}
    for name, seconds in parts.items():
        section.rows.append(_row(name, seconds))
    section.rows.append(_row(f"{BURST} at once, to JD Edwards", together))
    p95 = percentile(parts["to JD Edwards"], 95)
    section.targets.append(Target("p95 seconds from payment to posting", p95, LIMIT_SECONDS))
    section.notes.append(f"Every payment was posted exactly once. The {BURST} at once took {runs} runs.")
    return section


def _one_by_one(installed: Installed, engine: Engine, bills: list[str]) -> list[dict[str, float]]:
    """Pay each bill when nothing runs; the seconds after the payment of each stage."""
    found, draw = [], random.Random(1)
    for bill in bills:
        wait_for(lambda: not runs_under_way(engine), "the end of all runs", WAIT_SECONDS)
        time.sleep(draw.uniform(*PAUSE_SECONDS))
        known = installed.paid_in_jde()
        began = time.time()
        payment = installed.clerk("pay", billId=bill, to="PROCESSED")
        new = wait_for(lambda: installed.paid_in_jde() - known, "the posting", WAIT_SECONDS)  # noqa: B023 - called at once
        posted = time.time() - began
        if len(new) != 1:
            raise AssertionError(f"one payment became {sorted(new)} in JD Edwards")
        found.append({**_stages(engine, payment["id"], began), "to JD Edwards": posted})
    return found


def _at_once(installed: Installed, engine: Engine, bills: list[str]) -> tuple[list[float], int]:
    """Pay all bills as fast as BILL takes it; seconds to each posting, and how many runs it took."""
    wait_for(lambda: not runs_under_way(engine), "the end of all runs", WAIT_SECONDS)
    known, runs = installed.paid_in_jde(), _runs(engine)
    began = time.time()
    for bill in bills:
        installed.clerk("pay", billId=bill, to="PROCESSED")
    seen: dict[str, float] = {}

    def all_there() -> bool:
        for reference in installed.paid_in_jde() - known:
            seen.setdefault(reference, time.time())
        return len(seen) >= len(bills)

    wait_for(all_there, "all postings", WAIT_SECONDS)
    wait_for(lambda: not runs_under_way(engine), "the end of all runs", WAIT_SECONDS)
    if len(installed.paid_in_jde() - known) != len(bills):
        raise AssertionError("JD Edwards has more postings than payments")
    # Counted from the first payment, for whichever payment a posting is: never too short.
    return [at - began for at in seen.values()], _runs(engine) - runs


def _stages(engine: Engine, payment: str, began: float) -> dict[str, float]:
    with engine.connect() as connection:
        received, drained = connection.execute(
            sa.text(
                "SELECT extract(epoch FROM min(received_at)), extract(epoch FROM min(processed_at)) FROM jdebill.inbox "
                "WHERE entity_id = :payment"
            ),
            {"payment": payment},
        ).one()
        started = connection.execute(
            sa.text("SELECT min(start_time) FROM runs WHERE pipeline_name LIKE '%payments' AND start_time >= :began"),
            {"began": began},
        ).scalar_one()
    return {
        "to the inbox": float(received) - began,
        "to the sensor": float(drained) - began,
        "to the run's start": float(started) - began,
    }


def _runs(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM runs")).scalar_one())


def _row(name: str, seconds: list[float]) -> dict[str, str | int | float | None]:
    return {
        "stage": name,
        "payments": len(seconds),
        "p50 s": percentile(seconds, 50),
        "p95 s": percentile(seconds, 95),
        "max s": max(seconds),
    }
