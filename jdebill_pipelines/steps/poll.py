"""Asks JDE cheaply what changed since the watermark, and records what is due. Reads keys only, writes nothing outside.

Belongs here: detecting. Does not belong here: reading what changed (``extract``, in the run that follows).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.periods import month_of
from jdebill_pipelines.domain.tables import JdeTable
from jdebill_pipelines.jde.where import Where, all_of, any_of, ge
from jdebill_pipelines.steps.context import StepContext, StepResult

FLOW = "jde"
OVERLAP = timedelta(days=1)
DRAFTING = "sync/bill_drafts"  # the asset that makes something of what was staged
PLAN_RUN = "plan-"  # how the ids of plans begin: they are no runs and leave no record

# What is asked, and whose month a change belongs to. A changed line is a change of its order or voucher.
DATED: tuple[tuple[JdeTable, str], ...] = (
    (t.F0411, "DGJ"),
    (t.F0911, "DGJ"),
    (t.F4301, "TRDJ"),
    (t.F4311, "TRDJ"),
)


def poll(ctx: StepContext, *, source: str = "schedule") -> StepResult:
    """Record as due what changed in JDE since the last poll.

    JDE stamps changes with its server's local date and time (UPMJ, UPMT), and a program may commit later than it
    stamps: the window reaches back a day. Rows that drafts were made of with the same stamp are no change.
    """
    result = StepResult()
    started = ctx.now
    mark = ctx.store.due.watermark(FLOW)
    since = datetime.fromisoformat(mark) if mark else None
    first = _first_day(ctx, since)
    months: set[str] = set()
    for table, found, changed in _months(ctx, first):
        result.add(table.name, changed)
        months |= found
    others, touched = _other_changes(ctx, first)
    result.add("suppliers, accounts, business units", others)
    known = _covered(ctx, months | touched)
    if known or others:
        periods = tuple(sorted(known)) or (month_of(ctx.today),)
        window = datetime.combine(first + OVERLAP, datetime.min.time(), ZoneInfo(ctx.connection.timezone))
        ctx.store.due.record(FLOW, periods=periods, since=since or window, source=source)
    ctx.store.due.set_watermark(FLOW, started.isoformat(), run_id=ctx.run_id)
    result.facts["due"] = ", ".join(sorted(known)) or ("reference data" if others else "nothing")
    return result


def changed_months(ctx: StepContext) -> list[str]:
    """The months whose documents changed since the last poll; records nothing."""
    mark = ctx.store.due.watermark(FLOW)
    first = _first_day(ctx, datetime.fromisoformat(mark) if mark else None)
    touched = _other_changes(ctx, first)[1]
    return sorted(_covered(ctx, touched | {m for _, found, _ in _months(ctx, first) for m in found}))


def _first_day(ctx: StepContext, since: datetime | None) -> date:
    if since is None:
        return ctx.connection.start_date
    return since.astimezone(ZoneInfo(ctx.connection.timezone)).date() - OVERLAP


def _covered(ctx: StepContext, months: set[str]) -> set[str]:
    return {p for p in months if p >= f"{ctx.connection.start_date:%Y-%m}"}


def _months(ctx: StepContext, first: date) -> list[tuple[JdeTable, set[str], int]]:
    """Per table: the months of what changed, and how many rows did."""
    found = []
    for table, dated in DATED:
        kinds = any_of("DCT", ctx.connection.jde.voucher_document_types) if "DCT" in table.columns else None
        changed = _changed(ctx, table, first, (dated,), kinds)
        found.append((table, {month_of(row[-1]) for row in changed if row[-1] is not None}, len(changed)))
    return found


def _changed(
    ctx: StepContext, table: JdeTable, first: date, extra: tuple[str, ...], where: Where | None = None
) -> list[tuple[Any, ...]]:
    """Rows stamped since a day that no drafts were made of with that stamp yet: key, stamp, and the extra items.

    Staged is not enough: a plan stages rows and drafts nothing, and a run may end between the two.
    """
    assert table.updated_date is not None
    assert table.updated_time is not None
    stamp = (*table.key, table.updated_date, table.updated_time)
    columns = (*stamp, *(e for e in extra if e not in stamp))
    since = ge(table.updated_date, first)
    condition = since if where is None else all_of(where, since)
    rows = [row for page in ctx.jde().browse(table, condition, columns=columns) for row in page]
    width, keyed = len(stamp), len(table.key)
    known = ctx.store.staging.read_by_keys(table, table.key, [row[:keyed] for row in rows], columns=(*stamp, "run_id"))
    readers = {row["run_id"] for row in known}
    idle = ctx.store.runs.without_part(readers, "assets", DRAFTING) | {r for r in readers if r.startswith(PLAN_RUN)}
    staged = {tuple(row[item] for item in stamp) for row in known if row["run_id"] not in idle}
    at = [columns.index(item) for item in extra]
    return [(*row[:width], *(row[i] for i in at)) for row in rows if tuple(row[:width]) not in staged]


def _other_changes(ctx: StepContext, first: date) -> tuple[int, set[str]]:
    """How many suppliers, accounts and business units changed, and the months of the documents that use them.

    A document's verdict hangs on its supplier and accounts: a hold or an inactive account has to reach documents that
    did not change themselves. Who is in the address book and no supplier does not count.
    """
    rows = ctx.store.staging.rows
    companies = any_of("CO", ctx.connection.jde.companies)
    supplier_rows = _changed(ctx, t.F0401, first, ())
    account_rows = _changed(ctx, t.F0901, first, (), companies)
    unit_rows = _changed(ctx, t.F0006, first, ())
    changed = len(supplier_rows) + len(account_rows) + len(unit_rows)
    numbers = {row[t.F0401.key.index("AN8")] for row in supplier_rows}
    suppliers = {row[0] for row in rows(t.F0401, columns=("AN8",))}
    for table in (t.F0101, t.F0111, t.F0115, t.F0116, t.F01151):
        found = [row[0] for row in _changed(ctx, table, first, ()) if row[0] in suppliers]
        changed += len(found)
        numbers |= set(found)
    accounts = {row[t.F0901.key.index("AID")] for row in account_rows}
    units = {row[t.F0006.key.index("MCU")] for row in unit_rows}
    if units:
        accounts |= {row[0] for row in rows(t.F0901, where={"MCU": units}, columns=("AID",))}
    used = (
        (t.F0411, "AN8", numbers, "DGJ"),
        (t.F4301, "AN8", numbers, "TRDJ"),
        (t.F0911, "AID", accounts, "DGJ"),
        (t.F4311, "AID", accounts, "TRDJ"),
    )
    months = {
        month_of(row[0])
        for table, item, values, dated in used
        if values
        for row in rows(table, where={item: values}, columns=(dated,))
        if row[0] is not None
    }
    return changed, months
