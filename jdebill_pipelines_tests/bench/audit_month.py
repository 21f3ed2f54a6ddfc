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
# The time may grow this much faster than the documents: sorting is n log n, and the largest month leaves the cache.
LIMIT_GROWTH = 1.5
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
    """Run it."""
    section = Section(
        "audit-month", f"every procedure of the month-end report; {PAID_OF_FIVE} of 5 documents are paid and posted"
    )
    first = dt.datetime.now(dt.UTC).date().replace(day=1)
    path = work / "bench.yaml"
    path.write_text(CONNECTION.format(start=first.replace(month=1)), "utf-8")
    outcomes: dict[int, Outcome] = {}
    for documents in SIZES:
        url = databases.product()
        engine = create_engine(url)
        fill(Store(engine, NAME), documents, first)
        engine.dispose()
        spec = {"database_url": url, "name": NAME, "connection": str(path), "period": f"{first:%Y-%m}"}
        (outcomes[documents],) = compare([Contender("report", "subjects.audit_month", spec)], rounds=rounds)
        _check(outcomes[documents], documents)
        section.rows.append(_row(documents, outcomes[documents]))
    smallest, largest = SIZES[0], SIZES[-1]
    grown = (outcomes[largest].seconds / outcomes[smallest].seconds) / (largest / smallest)
    section.targets += [
        Target(f"seconds for {largest:,} documents", outcomes[largest].seconds, LIMIT_SECONDS),
        Target(f"times the time per document, {smallest:,} to {largest:,}", grown, LIMIT_GROWTH),
        Target(f"peak MiB of our process for {largest:,} documents", outcomes[largest].peak_mb, LIMIT_MB),
    ]
    section.notes.append("The memory of PostgreSQL's process includes the shared buffers that it touched (128 MiB).")
    return section


def _check(outcome: Outcome, documents: int) -> None:
    facts = outcome.facts
    payments = documents * PAID_OF_FIVE // 5
    wrong = [key for key in CLEAN if facts["outcomes"].get(key) != "passed"]
    sizes = {"tie_out": documents, "three_sided": documents, "missing_postings": payments, "payment_trace": payments}
    wrong += [key for key, size in sizes.items() if facts["populations"][key] != size]
    if wrong:
        raise AssertionError(f"{documents} documents: {wrong} in {facts}")


def _row(documents: int, outcome: Outcome) -> dict[str, str | int | float | None]:
    return {
        "documents": documents,
        "payments": documents * PAID_OF_FIVE // 5,
        "seconds": round(outcome.seconds, 2),
        "ms per document": round(outcome.seconds * 1000 / documents, 3),
        "rows of evidence": outcome.facts["rows"],
        "our peak MiB": round(outcome.peak_mb),
        "PostgreSQL's peak MiB": round(outcome.facts["backend_mb"]),
    }
