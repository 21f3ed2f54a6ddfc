"""What the checks on ``audit/month_end`` ask of the stored reports.

Belongs here: questions whose failure somebody must be told about. Does not belong here: how they are answered (the
procedures).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jdebill_pipelines.audit.model import Report, Rule
from jdebill_pipelines.audit.month_end import labels
from jdebill_pipelines.audit.pack.values import is_exception
from jdebill_pipelines.audit.runner import load_report
from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.periods import CompanyCalendar, FiscalCalendars
from jdebill_pipelines.steps.context import CheckOutcome, StepContext
from jdebill_pipelines.steps.holding import MAX_ROWS


def sums_are_equal(ctx: StepContext) -> CheckOutcome:
    """Subledger, control account and BILL agree, or every difference is explained."""
    return _passed(ctx, ("tie_out", "three_sided", "roll_forward"), "every difference is explained")


def posted_once(ctx: StepContext) -> CheckOutcome:
    """Every payment that BILL made is in JDE once, with its amount."""
    keys = ("missing_postings", "posted_twice", "wrong_amounts")
    return _passed(ctx, keys, "every payment is posted once, with its amount")


def nothing_unpaid(ctx: StepContext) -> CheckOutcome:
    """Nothing is posted in JDE without a payment in BILL that stands."""
    return _passed(ctx, ("unbacked_postings", "voids"), "no posting is without a payment")


def journal_verifies(ctx: StepContext) -> CheckOutcome:
    """The journal is as it was written, from its first entry to its last."""
    found = ctx.store.journal.verify()
    told = f"{found.entries} entries" if found.ok else f"entry {found.first_broken}: {found.reason}"
    return CheckOutcome(
        passed=found.ok,
        summary=f"the journal {'is as it was written' if found.ok else 'is broken'}: {told}",
        facts={"end": f"entry {found.head.seq}, {found.head.hash}"},
    )


def period_was_closed(ctx: StepContext) -> CheckOutcome:
    """The companies' payables period was over when the period was reported (F0010.APFJ, APPN)."""
    calendars = FiscalCalendars.from_rows(ctx.store.staging.read(t.F0008))
    rows = []
    for report in _reports(ctx):
        for company in ctx.store.staging.read(t.F0010, where={"CO": list(report.period.companies)}):
            current = CompanyCalendar.of(company, calendars, "ap").current
            if current is None or current.start <= report.period.last:
                told = f"{current.label} from {current.start}" if current else "not set up"
                reason = "The period is still open: what is reported can change."
                rows.append(
                    {"period": report.period.label, "company": company["CO"], "current": told, "reason": reason}
                )
    return CheckOutcome(
        passed=not rows,
        summary=f"{len(rows)} period(s) are still open" if rows else "every period was closed before it was reported",
        rows=rows[:MAX_ROWS],
        total=len(rows),
        warn_only=True,
    )


def _reports(ctx: StepContext) -> Iterator[Report]:
    for label in labels(ctx):
        report = load_report(ctx.store, ctx.connection, label)
        if report is not None:
            yield report


def _passed(ctx: StepContext, keys: Sequence[str], good: str) -> CheckOutcome:
    rows: list[dict[str, Any]] = []
    total = 0
    for report in _reports(ctx):
        for result in report.results:
            if result.procedure.key in keys and result.outcome == "failed":
                total += result.exceptions
                rows += _exceptions(report, result.procedure.key, result.procedure.rule, MAX_ROWS - len(rows))
    return CheckOutcome(passed=not total, summary=f"{total} exception(s)" if total else good, rows=rows, total=total)


def _exceptions(report: Report, key: str, rule: Rule, most: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for row in report.read_rows(key):
        if len(found) >= most:
            break
        if is_exception(row, rule):
            found.append({"period": report.period.label, "procedure": key, **row})
    return found
