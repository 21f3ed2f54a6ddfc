"""Vouchers and orders become drafts of bills and vendor credits, each with its verdict.

Belongs here: the asset ``sync/bill_drafts``: what is read, in which order, and what is stored. Does not belong here:
the rules (``domain``), the verdicts (``schemas``), the writing (``bills``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.canonical import content_hash
from jdebill_pipelines.domain.changes import BillState, Change, decide_change
from jdebill_pipelines.domain.documents import BillDraft, DraftContext, VendorTarget
from jdebill_pipelines.domain.gl_mapping import GlMap
from jdebill_pipelines.domain.keys import BadKeyError, OrderKey, OrderLink, VoucherKey
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.purchase_orders import (
    OrderRules,
    OrderTables,
    billed_orders,
    build_order_drafts,
    paid_in_jde,
    without_paid,
)
from jdebill_pipelines.domain.suppliers import Supplier
from jdebill_pipelines.domain.tables import JdeTable
from jdebill_pipelines.domain.verdicts import Verdict, overridden
from jdebill_pipelines.domain.vouchers import VoucherRules, build_voucher_drafts
from jdebill_pipelines.schemas.gate import GateReference, judge_bill_drafts
from jdebill_pipelines.schemas.systemic import GateDecision, ReferenceState, judge_systemic
from jdebill_pipelines.steps import gl as gl_step
from jdebill_pipelines.steps.bill_side import refresh_bills
from jdebill_pipelines.steps.context import Mode, StepContext, StepResult
from jdebill_pipelines.steps.holding import failures_by_document, held, reference_state, tell, tolerance
from jdebill_pipelines.steps.settled import settled
from jdebill_pipelines.steps.vendors import staged_suppliers
from jdebill_pipelines.store.drafts import Draft
from jdebill_pipelines.store.links import Link

GATE = "bills"
KINDS = ("bill", "vendor_credit")
ORDER_ITEMS = ("KCOO", "DCTO", "DOCO", "SFXO")
VOUCHER_ITEMS = ("KCO", "DCT", "DOC")


class Scope(msgspec.Struct, frozen=True):
    """Which documents are drafted: whole months, and single documents of other months."""

    periods: tuple[str, ...]
    vouchers: frozenset[VoucherKey] = frozenset()
    orders: frozenset[OrderKey] = frozenset()


class Judged(msgspec.Struct, frozen=True):
    """What drafting found, before anything of it is stored."""

    drafts: list[BillDraft]
    stored: list[Draft]
    verdicts: list[Verdict]
    decisions: dict[str, GateDecision]


def bill_drafts(ctx: StepContext) -> StepResult:
    """Draft and judge the documents of the run; in a delta run also those that are held elsewhere."""
    links = {kind: ctx.store.links.all(kind) for kind in KINDS}
    if ctx.mode is Mode.FULL and any(links.values()):
        refresh_bills(ctx)
    scope = scope_of(ctx)
    judged = judge(ctx, scope, gl_step.mapped(ctx), links)
    result = StepResult(counts={"documents": len(judged.drafts)})
    waiting = held(judged.stored, failures_by_document(judged.verdicts))
    ctx.store.drafts.put(GATE, judged.stored, run_id=ctx.run_id, replace_periods=scope.periods)
    ctx.store.verdicts.put(GATE, judged.verdicts, run_id=ctx.run_id)
    for period, decision in judged.decisions.items():
        ctx.store.verdicts.set_gate(GATE, period, decision.is_open, decision.reasons, run_id=ctx.run_id)
    keys = [str(k) for k in (*scope.vouchers, *scope.orders)]
    ctx.store.quarantine.hold(GATE, waiting, run_id=ctx.run_id, periods=scope.periods, keys=keys)
    _totals(result, judged, {(h.kind, h.natural_key) for h in waiting})
    tell(result, GATE, waiting, judged.decisions)
    return result


def scope_of(ctx: StepContext) -> Scope:
    """The run's months; in a delta run also held documents of other months, which a repair elsewhere may release."""
    if ctx.mode is Mode.FULL:
        return Scope(ctx.periods)
    vouchers, orders = set(), set()
    for row in ctx.store.quarantine.open(GATE):
        if row.period not in ctx.periods:
            try:
                orders.add(OrderKey.parse(row.natural_key))
            except BadKeyError:
                vouchers.add(VoucherKey.parse(row.natural_key))
    return Scope(ctx.periods, frozenset(vouchers), frozenset(orders))


def judge(
    ctx: StepContext,
    scope: Scope,
    gl: GlMap,
    links: Mapping[str, Mapping[str, Link]],
    *,
    planned_vendors: Mapping[str, str] | None = None,
) -> Judged:
    """Draft and judge; stores nothing. ``plan`` uses it as well.

    Args:
        ctx: of the asset.
        scope: which documents.
        gl: the accounts.
        links: what is written already, by kind and key.
        planned_vendors: vendor ids by supplier in place of the linked ones, for a plan.
    """
    suppliers = staged_suppliers(ctx)
    currencies = Currencies.from_rows(ctx.store.staging.read(t.F0013))
    vendors = {row["id"]: row["raw"] for row in ctx.store.mirror.read("vendors")}
    if planned_vendors is None:
        planned_vendors = {key: link.remote_id for key, link in ctx.store.links.all("vendor").items()}
    context = DraftContext(
        suppliers=suppliers,
        vendors={
            key: VendorTarget(id_, _bill_currency(vendors.get(id_), suppliers.get(key)))
            for key, id_ in planned_vendors.items()
        },
        gl=gl,
        currencies=currencies,
        companies={row["CO"]: row["CRCD"] for row in ctx.store.staging.read(t.F0010)},
        settled=settled(ctx),
    )
    drafts = _documents(ctx, scope, context, links)
    stored, changed = [], []
    states = _states(ctx, drafts, links)
    for draft in drafts:
        change = _change(draft, links, states)
        changed.append(_with(draft, change))
        stored.append(_stored(changed[-1], change))
    gone = _disappeared(ctx, scope, {d.natural_key for d in drafts}, links)
    verdicts = judge_bill_drafts(changed, GateReference(suppliers, gl, currencies))
    verdicts = _let_pass(ctx, changed, verdicts)
    # What is archived was judged when it was written; taking it back needs no valid account any more.
    known = {(v.kind, v.natural_key) for v in verdicts}
    for taken_back in (*stored, *gone):
        if taken_back.operation == "archive" and (taken_back.kind, taken_back.natural_key) not in known:
            verdicts.append(Verdict(taken_back.kind, taken_back.natural_key, _hash(taken_back), True))
    return Judged(drafts, [*stored, *gone], verdicts, _decisions(ctx, scope, changed, verdicts, gone, links))


def _bill_currency(vendor: Mapping[str, Any] | None, supplier: Supplier | None) -> str:
    """The vendor's currency at BILL; of one that is only planned the one it would be created with."""
    if vendor is not None:
        return str(vendor.get("billCurrency") or "")
    return supplier.currency if supplier else ""


def _let_pass(ctx: StepContext, drafts: Sequence[BillDraft], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Take away what a person overrode; a draft that its own rules hold stays held."""
    allowed: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key, rule, hash_ in ctx.store.quarantine.overrides(GATE):
        allowed[key, hash_].add(rule)
    due = {(d.kind, d.natural_key) for d in drafts if d.status == "due"}
    return [
        overridden(v, frozenset(allowed.get((v.natural_key, v.content_hash), ())))
        if (v.kind, v.natural_key) in due
        else v
        for v in verdicts
    ]


def _documents(
    ctx: StepContext, scope: Scope, context: DraftContext, links: Mapping[str, Mapping[str, Link]]
) -> list[BillDraft]:
    sync, jde = ctx.connection.sync, ctx.connection.jde
    linked_orders = [str(k) for k in links["bill"] if _is_order(k)]
    vouchers = "vouchers" in sync.documents
    orders: list[BillDraft] = []
    if "purchase_orders" in sync.documents:
        headers = _rows(ctx, t.F4301, scope.periods, ORDER_ITEMS, scope.orders)
        extra = [OrderKey.of(row) for row in headers]
        lines_, holds, receipts = (
            _rows(ctx, table, scope.periods, ORDER_ITEMS, scope.orders) for table in (t.F4311, t.F4209, t.F43121)
        )
        tables = OrderTables(headers, lines_, holds, receipts, ctx.store.staging.read(t.F0014))
        rules = OrderRules(
            approved_next_status={k: tuple(v) for k, v in jde.approved_next_status.items()},
            basis=sync.purchase_order_basis,
            default_net_days=sync.default_net_days,
            companies=tuple(jde.companies),
        )
        context = msgspec.structs.replace(context, taken=_taken(ctx, {str(k) for k in extra}))
        matched = _matched_vouchers(ctx)
        orders = build_order_drafts(tables, context, rules, vouchered=_vouchered(matched, links) if vouchers else {})
        paid = paid_in_jde(matched)
        orders = [d if d.natural_key in links["bill"] else without_paid(d, paid) for d in orders]
    if not vouchers:
        return orders
    items = _rows(ctx, t.F0411, scope.periods, VOUCHER_ITEMS, scope.vouchers)
    lines = _rows(ctx, t.F0911, scope.periods, VOUCHER_ITEMS, scope.vouchers)
    context = msgspec.structs.replace(context, taken=_taken(ctx, {str(VoucherKey.of(row)) for row in items}))
    rules_ = VoucherRules(
        document_types=tuple(jde.voucher_document_types),
        pay_statuses=tuple(jde.voucher_pay_status),
        companies=tuple(jde.companies),
    )
    return orders + build_voucher_drafts(
        items, lines, context, rules_, billed_orders=billed_orders(orders, linked_orders)
    )


def _rows(
    ctx: StepContext, table: JdeTable, periods: Sequence[str], items: Sequence[str], keys: Iterable[Any]
) -> list[dict[str, Any]]:
    rows = ctx.store.staging.read(table, periods=periods)
    wanted = [tuple(Decimal(v) if isinstance(v, int) else v for v in key) for key in keys]
    return rows + (ctx.store.staging.read_by_keys(table, items, wanted) if wanted else [])


def _taken(ctx: StepContext, drafted: set[str]) -> dict[tuple[str, str], str]:
    """Invoice numbers that other documents already use, by supplier."""
    return ctx.store.drafts.invoice_numbers(GATE, except_keys=drafted)


def _matched_vouchers(ctx: StepContext) -> list[dict[str, Any]]:
    """All staged pay items that name an order, of whatever month."""
    columns = ("KCO", "DCT", "DOC", "PKCO", "PO", "PDCT", "AG", "AAP", "VOD")
    return [row for row in ctx.store.staging.read(t.F0411, columns=columns) if row["PO"]]


def _vouchered(matched: Iterable[Mapping[str, Any]], links: Mapping[str, Mapping[str, Link]]) -> dict[OrderLink, str]:
    """Orders whose voucher is in BILL already."""
    found = {}
    for row in matched:
        link, key = OrderLink.of(row), str(VoucherKey.of(row))
        if link is not None and any(key in links[kind] and not links[kind][key].archived for kind in KINDS):
            found[link] = key
    return found


def _states(
    ctx: StepContext, drafts: Sequence[BillDraft], links: Mapping[str, Mapping[str, Link]]
) -> dict[str, BillState]:
    """How far the linked bills have gone: those that would change are read from BILL now, the others as mirrored."""
    states = {
        row["id"]: BillState.of(row["raw"])
        for kind in ("bills", "vendor_credits")
        for row in ctx.store.mirror.read(kind)
    }
    for draft in drafts:
        link = links[draft.kind].get(draft.natural_key)
        if (
            link is None
            or draft.status == "held"
            or (draft.status == "due" and link.content_hash == draft.content_hash)
        ):
            continue
        if draft.status == "not_due" and link.archived:
            continue
        client = ctx.bill().bills if draft.kind == "bill" else ctx.bill().vendor_credits
        states[link.remote_id] = BillState.of(msgspec.to_builtins(client.get(link.remote_id), builtin_types=(Decimal,)))
    return states


def _change(draft: BillDraft, links: Mapping[str, Mapping[str, Link]], states: Mapping[str, BillState]) -> Change:
    link = links[draft.kind].get(draft.natural_key)
    if link is None:
        return decide_change(draft, None, linked_hash=None)
    same = draft.status == "due" and link.content_hash == draft.content_hash and not link.archived
    if same and link.remote_id not in states:
        return Change("none")
    return decide_change(draft, states.get(link.remote_id), linked_hash=link.content_hash, archived_by_us=link.archived)


def _with(draft: BillDraft, change: Change) -> BillDraft:
    if change.failure is None:
        return draft
    return msgspec.structs.replace(
        draft, status="held", reason=change.reason, problems=(*draft.problems, change.failure)
    )


def _stored(draft: BillDraft, change: Change) -> Draft:
    archive = change.operation == "archive"
    return Draft(
        kind=draft.kind,
        natural_key=draft.natural_key,
        period=draft.period,
        status="due" if archive else draft.status,
        operation="archive" if archive else "create",
        reason=draft.reason or change.reason or (draft.problems[0].reason if draft.problems else ""),
        content=draft.content(),
        amount=draft.amount,
        currency=draft.currency,
        party=draft.supplier,
        source=draft.source,
        details={
            "invoice_number": draft.invoice_number,
            "original_invoice_number": draft.original_invoice_number,
            "company": draft.company,
            "gross_amount": draft.gross_amount,
            "lines": [
                {
                    "line": x.line,
                    "account": x.account_code,
                    "aid": x.aid,
                    "amount": x.amount,
                    # What a payment of the bill is booked on, when it is not a voucher's.
                    "business_unit": x.business_unit,
                    "object": x.object,
                    "subsidiary": x.subsidiary,
                    "subledger": x.subledger,
                    "subledger_type": x.subledger_type,
                    "description": x.description,
                }
                for x in draft.lines
            ],
            **draft.details,
        },
    )


def _disappeared(
    ctx: StepContext, scope: Scope, drafted: set[str], links: Mapping[str, Mapping[str, Link]]
) -> list[Draft]:
    """Documents of whole months that have a live bill and that JDE no longer shows."""
    if ctx.mode is not Mode.FULL:
        return []
    gone = []
    for old in ctx.store.drafts.read(GATE, periods=scope.periods):
        link = links.get(old.kind, {}).get(old.natural_key)
        if old.natural_key in drafted or link is None or link.archived:
            continue
        client = ctx.bill().bills if old.kind == "bill" else ctx.bill().vendor_credits
        state = BillState.of(msgspec.to_builtins(client.get(link.remote_id), builtin_types=(Decimal,)))
        change = decide_change(None, state, linked_hash=link.content_hash, archived_by_us=link.archived)
        kept = {f: getattr(old, f) for f in Draft.__struct_fields__} | {"reason": change.reason or "disappeared"}
        operation = "archive" if change.operation == "archive" else "create"
        status = "held" if change.operation == "hold" else "due" if operation == "archive" else "not_due"
        gone.append(Draft(**kept | {"operation": operation, "status": status}))
    return gone


def _decisions(
    ctx: StepContext,
    scope: Scope,
    drafts: Sequence[BillDraft],
    verdicts: Sequence[Verdict],
    gone: Sequence[Draft],
    links: Mapping[str, Mapping[str, Link]],
) -> dict[str, GateDecision]:
    """Open or close the gate of every month of the run, and of no other."""
    references = _references(ctx)
    month = {(d.kind, d.natural_key): d.period for d in drafts} | {(d.kind, d.natural_key): d.period for d in gone}
    by_period: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_period[month[verdict.kind, verdict.natural_key]].append(verdict)
    decisions = {}
    for period in scope.periods:
        lost = sum(d.period == period for d in gone)
        known = lost + sum(d.period == period and d.natural_key in links[d.kind] for d in drafts)
        decisions[period] = judge_systemic(
            by_period[period], references, tolerance(ctx), now=ctx.now, disappeared=lost, known=known
        )
    return decisions


def _references(ctx: StepContext) -> list[ReferenceState]:
    sync = ctx.connection.sync
    states = [
        reference_state(ctx, t.F0010, "companies"),
        reference_state(ctx, t.F0901, "accounts"),
        reference_state(ctx, t.F0006, "business units"),
        reference_state(ctx, t.F0401, "suppliers"),
    ]
    create = sync.create_missing
    needs = (("accounts", not create.accounts), ("departments", bool(sync.gl.department) and not create.departments))
    for kind, needed in needs:
        rows = ctx.store.mirror.read(kind, columns=("id", "seen_at"))
        seen = max((row["seen_at"] for row in rows), default=ctx.now if not needed else None)
        states.append(ReferenceState(f"BILL {kind}", len(rows), seen, may_be_empty=not needed))
    return states


def _totals(result: StepResult, judged: Judged, held_keys: set[tuple[str, str]]) -> None:
    reasons: dict[str, int] = defaultdict(int)
    for draft in judged.drafts:
        is_held = (draft.kind, draft.natural_key) in held_keys
        name = "held" if is_held else "not due" if draft.status == "not_due" else "passed"
        result.add_total(name, draft.currency, draft.signed_amount)
        result.add(name)
        if draft.status == "not_due":
            reasons[draft.reason] += 1
    result.tables["not due, by reason"] = [
        {"reason": reason, "documents": n} for reason, n in sorted(reasons.items(), key=lambda x: -x[1])[:25]
    ]


def _is_order(key: str) -> bool:
    return key.count("-") == 3


def _hash(draft: Draft) -> str:
    return content_hash(draft.kind, draft.content)
