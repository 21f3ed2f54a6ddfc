"""`jdebill quarantine`: documents that are held back.

Belongs here: showing causes, recording a person's override. Does not belong here: deciding what is held (steps).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
import msgspec

from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON, WrongUse
from jdebill_pipelines.cli.output import examples, json_option, money, note, print_json, print_table
from jdebill_pipelines.cli.session import Month, connection_named, months_between, open_engine, this_month, who
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.domain.verdicts import OVERRIDABLE


@click.group()
def quarantine() -> None:
    """Documents that are held back: list, show, override."""


@quarantine.command(
    "list",
    epilog=examples(
        "jdebill quarantine list acme",
        "jdebill quarantine list acme --from 2026-10 --json",
    ),
)
@click.argument("name")
@click.option("--gate", help="Only what this gate holds, such as bills.")
@click.option("--from", "first", type=Month(), help="First month.")
@click.option("--to", "last", type=Month(), help="Last month.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="At most so many causes.")
@json_option
def list_(name: str, gate: str | None, first: str | None, last: str | None, limit: int, as_json: bool) -> int:
    """List what is held, why, and what to do about it. Exit code 1 when anything is held."""
    from jdebill_pipelines.store.store import Store

    settings = Settings.from_environment()
    connection = connection_named(settings, name)
    months = months_between(connection, first, last, this_month(connection))
    with open_engine(settings) as engine:
        store = Store(engine, name)
        rows = store.quarantine.open(gate, periods=months, limit=limit)
        counts = store.quarantine.counts(months)
    held = sum(counts.values()) if gate is None else counts.get(gate, 0)
    if as_json:
        print_json({"held": held, "by_gate": counts, "causes": _plain(rows)})
    else:
        print_table(
            ["Document", "Party", "Month", "Amount", "", "Line", "Field", "Value", "Reason", "Fix"],
            [
                (
                    r.natural_key,
                    r.party,
                    r.period,
                    money(r.amount, r.currency),
                    r.currency,
                    r.line,
                    r.field,
                    r.value,
                    r.reason,
                    r.fix,
                )
                for r in rows
            ],
            right=["Amount"],
            empty="Nothing is held.",
        )
        if held:
            note(f"{held} document{'' if held == 1 else 's'} held; {len(rows)} causes shown.")
    return NEEDS_PERSON if held else DONE


@quarantine.command(
    epilog=examples(
        "jdebill quarantine show acme 00001-PV-700012",
    )
)
@click.argument("name")
@click.argument("key")
@json_option
def show(name: str, key: str, as_json: bool) -> int:
    """Show everything that ever held a document: causes, when, and which are gone.

    KEY is the supplier's number, the voucher (KCO-DCT-DOC) or the order (KCOO-DCTO-DOCO-SFXO).
    """
    from jdebill_pipelines.store.store import Store

    settings = Settings.from_environment()
    connection_named(settings, name)
    with open_engine(settings) as engine:
        rows = Store(engine, name).quarantine.show(key)
    if not rows:
        raise WrongUse(f"nothing has ever held {key!r} of {name}")
    if as_json:
        print_json(_plain(rows))
    else:
        print_table(
            ["Rule", "Line", "Field", "Value", "Reason", "Fix", "First seen", "Last seen", "Gone"],
            [
                (r.rule, r.line, r.field, r.value, r.reason, r.fix, r.first_seen, r.last_seen, r.released_at)
                for r in rows
            ],
            title=f"{rows[0].kind} {key}",
        )
    return NEEDS_PERSON if any(r.released_at is None for r in rows) else DONE


@quarantine.command(
    epilog=examples(
        'jdebill quarantine override acme 00001-PV-700012 --who "A. Clerk" --reason "agreed with the supplier"',
    )
)
@click.argument("name")
@click.argument("key")
@click.option("--reason", required=True, help="Why it may pass; it is journaled.")
@click.option("--who", "person", default=None, help="Who decides; default the system's user.")
@click.option("--rule", help="Only the causes of this rule.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def override(name: str, key: str, reason: str, person: str | None, rule: str | None, yes: bool, as_json: bool) -> int:
    """Let a held document pass on the next run, for its present content only.

    What neither system would accept (an account that does not exist) stays held whatever anybody says.
    """
    from jdebill_pipelines.store.store import Store

    settings = Settings.from_environment()
    connection_named(settings, name)
    person = (person or who()).strip()
    with open_engine(settings) as engine:
        store = Store(engine, name)
        causes = [r for r in store.quarantine.show(key) if r.released_at is None and rule in (None, r.rule)]
        for cause in causes:
            note(f"{cause.natural_key} {cause.line} {cause.field}: {cause.reason}")
        facts = [cause for cause in causes if cause.rule not in OVERRIDABLE]
        if facts:
            raise WrongUse(
                f"{key} cannot be let pass: {facts[0].reason} {facts[0].fix} "
                f"Only these rules are decisions: {', '.join(sorted(OVERRIDABLE))}"
            )
        if causes and not yes:
            click.confirm(f"Let it pass as {person}?", abort=True, err=True)
        try:
            count = store.quarantine.override(key, person, reason, rule=rule)
        except ValueError as problem:
            raise WrongUse(str(problem)) from None
    if as_json:
        print_json({"document": key, "overridden": count, "who": person})
    else:
        click.echo(
            f"{count} cause{'' if count == 1 else 's'} of {key} overridden by {person}; the next run judges again."
        )
    return DONE


def _plain(rows: Iterable[msgspec.Struct]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(row) for row in rows]
