"""The preflight of a connection: everything outside that must be as it has to be, one finding each.

Belongs here: the finding, the order of the questions, our own configuration. Does not belong here: the questions to
the database (``doctor_database``), JD Edwards (``doctor_jde``) and BILL (``doctor_bill``), or printing (``cli``).

Nothing is written anywhere, except a login and what the clients always share (session, call budget).
"""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from jdebill_pipelines.config.connection import Connection, ConnectionFileError, load_connection, load_connections
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import Vault, VaultError, load_vault
from jdebill_pipelines.domain.gl_mapping import OverrideError, parse_overrides
from jdebill_pipelines.steps.contracts import ContractFileError, load_contracts
from jdebill_pipelines.transport.errors import ApiError

State = Literal["ok", "warning", "failed", "skipped"]
Fault = Literal["", "ours", "theirs"]

# Sessions and time windows bear minutes; a clock that is further off shows up in every trace and log.
MOST_SKEW = 60.0


_REPEATED = "The call was repeated, as in every run. If it stays, look for the cause in the network between."


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one question showed.

    Attributes:
        area: ``configuration``, ``database``, ``JD Edwards``, ``BILL``, ``Dagster``.
        what: what was looked at.
        state: ``skipped`` = not asked, because something before it failed.
        found: what was seen.
        fix: what to do; '' when nothing is to be done.
        fault: of a failure: ``ours`` (files, key, database, stored logins) or ``theirs`` (JD Edwards, BILL).
    """

    area: str
    what: str
    state: State
    found: str = ""
    fix: str = ""
    fault: Fault = ""


Findings = Iterator[Finding]


def diagnose(settings: Settings, name: str) -> Findings:
    """Ask everything about a connection; a failure does not end the questions, only those that hang on it.

    Args:
        settings: where database, files and key are.
        name: of the connection.

    Yields:
        Findings as they come.
    """
    # Imported late: each brings its client, and the first lines should not wait for them.
    from jdebill_pipelines.steps.doctor_bill import ask_bill
    from jdebill_pipelines.steps.doctor_database import ask_database, ask_logins
    from jdebill_pipelines.steps.doctor_jde import ask_jde
    from jdebill_pipelines.steps.runtime import Runtime

    connection = yield from _files(settings, name)
    vault = yield from _key(settings)
    ready = yield from ask_database(settings)
    if connection is None or ready is None:
        yield from _skipped(("JD Edwards", "everything"), ("BILL", "everything"))
        return
    runtime = Runtime(ready, {name: connection})
    try:
        logins = yield from ask_logins(runtime, name, vault)
        if "jde" in logins:
            yield from ask_jde(runtime, connection)
        else:
            yield from _skipped(("JD Edwards", "everything"), why="no login can be read")
        if "bill" in logins:
            yield from ask_bill(runtime, connection)
        else:
            yield from _skipped(("BILL", "everything"), why="no login can be read")
    finally:
        runtime.close()


def guarded(area: str, what: str, ask: Callable[[], Iterable[Finding]], *, if_warned: str = _REPEATED) -> Findings:
    """Ask, and make findings of an answer that did not come and of what the clients warned of meanwhile.

    Args:
        area, what: as in :class:`Finding`.
        ask: gives the findings.
        if_warned: what to do about a warning.
    """
    with _heard() as warnings:
        try:
            found = list(ask())
        except ApiError as error:
            found = [failure(area, what, error)]
    if warnings and all(finding.state == "ok" for finding in found):
        found = [
            Finding(
                area=area,
                what=what,
                state="warning",
                found="; ".join(warnings),
                fix=if_warned,
            ),
            *(finding for finding in found if finding.what != what),
        ]
    yield from found


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What our own code logs as a warning in the block, each once, in place of showing it."""
    told: dict[str, None] = {}

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told[record.getMessage()] = None

    logger, ear, words = logging.getLogger("jdebill_pipelines"), Ear(logging.WARNING), list[str]()
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(ear)
    try:
        yield words
    finally:
        logger.removeHandler(ear)
        logger.propagate = propagated
        words += told


def failure(area: str, what: str, error: ApiError, *, fault: Fault = "theirs", fix: str = "") -> Finding:
    """The finding of a call that failed, with the error's own advice."""
    advice = error.fix or fix
    words = str(error).removesuffix(error.fix).rstrip(" ") if error.fix else str(error)
    return Finding(area=area, what=what, state="failed", found=words, fix=advice, fault=fault)


def clock(area: str, headers: Mapping[str, str], sent: datetime, received: datetime) -> Finding:
    """How far a server's clock is from this machine's, by the ``Date`` of an answer (whole seconds).

    Args:
        area: whose server.
        headers: of the answer.
        sent, received: aware times of this machine.
    """
    what = "clock"
    try:
        theirs = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return Finding(area=area, what=what, state="ok", found="the server does not tell its time")
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    # The header has no fractions: within its second every time is right.
    ahead = (theirs - sent).total_seconds()
    behind = (received - theirs).total_seconds() - 1
    off = 0.0 if ahead <= 0 and behind <= 0 else max(ahead, behind)
    words = (
        f"{off:.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine" if off >= 1 else "agrees with this machine"
    )
    if off <= MOST_SKEW:
        return Finding(area=area, what=what, state="ok", found=words)
    return Finding(
        area=area,
        what=what,
        state="warning",
        found=words,
        fix="Let both machines take their time from NTP; changes are asked for by time.",
    )


def now() -> datetime:
    """The time of this machine, aware."""
    return datetime.now(UTC)


def _skipped(*asked: tuple[str, str], why: str = "something before it failed") -> Findings:
    for area, what in asked:
        yield Finding(area=area, what=what, state="skipped", found=f"not asked: {why}")


def _files(settings: Settings, name: str) -> Generator[Finding, None, Connection | None]:
    """The connection files, what they name, and the contracts beside them; returns the connection if it is usable."""
    area = "configuration"
    connection: Connection | None = None
    try:
        connection = load_connections(settings.connections_dir).get(name)
    except ConnectionFileError as error:
        for problem in error.problems:
            yield Finding(
                area=area,
                what="connection file",
                state="failed",
                found=problem,
                fix="One wrong file stops them all: correct it, then: jdebill connections check",
                fault="ours",
            )
        connection = _readable(settings, name)
    if connection is None:
        return None
    yield _enabled(connection)
    yield _alerts(connection)
    yield from _mapping(connection)
    try:
        contracts = load_contracts()
        yield Finding(area=area, what="orchestration contracts", state="ok", found=f"{len(contracts)} are readable")
    except ContractFileError as error:
        yield Finding(
            area=area,
            what="orchestration contracts",
            state="failed",
            found=str(error),
            fix="The folder orchestrations/ belongs to the project: take the file from its repository.",
            fault="ours",
        )
    return connection


def _readable(settings: Settings, name: str) -> Connection | None:
    """The connection of that name when its own file is right, although another is not."""
    if not settings.connections_dir.is_dir():
        return None
    for path in sorted(settings.connections_dir.iterdir()):
        if path.suffix in (".yaml", ".yml"):
            try:
                found = load_connection(path)
            except ConnectionFileError:
                continue  # told already
            if found.name == name:
                return found
    return None


def _enabled(connection: Connection) -> Finding:
    area, what = "configuration", "connection file"
    since = f"{connection.jde.environment}, {', '.join(connection.jde.companies)}, from {connection.start_date}"
    if connection.enabled:
        return Finding(area=area, what=what, state="ok", found=since)
    return Finding(
        area=area,
        what=what,
        state="warning",
        found=f"{since}; enabled: false",
        fix="Dagster neither shows nor runs it. Set enabled: true when the rest is ok, and reload the code location.",
    )


def _alerts(connection: Connection) -> Finding:
    area, what, variable = "configuration", "alerts", connection.alerts.urls_env
    if variable is None:
        return Finding(area=area, what=what, state="ok", found="nobody is told of failures: alerts.urls_env is not set")
    if os.environ.get(variable, "").strip():
        return Finding(area=area, what=what, state="ok", found=f"go to the addresses in {variable}")
    return Finding(
        area=area,
        what=what,
        state="warning",
        found=f"{variable} is empty here",
        fix=f"Set {variable} to the apprise addresses, above all where the Dagster daemon runs.",
    )


def _mapping(connection: Connection) -> Findings:
    area, what, path = "configuration", "GL overrides", connection.sync.gl.overrides
    if path is None:
        return
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = len(parse_overrides(csv.DictReader(file)))
        yield Finding(area=area, what=what, state="ok", found=f"{lines} lines in {path}")
    except (OverrideError, OSError, UnicodeDecodeError) as error:
        yield Finding(
            area=area,
            what=what,
            state="failed",
            found=str(error),
            fix="docs/gl-mapping.md describes the columns.",
            fault="ours",
        )


def _key(settings: Settings) -> Generator[Finding, None, Vault | None]:
    """The master key; returns the vault, or None."""
    area, what = "configuration", "master key"
    vault: Vault | None = None
    try:
        vault = load_vault(settings)
    except VaultError as error:
        yield Finding(
            area=area,
            what=what,
            state="failed",
            found=str(error),
            fix="Give the key that the logins were stored with, or store them anew: jdebill credentials set NAME.",
            fault="ours",
        )
        return None
    source = "JDEBILL_MASTER_KEY" if settings.master_key else str(settings.key_file)
    yield Finding(area=area, what=what, state="ok", found=f"from {source}, id {vault.key_id.hex()}")
    return vault
