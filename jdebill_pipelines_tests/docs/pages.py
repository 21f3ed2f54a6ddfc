"""Pages of docs/ that are made of the code: `make docs` writes them, a test compares them.

Belongs here: turning the command line, the asset catalog and the payment states into Markdown. Does not belong here:
any fact of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from jdebill_pipelines.cli.main import jdebill
from jdebill_pipelines.config.connection import SyncConfig
from jdebill_pipelines.domain.payment_states import PROGRESS, state_table
from jdebill_pipelines.orchestration.assets import OWNERS
from jdebill_pipelines.orchestration.catalog import CATALOG, AssetRow
from jdebill_pipelines.orchestration.checks import CHECKS

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 100


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command with its full name, groups before their members."""
    yield from _walk("jdebill", jdebill, None)


def _walk(
    name: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    settings = {"terminal_width": WIDTH, **command.context_settings} if parent is None else {}
    context = click.Context(command, info_name=name.rsplit(" ", 1)[-1], parent=parent, **settings)
    yield name, command, context
    if isinstance(command, click.Group):
        for member in command.list_commands(context):
            found = command.get_command(context, member)
            assert found is not None
            yield from _walk(f"{name} {member}", found, context)


def cli_page() -> str:
    """The command line: what `--help` says of every command."""
    parts = ["# Command line", "Made of `--help` by `make docs`; do not edit."]
    for name, command, context in commands():
        help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"{'#' * (name.count(' ') + 2)} {name}\n\n```text\n{help_text}\n```")
    return "\n\n".join(parts) + "\n"


def assets_page() -> str:
    """The assets of a connection, in the order of the lineage page, with their checks."""
    parts = [
        "# Assets and checks",
        "Made of the catalog by `make docs`; do not edit. Each connection has these assets under its own name: "
        "`acme/jde/vouchers`. Where an asset is monthly, its partitions are months `YYYY-MM`, and a range of months is "
        "one run.",
    ]
    parts += [_asset(row) for row in CATALOG]
    return "\n\n".join(parts) + "\n"


def _asset(row: AssetRow) -> str:
    facts = [
        ("Made of", ", ".join(f"`{path}`" for path in row.needs) or "the other side alone"),
        ("Partitions", "months" if row.monthly else "none"),
        ("Owner", ", ".join(OWNERS[row.group])),
        ("JDE tables", ", ".join(table.name for table in row.tables)),
        ("Changes the other side", "yes" if row.writes else ""),
    ]
    lines = [f"## {row.path}", "", row.description, "", *(f"- {name}: {value}" for name, value in facts if value)]
    checks = [check for check in CHECKS if check.path == row.path]
    if checks:
        lines += ["", "| Check | What it asks | When it fails |", "|---|---|---|"]
        for check in checks:
            then = "nothing after it runs" if check.blocking else "an alert; what is valid goes on"
            lines.append(f"| `{check.name}` | {check.description} | {then} |")
    return "\n".join(lines)


def payment_states_page() -> str:
    """What each state of a BILL payment means in JD Edwards."""
    parts = [
        "# Payment states",
        "Made of the table in the code by `make docs`; do not edit. What happens in JD Edwards is shown for "
        f"`sync.post_when: {SyncConfig().post_when}`, the default; a connection that posts earlier or later moves the "
        f"line along {', '.join(f'`{state}`' for state in PROGRESS)}.",
        "`singleStatus` decides. `status` decides for a payment that was made outside BILL and recorded there, and "
        "where `singleStatus` says nothing (left out, or `UNDEFINED`). `CANCELED` and `CANCELLED` are one value. "
        "Capitals do not matter.",
        "| In JD Edwards | Meaning |\n|---|---|\n"
        "| nothing | it is waited; what was posted stays |\n"
        "| post | posted, once, when it is not posted yet |\n"
        "| reverse | what was posted is reversed, once; what was not posted never is |\n"
        "| review | nothing new is posted, what was posted stays, a person decides (see the quarantine) |",
    ]
    for field in ("singleStatus", "status", "either"):
        rows = [row for row in state_table() if row["field"] == field]
        lines = [
            f"## {field}",
            "",
            "| Value | In JD Edwards | Who is told | Final | What it is |",
            "|---|---|---|---|---|",
        ]
        for row in rows:
            value = row["value"] if field == "either" else f"`{row['value']}`"
            told = row["told"].replace("_", "-")
            lines.append(f"| {value} | {row['in_jde']} | {told} | {row['final']} | {row['meaning']} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "docs/cli.md": cli_page,
    "docs/assets.md": assets_page,
    "docs/payment-states.md": payment_states_page,
}


def main() -> None:
    """Write the pages."""
    for name, make in PAGES.items():
        (ROOT / name).write_text(make(), "utf-8")
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
