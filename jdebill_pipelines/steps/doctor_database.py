"""The database's part of the preflight: version, schema, room, session locks, and the stored logins.

Belongs here: questions to our own PostgreSQL. Does not belong here: migrating a database of the user's.
"""

from __future__ import annotations

import secrets
from collections.abc import Container, Generator
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import Vault, VaultError
from jdebill_pipelines.steps.doctor import MOST_SKEW, Finding, Findings, now
from jdebill_pipelines.steps.runtime import MissingCredentials, Runtime
from jdebill_pipelines.store.embedded import EmbeddedServerError, ensure_server
from jdebill_pipelines.store.engine import SchemaOutdated, check_schema, create_engine, migrate

AREA = "database"
LEAST_VERSION = 15
# Webserver, daemon, code server and a handful of runs with five connections each.
LEAST_FREE = 30

_ROOM = """
SELECT least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
             coalesce(nullif(d.datconnlimit, -1), 1000000)) AS most,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       pg_size_pretty(pg_database_size(d.datname)) AS size
FROM pg_database d WHERE d.datname = current_database()
"""
_LOGIN_MEMBERS = {"jde": ("username", "password"), "bill": ("username", "password", "dev_key")}


def ask_database(settings: Settings) -> Generator[Finding, None, Settings | None]:
    """Look at the database; returns settings that name it, or None when it cannot be used."""
    embedded = settings.database_url is None
    try:
        # The embedded server is ours to start and to migrate, as every other command does it.
        url = settings.database_url or ensure_server(settings.home)
        if embedded:
            migrate(url)
        engine = create_engine(url, pooled=False)
    except (EmbeddedServerError, SQLAlchemyError) as error:
        yield _broken("server", _said(error), "Look at the log in the home folder (JDEBILL_HOME).")
        return None
    try:
        usable = yield from _look(engine, embedded=embedded)
    except SQLAlchemyError as error:
        yield _broken(
            "server",
            _said(error),
            "Check JDEBILL_DATABASE_URL, that the server runs and listens, and that user and database exist.",
        )
        return None
    finally:
        engine.dispose()
    return replace(settings, database_url=url) if usable else None


def ask_logins(runtime: Runtime, name: str, vault: Vault | None) -> Generator[Finding, None, frozenset[str]]:
    """Open the stored logins; returns the systems whose login is complete."""
    usable: set[str] = set()
    stored = runtime.store(name).credentials.systems()
    for system, members in _LOGIN_MEMBERS.items():
        what, fix = f"{system} login", f"Run: jdebill credentials set {name}"
        if vault is None:
            yield Finding(area=AREA, what=what, state="skipped", found="not read: there is no master key")
            continue
        try:
            login = runtime.secrets(name, system)
        except (MissingCredentials, VaultError) as error:
            yield _broken(what, str(error), "" if "jdebill credentials" in str(error) else fix)
            continue
        lacking = [member for member in members if not login.get(member)]
        if lacking:
            yield _broken(what, f"lacks {', '.join(lacking)}", fix)
            continue
        usable.add(system)
        yield Finding(area=AREA, what=what, state="ok", found=f"stored, user {login['username']}")
    yield from _webhook_key(runtime.connections[name], stored)
    return frozenset(usable)


def _webhook_key(connection: Connection, stored: Container[str]) -> Findings:
    if connection.bill.webhook_url is None:
        return
    what = "webhook key"
    if "webhook" in stored:
        yield Finding(area=AREA, what=what, state="ok", found="stored")
    else:
        yield Finding(
            area=AREA,
            what=what,
            state="warning",
            found="none is stored, so every event is refused",
            fix=f"Run: jdebill webhooks subscribe {connection.name}",
        )


def _look(engine: Engine, *, embedded: bool) -> Generator[Finding, None, bool]:
    with engine.connect() as connection:
        number = int(connection.execute(sa.text("SELECT current_setting('server_version_num')")).scalar_one())
        room = connection.execute(sa.text(_ROOM)).one()
        before = now()
        theirs = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    version = (
        f"PostgreSQL {number // 10000}.{number % 10000}, {'embedded' if embedded else engine.url.host or 'socket'}"
    )
    if number // 10000 < LEAST_VERSION:
        yield _broken("server", version, f"PostgreSQL {LEAST_VERSION} or newer is needed.")
        return False
    yield Finding(area=AREA, what="server", state="ok", found=f"{version}, {room.size}")
    free = room.most - room.used
    words = f"{free} of {room.most} are free"
    if free >= LEAST_FREE:
        yield Finding(area=AREA, what="connections", state="ok", found=words)
    else:
        yield Finding(
            area=AREA,
            what="connections",
            state="warning",
            found=words,
            fix=f"Raise max_connections: webserver, daemon and runs need about {LEAST_FREE}.",
        )
    off = abs((theirs - before).total_seconds())
    if off > MOST_SKEW:
        yield Finding(
            area=AREA,
            what="clock",
            state="warning",
            found=f"{off:.0f} s off this machine's",
            fix="Let both machines take their time from NTP; leases and budgets go by the database's clock.",
        )
    else:
        yield Finding(area=AREA, what="clock", state="ok", found="agrees with this machine")
    locked = yield from _session_locks(engine)
    migrated = yield from _schema(engine)
    return locked and migrated


def _session_locks(engine: Engine) -> Generator[Finding, None, bool]:
    """BILL's call slots are session locks: a pooler in transaction mode would hand one session to several clients."""
    key = {"key": secrets.randbits(62)}
    with engine.connect() as first, engine.connect() as second:
        first.execute(sa.text("SELECT pg_advisory_lock(:key)"), key)
        first.commit()
        taken_twice = second.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one()
        second.commit()
        still_held = first.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key).scalar_one()
        first.commit()
    if taken_twice or not still_held:
        yield _broken(
            "session locks",
            "a lock does not stay with its connection",
            "A pooler in transaction mode stands between: connect to PostgreSQL itself, or in session mode.",
        )
        return False
    yield Finding(area=AREA, what="session locks", state="ok", found="stay with their connection")
    return True


def _schema(engine: Engine) -> Generator[Finding, None, bool]:
    try:
        check_schema(engine)
    except SchemaOutdated as error:
        yield _broken("schema", str(error), "")
        return False
    yield Finding(area=AREA, what="schema", state="ok", found="is the one of this version")
    return True


def _broken(what: str, found: str, fix: str) -> Finding:
    return Finding(area=AREA, what=what, state="failed", found=found, fix=fix, fault="ours")


def _said(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())
