"""Exit codes, and which error means which.

Belongs here: the mapping from exceptions to a line and a code. Does not belong here: printing.
"""

from __future__ import annotations

import click

DONE = 0
NEEDS_PERSON = 1
WRONG_USE = 2
OTHER_SIDE_FAILED = 3


class OtherSideFailed(click.ClickException):
    """Something outside failed: a server, a process, the database."""

    exit_code = OTHER_SIDE_FAILED


class WrongUse(click.ClickException):
    """The command cannot do that: wrong argument, wrong configuration, missing file."""

    exit_code = WRONG_USE


def explain(error: Exception) -> tuple[list[str], int] | None:
    """Return the lines and the exit code of an error that is understood, None of any other.

    The classes are imported here, not above: an error is rare, a quick start is not.
    """
    from sqlalchemy.exc import OperationalError

    from jdebill_pipelines.config.connection import ConnectionFileError
    from jdebill_pipelines.config.settings import SettingsError
    from jdebill_pipelines.config.vault import VaultError
    from jdebill_pipelines.steps.runtime import MissingCredentials
    from jdebill_pipelines.store.embedded import EmbeddedServerError
    from jdebill_pipelines.store.engine import SchemaOutdated
    from jdebill_pipelines.transport.errors import ApiError

    if isinstance(error, ConnectionFileError):
        return error.problems, WRONG_USE
    if isinstance(error, SettingsError | VaultError | MissingCredentials | SchemaOutdated):
        return [str(error)], WRONG_USE
    if isinstance(error, EmbeddedServerError | ApiError):
        return [one_line(str(error))], OTHER_SIDE_FAILED
    if isinstance(error, OperationalError):
        return [f"the database does not answer: {one_line(str(error.orig))}"], OTHER_SIDE_FAILED
    return None


def one_line(text: str) -> str:
    """Return a text with its line breaks as blanks."""
    return " ".join(text.split())
