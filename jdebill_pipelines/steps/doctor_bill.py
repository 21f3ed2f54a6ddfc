"""BILL's part of the preflight: the API, the login, what it may read, the limits, the webhook subscription.

Belongs here: questions to BILL and what their answers mean. Does not belong here: how they are asked (``bill``). No
write is tried: that the login may create vendors and bills shows at the first of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from time import monotonic

from jdebill_pipelines.bill.client import BillClient
from jdebill_pipelines.bill.listing import Query
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.steps.doctor import Finding, Findings, clock, failure, guarded, now
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.steps.webhook_watch import status
from jdebill_pipelines.store.slots import PgCallGate
from jdebill_pipelines.transport.errors import ApiError, AuthenticationError
from jdebill_pipelines.transport.http import HttpConfig, HttpSession

AREA = "BILL"
_PATIENCE = 15.0
_SCARCE = 5  # a fifth of the hour's calls left


def ask_bill(runtime: Runtime, connection: Connection) -> Findings:
    """Ask BILL everything that a run needs of it. Reads only; keeps to the shared slots and budget as every call."""
    login = runtime.secrets(connection.name, "bill")
    bill = connection.bill
    gate = PgCallGate(
        runtime.engine,
        login["dev_key"],
        bill.organization_id,
        max_in_flight=bill.max_in_flight,
        hourly_budget=bill.hourly_budget,
    )
    try:
        client = runtime.bill(connection.name).patient(_PATIENCE)
        yield from guarded(AREA, "API", lambda: _api(client, connection))
        yield from guarded(AREA, "clock", lambda: _clock(gate, connection))
        try:
            yield from list(_session(client, connection))
        except ApiError as error:
            fix = "" if isinstance(error, AuthenticationError) else "Check api_url, and what stands between."
            yield failure(AREA, "login", error, fix=fix)
            return
        for what, one in _lists(client).items():
            yield from guarded(AREA, what, functools.partial(_list, what, one))
        yield _budget(gate, connection)
        yield from guarded(AREA, "webhooks", lambda: _webhooks(runtime, connection))
    finally:
        gate.close()


def _api(client: BillClient, connection: Connection) -> Iterator[Finding]:
    health = client.health()
    words = " ".join(w for w in (health.app_env or "", health.app_version or "") if w)
    yield Finding(area=AREA, what="API", state="ok", found=f"{connection.bill.api_url} answers {words}".strip())


def _clock(gate: PgCallGate, connection: Connection) -> Iterator[Finding]:
    http = HttpSession(HttpConfig(connect_timeout=10, read_timeout=30))
    try:
        if gate.spend() > 0:
            yield Finding(area=AREA, what="clock", state="skipped", found="not asked: the hour's calls are used up")
            return
        began = monotonic()
        with gate.slot():
            waited, sent = monotonic() - began, now()
            response = http.request("GET", connection.bill.api_url + "/v3/health")
            received = now()
        yield clock(AREA, response.headers, sent, received)
        yield Finding(
            area=AREA,
            what="call slots",
            state="ok",
            found=f"{connection.bill.max_in_flight} at once over all processes; one was free after {waited:.1f} s",
        )
    finally:
        http.close()


def _session(client: BillClient, connection: Connection) -> Findings:
    session = client.verify_session()
    wanted = connection.bill.organization_id
    if session.organization_id and session.organization_id != wanted:
        yield Finding(
            area=AREA,
            what="login",
            state="failed",
            found=f"logged in to {session.organization_id} in place of {wanted}",
            fix="Correct bill.organization_id, or store the login of the right organization.",
            fault="theirs",
        )
        return
    trusted = (session.mfa_status or "").upper() == "COMPLETE" or bool(session.mfa_bypass)
    rights = (
        "trusted: it could make payments; a sync token cannot, and is enough"
        if trusted
        else "not trusted: it can sync and cannot pay, which is all that is needed"
    )
    yield Finding(area=AREA, what="login", state="ok", found=f"organization {wanted}, {rights}")


def _lists(client: BillClient) -> dict[str, Callable[[Query], object]]:
    """What is read, by what BILL calls the right to it."""
    return {
        "vendors": client.vendors.fetch,
        "bills": client.bills.fetch,
        "vendor credits": client.vendor_credits.fetch,
        "payments": client.payments.fetch,
        "chart of accounts": client.accounts.fetch,
        "departments": client.departments.fetch,
    }


def _list(what: str, one: Callable[[Query], object]) -> Iterator[Finding]:
    one(Query(max=1))
    yield Finding(area=AREA, what=what, state="ok", found="readable")


def _budget(gate: PgCallGate, connection: Connection) -> Finding:
    spent, budget = gate.spent, connection.bill.hourly_budget
    left = max(budget - spent, 0)
    words = f"{left:,} of {budget:,} calls of this hour are left"
    if left * _SCARCE >= budget:
        return Finding(area=AREA, what="call budget", state="ok", found=words)
    return Finding(
        area=AREA,
        what="call budget",
        state="warning",
        found=words,
        fix="Runs wait for the next full hour when it is used up. Other programs with this developer key use it too.",
    )


def _webhooks(runtime: Runtime, connection: Connection) -> Iterator[Finding]:
    what = "webhooks"
    if connection.bill.webhook_url is None:
        yield Finding(
            area=AREA, what=what, state="ok", found="not used (bill.webhook_url): BILL's changes are found by polling"
        )
        return
    found = status(runtime, connection.name)
    for problem in found.problems:
        words, _, command = problem.partition("; run: ")
        yield Finding(
            area=AREA,
            what=what,
            state="warning",
            found=words,
            fix=f"Run: {command}" if command else "See: jdebill webhooks status " + connection.name,
        )
    if not found.problems:
        sent = f"{found.sent} events in a day, none missed" if found.sent else "no event in the last day"
        yield Finding(area=AREA, what=what, state="ok", found=f"enabled for {found.url}; {sent}")
