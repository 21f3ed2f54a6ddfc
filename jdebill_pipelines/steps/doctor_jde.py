"""JD Edwards' part of the preflight: server, login, tables, dates, orchestrations.

Belongs here: questions to AIS and what their answers mean. Does not belong here: how they are asked (``jde``).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.tables import TABLES, JdeTable
from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.config import AisCredentials
from jdebill_pipelines.jde.contracts import OrchestrationContract, check_contract
from jdebill_pipelines.jde.login import Login
from jdebill_pipelines.jde.where import any_of, eq
from jdebill_pipelines.steps.contracts import FILES, Role, load_contracts, names
from jdebill_pipelines.steps.doctor import Finding, Findings, State, clock, failure, guarded, now
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.transport.errors import ApiError, AuthenticationError
from jdebill_pipelines.transport.http import HttpConfig, HttpSession

AREA = "JD Edwards"
# Without rows in these nothing can be sent: row security hides them, or the company is another.
NEVER_EMPTY = ("F0010", "F0008", "F0006", "F0901", "F0401", "F0101", "F0116")
ORDER_TABLES = ("F4301", "F4311", "F4209", "F43121")
PAYMENT_TABLES = ("F0413", "F0414")
# Only evidence is made of these; documents go their way without them.
EVIDENCE_TABLES = ("F0011", "F0902")
_HIDDEN_COLUMNS = (
    "Columns that security hides are read as blank, and documents are judged so. Let the CNC open them to the "
    "integration role."
)


def ask_jde(runtime: Runtime, connection: Connection) -> Findings:
    """Ask the AIS Server everything that a run needs of it. Reads only."""
    login = runtime.secrets(connection.name, "jde")
    # One repetition is enough to see that a server is there; a person waits for this.
    config = replace(runtime.jde(connection.name).config, read_attempts=2)
    with AisClient(config, AisCredentials(login["username"], login["password"])) as client:
        yield from guarded(AREA, "AIS Server", lambda: _server(client))
        try:
            session = client.login()
        except AuthenticationError as error:
            yield failure(AREA, "login", error)
            return
        except ApiError as error:
            yield failure(AREA, "login", error, fix="Check ais_url, and that this machine reaches the AIS Server.")
            return
        yield from _login(session, connection)
        yield from guarded(AREA, "clock", lambda: _clock(client))
        for table in needed_tables(connection):
            ask = functools.partial(_table, client, table)
            yield from guarded(AREA, f"table {table.name}", ask, if_warned=_HIDDEN_COLUMNS)
        yield from guarded(AREA, "companies", lambda: _companies(client, connection))
        yield from guarded(AREA, "date conditions", lambda: _dates(client))
        yield from guarded(AREA, "bank account", lambda: _bank_account(client, connection))
        yield from _orchestrations(client, connection)


def needed_tables(connection: Connection) -> list[JdeTable]:
    """The tables that this connection reads."""
    unused: set[str] = set()
    if "purchase_orders" not in connection.sync.documents:
        unused |= set(ORDER_TABLES)
    if not needed_roles(connection):
        unused |= set(PAYMENT_TABLES)
    return [table for name, table in TABLES.items() if name not in unused]


def needed_roles(connection: Connection) -> list[Role]:
    """The orchestrations that this connection may call."""
    back = connection.sync.writeback
    chosen = (back.voucher, back.purchase_order, back.other)
    if set(chosen) == {"none"}:
        return []
    wanted = {"voucher": back.purchase_order == "voucher", "payment": back.voucher == "payment",
              "void": bool({"voucher", "payment"} & set(chosen)), "journal": "journal" in chosen}  # fmt: skip
    return [role for role in FILES if wanted[role]]


def _server(client: AisClient) -> Iterator[Finding]:
    info = client.server_info()
    words = [info.version or "AIS of unknown release"]
    if info.capabilities is None:
        words.append("does not list its capabilities, so all are assumed")
    else:
        absent = [name for name in ("nextPage", "dataServiceOrderBy") if not info.can(name)]
        words.append(
            f"without {', '.join(absent)}: read by key ranges" if absent else f"{len(info.capabilities)} capabilities"
        )
    words.append(f"sessions end after {info.session_timeout:.0f} idle minutes")
    yield Finding(area=AREA, what="AIS Server", state="ok", found="; ".join(words))


def _login(session: Login, connection: Connection) -> Findings:
    wanted = {"environment": connection.jde.environment, "role": connection.jde.role}
    given = {"environment": session.environment, "role": session.role}
    wrong = [f"{k} {given[k]} in place of {wanted[k]}" for k in wanted if given[k] and given[k] != wanted[k]]
    told = f"{session.environment or wanted['environment']}, role {session.role or wanted['role']}"
    if wrong:
        yield Finding(
            area=AREA,
            what="login",
            state="failed",
            found=f"logged in, but {' and '.join(wrong)}",
            fix="Let the CNC allow environment and role for this user, or correct the connection file.",
            fault="theirs",
        )
    else:
        yield Finding(area=AREA, what="login", state="ok", found=told)
    if session.decimal_mark == ",":
        yield Finding(
            area=AREA,
            what="user profile",
            state="warning",
            found="the user's decimal mark is a comma: a condition with a fraction cannot be asked",
            fix="Give the integration user the decimal format '.' in its JDE user profile.",
        )


def _clock(client: AisClient) -> Iterator[Finding]:
    http = HttpSession(HttpConfig(connect_timeout=client.config.connect_timeout, read_timeout=30))
    try:
        sent = now()
        response = http.request("GET", client.config.base + "/v2/defaultconfig")
        yield clock(AREA, response.headers, sent, now())
    finally:
        http.close()


def _table(client: AisClient, table: JdeTable) -> Iterator[Finding]:
    what = f"table {table.name}"
    evidence = table.name in EVIDENCE_TABLES
    try:
        rows = client.first_rows(table)
    except ApiError as error:
        found = failure(AREA, what, error)
        if isinstance(error, AuthenticationError):
            found = _refused(what, error)
        if evidence:
            found = _softer(found)
        yield found
        return
    if rows:
        yield Finding(area=AREA, what=what, state="ok", found=f"{len(table.columns)} columns are readable")
        return
    state: State = "warning" if table.name in NEVER_EMPTY else "ok"
    fix = "Row or business unit security hides all rows from this role, or the table is filled elsewhere: ask the CNC."
    yield Finding(area=AREA, what=what, state=state, found="readable, no rows", fix=fix if state == "warning" else "")


def _refused(what: str, error: ApiError) -> Finding:
    return Finding(
        area=AREA,
        what=what,
        state="failed",
        found=str(error).removesuffix(error.fix).rstrip(),
        fix="Grant the integration role Data Browser access to this table (P00950), without column security "
        "on the columns that docs/onboarding-a-customer.md lists.",
        fault="theirs",
    )


def _softer(finding: Finding) -> Finding:
    return Finding(
        area=finding.area,
        what=finding.what,
        state="warning",
        found=finding.found,
        fix=f"{finding.fix} Only the month-end evidence needs it.".strip(),
    )


def _companies(client: AisClient, connection: Connection) -> Iterator[Finding]:
    wanted = connection.jde.companies
    rows = client.first_rows(t.F0010, any_of("CO", wanted), columns=("CO", "NAME", "CRCD"), limit=len(wanted))
    found = {str(row[0]): f"{row[0]} {row[1]} ({row[2]})" for row in rows}
    lacking = [company for company in wanted if company not in found]
    if lacking:
        yield Finding(
            area=AREA,
            what="companies",
            state="failed",
            found=f"{', '.join(lacking)} not found in F0010",
            fix="Correct jde.companies (five characters, in quotes), or let the CNC open the company to this role.",
            fault="theirs",
        )
    else:
        yield Finding(area=AREA, what="companies", state="ok", found=", ".join(found[c] for c in wanted))


def _dates(client: AisClient) -> Iterator[Finding]:
    pattern = client.probe_date_format(t.F0411)
    profile = client.login().date_format or "unknown"
    if client.login().date_literal:
        yield Finding(
            area=AREA,
            what="date conditions",
            state="ok",
            found=f"written as {pattern}, proven on a row; the user's own format is {profile}",
        )
    else:
        yield Finding(
            area=AREA,
            what="date conditions",
            state="warning",
            found=f"no row has a date to prove it by; {pattern} is assumed",
            fix="Ask again when the tables have rows: a wrong form would find nothing, or swap day and month.",
        )


def _bank_account(client: AisClient, connection: Connection) -> Iterator[Finding]:
    aid = connection.sync.bank_account
    if aid is None:
        return
    what = "bank account"
    rows = client.first_rows(t.F0901, eq("AID", aid), columns=("AID", "CO", "MCU", "OBJ", "SUB", "DL01", "PEC"))
    if not rows:
        yield Finding(
            area=AREA,
            what=what,
            state="failed",
            found=f"{aid} is no short account id (F0901.AID)",
            fix="Correct sync.bank_account: the eight digits of the G/L bank account that payments are booked on.",
            fault="theirs",
        )
        return
    _, company, unit, object_, subsidiary, name, posting = rows[0]
    words = f"{aid} is {'.'.join(p for p in (unit, object_, subsidiary) if p)} {name}, company {company}"
    if posting in ("I", "N"):
        yield Finding(
            area=AREA,
            what=what,
            state="failed",
            found=f"{words}; posting edit code {posting}",
            fix="Nothing can be posted to it: choose another account, or open it in JD Edwards.",
            fault="theirs",
        )
    elif client.first_rows(t.F0030, eq("AID", aid), columns=("UKID", "AID")):
        yield Finding(area=AREA, what=what, state="ok", found=words)
    else:
        yield Finding(
            area=AREA,
            what=what,
            state="warning",
            found=f"{words}; not among the bank accounts (F0030)",
            fix="JD Edwards takes payments on bank accounts of F0030 only: set it up there, or choose another.",
        )


def _orchestrations(client: AisClient, connection: Connection) -> Findings:
    roles, called = needed_roles(connection), names(connection)
    if not roles:
        yield Finding(area=AREA, what="orchestrations", state="ok", found="none is called: every writeback is none")
        return
    try:
        discovered = client.discover()
    except ApiError as error:
        yield failure(AREA, "orchestrations", error, fix="Let the CNC allow discovery to this role.")
        return
    for role in roles:
        yield from _orchestration(discovered, role, called[role])


def _orchestration(discovered: dict[str, OrchestrationContract], role: Role, name: str) -> Findings:
    what = f"orchestration {name}"
    wrong = check_contract(discovered, load_contracts()[role].spec(), name)
    for line in wrong:
        yield Finding(
            area=AREA,
            what=what,
            state="failed",
            found=line.removeprefix(f"{name}: "),
            fix="orchestrations/README.md says how it is built, imported and shared; nothing is sent until it fits.",
            fault="theirs",
        )
    if not wrong:
        shown = discovered[name]
        risk = "; a step of it may fail without the whole failing" if shown.continues_on_error else ""
        yield Finding(
            area=AREA,
            what=what,
            state="warning" if risk else "ok",
            found=f"inputs and outputs fit{risk}",
            fix="Let every form request abort on error (orchestrations/README.md)." if risk else "",
        )
