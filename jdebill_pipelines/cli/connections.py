"""`jdebill connections`: the connection files.

Belongs here: showing and checking configuration. Does not belong here: asking the servers (doctor).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from jdebill_pipelines.cli.exits import DONE, WRONG_USE
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, print_table
from jdebill_pipelines.cli.session import connection_named
from jdebill_pipelines.config.connection import Connection, ConnectionFileError, load_connection, load_connections
from jdebill_pipelines.config.settings import Settings


class _Dumper(yaml.SafeDumper):
    """Writes a Decimal as the number it is."""


_Dumper.add_representer(Decimal, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", f"{value:f}"))


@click.group()
def connections() -> None:
    """The connection files: list, show, check."""


@connections.command(
    "list",
    epilog=examples(
        "jdebill connections list",
    ),
)
@json_option
def list_(as_json: bool) -> int:
    """List the connections."""
    settings = Settings.from_environment()
    found = load_connections(settings.connections_dir)
    rows = [_summary(connection) for connection in found.values()]
    if as_json:
        print_json(rows)
        return DONE
    print_table(
        ["Name", "Enabled", "Since", "JDE environment", "Companies", "BILL organization", "Documents", "Schedule"],
        [
            (r["name"], r["enabled"], r["start_date"], r["environment"], ", ".join(r["companies"]),
             r["organization_id"], ", ".join(r["documents"]), r["schedule"])
            for r in rows
        ],
        empty=f"No connection files in {settings.connections_dir}. Copy example.yaml and change it.",
    )  # fmt: skip
    return DONE


@connections.command(
    epilog=examples(
        "jdebill connections show acme",
    )
)
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> int:
    """Show a connection with every default filled in. It holds no secret."""
    connection = connection_named(Settings.from_environment(), name)
    value = msgspec.to_builtins(connection, enc_hook=str, builtin_types=(Decimal,))
    if as_json:
        print_json(value)
    else:
        click.echo(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True).rstrip())
    return DONE


@connections.command(
    epilog=examples(
        "jdebill connections check",
        "jdebill connections check connections/acme.yaml",
    )
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
def check(files: tuple[Path, ...], as_json: bool) -> int:
    """Check connection files: all of the folder, or those given. Every mistake is one line."""
    names, problems = _checked(files)
    if as_json:
        print_json({"connections": names, "problems": problems})
    else:
        for problem in problems:
            note(problem)
        if problems:
            note(f"{len(problems)} mistake{'' if len(problems) == 1 else 's'}.")
        else:
            click.echo(f"Right: {', '.join(names) or 'no connection files'}.")
    return WRONG_USE if problems else DONE


def _checked(files: tuple[Path, ...]) -> tuple[list[str], list[str]]:
    if not files:
        try:
            return list(load_connections(Settings.from_environment().connections_dir)), []
        except ConnectionFileError as error:
            return [], error.problems
    names, problems = [], []
    for path in files:
        try:
            names.append(load_connection(path).name)
        except ConnectionFileError as error:
            problems += error.problems
    return names, problems


def _summary(connection: Connection) -> dict[str, Any]:
    return {
        "name": connection.name,
        "enabled": connection.enabled,
        "start_date": connection.start_date,
        "environment": connection.jde.environment,
        "companies": connection.jde.companies,
        "organization_id": connection.bill.organization_id,
        "documents": connection.sync.documents,
        "schedule": connection.sync.schedule,
    }
