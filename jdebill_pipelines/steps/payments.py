"""Reads BILL's payments into the mirror, with what each pays and every state it was seen in.

Belongs here: the asset ``bill/payments``, and telling of a state that somebody must know of. Does not belong here: what
a payment becomes in JDE (``posting_drafts``), or what makes a payment due (``webhooks``).

BILL API v3: payments made outside BILL and recorded there are in the same list (``onlinePayment`` false). ``billId`` is
no filter; filters on ``processDate`` work in practice but are not documented, so the list can do without them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from jdebill_pipelines.bill.errors import BillRefused, PermissionRefused, UntrustedSession
from jdebill_pipelines.bill.filters import gte, lte
from jdebill_pipelines.bill.models import Payment
from jdebill_pipelines.domain.alerts import AlertContent, fingerprint, rows_of
from jdebill_pipelines.domain.payment_states import Decision, Told, classify
from jdebill_pipelines.domain.periods import month_bounds
from jdebill_pipelines.steps.context import Mode, StepContext, StepResult
from jdebill_pipelines.steps.observations import observe_bill_identity
from jdebill_pipelines.transport.errors import NotFound

FLOW = "payments"
# BILL's updatedTime is its own clock's; what is written while a list is read may carry an earlier time.
OVERLAP = timedelta(minutes=5)
OWNERS: Mapping[Told, str] = {
    "ap": "team:accounts-payable",
    "controller": "team:finance",
    "on_call": "team:data-engineering",
}


def payments(ctx: StepContext) -> StepResult:
    """Mirror what changed since the last time, what the run was started for, and in a full run the months whole."""
    result = StepResult(counts={"payments": 0})
    observe_bill_identity(ctx)
    entities, since = _due(ctx)
    latest = ctx.store.mirror.latest("payments")
    if latest is None:
        # Also in a full run of some months: from now on only changes are listed, so nothing may be missing before.
        _keep(ctx, _of_days(ctx, ctx.connection.start_date, None), "list", result)
    elif ctx.mode is Mode.FULL and ctx.periods:
        bounds = month_bounds(ctx.periods[0])[0], month_bounds(ctx.periods[-1])[1]
        _keep(ctx, _of_days(ctx, *bounds), "list", result)
    if latest is not None:
        anchor = _moment(latest) - OVERLAP
        _keep(ctx, ctx.bill().payments.list_changed(min(anchor, since or anchor)), "list", result)
    _keep(ctx, _by_id(ctx, entities, result), "get", result)
    _tell_of_states(ctx, result)
    return result


def poll_payments(ctx: StepContext, *, source: str = "schedule") -> int:
    """Record as due the payments that changed in BILL, for where no webhook told of them; returns how many.

    Raises:
        ApiError: BILL cannot be asked.
    """
    latest = ctx.store.mirror.latest("payments")
    if latest is None:
        # While BILL has no payments there is nothing to run for; when the first ones are there, they are listed whole.
        first = datetime.combine(ctx.connection.start_date, datetime.min.time(), ZoneInfo(ctx.connection.timezone))
        found = [p for p in ctx.bill().payments.list_changed(first) if _covered(ctx, p)]
        if found:
            ctx.store.due.record(FLOW, source=source, since=first)
        return len(found)
    listed = {p.id: p for p in ctx.bill().payments.list_changed(_moment(latest) - OVERLAP)}
    known = {row["id"]: row for row in ctx.store.mirror.payments(ids=listed)}
    changed = [i for i, payment in listed.items() if i not in known or _differs(payment, known[i])]
    if changed:
        ctx.store.due.record(FLOW, source=source, entities=changed)
    return len(changed)


def _covered(ctx: StepContext, payment: Payment) -> bool:
    return payment.process_date is not None and payment.process_date >= ctx.connection.start_date


def _differs(payment: Payment, known: Mapping[str, Any]) -> bool:
    """Whether BILL shows another payment than was mirrored; its times may be coarser than two changes are apart."""
    raw = known["raw"]
    then = raw.get("updatedTime")
    if payment.updated_time is not None and (then is None or _moment(then) != payment.updated_time):
        return True
    shown = (payment.single_status or "", payment.status or "")
    return shown != (raw.get("singleStatus") or "", raw.get("status") or "")


def touched(ctx: StepContext) -> list[dict[str, Any]]:
    """The mirrored payments that this run has read."""
    return ctx.store.mirror.read("payments", where={"run_id": ctx.run_id}, columns=("id", "period"))


def decide(ctx: StepContext, raw: Mapping[str, Any]) -> Decision:
    """What the state of a payment means in JDE, by the one table."""
    return classify(
        raw.get("singleStatus"),
        raw.get("status"),
        online=raw.get("onlinePayment") is not False,
        post_when=ctx.connection.sync.post_when,
    )


def _due(ctx: StepContext) -> tuple[tuple[str, ...], datetime | None]:
    """The payments that the run was started for, and from when others may have changed."""
    held = ctx.store.due.claim(ctx.run_id, [FLOW], also_ready=False)
    if held:
        held = ctx.store.due.claim(ctx.run_id, [FLOW])
    since = min((w.since for w in held if w.since is not None), default=None)
    return tuple(e for w in held for e in w.entities), since


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _of_days(ctx: StepContext, first: date, last: date | None) -> Iterable[Payment]:
    """Payments by process date; all are listed and chosen here where BILL does not take the filter."""
    filters = [gte("processDate", first), *([] if last is None else [lte("processDate", last)])]
    try:
        return list(ctx.bill().payments.list(filters))
    except (PermissionRefused, UntrustedSession):
        raise
    except BillRefused as error:
        ctx.log.warning("BILL does not filter payments by process date (%s): all are listed", error)
    return [
        p
        for p in ctx.bill().payments.list()
        if p.process_date is not None and first <= p.process_date and (last is None or p.process_date <= last)
    ]


def _by_id(ctx: StepContext, ids: Iterable[str], result: StepResult) -> Iterable[Payment]:
    for payment_id in dict.fromkeys(ids):
        try:
            yield ctx.bill().payments.get(payment_id)
        except NotFound:
            # An event is a hint and may name anything; the list shows what there is.
            result.add("announced and not found")
            ctx.log.warning("payment %s was announced, and BILL does not know it", payment_id)


def _keep(ctx: StepContext, found: Iterable[Payment], source: str, result: StepResult) -> None:
    """Mirror payments; one whose row does not say what it pays is read whole."""
    whole = []
    for payment in found:
        row, told = payment, source
        if not payment.links and source == "list":
            row, told = ctx.bill().payments.get(payment.id), "get"
        whole.append((told, row))
        if row.process_date is None:
            result.needs_person.append(f"payment {row.id} has no process date in BILL and belongs to no month")
    for told in ("list", "get"):
        rows = [row for how, row in whole if how == told]
        if rows:
            kept = ctx.store.mirror.put("payments", rows, run_id=ctx.run_id, seen_at=ctx.now, source=told)
            result.add("payments", kept.written)
            result.add("new or changed", kept.changed)


def _tell_of_states(ctx: StepContext, result: StepResult) -> None:
    """Show the states; tell somebody of each state that is new, unless the failing check tells already."""
    seen = {row["id"] for row in touched(ctx)}
    if not seen:
        return
    raws = {row["id"]: row["raw"] for row in ctx.store.mirror.payments(ids=seen)}
    decisions = {payment_id: decide(ctx, raw) for payment_id, raw in raws.items()}
    states = Counter((d.state.name, d.action) for d in decisions.values())
    result.tables["payments read, by state"] = [
        {"state": state, "in JD Edwards": action, "payments": n} for (state, action), n in sorted(states.items())
    ]
    new = _newly_in_state(ctx, seen)
    by_cause: dict[tuple[Told, str], list[str]] = defaultdict(list)
    for payment_id, decision in decisions.items():
        if payment_id in new and decision.tell != "nobody" and decision.action != "review":
            by_cause[decision.tell, decision.state.name].append(payment_id)
    for (told, state), ids in by_cause.items():
        rows = [
            {
                "payment": i,
                "vendor": raws[i].get("vendorName") or "",
                "amount": raws[i].get("amount"),
                "process date": raws[i].get("processDate") or "",
                "confirmation": raws[i].get("confirmationNumber") or "",
            }
            for i in ids
        ]
        content = AlertContent(
            what=f"{len(ids)} payment(s) are {state} in BILL: {decisions[ids[0]].state.meaning}",
            where="bill/payments",
            fix="Look at the payment in BILL; what it means in JD Edwards is in docs/payment-states.md.",
            owner=OWNERS[told],
            rows=rows_of(rows),
            total=len(ids),
            run_id=ctx.run_id,
        )
        # The ids are part of the cause: another payment in the same state is another thing to look at.
        cause = fingerprint("payment", state, *sorted(ids))
        window = ctx.connection.alerts.window_minutes
        ctx.store.alerts.offer(cause, f"payments {state}", content.body(), window_minutes=window)


def _newly_in_state(ctx: StepContext, ids: Iterable[str]) -> set[str]:
    """Payments whose state this run saw first, and that were in another one, or unknown, before."""
    before: dict[str, tuple[str, str]] = {}
    new = set()
    for row in ctx.store.mirror.status_history(payment_ids=ids):
        now = (row["single_status"], row["status"])
        if row["run_id"] == ctx.run_id and before.get(row["payment_id"]) != now:
            new.add(row["payment_id"])
        before[row["payment_id"]] = now
    return new
