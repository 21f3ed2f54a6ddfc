"""Scenario `landing`: 50,000 rows of F0411 with 21 columns, from AIS into typed PostgreSQL staging.

Belongs here: the rows, the contenders, the targets.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.bench.databases import Databases
from jdebill_pipelines_tests.bench.measure import Contender, Outcome, compare
from jdebill_pipelines_tests.bench.report import Section, Target

ROWS = 50_000
COLUMNS = (
    "DOC", "DCT", "KCO", "SFX", "SFXE", "CO", "AN8", "PYE", "VINV", "DIVJ", "DGJ", "DDJ", "AG", "AAP", "PST", "CRCD",
    "MCU", "PTC", "RMK", "UPMJ", "UPMT",
)  # fmt: skip
PERIODS = [f"2026-{month:02d}" for month in range(1, 7)]
LOGIN = {"username": "JDEBILL", "password": "sandbox-password"}


def write_table(folder: Path) -> Decimal:
    """Write F0411.csv; returns the sum of AG."""
    rng = random.Random(50_000)
    total = Decimal(0)
    with (folder / "F0411.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(ROWS):
            day = dt.date(2026, 1, 1) + dt.timedelta(days=number * 180 // ROWS)
            amount = Decimal(rng.randrange(100, 9_999_999)) / 100
            total += amount
            supplier = 4000 + rng.randrange(800)
            writer.writerow(
                (
                    100_000 + number, "PV", "00001", "001", 0, "00001", supplier, supplier, f"INV-{number:07d}",
                    f"{day:%Y%m%d}", f"{day:%Y%m%d}", f"{day + dt.timedelta(days=30):%Y%m%d}", amount,
                    amount if number % 3 else 0, "A" if number % 3 else "P", "USD", str(100 + number % 40), "N30",
                    f"Goods and services {number % 977}", f"{day:%Y%m%d}", rng.randrange(0, 235959) // 100 * 100,
                )
            )  # fmt: skip
    return total


def scenario(databases: Databases, work: Path, rounds: int) -> Section:
    """Run it."""
    section = Section("landing", f"{ROWS:,} F0411 rows of {len(COLUMNS)} columns, 1,000 a page, into typed PostgreSQL")
    data = work / "landing"
    data.mkdir()
    total = write_table(data)
    with SandboxProcess.start(data, apis=("ais",)) as sandbox:
        sandbox.control_ais("switches", {"link_host": sandbox.ais_root})
        for latency in (0, 50):
            sandbox.control_ais("switches", {"latency_ms": latency})
            contenders = _contenders(sandbox.ais_url, databases)
            if latency == 0:
                compare(contenders[:2], rounds=1)  # the simulator builds its indexes once
            outcomes = {o.name: o for o in compare(contenders, rounds=rounds)}
            _check(outcomes, total)
            _add(section, outcomes, latency)
    section.notes.append(
        "floor: requests and json over one cursor, decoded and thrown away. jdebill: login, capabilities, decoding to "
        "Decimal and date, COPY, one transaction, its key and month indexes. dlt: amounts become double precision."
    )
    return section


def _contenders(url: str, databases: Databases) -> list[Contender]:
    body = {
        "targetName": "F0411",
        "targetType": "table",
        "dataServiceType": "BROWSE",
        "findOnEntry": "TRUE",
        "returnControlIDs": "|".join(f"F0411.{item}" for item in COLUMNS),
        "maxPageSize": "1000",
        "enableNextPageProcessing": True,
        "outputType": "GRID_DATA",
    }
    peer: dict[str, Any] = {"url": url, "body": body, **LOGIN}
    ours = {
        "url": url,
        "environment": "JDV920",
        "columns": COLUMNS,
        "periods": PERIODS,
        "parallel_calls": 2,
        "database_url": databases.product(),
        **LOGIN,
    }
    plain = databases.plain()
    return [
        Contender("floor", "peers.floor_landing", peer),
        Contender("jdebill", "subjects.landing", ours),
        Contender(
            "dlt to PostgreSQL", "peers.dlt_landing", {**peer, "destination": "postgres", "database_url": plain}, True
        ),
        Contender(
            "dlt to PostgreSQL by COPY",
            "peers.dlt_landing",
            {**peer, "destination": "postgres", "database_url": plain, "loader_file_format": "csv"},
            True,
        ),
        Contender("dlt to Parquet", "peers.dlt_landing", {**peer, "destination": "parquet"}, True),
    ]


def _check(outcomes: dict[str, Outcome], total: Decimal) -> None:
    for outcome in outcomes.values():
        for sample in outcome.samples:
            if sample.facts["rows"] != ROWS or Decimal(sample.facts.get("total", total)) != total:
                raise AssertionError(f"{outcome.name} did not land what is there: {sample.facts}, {total}")


def _add(section: Section, outcomes: dict[str, Outcome], latency: int) -> None:
    floor, ours = outcomes["floor"].seconds, outcomes["jdebill"].seconds
    for outcome in outcomes.values():
        section.rows.append(
            {
                "latency ms": str(latency),
                "program": outcome.name,
                "seconds": outcome.seconds,
                "x floor": outcome.seconds / floor,
                "x jdebill": outcome.seconds / ours,
                "CPU s": outcome.cpu,
                "peak MiB": round(outcome.peak_mb),
            }
        )
    if latency == 0:
        best = min(o.seconds for o in outcomes.values() if o.name.startswith("dlt"))
        section.targets.append(Target("0 ms: share of dlt's fastest time", ours / best, 0.5))
    else:
        section.targets.append(Target("50 ms: times the floor", ours / floor, 1.3))
