"""`jdebill sync`: a run of the main flow, waited for. Belongs here: arguments, rendering, the exit code."""

from __future__ import annotations

import click

from jdebill_pipelines.cli import dagster_home, ports
from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON, OTHER_SIDE_FAILED
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, print_table, progress, totals_in_words
from jdebill_pipelines.cli.plan import months_in_words
from jdebill_pipelines.cli.session import Month, connection_named, months_between, this_month, who, with_database
from jdebill_pipelines.config.settings import Settings

_FAILING_ROWS = 10


@click.command(
    epilog=examples(
        "jdebill sync acme",
        "jdebill sync acme --from 2026-01 --to 2026-11",
        "jdebill sync acme --from 2026-10 --to 2026-10 --json",
    )
)
@click.argument("name")
@click.option("--from", "first", type=Month(), help="First month; default the connection's first one.")
@click.option("--to", "last", type=Month(), help="Last month; default the current one.")
@json_option
def sync(name: str, first: str | None, last: str | None, as_json: bool) -> int:
    """Bring suppliers and documents to BILL now, and wait for the end.

    With months: the full run of that range. Without: the delta run that the schedule makes. It may run beside others:
    nothing is written twice. Exit code 1 when documents are held or a check failed, 3 when the other side failed.
    """
    settings = Settings.from_environment()
    connection = connection_named(settings, name)
    months = months_between(connection, first, last, this_month(connection))
    with progress(quiet=as_json) as told:
        settings = with_database(settings)
        dagster_home.enter(settings)
        summary = ports.run_sync()(settings, name, months, actor=who(), progress=told)
    if as_json:
        print_json(summary_as_data(summary))
    else:
        print_summary(name, summary)
    return exit_code(summary)


def exit_code(summary: ports.SyncSummary) -> int:
    """Return the exit code of a run: 3 the other side failed, 1 somebody has to look, 0 otherwise."""
    if summary.other_side_failed:
        return OTHER_SIDE_FAILED
    if not summary.succeeded or summary.failed_checks or any(r.needs_person for r in summary.results.values()):
        return NEEDS_PERSON
    return DONE


def print_assets(name: str, summary: ports.SyncSummary, *, titled: bool = True) -> None:
    """Print what each asset did."""
    rows = []
    for path, result in summary.results.items():
        counts = ", ".join(f"{count:,} {what}" for what, count in result.counts.items())
        totals = "; ".join(f"{what} {totals_in_words(per)}" for what, per in result.totals.items())
        rows.append((path, counts, totals))
    print_table(
        ["Asset", "Counts", "Totals"],
        rows,
        title=f"{name}, {summary.mode}, {months_in_words(summary.periods)}" if titled else "",
        empty="Nothing was due.",
    )


def print_summary(name: str, summary: ports.SyncSummary) -> None:
    """Print what each asset did, what failed and what needs a person."""
    print_assets(name, summary)
    for failed in summary.failed_checks:
        outcome = failed.outcome
        click.echo()
        print_table(
            list(outcome.rows[0]) if outcome.rows else ["Check"],
            [tuple(row.values()) for row in outcome.rows[:_FAILING_ROWS]] or [(failed.check,)],
            title=f"{'Warning' if outcome.warn_only else 'Failed'}: {failed.asset} {failed.check}: {outcome.summary}",
        )
        if outcome.total > _FAILING_ROWS:
            note(f"... and {outcome.total - _FAILING_ROWS} more: jdebill quarantine list {name}")
    for path, result in summary.results.items():
        for line in result.needs_person:
            click.echo(f"Needs a person: {path}: {line}")
    if summary.error:
        note(f"Failed: {summary.error}")
    if summary.run_id:
        note(f"Run {summary.run_id}")


def summary_as_data(summary: ports.SyncSummary) -> dict[str, object]:
    """Return a run for JSON."""
    return {
        "run_id": summary.run_id,
        "succeeded": summary.succeeded,
        "error": summary.error,
        "mode": summary.mode,
        "periods": list(summary.periods),
        "assets": {
            path: {
                "counts": result.counts,
                "totals": result.totals,
                "facts": result.facts,
                "needs_person": result.needs_person,
            }
            for path, result in summary.results.items()
        },
        "failed_checks": [
            {
                "asset": failed.asset,
                "check": failed.check,
                "summary": failed.outcome.summary,
                "warn_only": failed.outcome.warn_only,
                "total": failed.outcome.total,
                "rows": failed.outcome.rows,
            }
            for failed in summary.failed_checks
        ],
    }
