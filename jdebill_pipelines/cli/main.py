"""Entry point of the `jdebill` command.

Belongs here: the list of commands and what an error becomes. Does not belong here: any command. Commands are imported
when they are called, so that `--help` and shell completion stay quick.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from jdebill_pipelines.cli.exits import OTHER_SIDE_FAILED, WRONG_USE, explain

# command -> (module, attribute, one line for the list)
_COMMANDS: dict[str, tuple[str, str, str]] = {
    "alerts": ("alerts", "alerts", "The channels of alerts: test them, list what was sent."),
    "audit": ("audit", "audit", "Month end: the report as a signed pack, one document traced, the journal verified."),
    "connections": ("connections", "connections", "The connection files: list, show, check."),
    "credentials": ("credentials", "credentials", "The encrypted logins: set, list, rotate-key."),
    "demo": ("demo", "demo", "The whole loop on two simulated servers."),
    "doctor": ("doctor", "doctor", "Look at everything outside that a connection needs. Writes nothing."),
    "plan": ("plan", "plan", "What a sync would create, update, skip or hold. Writes nothing."),
    "quarantine": ("quarantine", "quarantine", "Documents that are held back: list, show, override."),
    "receiver": ("receiver", "receiver", "The webhook process alone."),
    "sandbox": ("sandbox", "sandbox", "Simulated AIS and BILL servers."),
    "sync": ("sync", "sync", "Bring suppliers and documents to BILL now."),
    "up": ("up", "up", "Database, Dagster UI and daemon, webhook receiver on this machine."),
    "webhooks": ("webhooks", "webhooks", "BILL's webhook subscription: subscribe, status, rotate-key, replay."),
}

# The first line keeps click from filling the paragraph.
_ENVIRONMENT = (
    "\b\n"
    "Environment:\n"
    "  JDEBILL_CONNECTIONS_DIR  connection files        (default ./connections)\n"
    "  JDEBILL_DATABASE_URL     a PostgreSQL of yours   (default an embedded one in JDEBILL_HOME)\n"
    "  JDEBILL_HOME             our own files           (default ./.jdebill)\n"
    "  JDEBILL_MASTER_KEY       key of the credentials  (default JDEBILL_KEY_FILE, <home>/master.key)\n"
    "  JDEBILL_DEBUG            show tracebacks\n"
)


class _Commands(click.Group):
    """Finds a command by name and imports only that one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in alphabetical order."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command; None when there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        found = getattr(importlib.import_module(f"jdebill_pipelines.cli.{module}"), attribute)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][2]) for name in self.list_commands(ctx)])


@click.group(
    cls=_Commands,
    epilog=_ENVIRONMENT,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="jdebill-pipelines", prog_name="jdebill")
def jdebill() -> None:
    """Join Oracle JD Edwards EnterpriseOne and BILL.

    Exit codes: 0 done; 1 done, but something needs a person; 2 wrong use or configuration; 3 the other side failed.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code.

    Args:
        arguments: command line without the program's name; default the process's own.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; errors become one line on standard error."""
    try:
        given = None if arguments is None else list(arguments)
        code: Any = jdebill.main(args=given, prog_name="jdebill", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; Python must not complain about it at its end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the one place where an error becomes a line for a person
        return _fail(error)
    return code if isinstance(code, int) else 0


def _fail(error: Exception) -> int:
    if os.environ.get("JDEBILL_DEBUG"):
        traceback.print_exception(error)
    found = explain(error)
    if found is None:
        click.echo(f"Error: {type(error).__name__}: {error} (JDEBILL_DEBUG=1 shows where)", err=True)
        return OTHER_SIDE_FAILED
    lines, code = found
    for line in lines:
        click.echo(f"Error: {line}", err=True)
    assert code in (WRONG_USE, OTHER_SIDE_FAILED)
    return code
