"""`jdebill plan`: what a sync would do. Belongs here: arguments and rendering."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal

import click

from jdebill_pipelines.cli import ports
from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON
from jdebill_pipelines.cli.output import (
    examples,
    json_option,
    money,
    note,
    print_json,
    print_table,
    progress,
    totals_in_words,
)
from jdebill_pipelines.cli.session import Month, connection_named, months_between, this_month, with_database
from jdebill_pipelines.config.settings import Settings

WRITES = ("create", "update", "archive", "restore")


@click.command(
    epilog=examples(
        "jdebill plan acme",
        "jdebill plan acme --from 2026-09 --to 2026-10 --all",
        "jdebill plan acme --json | jq '.rows[] | select(.action == \"hold\")'",
    )
)
@click.argument("name")
@click.option("--from", "first", type=Month(), help="First month; default the connection's first one.")
@click.option("--to", "last", type=Month(), help="Last month; default the current one.")
@click.option("--all", "everything", is_flag=True, help="List also what would be skipped.")
@json_option
def plan(name: str, first: str | None, last: str | None, everything: bool, as_json: bool) -> int:
    """Show what a sync would create, update, archive, skip or hold, and why. Writes nothing.

    With months: a full read of them. Without: what the next delta run would do. Exit code 1 when something would be
    held.
    """
    settings = Settings.from_environment()
    connection = connection_named(settings, name)
    months = months_between(connection, first, last, this_month(connection))
    with progress(quiet=as_json) as told:
        found = ports.make_plan()(with_database(settings), name, months, progress=told)
    counts = Counter((row.kind, row.action) for row in found.rows)
    if as_json:
        print_json(plan_as_data(found))
    else:
        shown = [row for row in found.rows if everything or row.action != "skip"]
        print_table(
            ["Action", "Kind", "Document", "Supplier", "Month", "Amount", "", "Why"],
            [
                (r.action, r.kind, r.natural_key, r.party, r.period, money(r.amount, r.currency), r.currency, r.reason)
                for r in shown
            ],
            right=["Amount"],
            empty="Nothing to do.",
        )
        click.echo()
        print_table(
            ["Kind", "Action", "Count", "Amount"],
            [(kind, action, count, totals_in_words(_total(found.rows, kind, action)))
             for (kind, action), count in sorted(counts.items())],
            right=["Count"],
            title=f"{name}, {found.mode}, {months_in_words(found.periods)}",
        )  # fmt: skip
        writes = sum(count for (_, action), count in counts.items() if action in WRITES)
        note(f"A sync would make {writes} change{'' if writes == 1 else 's'} in BILL. Nothing was written.")
    return NEEDS_PERSON if any(action == "hold" for _, action in counts) else DONE


def plan_as_data(found: ports.Plan) -> dict[str, object]:
    """Return a plan for JSON: counts and totals by kind and action, then every row."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    totals: dict[str, dict[str, dict[str, Decimal]]] = defaultdict(dict)
    for (kind, action), count in sorted(Counter((r.kind, r.action) for r in found.rows).items()):
        counts[kind][action] = count
        totals[kind][action] = _total(found.rows, kind, action)
    fields = ("kind", "natural_key", "action", "reason", "period", "party", "amount", "currency")
    return {
        "mode": found.mode,
        "periods": list(found.periods),
        "counts": counts,
        "totals": totals,
        "rows": [{name: getattr(row, name) for name in fields} for row in found.rows],
    }


def months_in_words(periods: Sequence[str]) -> str:
    """Return months as ``2026-09 to 2026-11``."""
    if not periods:
        return "no months"
    return periods[0] if len(periods) == 1 else f"{periods[0]} to {periods[-1]}"


def _total(rows: Sequence[ports.PlanRow], kind: str, action: str) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for row in rows:
        if (row.kind, row.action) == (kind, action) and row.amount is not None:
            totals[row.currency] = totals.get(row.currency, Decimal(0)) + row.amount
    return totals
