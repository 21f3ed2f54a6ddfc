"""Scenario `audit-month`: the month-end report of a month with 100,000 documents and 60,000 payments.

Belongs here: the sizes, what must come out of it, the targets.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.bench.audit_books import NAME, PAID_OF_FIVE, fill
from jdebill_pipelines_tests.bench.databases import Databases
from jdebill_pipelines_tests.bench.measure import Contender, Outcome, compare
from jdebill_pipelines_tests.bench.report import Section, Target

SIZES = (10_000, 30_000, 100_000)
LIMIT_SECONDS = 300.0
LIMIT_MB = 200.0
# The CPU time may grow this much faster than the documents: sorting is n log n, and the largest month leaves the cache.
LIMIT_GROWTH = 1.5
LIMIT_MEMORY_GROWTH = 1.25
# Nothing is wrong in these books: a procedure that finds something, or examines too little, measured something else.
CLEAN = (
    "tie_out", "three_sided", "roll_forward", "batches_to_ledger", "account_balances", "missing_postings",
    "posted_twice", "wrong_amounts", "unbacked_postings", "gate_bypass", "journal_intact", "integrity_items",
    "integrity_payments", "integrity_batches", "edited_after_approval", "deleted_vouchers",
)  # fmt: skip
CONNECTION = """
name: bench
start_date: {start}
timezone: UTC
jde: {{ais_url: "http://127.0.0.1:1/jderest", environment: JDV920, role: "*ALL", companies: ["00001"]}}
bill: {{api_url: "https://bill.example.com/connect", organization_id: 00801SANDBOXORG00001}}
sync: {{documents: [vouchers], bank_account: "00000123"}}
"""


def scenario(databases: Databases, work: Path, rounds: int) -> Section:
    """Run it; the larger months once."""
    section = Section(
        "audit-month", f"the month-end report and its pack; {PAID_OF_FIVE} of 5 documents are paid and posted"
    )
    first = dt.datetime.now(dt.UTC).date().replace(day=1)
    path = work / "bench.yaml"
    path.write_text(CONNECTION.format(start=first.replace(month=1)), "utf-8")
    reports: dict[int, Outcome] = {}
    for documents in SIZES:
        url = databases.product()
        engine = create_engine(url)
        fill(Store(engine, NAME), documents, first)
        engine.dispose()
        spec = {"database_url": url, "name": NAME, "connection": str(path), "period": f"{first:%Y-%m}"}
        copied, reports[documents] = compare(
            [Contender("copy", "subjects.audit_copy", spec), Contender("report", "subjects.audit_month", spec)],
            rounds=rounds if documents == SIZES[0] else 1,
        )
        _check(reports[documents], documents)
        section.rows.append(_row(documents, reports[documents], copied))
    section.targets += _targets(reports)
    section.notes += [
        "CPU: our process and PostgreSQL's for it. x COPY: times what it takes to copy the same rows out and in, once.",
        "The memory of PostgreSQL's process includes the shared buffers that it touched.",
    ]
    return section


def _targets(reports: dict[int, Outcome]) -> list[Target]:
    small, large = SIZES[0], SIZES[-1]
    grown = (_cpu(reports[large]) / _cpu(reports[small])) / (large / small)
    memory = reports[large].peak_mb / reports[small].peak_mb
    return [
        Target(f"seconds for {large:,} documents", reports[large].seconds, LIMIT_SECONDS),
        Target(f"times the CPU time per document, {small:,} to {large:,}", grown, LIMIT_GROWTH),
        Target(f"peak MiB of our process for {large:,} documents", reports[large].peak_mb, LIMIT_MB),
        Target(f"times the peak memory of our process, {small:,} to {large:,}", memory, LIMIT_MEMORY_GROWTH),
    ]


def _cpu(outcome: Outcome) -> float:
    """CPU seconds of both processes, the least of all runs: what else the machine does can only add to it."""
    return min(sample.cpu + float(sample.facts["backend_cpu"]) for sample in outcome.samples)


def _check(outcome: Outcome, documents: int) -> None:
    facts = outcome.facts
    payments = documents * PAID_OF_FIVE // 5
    wrong = [key for key in CLEAN if facts["outcomes"].get(key) != "passed"]
    sizes = {"tie_out": documents, "three_sided": documents, "missing_postings": payments, "payment_trace": payments}
    wrong += [key for key, size in sizes.items() if facts["populations"][key] != size]
    if wrong:
        raise AssertionError(f"{documents} documents: {wrong} in {facts}")


def _row(documents: int, report: Outcome, copied: Outcome) -> dict[str, str | int | float | None]:
    facts = report.facts
    return {
        "documents": documents,
        "payments": documents * PAID_OF_FIVE // 5,
        "report s": facts["report_seconds"],
        "pack s": facts["pack_seconds"],
        "CPU s": _cpu(report),
        "CPU ms per document": _cpu(report) * 1000 / documents,
        "x COPY": _cpu(report) / _cpu(copied),
        "rows of evidence": facts["rows"],
        "pack MiB": round(facts["pack_mb"]),
        "our peak MiB": round(report.peak_mb),
        "PostgreSQL's peak MiB": round(facts["backend_mb"]),
    }
