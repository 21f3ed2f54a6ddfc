"""The command itself: help, errors in one line, exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click
import pytest

from jdebill_pipelines.cli.main import jdebill as root
from jdebill_pipelines.cli.output import money
from jdebill_pipelines_tests.support.commands import Command


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with its path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, *path, name)
        else:
            yield (*path, name), found


@pytest.mark.parametrize("path", [path for path, _ in commands(root)], ids=" ".join)
def test_every_command_explains_itself_with_an_example(jdebill: Command, path: tuple[str, ...]) -> None:
    """``--help`` says what it does and shows a command line that begins with its own name."""
    said = jdebill(*path, "--help")
    assert said.code == 0
    assert "Example" in said.out
    assert f"jdebill {' '.join(path)}" in said.out
    assert said.err == ""


def test_help_lists_every_command_and_its_line(jdebill: Command) -> None:
    """The list is written by hand, so that it needs no imports; a test holds it to the commands."""
    said = jdebill("--help")
    assert said.code == 0
    for path, _ in commands(root):
        assert f"  {path[0]}" in said.out


def test_help_is_quick() -> None:
    """Neither Dagster nor pandas nor SQLAlchemy is imported to print the help."""
    program = (
        "import sys; from jdebill_pipelines.cli.main import run; code = run(['--help']); "
        "print(sorted({'dagster', 'pandas', 'sqlalchemy', 'requests'} & set(sys.modules)), code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[] 0"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["connections", "show", "acmee"], "did you mean 'acme'?"),
        (["plan", "acme", "--from", "2026-13"], "YYYY-MM"),
        (["sync", "acme", "--from", "2025-12"], "start_date"),
        (["sync", "acme", "--from", "2026-05", "--to", "2026-04"], "is after"),
        (["sandbox", "serve"], "--company demo|tiny"),
        (["credentials", "rotate-key"], "no master key"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(jdebill: Command, arguments: list[str], words: str) -> None:
    """The line says what is allowed; nothing goes to standard output."""
    said = jdebill(*arguments)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""
    assert "Traceback" not in said.err


def test_a_wrong_file_is_told_by_every_command_that_reads_it(jdebill: Command, home: Path) -> None:
    """All mistakes, one line each, code 2."""
    path = home / "connections" / "beta.yaml"
    path.write_text("name: beta\ncolour: red\n", "utf-8")
    said = jdebill("connections", "list")
    assert said.code == 2
    assert f"Error: {path}: colour: is not a key here" in said.err
    assert said.err.count(f"Error: {path}: ") == len(said.err.splitlines()) == 6


def test_a_database_that_is_not_there_is_the_other_side(jdebill: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line without the password, code 3; with JDEBILL_DEBUG the traceback too."""
    monkeypatch.setenv("JDEBILL_DATABASE_URL", "postgresql://me:s3cret@127.0.0.1:1/nothing")
    said = jdebill("credentials", "list")
    assert said.code == 3
    assert said.err.startswith("Error: the database does not answer")
    assert said.err.count("\n") == 1
    assert "s3cret" not in said.err
    monkeypatch.setenv("JDEBILL_DEBUG", "1")
    assert "Traceback" in jdebill("credentials", "list").err


def test_a_database_of_another_version_is_not_migrated_behind_your_back(
    jdebill: Command, monkeypatch: pytest.MonkeyPatch, postgres_server: str
) -> None:
    """A database without our schema: the line says what to run."""
    monkeypatch.setenv("JDEBILL_DATABASE_URL", postgres_server)
    said = jdebill("credentials", "list")
    assert said.code == 2
    assert "jdebill up" in said.err


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        ("1360.1", "USD", "1,360.10"),
        ("182001", "JPY", "182,001"),
        ("0.125", "USD", "0.125"),
        ("-12345678901.23", "EUR", "-12,345,678,901.23"),
        ("5", "", "5.00"),
        ("1E+3", "USD", "1,000.00"),
    ],
)
def test_amounts_are_shown_with_the_decimals_of_their_currency(amount: str, currency: str, words: str) -> None:
    """Never fewer digits than the amount has."""
    assert money(Decimal(amount), currency) == words
    assert money(None, currency) == ""
