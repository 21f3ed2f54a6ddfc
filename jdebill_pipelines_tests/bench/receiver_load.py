"""Scenario `receiver-load`: 200 signed posts per second for 30 seconds to `jdebill receiver`, then one that is killed.

Belongs here: the rate, the yardstick, what must be in the inbox, the target. The sender is a process of its own that
posts at fixed times whatever becomes of those before; a post's time counts from the moment it was due.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.cli.children import free_port
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.bench.databases import Databases
from jdebill_pipelines_tests.bench.measure import PACKAGE, ROOT, Contender, Outcome, Sample, percentile, run_once
from jdebill_pipelines_tests.bench.report import Row, Section, Target
from jdebill_pipelines_tests.receiver.conftest import KEY, ORGANIZATION
from jdebill_pipelines_tests.receiver.process import NAME, ReceiverProcess

RATE = 200
SECONDS = 30
KILLED_SECONDS = 10
COMMITS = 500
LIMIT_MS = 100.0
_WAIT_SECONDS = 60.0


def scenario(databases: Databases, work: Path, rounds: int) -> Section:
    """Run it: bare endpoint and receiver in turn, ``rounds`` times; then the kill, once."""
    section = Section("receiver-load", f"{RATE} signed posts per second for {SECONDS} s, sent at fixed times")
    folder = work / "receiver"
    folder.mkdir()
    database_url = databases.product()
    engine = create_engine(database_url)
    store = Store(engine, NAME)
    bare, ours = Outcome("bare endpoint"), Outcome("jdebill receiver")
    receiver = ReceiverProcess(folder, database_url, store)
    try:
        for number in range(rounds):
            with _bare_endpoint() as (port, pid):
                bare.samples.append(_measured(port, pid, f"bare{number}"))
            commits = _commits(engine)
            ours.samples.append(_load(receiver, store, f"load{number}"))
            section.rows += [
                _row(number, bare),
                {"round": str(number + 1), "program": "one-row commit", **_times(commits)},
                _row(number, ours),
            ]
        section.notes += _killed(receiver, store)
    finally:
        receiver.stop()
        engine.dispose()
    p99 = [percentile(s.facts["seconds"], 99) * 1000 for s in ours.samples]
    ratios = [
        percentile(o.facts["seconds"], 99) / percentile(b.facts["seconds"], 99)
        for o, b in zip(ours.samples, bare.samples, strict=True)
    ]
    section.targets.append(Target("p99 ms, the middle round", statistics.median(p99), LIMIT_MS))
    section.targets.append(
        Target(
            "posts per second answered 200, the worst round",
            min(_rate(s.facts) for s in ours.samples),
            RATE * 0.98,
            False,
        )
    )
    section.notes.append(
        f"p99 is {', '.join(f'{ratio:.1f}' for ratio in ratios)} times that of the bare endpoint: the same server, "
        "neither signature nor database. `one-row commit` is what the disk takes for a single one, just before. "
        "`sent late` is the sender's own delay; it is in the figures."
    )
    return section


def _measured(port: int, pid: int, prefix: str) -> Sample:
    before = _cpu_seconds(pid)
    sample = run_once(_sender(port, prefix, SECONDS))
    sample.facts["server cpu"] = _cpu_seconds(pid) - before
    return sample


def _load(receiver: ReceiverProcess, store: Store, prefix: str) -> Sample:
    """One round; the inbox must have what was answered 200, and nothing else."""
    before = store.inbox.stats().total
    sample = _measured(receiver.port, receiver.process.pid, prefix)
    answered = sum(1 for status in sample.facts["statuses"] if status == 200)
    if store.inbox.stats().total - before != answered:
        raise AssertionError(
            f"{answered} posts were answered 200, the inbox has {store.inbox.stats().total - before} more"
        )
    return sample


def _killed(receiver: ReceiverProcess, store: Store) -> list[str]:
    """Kill the receiver in the middle of a load, start it again, send everything again."""
    posts, before = RATE * KILLED_SECONDS, store.inbox.stats().total
    with ThreadPoolExecutor(1) as other:
        load = other.submit(run_once, _sender(receiver.port, "killed", KILLED_SECONDS))
        _wait_for(lambda: store.inbox.stats().total - before > posts // 3)
        receiver.end(signal.SIGKILL)
        statuses = load.result().facts["statuses"]
    ids = [f"killed-{number}" for number in range(posts)]
    answered = {id for id, status in zip(ids, statuses, strict=True) if status == 200}
    stored = store.inbox.known(ids)
    if answered - stored or not answered or len(answered) == posts:
        raise AssertionError(f"{len(answered)} answered, {len(answered - stored)} of them are lost")
    receiver.restart()
    again = Counter(run_once(_sender(receiver.port, "killed", KILLED_SECONDS)).facts["statuses"])
    stats = store.inbox.stats()
    if again != {200: posts} or stats.total - before != posts or stats.duplicates != len(stored):
        raise AssertionError(f"sent again: {dict(again)}, {stats.total - before} rows, {stats.duplicates} duplicates")
    return [
        f"Killed (SIGKILL) under the same load after {len(answered)} answers: {len(stored)} events are stored, none of "
        f"those answered is missing. All {posts} sent again to a new process: each answered 200, each there once."
    ]


def _commits(engine: Engine) -> list[float]:
    """Seconds of single commits one after the other, the least that "stored before the answer" costs on this disk."""
    seconds = []
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS bench_commits (body text)"))
        connection.commit()
        for _ in range(COMMITS):
            connection.execute(sa.text("INSERT INTO bench_commits VALUES (repeat('x', 1100))"))
            begun = time.perf_counter()
            connection.commit()
            seconds.append(time.perf_counter() - begun)
    return seconds


def _sender(port: int, prefix: str, seconds: int) -> Contender:
    spec = {
        "host": "127.0.0.1",
        "port": port,
        "path": f"/webhooks/{NAME}",
        "organization": ORGANIZATION,
        "key": KEY,
        "prefix": prefix,
        "rate": RATE,
        "posts": RATE * seconds,
    }
    return Contender("sender", "subjects.webhook_sender", spec)


@contextmanager
def _bare_endpoint() -> Iterator[tuple[int, int]]:
    port = free_port("127.0.0.1", 0, "")
    process = subprocess.Popen(
        [sys.executable, "-m", f"{PACKAGE}.subjects.bare_endpoint", str(port)], stdin=subprocess.PIPE, cwd=ROOT
    )
    try:
        _wait_for(lambda: _is_open(port))
        yield port, process.pid
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_open(port: int) -> bool:
    try:
        return requests.post(f"http://127.0.0.1:{port}/webhooks/{NAME}", data=b"", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_WAIT_SECONDS:.0f} seconds in vain")
        time.sleep(0.05)


def _row(number: int, outcome: Outcome) -> Row:
    facts = outcome.facts
    answers = Counter(facts["statuses"])
    row: Row = {"round": str(number + 1), "program": outcome.name, **_times(facts["seconds"])}
    row |= {
        "answers/s": _rate(facts),
        "errors": sum(answers.values()) - answers[200],
        "sent late ms": facts["latest"] * 1000,
        "connections": facts["connections"],
        "server CPU s": facts["server cpu"],
    }
    return row


def _times(seconds: list[float]) -> Row:
    shown: Row = {f"p{percent} ms": percentile(seconds, percent) * 1000 for percent in (50, 95, 99)}
    return {**shown, "max ms": max(seconds) * 1000}


def _rate(facts: dict[str, Any]) -> float:
    """Posts answered 200 per second, from the first due moment to the last answer."""
    return sum(1 for status in facts["statuses"] if status == 200) / float(facts["took"])
