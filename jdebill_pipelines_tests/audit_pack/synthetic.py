"""Reports made of rows that a test gives, with every shape and every kind of text that hurts somewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from jdebill_pipelines.audit.model import AuditPeriod, Column, Procedure, Report, Result, Rule, Section, Shape

PERIOD = AuditPeriod("2026-10", date(2026, 10, 1), date(2026, 10, 31), "America/Denver", date(2026, 1, 1), ("00001",))
FIRST = date(2026, 10, 1)
Rows = Callable[[], Iterable[dict[str, Any]]]


def procedure(key: str, section: Section, rule: Rule, columns: tuple[Column, ...], **words: str) -> Procedure:
    """A procedure with words of its own."""
    given = {
        "title": key.replace("_", " ").capitalize(),
        "objective": "Completeness: every payment that BILL made is in JD Edwards.",
        "method": "What BILL holds is compared with what JD Edwards holds, document by document, as of the cut-off.",
        "population": "SELECT count(*) FROM jdebill.bill_payments WHERE connection = :connection",
        "query": "SELECT 1 AS one\nFROM jdebill.bill_payments WHERE connection = :connection ORDER BY 1",
        "fix": "Look the document up in both systems, and enter what is missing.",
        **words,
    }
    return Procedure(key=key, section=section, rule=rule, columns=columns, **given)


TIE_OUT = procedure(
    "tie_out",
    Section.TIE_OUT,
    Rule.FLAGGED,
    (
        Column("company", "Company"),
        Column("currency", "Currency"),
        Column("subledger", "JDE open items", Shape.AMOUNT),
        Column("gl_control", "GL control account", Shape.AMOUNT),
        Column("difference", "Difference", Shape.AMOUNT),
        Column("exception", "Exception"),
    ),
    title="AP subledger against the GL control account",
)
ROLL_FORWARD = procedure(
    "roll_forward",
    Section.TIE_OUT,
    Rule.FLAGGED,
    (
        Column("company", "Company"),
        Column("currency", "Currency"),
        Column("opening", "Opening", Shape.AMOUNT),
        Column("vouchers", "Vouchers", Shape.AMOUNT),
        Column("adjustments", "Adjustments", Shape.AMOUNT),
        Column("payments", "Payments", Shape.AMOUNT),
        Column("voids", "Voids", Shape.AMOUNT),
        Column("closing", "Closing", Shape.AMOUNT),
        Column("exception", "Exception"),
    ),
    title="Roll-forward of the AP subledger",
)
TRACE = procedure(
    "payment_trace",
    Section.TRACE,
    Rule.FLAGGED,
    (
        Column("payment_id", "BILL payment", Shape.KEY),
        Column("vendor", "Vendor"),
        Column("process_date", "Process date", Shape.DATE),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("jde_document", "JDE payment", Shape.KEY),
        Column("gl_date", "G/L date", Shape.DATE),
        Column("lag", "Lag (days)", Shape.NUMBER),
        Column("posted_at", "Posted", Shape.TIME),
        Column("exception", "Exception"),
    ),
    title="Payment trace: BILL to JD Edwards",
)
MISSING = procedure(
    "missing_postings",
    Section.TRACE,
    Rule.NO_ROWS,
    (Column("payment_id", "BILL payment", Shape.KEY), Column("amount", "Amount", Shape.AMOUNT)),
    title="Payments without a posting",
)
RUNS = procedure(
    "runs",
    Section.OPERATIONS,
    Rule.EVIDENCE,
    (Column("run_id", "Run"), Column("started", "Started", Shape.TIME), Column("written", "Written", Shape.NUMBER)),
    title="Runs of the period",
)

NASTY = [
    '=HYPERLINK("http://example.com";"x")',
    "+1+2",
    "-2+3",
    "@SUM(A1)",
    "\tTab",
    "'quoted",
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    'comma, "quote" and\nline',
    "carriage\rreturn",
    "Zo\u00eb & S\u00f8ns \u20ac \u4e2d\u6587",
    "control \x07 bell",
]


def trace_rows(count: int, faults: int = 0) -> Iterator[dict[str, Any]]:
    """Payments over the month; the last ``faults`` of every hundred differ."""
    for at in range(count):
        day = FIRST + timedelta(days=at % 28)
        lag = (0, 0, 1, 1, 1, 2, 3, 5, 12)[at % 9]
        bad = at % 100 >= 100 - faults
        yield {
            "payment_id": f"stp01{at:012d}",
            "vendor": NASTY[at % len(NASTY)] if at % 7 == 0 else f"Supplier {at % 311:03d} Industries",
            "process_date": day.isoformat(),
            "currency": "JPY" if at % 50 == 3 else "USD",
            "amount": Decimal(at * 7919 % 10_000_000) / (1 if at % 50 == 3 else 100),
            "jde_document": None if bad else f"PYID-{500000 + at}",
            "gl_date": None if bad else (day + timedelta(days=lag)).isoformat(),
            "lag": None if bad else lag,
            "posted_at": f"{day.isoformat()}T18:04:{at % 60:02d}.5-06:00",
            "exception": ("not posted", "amount differs by 0.01")[at % 2] if bad else "",
        }


def tie_rows(difference: str = "0.00") -> list[dict[str, Any]]:
    """Two currencies of one company; dollars are off by ``difference``."""
    off = Decimal(difference)
    words = f"off by {off}" if off else ""
    return [
        {"company": "00001", "currency": "USD", "subledger": Decimal("4812345.67"),
         "gl_control": Decimal("4812345.67") - off, "difference": off, "exception": words},
        {"company": "00001", "currency": "JPY", "subledger": Decimal("91000"), "gl_control": Decimal("91000"),
         "difference": Decimal("0"), "exception": ""},
    ]  # fmt: skip


def forward_rows() -> list[dict[str, Any]]:
    """Opening plus what happened is closing."""
    return [
        {"company": "00001", "currency": "USD", "opening": Decimal("4000000.00"), "vouchers": Decimal("1512345.67"),
         "adjustments": Decimal("-1200.00"), "payments": Decimal("-703800.00"), "voids": Decimal("5000.00"),
         "closing": Decimal("4812345.67"), "exception": ""},
    ]  # fmt: skip


def report(tables: Mapping[Procedure, Rows], **changes: Any) -> Report:
    """A report whose results agree with the rows that are given."""
    results = []
    for found, rows in tables.items():
        count = exceptions = 0
        for row in rows():
            count += 1
            exceptions += found.rule is Rule.NO_ROWS or (found.rule is Rule.FLAGGED and bool(row.get("exception")))
        outcome = "evidence" if found.rule is Rule.EVIDENCE else "failed" if exceptions else "passed"
        results.append(
            Result(found, outcome, count + 7, count, exceptions, {"USD": Decimal("1234567.80"), "by_day": {}})
        )
    by_key = {found.key: rows for found, rows in tables.items()}
    given = {
        "id": 3,
        "connection": "acme",
        "period": PERIOD,
        "run_id": "0f6c9d1e-run",
        "code_version": "1.2.3",
        "created_at": datetime(2026, 11, 2, 7, 30, tzinfo=UTC),
        "header": {
            "as_of_rule": "G/L date on or before the cut-off",
            "extracts": {
                "F0411": {"rows": 12034, "extracted_at": "2026-11-02T07:10:00Z"},
                "F0911": {"rows": 99120, "extracted_at": "2026-11-02T07:12:00Z"},
            },
        },
        "results": tuple(results),
        "read_rows": lambda key: iter(by_key[key]()),
        **changes,
    }
    return Report(**given)


def month(payments: int = 300, *, faults: int = 3, difference: str = "12.34") -> Report:
    """A month with every kind of procedure."""
    missing = [{"payment_id": f"stp09{n:012d}", "amount": Decimal("10.00") * n} for n in range(1, 4)]
    runs = [
        {"run_id": f"run-{n}", "started": f"2026-10-{n:02d}T06:00:00+00:00", "written": n * 1000} for n in (1, 2, 3)
    ]
    return report(
        {
            TIE_OUT: lambda: tie_rows(difference),
            ROLL_FORWARD: forward_rows,
            TRACE: lambda: trace_rows(payments, faults),
            MISSING: lambda: missing if faults else [],
            RUNS: lambda: runs,
        }
    )
