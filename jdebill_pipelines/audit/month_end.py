"""The step behind the asset ``audit/month_end``: the ledgers are read, then a report is computed per period.

Belongs here: which periods a run reports, and what the asset shows of them. Does not belong here: the procedures.
"""

from __future__ import annotations

from collections.abc import Sequence

from jdebill_pipelines.audit.model import Report, Section
from jdebill_pipelines.audit.period import fiscal_periods_ending_in
from jdebill_pipelines.audit.runner import run_report
from jdebill_pipelines.domain.canonical import content_hash
from jdebill_pipelines.steps.ap_ledger import ap_ledger
from jdebill_pipelines.steps.context import StepContext, StepResult
from jdebill_pipelines.store.journal import Entry

TIES = ("tie_out", "three_sided")


def month_end(ctx: StepContext) -> StepResult:
    """Report every period of the run, whatever its mode: the same data give the same report.

    Raises:
        UnknownPeriod: fiscal periods are asked for and a company has no calendar.
    """
    result = ap_ledger(ctx)
    reports: list[Report] = []
    for label in labels(ctx):
        ctx.progress(f"report of {label}", len(reports), None)
        report = run_report(ctx, ctx.connection, label)
        reports.append(report)
        _show(result, report)
    result.data_version = content_hash("audit", {report.period.label: _essence(report) for report in reports})
    ctx.store.journal.append([_entry(ctx, report) for report in reports])
    return result


def labels(ctx: StepContext) -> Sequence[str]:
    """The periods that a run reports: its months, or the fiscal periods that end in them."""
    if ctx.connection.audit.periods == "month":
        return ctx.periods
    return [label for month in ctx.periods for label in fiscal_periods_ending_in(ctx.store, ctx.connection, month)]


def _show(result: StepResult, report: Report) -> None:
    label = report.period.label
    for found in report.results:
        result.add(f"procedures {found.outcome}")
        result.add("exceptions", found.exceptions)
    result.facts[f"report {label}"] = f"number {report.id}, {report.period.first} to {report.period.last}"
    result.facts[f"pack {label}"] = f"jdebill audit report {report.connection} --period {label} --out DIR"
    journal = report.header["journal"]
    result.facts[f"journal {label}"] = f"entry {journal['seq']}, {journal['hash']}"
    result.tables[label] = [
        {
            "section": found.procedure.section.value,
            "procedure": found.procedure.title,
            "outcome": found.outcome,
            "examined": found.population,
            "rows": found.rows,
            "exceptions": found.exceptions,
        }
        for found in report.results
    ]
    for key in TIES:
        for row in report.read_rows(key):
            result.tables.setdefault(f"{label} {key}", []).append(row)
    failed = [found for found in report.results if found.outcome == "failed"]
    result.needs_person += [
        f"{label}: {found.procedure.title}: {found.exceptions} exception(s)"
        for found in failed
        if found.procedure.section is Section.TIE_OUT
    ]


def _essence(report: Report) -> dict[str, list[int | str]]:
    return {r.procedure.key: [r.outcome, r.population, r.rows, r.exceptions] for r in report.results}


def _entry(ctx: StepContext, report: Report) -> Entry:
    return Entry(
        event="reported",
        kind="audit",
        natural_key=report.period.label,
        remote_id=str(report.id),
        run_id=ctx.run_id,
        asset_key=ctx.asset_key,
        period=report.period.label,
        actor=ctx.actor,
        body={
            "results": content_hash("audit", _essence(report)),
            "failed": sum(r.outcome == "failed" for r in report.results),
        },
    )
