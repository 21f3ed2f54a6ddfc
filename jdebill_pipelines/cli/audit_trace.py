"""`jdebill audit trace`: one document followed both ways, as a tree or as JSON.

Belongs here: arguments, the look of the tree, exit codes. Does not belong here: following (audit/trace.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, print_table, stdout
from jdebill_pipelines.cli.session import connection_named, open_engine, with_database
from jdebill_pipelines.config.settings import Settings

if TYPE_CHECKING:
    from jdebill_pipelines.audit.trace import AmbiguousKey, Tracer, UnknownKey
    from jdebill_pipelines.audit.tracing.model import Node, Ref, Trace
    from jdebill_pipelines.audit.tracing.tree import Step
    from jdebill_pipelines.config.connection import Connection

_HELP = """Follow one document both ways: who decided what and why, times, amounts, accounts, runs.

\b
KEY is any of:
  order        00001-OP-4003-000, OP-4003, 4003
  voucher      00001-PV-700012, PV-700012, 700012
  invoice      the supplier's invoice number
  supplier     the address number
  vendor       BILL's id, or the name
  bill         BILL's id
  credit       BILL's id of a vendor credit
  payment      BILL's id, confirmation, transaction or check number
  posting      PAYMENT:BILL:post, or its reference in JD Edwards
  jde-payment  PYID-20004, 20004, or the payment number
  entry        00001-JE-700065, JE-700065, 700065

A key that fits several is made exact by the word and a colon: voucher:700012. journal:123 is an entry of our own
journal. Exit code 1 when nothing, or several things, have the key.
"""
_SHOWN_ABOVE = ("supplier", "vendor")  # facts that the root of the tree tells


@click.command(
    help=_HELP,
    epilog=examples(
        "jdebill audit trace acme 00001-PV-700012",
        "jdebill audit trace acme order:4003",
        "jdebill audit trace acme jde-payment:20004 --live",
        "jdebill audit trace acme stp01QIR6YZO22Y73odx --json",
    ),
)
@click.argument("name")
@click.argument("key")
@click.option(
    "--live", is_flag=True, help="Ask JD Edwards for its rows now, instead of our copies of them. Reads only."
)
@click.option(
    "--documents",
    type=click.IntRange(1),
    default=25,
    show_default=True,
    help="Of a supplier or vendor: at most so many documents, the latest.",
)
@json_option
def trace(name: str, key: str, live: bool, documents: int, as_json: bool) -> int:
    """Follow one document both ways; the help is above."""
    from jdebill_pipelines.audit.trace import AmbiguousKey, UnknownKey

    settings = Settings.from_environment()
    connection = connection_named(settings, name)
    with _tracer(settings, connection, live=live, documents=documents) as tracer:
        try:
            found = tracer.trace(key)
        except UnknownKey as unknown:
            return _print_unknown(unknown, as_json=as_json)
        except AmbiguousKey as ambiguous:
            return _print_candidates(ambiguous, connection, as_json=as_json)
    if as_json:
        print_json(found.as_data())
    else:
        _print(found)
    return DONE


@contextmanager
def _tracer(settings: Settings, connection: Connection, *, live: bool, documents: int) -> Iterator[Tracer]:
    """Open what a trace is read from: our database, and JDE when it is asked for its present rows."""
    from jdebill_pipelines.audit.trace import Tracer
    from jdebill_pipelines.audit.tracing.books import Live
    from jdebill_pipelines.steps.runtime import Runtime
    from jdebill_pipelines.store.store import Store

    if not live:
        with open_engine(settings) as engine:
            yield Tracer(Store(engine, connection.name), connection, most_documents=documents)
        return
    runtime = Runtime(with_database(settings), {connection.name: connection})
    try:
        source = Live(lambda: runtime.jde(connection.name), datetime.now(UTC))
        yield Tracer(runtime.store(connection.name), connection, source, documents)
    finally:
        runtime.close()


def _print_unknown(unknown: UnknownKey, *, as_json: bool) -> int:
    if as_json:
        looked_for = [{"kind": form.word, "forms": form.forms} for form in unknown.looked_for]
        print_json({"key": unknown.key, "found": [], "looked_for": looked_for})
    click.echo(f"Error: {unknown}. Looked for:", err=True)
    width = max(len(form.word) for form in unknown.looked_for)
    for form in unknown.looked_for:
        click.echo(f"  {form.word:<{width}}  {form.forms}", err=True)
    note("Copies of both systems were searched: what was entered since their last reading is not in them (--live).")
    return NEEDS_PERSON


def _print_candidates(ambiguous: AmbiguousKey, connection: Connection, *, as_json: bool) -> int:
    from jdebill_pipelines.audit.tracing.model import node_data
    from jdebill_pipelines.audit.tracing.words import fact_words

    if as_json:
        found = [{name: node_data(node)[name] for name in ("ref", "title", "facts")} for node in ambiguous.candidates]
        print_json({"key": ambiguous.key, "found": found})
    else:
        print_table(
            ["Exact key", "What", "Facts"],
            [
                (
                    str(node.ref),
                    node.title,
                    ", ".join(f"{f.title} {fact_words(f, connection.timezone)}" for f in node.facts[:4]),
                )
                for node in ambiguous.candidates
            ],
            title=f"{ambiguous.key} fits several things of {connection.name}",
        )
    click.echo(f"Error: {ambiguous}: say which, for example {ambiguous.candidates[0].ref}", err=True)
    return NEEDS_PERSON


def _print(found: Trace) -> None:
    from jdebill_pipelines.audit.tracing.tree import tree_of
    from jdebill_pipelines.audit.tracing.words import run_words, time_words

    console = stdout()
    for step in tree_of(found):
        tree = Tree(_label(step, found), guide_style="dim")
        _grow(tree, step, found)
        console.print(tree)
    foot = Table.grid(padding=(0, 1))
    foot.add_column(no_wrap=True, style="dim")
    foot.add_column(overflow="fold")
    for at, run in enumerate(sorted(found.runs.values(), key=lambda r: r.started_at)):
        foot.add_row("" if at else "Runs", Text(run_words(run, found.timezone)))
    for system, moment in _last_read(found).items():
        foot.add_row(f"{system} read", Text(time_words(moment, found.timezone)))
    console.print(foot)
    if found.left_out:
        note(f"{found.left_out} more documents were not followed; --documents shows more.")


def _last_read(found: Trace) -> dict[str, datetime]:
    """The oldest of a system's copies: everything shown is at least as new as that."""
    moments: dict[str, datetime] = {}
    for read in found.read:
        if read.at is not None:
            moments[read.system] = min(moments.get(read.system, read.at), read.at)
    return moments


def _grow(tree: Tree, step: Step, found: Trace) -> None:
    for below in step.followed:
        _grow(tree.add(_label(below, found)), below, found)


def _label(step: Step, found: Trace) -> RenderableType:
    head = _head(step, found.asked)
    if step.again:
        head.append("  described above", style="dim")
        return head
    body = _body(step.node, found.timezone)
    return Group(head, *(Padding(part, (0, 0, 0, 2), expand=False) for part in body))


def _head(step: Step, asked: tuple[Ref, ...]) -> Text:
    from jdebill_pipelines.audit.tracing.words import tie_words

    head = Text()
    if step.tie is not None:
        head.append(f"{tie_words(step.tie)}: ", style="cyan")
    head.append(step.node.title, style="bold reverse" if step.node.ref in asked else "bold")
    if step.node.ref in asked:
        head.append("  <- asked for", style="yellow")
    return head


def _body(node: Node, timezone: str) -> list[RenderableType]:
    from jdebill_pipelines.audit.tracing.words import (
        account_words,
        amount_words,
        event_words,
        fact_words,
        line_words,
        time_words,
    )

    body: list[RenderableType] = []
    shown = [fact for fact in node.facts if fact.name not in _SHOWN_ABOVE]
    if shown:
        facts = Text()
        for fact in shown:
            facts.append("; " if facts else "", style="dim")
            facts.append(f"{fact.title} ", style="dim")
            facts.append(fact_words(fact, timezone))
        body.append(facts)
    if node.lines:
        lines = Table.grid(padding=(0, 2, 0, 0))
        lines.add_column(justify="right", no_wrap=True)
        lines.add_column(overflow="fold", ratio=1)
        for line in node.lines:
            rest = Text.assemble((line.line, "dim"))
            for words, style in ((account_words(line), ""), (line_words(line), "dim")):
                rest.append(f"  {words}" if words else "", style=style)
            lines.add_row(Text(amount_words(line.amount, line.currency)), rest)
        body.append(lines)
    if node.events:
        events = Table.grid(padding=(0, 1, 0, 0))
        events.add_column(no_wrap=True)
        events.add_column(overflow="fold", ratio=1)
        for event in node.events:
            at = "" if event.at is None else time_words(event.at, timezone)
            events.add_row(Text("*", style="dim"), Text.assemble((at, "dim"), " ", event_words(event)))
        body.append(events)
    body += [Text(said, style="yellow") for said in node.notes]
    return body
