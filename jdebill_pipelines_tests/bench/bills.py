"""Scenario `bills`: 20,000 bills of BILL at 50 ms a call, never more than three calls in flight.

Belongs here: the organization, the contenders, the targets.
"""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.bench.databases import Databases
from jdebill_pipelines_tests.bench.measure import Contender, compare
from jdebill_pipelines_tests.bench.report import Section, Target
from jdebill_pipelines_tests.bench.subjects.connected import BILL_LOGIN, ORGANIZATION, connect

BILLS = 20_000
LATENCY_MS = 50
LIMIT_SECONDS = 4.5


def scenario(databases: Databases, work: Path, rounds: int) -> Section:
    """Run it."""
    section = Section("bills", f"{BILLS:,} bills, 100 a page, {LATENCY_MS} ms a call, three calls in flight")
    with SandboxProcess.start(apis=("bill",)) as sandbox:
        generate = {"vendors": 200, "accounts": 40, "departments": 10, "bills": BILLS, "seed": 5, "days": 300}
        sandbox.control_bill("seed", {"generate": generate})
        bills = sandbox.control_bill("bills")
        total = sum((Decimal(str(bill["amount"])) for bill in bills), Decimal(0))
        windows = _windows(sorted(bill["createdTime"] for bill in bills))
        sandbox.control_bill("switches", {"latency_ms": LATENCY_MS})
        headers = {"devKey": BILL_LOGIN["dev_key"], "sessionId": _login(sandbox.bill_url)}
        peer: dict[str, Any] = {"url": sandbox.bill_url, "headers": headers, "windows": windows}
        home, database_url = str(work / "bills"), databases.product()
        connect(home, database_url)
        ours = {"url": sandbox.bill_url, "home": home, "database_url": database_url}
        contenders = [
            Contender("floor", "peers.floor_bills", peer),
            Contender("jdebill, decoded", "subjects.bills", {**ours, "mirror": False}),
            Contender("jdebill, decoded and mirrored", "subjects.bills", {**ours, "mirror": True}),
            Contender("dlt to Parquet", "peers.dlt_bills", peer, True),
            Contender("airbyte-cdk to JSON lines", "peers.airbyte_bills", peer, True),
        ]
        compare(contenders[:2], rounds=1)  # the simulator keeps results of queries; all find it warm
        outcomes = compare(contenders, rounds=rounds)
        most = int(sandbox.control_bill("state")["max_in_flight"])
    floor = outcomes[0].seconds
    mirrored = outcomes[2].seconds
    for outcome in outcomes:
        for sample in outcome.samples:
            if sample.facts["rows"] != BILLS or Decimal(sample.facts.get("total", total)) != total:
                raise AssertionError(f"{outcome.name} did not read what is there: {sample.facts}, {total}")
        section.rows.append(
            {
                "program": outcome.name,
                "seconds": outcome.seconds,
                "x floor": outcome.seconds / floor,
                "x jdebill mirrored": outcome.seconds / mirrored,
                "CPU s": outcome.cpu,
                "peak MiB": round(outcome.peak_mb),
            }
        )
    section.targets.append(Target("seconds, decoded and mirrored", mirrored, LIMIT_SECONDS))
    section.targets.append(
        Target("share of the fastest peer's time", mirrored / min(o.seconds for o in outcomes[3:]), 1.0)
    )
    section.notes.append(
        f"floor and peers are given three windows of equally many bills; jdebill finds its own. Most calls in flight "
        f"seen: {most}. Imports are not counted for anybody."
    )
    return section


def _windows(times: list[str]) -> list[str]:
    """Three filters on `createdTime` with equally many bills."""
    cuts = [dt.datetime.fromisoformat(times[len(times) * part // 3]) for part in (1, 2)]
    first, second = (f'"{cut:%Y-%m-%dT%H:%M:%S}.000Z"' for cut in cuts)
    return [
        f"createdTime:lt:{first}",
        f"createdTime:gte:{first},createdTime:lt:{second}",
        f"createdTime:gte:{second}",
    ]


def _login(url: str) -> str:
    body = {
        "username": BILL_LOGIN["username"],
        "password": BILL_LOGIN["password"],
        "organizationId": ORGANIZATION,
        "devKey": BILL_LOGIN["dev_key"],
    }
    request = urllib.request.Request(
        f"{url}/v3/login", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(json.loads(answer.read())["sessionId"])
