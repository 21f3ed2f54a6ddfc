"""Scenario `first_load`: 5,000 vouchers of a generated company become bills of an empty organization.

Belongs here: the company, the latencies, the targets. Measured is the writing of bills: ledger, calls, links, journal,
mirror. What comes before runs at full speed.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.bench.databases import Databases
from jdebill_pipelines_tests.bench.measure import Contender, Outcome, Sample, run_once
from jdebill_pipelines_tests.bench.report import Section, Target
from jdebill_pipelines_tests.bench.subjects.connected import connect

TODAY = dt.date(2026, 6, 30)
PERIODS = [f"2026-{month:02d}" for month in range(1, 7)]
DOCUMENTS = 12_100
"""Vouchers and orders of the company; some 5,000 of the vouchers are open and become bills."""
LATENCIES_MS = (50, 250, 1000)
IN_FLIGHT = 3
SHARE = 0.9


def scenario(databases: Databases, work: Path, rounds: int) -> Section:
    """Run it."""
    section = Section("first_load", "vouchers of a generated company into an empty organization; the writing of bills")
    for latency in LATENCIES_MS:
        outcome = Outcome(f"{latency} ms")
        for number in range(rounds if latency == LATENCIES_MS[0] else 1):
            outcome.samples.append(_load(databases, work / f"first-{latency}-{number}", latency))
        sample = sorted(outcome.samples, key=lambda s: s.seconds)[len(outcome.samples) // 2]
        rows, calls = int(sample.facts["rows"]), int(sample.facts["calls"])
        share = sample.facts["call_seconds"] / (IN_FLIGHT * sample.seconds)
        ideal = calls * latency / 1000 / IN_FLIGHT
        section.rows.append(
            {
                "latency of a call ms": str(latency),
                "bills": rows,
                "seconds": sample.seconds,
                "bills/s": round(rows / sample.seconds),
                "calls": calls,
                "calls per 1,000 bills": calls * 1000 / rows,
                "mean call ms": sample.facts["call_seconds"] / calls * 1000,
                "share of three in flight": share,
                "x latency alone": sample.seconds / ideal,
                "CPU s": sample.cpu,
                "peak MiB": round(outcome.peak_mb),
                "drafting s before": sample.facts["drafting_seconds"],
            }
        )
        section.targets.append(Target(f"{latency} ms: share of the three calls in flight", share, SHARE, at_most=False))
    return section


def _load(databases: Databases, home: Path, latency: int) -> Sample:
    with SandboxProcess.start(company="demo", today=TODAY, documents=DOCUMENTS, suppliers=400) as sandbox:
        database_url = databases.product()
        connect(str(home), database_url)
        spec = {
            "ais_url": sandbox.ais_url,
            "bill_url": sandbox.bill_url,
            "bill_root": sandbox.bill_root,
            "home": str(home),
            "database_url": database_url,
            "periods": PERIODS,
            "latency_ms": latency,
        }
        sample = run_once(Contender("first load", "subjects.first_load", spec))
        written = sandbox.control_bill("state")["written"]
        there = int(written["bills"]) + int(written.get("vendor-credits", 0))
    if there != sample.facts["rows"]:
        raise AssertionError(f"BILL has {there} bills and credits, the product says {sample.facts['rows']}")
    return sample
