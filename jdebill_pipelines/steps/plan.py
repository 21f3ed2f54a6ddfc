"""What a sync would do now: reads both sides, judges, writes nothing outside and leaves no draft behind.

Belongs here: the order of reading and the rows of the plan. Does not belong here: the rules; they are the same
functions that the steps call.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.domain.documents import BillDraft
from jdebill_pipelines.domain.periods import month_of
from jdebill_pipelines.domain.suppliers import vendor_content, vendor_status
from jdebill_pipelines.domain.vendor_matching import VendorMatching
from jdebill_pipelines.steps import bill_side, extract, gl, vendors
from jdebill_pipelines.steps.bill_drafts import KINDS, Judged, Scope, judge
from jdebill_pipelines.steps.context import Mode, StepContext
from jdebill_pipelines.steps.poll import PLAN_RUN, changed_months
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.store.canonical import content_hash
from jdebill_pipelines.store.drafts import Draft

Progress = Callable[[str, int, int | None], None]
PLANNED_VENDOR = "new:vendor:"


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One document or reference, and what a sync would do with it.

    Attributes:
        kind: vendor, bill, vendor_credit, account, department.
        action: create, update, archive, restore, skip, hold.
        amount: in ``currency``, major units.
    """

    kind: str
    natural_key: str
    action: str
    reason: str = ""
    period: str = ""
    party: str = ""
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync would do, in the order of kind, month, key."""

    mode: str
    periods: tuple[str, ...]
    rows: tuple[PlanRow, ...]


def make_plan(settings: Settings, connection_name: str, periods: Sequence[str] | None, *, progress: Progress) -> Plan:
    """Find out what a sync would do now.

    JDE and BILL are read and our staging and mirror are refreshed (they are copies of the other sides); drafts,
    verdicts, links and the ledger stay as they are, and neither side is written to.

    Args:
        settings: with a database URL.
        connection_name: a connection that exists.
        periods: months for a full read, None for what the delta run would do now.
        progress: called with (what, done, total).

    Raises:
        ApiError: a side cannot be read.
    """
    connections = load_connections(settings.connections_dir)
    runtime = Runtime(settings, connections)
    try:
        ctx = runtime.context(
            connection_name,
            run_id=f"{PLAN_RUN}{uuid.uuid4().hex}",
            asset_key="",
            mode=Mode.FULL,
            periods=tuple(periods or ()),
            progress=progress,
        )
        mode = Mode.FULL
        if periods is None:
            mode = Mode.DELTA
            # A plan reads the months that changed whole: the outcome is the same, and no watermark moves.
            months = tuple(changed_months(ctx)) or (month_of(ctx.today),)
            ctx = runtime.context(connection_name, run_id=ctx.run_id, asset_key="", periods=months, progress=progress)
        _read(ctx, progress)
        return Plan(str(mode), ctx.periods, tuple(_rows(ctx)))
    finally:
        runtime.close()


def _read(ctx: StepContext, progress: Progress) -> None:
    readers = [
        ("companies", extract.companies),
        ("accounts", extract.accounts),
        ("business units", extract.business_units),
        ("suppliers", extract.suppliers),
        ("vouchers", extract.vouchers),
        ("purchase orders", extract.purchase_orders),
    ]
    for done, (what, read) in enumerate(readers):
        progress(f"reading {what}", done, len(readers) + 1)
        read(ctx)
    progress("reading BILL", len(readers), len(readers) + 1)
    bill_side.refresh_vendors(ctx)
    bill_side.refresh_classifications(ctx, "accounts")
    bill_side.refresh_classifications(ctx, "departments")
    if any(ctx.store.links.all(kind) for kind in KINDS):
        bill_side.refresh_bills(ctx)


def _rows(ctx: StepContext) -> list[PlanRow]:
    mapped = gl.mapped(ctx)
    used = gl.used_accounts(ctx, mapped)
    rows = [PlanRow("account", m.number, "create", m.name) for m in mapped.missing_accounts(used)]
    rows += [PlanRow("department", m.value, "create", m.name) for m in mapped.missing_departments(used)]
    matching = vendors.match(ctx)
    rows += _vendor_rows(ctx, matching)
    planned = _planned_vendors(ctx, matching)
    links = {kind: ctx.store.links.all(kind) for kind in KINDS}
    judged = judge(ctx, Scope(ctx.periods), mapped.planned(), links, planned_vendors=planned)
    written = {(k, key): (link.content_hash, link.archived) for k, of in links.items() for key, link in of.items()}
    return rows + _document_rows(judged, written)


def _vendor_rows(ctx: StepContext, matching: VendorMatching) -> list[PlanRow]:
    links = ctx.store.links.all("vendor")
    rows = []
    for number, supplier in vendors.staged_suppliers(ctx).items():
        decision = matching.decisions[number]
        status, reason = vendor_status(supplier)
        if status == "due" and decision.action == "held":
            status, reason = "held", decision.reason
        action = {"held": "hold", "not_due": "skip"}.get(status, "create" if decision.action == "create" else "update")
        if action == "update":
            link = links.get(number)
            if link is not None and link.content_hash == content_hash("vendor", vendor_content(supplier)):
                action, reason = "skip", "unchanged"
        rows.append(PlanRow("vendor", number, action, reason or supplier.name, party=number))
    return rows


def _planned_vendors(ctx: StepContext, matching: VendorMatching) -> dict[str, str]:
    """The vendor each supplier has or would get: ids of what is to be created are placeholders."""
    found = {}
    for number, supplier in vendors.staged_suppliers(ctx).items():
        decision = matching.decisions[number]
        if decision.vendor_id:
            found[number] = decision.vendor_id
        elif decision.action == "create" and vendor_status(supplier)[0] == "due":
            found[number] = f"{PLANNED_VENDOR}{number}"
    return found


def _document_rows(judged: Judged, written: dict[tuple[str, str], tuple[str | None, bool]]) -> list[PlanRow]:
    failed = {(v.kind, v.natural_key): v.failures for v in judged.verdicts if not v.passed}
    closed = {period: d.reasons for period, d in judged.decisions.items() if not d.is_open}
    drafts: dict[tuple[str, str], BillDraft] = {(d.kind, d.natural_key): d for d in judged.drafts}
    rows = []
    for stored in judged.stored:
        key = (stored.kind, stored.natural_key)
        action, reason = _action(stored, written.get(key))
        if action not in ("skip",) and key in failed:
            action, reason = "hold", failed[key][0].reason if failed[key] else stored.reason
        elif action not in ("skip", "hold") and stored.period in closed:
            action, reason = "hold", f"gate closed: {'; '.join(closed[stored.period])}"
        draft = drafts.get(key)
        rows.append(
            PlanRow(
                stored.kind,
                stored.natural_key,
                action,
                reason,
                stored.period,
                stored.party,
                draft.signed_amount if draft else stored.amount,
                stored.currency,
            )
        )
    return sorted(rows, key=lambda r: (r.kind, r.period, r.natural_key))


def _action(stored: Draft, written: tuple[str | None, bool] | None) -> tuple[str, str]:
    if stored.operation == "archive":
        return "archive", stored.reason
    if stored.status == "held":
        return "hold", stored.reason
    if stored.status == "not_due":
        return "skip", stored.reason
    if written is None:
        return "create", ""
    hash_, archived = written
    if archived:
        return "restore", stored.reason
    if hash_ == content_hash(stored.kind, stored.content):
        return "skip", "unchanged"
    return "update", stored.reason
