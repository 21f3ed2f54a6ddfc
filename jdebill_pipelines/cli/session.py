"""What a command works with: settings, connections, the database.

Belongs here: opening them the same way in every command. Does not belong here: clients of JDE and BILL
(steps/runtime.py).
"""

from __future__ import annotations

import difflib
import getpass
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import click
from sqlalchemy.engine import Engine

from jdebill_pipelines.cli.exits import WrongUse
from jdebill_pipelines.config.connection import Connection, load_connections
from jdebill_pipelines.config.settings import Settings


def connection_named(settings: Settings, name: str) -> Connection:
    """Return a connection.

    Raises:
        WrongUse: there is none of that name; the text lists those there are.
        ConnectionFileError: a file is wrong.
    """
    found = load_connections(settings.connections_dir)
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    known = ", ".join(found) or "none"
    raise WrongUse(f"there is no connection {name!r}{hint}; {settings.connections_dir} has: {known}")


def with_database(settings: Settings) -> Settings:
    """Return the settings with a database URL: the given one, or the embedded server's, started and migrated.

    Raises:
        SchemaOutdated: a database of yours is at another version; it is not migrated behind your back.
        EmbeddedServerError: the embedded server does not start.
    """
    from jdebill_pipelines.store.embedded import ensure_server
    from jdebill_pipelines.store.engine import check_schema, create_engine, migrate

    if settings.database_url is None:
        url = ensure_server(settings.home)
        migrate(url)
        return replace(settings, database_url=url)
    engine = create_engine(settings.database_url, pooled=False)
    try:
        check_schema(engine)
    finally:
        engine.dispose()
    return settings


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """Open the database for a command and close it after."""
    from jdebill_pipelines.store.engine import create_engine

    url = with_database(settings).database_url
    assert url is not None
    engine = create_engine(url, pool_size=2)
    try:
        yield engine
    finally:
        engine.dispose()


def who() -> str:
    """Return the name of the person at the keyboard, for journals: the system's user name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def this_month(connection: Connection) -> str:
    """Return the current month of the connection's business dates."""
    return f"{datetime.now(ZoneInfo(connection.timezone)):%Y-%m}"


class Month(click.ParamType[str]):
    """A month ``YYYY-MM``."""

    name = "YYYY-MM"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text and return it as it is."""
        if not re.fullmatch(r"(?!0000)\d{4}-(0[1-9]|1[0-2])", value, re.ASCII):
            self.fail(f"{value!r} is no month; allowed: YYYY-MM, such as 2026-03", param, ctx)
        return value


def months_between(
    connection: Connection, first: str | None, last: str | None, today_month: str
) -> tuple[str, ...] | None:
    """Return the months of ``--from`` and ``--to``, or None when neither is given.

    Args:
        connection: says where its documents begin.
        first, last: as given; a missing first is the connection's first month, a missing last is ``today_month``.
        today_month: the current month in the connection's zone.

    Raises:
        WrongUse: the months are in the wrong order, or before the connection begins.
    """
    if first is None and last is None:
        return None
    begin = f"{connection.start_date:%Y-%m}"
    low, high = first or begin, last or max(today_month, begin)
    if low < begin:
        raise WrongUse(f"--from {low} is before the connection's start_date ({connection.start_date})")
    if low > high:
        raise WrongUse(f"--from {low} is after --to {high}")
    found = []
    year, month = int(low[:4]), int(low[5:])
    while f"{year:04d}-{month:02d}" <= high:
        found.append(f"{year:04d}-{month:02d}")
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return tuple(found)
