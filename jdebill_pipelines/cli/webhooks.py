"""`jdebill webhooks`: BILL's subscription of a connection.

Belongs here: options and what is printed. Does not belong here: the calls (steps/webhooks.py). No key is ever printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click
import msgspec

from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON, WrongUse
from jdebill_pipelines.cli.output import as_words, examples, json_option, note, print_json, print_table
from jdebill_pipelines.cli.session import connection_named, with_database
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.steps import webhook_watch
from jdebill_pipelines.steps import webhooks as work
from jdebill_pipelines.steps.runtime import Runtime


@click.group()
def webhooks() -> None:
    """BILL's webhook subscription: subscribe, status, rotate-key, replay."""


@webhooks.command(epilog=examples("jdebill webhooks subscribe acme"))
@click.argument("name")
@json_option
def subscribe(name: str, as_json: bool) -> int:
    """Subscribe to vendors, bills and payments, and keep the security key encrypted. Run again it changes nothing.

    BILL posts to bill.webhook_url of the connection file: the public https address of `jdebill receiver`.
    """
    with _opened(name) as (runtime, _):
        found = work.subscribe(runtime, name)
    if as_json:
        print_json(found)
        return DONE
    click.echo(f"{'Subscribed' if found.created else 'Subscribed already'}: {found.url}, {len(found.events)} kinds.")
    if found.key_stored:
        click.echo("The security key is stored, encrypted.")
    return DONE


@webhooks.command(epilog=examples("jdebill webhooks status acme", "jdebill webhooks status acme --hours 72 --json"))
@click.argument("name")
@click.option("--hours", type=click.IntRange(1, 24 * 180), default=24, show_default=True, help="How far to look back.")
@json_option
def status(name: str, hours: int, as_json: bool) -> int:
    """Compare what BILL sent with what arrived, and BILL's payments with both. Exit code 1 when something is wrong."""
    with _opened(name) as (runtime, _):
        found = webhook_watch.status(runtime, name, hours=hours)
    problems = found.problems
    if as_json:
        print_json({**msgspec.to_builtins(found, builtin_types=(datetime,)), "problems": problems})
    else:
        print_table(
            ["", ""],
            [
                ("Address", found.url or "none"),
                ("Subscription", found.subscription_id or "none"),
                ("Enabled", found.enabled),
                ("Key in the vault", found.key_known),
                (f"Sent in {hours} hours", found.sent),
                ("  not answered with 200", found.failed),
                ("  never arrived", len(found.missed)),
                ("Last sent", as_words(found.last_sent_at)),
                ("  answered with", found.last_answer),
                ("Last received", as_words(found.inbox.last_received_at)),
                ("Received in all", found.inbox.total),
                ("Duplicates", found.inbox.duplicates),
                ("Waiting", found.inbox.waiting),
                ("Changed payments without an event", len(found.unannounced)),
                *((f"Refused: {reason}", count) for reason, count in found.refusals.items()),
            ],
        )
        for problem in problems:
            note(problem)
    return NEEDS_PERSON if problems else DONE


@webhooks.command("rotate-key", epilog=examples("jdebill webhooks rotate-key acme"))
@click.argument("name")
@json_option
def rotate_key(name: str, as_json: bool) -> int:
    """Let BILL make a new security key. The receiver accepts it at once, and the old one for another day."""
    with _opened(name) as (runtime, _):
        until = work.rotate_key(runtime, name)
    if as_json:
        print_json({"connection": name, "previous_key_accepted_until": until})
    else:
        click.echo(f"The new key is stored, encrypted; the old one is accepted until {as_words(until)} UTC.")
    return DONE


@webhooks.command(
    epilog=examples("jdebill webhooks replay acme", "jdebill webhooks replay acme --since 2026-10-01T00:00")
)
@click.argument("name")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]),
    help="In the connection's time zone; default, and at most, 180 days back.",
)
@json_option
def replay(name: str, since: datetime | None, as_json: bool) -> int:
    """Fetch what never arrived from BILL's history, and find changed payments that no event told of."""
    with _opened(name) as (runtime, connection):
        start = since.replace(tzinfo=ZoneInfo(connection.timezone)).astimezone(UTC) if since else None
        if start is not None and start > datetime.now(UTC):
            raise WrongUse(f"--since {as_words(since)} has not come yet in {connection.timezone}")
        found = work.replay(runtime, name, since=start)
    if as_json:
        print_json(found)
    else:
        click.echo(
            f"{found.read} events in BILL's history since {as_words(found.since)} UTC; {found.missing} were missing."
        )
        if found.unannounced:
            click.echo(f"{found.unannounced} changed payments that no event told of are due.")
    if found.unreadable:
        note(f"{found.unreadable} events could not be read.")
    return NEEDS_PERSON if found.unreadable else DONE


@contextmanager
def _opened(name: str) -> Iterator[tuple[Runtime, Connection]]:
    settings = Settings.from_environment()
    connection = connection_named(settings, name)
    settings = replace(settings, database_url=with_database(settings).database_url)
    runtime = Runtime(settings, {name: connection})
    try:
        yield runtime, connection
    except work.WebhookError as error:
        raise WrongUse(str(error)) from None
    finally:
        runtime.close()
