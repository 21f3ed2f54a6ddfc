"""What the journal keeps of the world around the documents: open fiscal periods, and the logins that we work as.

Belongs here: noticing that one of them is another than before, and one entry for that. Does not belong here: judging it
(audit/). Neither system keeps a history of these that we could read later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.periods import CompanyCalendar, FiscalCalendars
from jdebill_pipelines.domain.rows import text
from jdebill_pipelines.steps.context import Mode, StepContext
from jdebill_pipelines.store.journal import Entry, JournalRow
from jdebill_pipelines.transport.errors import PermanentError

EVENT = "observed"
FISCAL_PERIOD, IDENTITY = "fiscal_period", "identity"


def observe_periods(ctx: StepContext) -> None:
    """Note the current payables period of each company of the connection (F0010.APPN by F0008), when it moved."""
    calendars = FiscalCalendars.from_rows(ctx.store.staging.read(t.F0008))
    for row in ctx.store.staging.read(t.F0010, where={"CO": ctx.connection.jde.companies}):
        current = CompanyCalendar.of(row, calendars).current
        if current is not None:
            body = {"period": current.label, "begins": current.start.isoformat(), "ends": current.end.isoformat()}
            _note(ctx, FISCAL_PERIOD, text(row, "CO"), "", body)


def observe_bill_identity(ctx: StepContext) -> None:
    """Note the BILL user that we work as, when it is another; asked for in full runs, and while none is known.

    A BILL that does not tell is no reason to stop: the audit then says that the identity is unknown.
    """
    if ctx.mode is not Mode.FULL and _last(ctx, IDENTITY, "bill") is not None:
        return
    try:
        session = ctx.bill().verify_session()
    except PermanentError as error:
        ctx.log.warning("BILL does not tell whose login this is: %s", error)
        return
    if session.user_id:
        _note(ctx, IDENTITY, "bill", session.user_id, {"organization": session.organization_id or ""})


def _last(ctx: StepContext, kind: str, what: str) -> JournalRow | None:
    found = ctx.store.journal.read(natural_keys=[what], events=[EVENT])
    return next((entry for entry in reversed(found) if entry.kind == kind), None)


def _note(ctx: StepContext, kind: str, what: str, remote_id: str, body: Mapping[str, Any]) -> None:
    known = _last(ctx, kind, what)
    if known is not None and (known.remote_id, known.body) == (remote_id, dict(body)):
        return
    ctx.store.journal.append(
        [
            Entry(
                event=EVENT,
                kind=kind,
                natural_key=what,
                remote_id=remote_id,
                run_id=ctx.run_id,
                asset_key=ctx.asset_key,
                actor=ctx.actor,
                body=dict(body),
            )
        ]
    )
