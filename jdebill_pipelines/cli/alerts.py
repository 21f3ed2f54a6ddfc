"""`jdebill alerts`: the channels, and what was sent through them.

Belongs here: options and what is printed. Does not belong here: sending (alerts/). No channel's URL is ever printed.
"""

from __future__ import annotations

import os

import click

from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON, OTHER_SIDE_FAILED, WrongUse
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, print_table
from jdebill_pipelines.cli.session import connection_named, open_engine, who
from jdebill_pipelines.config.settings import Settings


@click.group()
def alerts() -> None:
    """The channels of alerts: test them, list what was sent."""


@alerts.command(epilog=examples("ACME_ALERT_URLS='mailto://... slack://...' jdebill alerts test acme"))
@click.argument("name")
@json_option
def test(name: str, as_json: bool) -> int:
    """Send a test alert through every channel, now. Exit code 3 when one of them fails.

    The channels are apprise URLs, separated by blanks, in the environment variable that alerts.urls_env names. The
    daemon sends the real alerts: it needs the same variable. JDEBILL_UI_URL is where the links in alerts lead.
    """
    from jdebill_pipelines.alerts.rendering import UI_VARIABLE, render
    from jdebill_pipelines.alerts.sending import channels_of, send
    from jdebill_pipelines.domain.alerts import AlertContent

    connection = connection_named(Settings.from_environment(), name)
    variable = connection.alerts.urls_env
    if variable is None:
        raise WrongUse(f"{name}: alerts.urls_env is not set in the connection file: nobody is told of anything")
    channels = channels_of(connection)
    if not channels:
        raise WrongUse(f"{variable} is empty; give it apprise URLs, such as: mailto://user:password@mail.example.com")
    content = AlertContent(
        what="This is a test: alerts of this connection arrive here.",
        fix="Nothing.",
        facts={"sent by": who()},
    )
    message = render(name, "test alert", content, ui_url=os.environ.get(UI_VARIABLE, ""))
    results = [(channel, send(channel, message)) for channel in channels]
    if as_json:
        print_json([{"channel": c.label, "sent": not problem, "problem": problem} for c, problem in results])
    else:
        print_table(["Channel", "Sent", "Problem"], [(c.label, not problem, problem) for c, problem in results])
    return OTHER_SIDE_FAILED if any(problem for _, problem in results) else DONE


@alerts.command("list", epilog=examples("jdebill alerts list acme", "jdebill alerts list acme --limit 5 --json"))
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@json_option
def list_(name: str, limit: int, as_json: bool) -> int:
    """List the latest alerts, sent or not. Exit code 1 when one was given up or cannot be sent."""
    from jdebill_pipelines.store.store import Store

    settings = Settings.from_environment()
    connection_named(settings, name)
    with open_engine(settings) as engine:
        rows = Store(engine, name).alerts.outbox(limit)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ["Raised (UTC)", "Subject", "State", "Attempts", "Sent (UTC)", "Problem"],
            [
                (r["created_at"], r["subject"], r["state"].replace("_", " "), r["attempts"], r["sent_at"],
                 r["last_error"])
                for r in rows
            ],
            right=["Attempts"],
            empty="No alert was raised.",
        )  # fmt: skip
    stuck = [r for r in rows if r["state"] == "given_up" or (r["state"] == "pending" and r["last_error"])]
    if stuck:
        note(f"{len(stuck)} alert(s) did not go out; see: jdebill alerts test {name}")
    return NEEDS_PERSON if stuck else DONE
