"""Payments become drafts of what JDE is to book, each with its verdict.

Belongs here: the asset ``sync/posting_drafts``: which payments, in which order, and what is stored. Does not belong
here: the rules (``domain``), the verdicts (``schemas``), what is gathered (``posting_context``), posting
(``postings``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.canonical import content_hash
from jdebill_pipelines.domain.payments import PaymentRecord
from jdebill_pipelines.domain.posting_documents import PostingContext, PostingDraft
from jdebill_pipelines.domain.postings import build_posting_drafts
from jdebill_pipelines.domain.verdicts import Verdict
from jdebill_pipelines.schemas.posting_gate import PostingReference, judge_postings
from jdebill_pipelines.schemas.systemic import GateDecision, judge_systemic
from jdebill_pipelines.steps.context import Mode, StepContext, StepResult
from jdebill_pipelines.steps.holding import failures_by_document, held, reference_state, tell, tolerance
from jdebill_pipelines.steps.jde_senders import GATE, KINDS, POSTING, VOUCHER
from jdebill_pipelines.steps.payments import touched
from jdebill_pipelines.steps.posting_context import Known, bank_accounts, gather, known, mapped, rules_of
from jdebill_pipelines.steps.postings import recover
from jdebill_pipelines.store.drafts import Draft, Status, StoredDraft
from jdebill_pipelines.store.quarantine import Held

PAYMENT_STATE = "payment_state"
_SAME = ("kind", "natural_key", "period", "operation", "status", "reason", "content", "amount", "currency", "party")


def posting_drafts(ctx: StepContext) -> StepResult:
    """Draft and judge the postings of the run's months; in a delta run of every month that something happened in.

    What earlier sends left uncertain is looked up first: a posting that is in JDE already must not look like somebody
    else's. What stays uncertain keeps its draft until it is settled.
    """
    recovered = recover(ctx)
    periods = periods_of(ctx)
    payments = _payments(ctx, periods)
    ledger = known(ctx, payments)
    frozen = [d for d in ctx.store.drafts.read(GATE, periods=periods) if d.natural_key in ledger.in_flight]
    gl = mapped(ctx)
    context = gather(ctx, payments, ledger, gl, frozen)
    drafts = [
        _continued(draft, ledger)
        for draft in build_posting_drafts(payments, context, rules_of(ctx))
        if draft.natural_key not in ledger.in_flight
    ]
    verdicts = judge_postings(drafts, _reference(ctx, context))
    stored = [part for draft in drafts for part in _parts(draft, ledger)]
    by_key = {v.natural_key: v for v in verdicts}
    parted = [_verdict(part, by_key[part.natural_key]) for part in stored if part.natural_key in by_key]
    decisions = _decisions(ctx, periods, drafts, verdicts)

    ctx.store.drafts.put(GATE, [*stored, *map(_as_draft, frozen)], run_id=ctx.run_id, replace_periods=periods)
    ctx.store.verdicts.put(GATE, parted, run_id=ctx.run_id)
    for period, decision in decisions.items():
        ctx.store.verdicts.set_gate(GATE, period, decision.is_open, decision.reasons, run_id=ctx.run_id)
    postings = [part for part in stored if part.kind == POSTING]
    waiting = held(postings, failures_by_document(verdicts))
    states = _states_for_people(payments, drafts)
    ctx.store.quarantine.hold(GATE, [*waiting, *states], run_id=ctx.run_id, periods=periods)
    result = StepResult(counts={"payments": len(payments), "postings": len(postings)})
    _totals(result, drafts, {h.natural_key for h in waiting})
    tell(result, GATE, waiting, decisions)
    if states:
        result.needs_person.append(
            f"{len(states)} payment(s) are in a state that needs a person: jdebill quarantine list"
        )
    result.counts |= {f"recovered: {name}": n for name, n in recovered.counts.items() if n}
    result.needs_person += recovered.needs_person
    return result


def periods_of(ctx: StepContext) -> tuple[str, ...]:
    """The months that are drafted: of the run, and in a delta run those of what was read or is waiting."""
    months = set(ctx.periods)
    if ctx.mode is Mode.DELTA:
        months |= {row["period"] for row in touched(ctx) if row["period"]}
        months |= {row.period for row in ctx.store.quarantine.open(GATE)}
        months |= {write.period for write in ctx.store.writes.open_writes(KINDS)}
    first = f"{ctx.connection.start_date:%Y-%m}"
    return tuple(sorted(m for m in months if m >= first))


def _payments(ctx: StepContext, periods: Sequence[str]) -> list[PaymentRecord]:
    zone = ZoneInfo(ctx.connection.timezone)
    records = (PaymentRecord.of(row["raw"], zone) for row in ctx.store.mirror.payments(periods))
    return [r for r in records if r.process_date >= ctx.connection.start_date]


def _continued(draft: PostingDraft, ledger: Known) -> PostingDraft:
    """A posting whose voucher is entered and whose payment is missing goes on, while BILL shows it as paid."""
    key = draft.natural_key
    if draft.operation != "post" or key not in ledger.half or (VOUCHER, key) in ledger.undone:
        return draft
    voucher = f"Its voucher {ledger.vouchers[key]} is entered in JD Edwards, its payment is not"
    if draft.details["action"] == "post":
        return msgspec.structs.replace(draft, status="due", reason="")
    return msgspec.structs.replace(draft, reason=f"{voucher}: {draft.details['why']}")


def _parts(draft: PostingDraft, ledger: Known) -> list[Draft]:
    """The writes that a posting is made of: one, or for an order's bill the voucher and its payment."""
    post = f"{draft.payment_id}:{draft.bill_id}:post"
    if draft.route != "voucher":
        return [_part(POSTING, draft, draft.status, draft.reason)]
    if draft.operation == "post":
        entered = post in ledger.vouchers
        status: Status = "not_due" if entered else draft.status
        reason = f"entered in JD Edwards as {ledger.vouchers[post]}" if entered else draft.reason
        return [_part(VOUCHER, draft, status, reason), _part(POSTING, draft, draft.status, draft.reason)]
    made = [VOUCHER] if post in ledger.half else [POSTING, VOUCHER]
    return [_reversal(kind, draft, ledger, post) for kind in made]


def _reversal(kind: str, draft: PostingDraft, ledger: Known, post: str) -> Draft:
    """The reversal of one part; each part names the document that it undoes."""
    if (kind, post) in ledger.undone:
        return _part(kind, draft, "not_due", "reversed in JD Edwards")
    part = _part(kind, draft, draft.status, draft.reason)
    if kind == POSTING or not part.content:
        return part
    return msgspec.structs.replace(part, content={**part.content, "original_id": ledger.vouchers[post]})


def _part(kind: str, draft: PostingDraft, status: Status, reason: str) -> Draft:
    return Draft(
        kind=kind,
        natural_key=draft.natural_key,
        period=draft.period,
        operation=draft.operation,
        status=status,
        reason=reason,
        content=draft.content,
        amount=draft.amount,
        currency=draft.currency,
        party=draft.supplier,
        source=draft.source,
        details={
            **draft.details,
            "route": draft.route,
            "company": draft.company,
            "payment_id": draft.payment_id,
            "bill_id": draft.bill_id,
            "tell": draft.tell,
        },
    )


def _verdict(part: Draft, verdict: Verdict) -> Verdict:
    return Verdict(part.kind, part.natural_key, content_hash(part.kind, part.content), verdict.passed, verdict.failures)


def _reference(ctx: StepContext, context: PostingContext) -> PostingReference:
    return PostingReference(
        gl=context.gl,
        open_items=context.open_items,
        calendars=context.calendars,
        ledger_calendars=context.ledger_calendars,
        currencies=context.currencies,
        bank_accounts=bank_accounts(ctx),
    )


def _decisions(
    ctx: StepContext, periods: Iterable[str], drafts: Sequence[PostingDraft], verdicts: Sequence[Verdict]
) -> dict[str, GateDecision]:
    """Open or close the gate of each month; what is posted counts among the valid ones."""
    references = [
        reference_state(ctx, t.F0010, "companies"),
        reference_state(ctx, t.F0901, "accounts"),
        reference_state(ctx, t.F0006, "business units"),
    ]
    month = {d.natural_key: d.period for d in drafts}
    judged: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        judged[month[verdict.natural_key]].append(verdict)
    for draft in drafts:
        if draft.status == "not_due" and draft.content:
            judged[draft.period].append(Verdict(POSTING, draft.natural_key, draft.content_hash, True))
    return {p: judge_systemic(judged[p], references, tolerance(ctx), now=ctx.now) for p in periods}


def _as_draft(stored: StoredDraft) -> Draft:
    return Draft(**{name: getattr(stored, name) for name in (*_SAME, "source", "details")})


def _states_for_people(payments: Iterable[PaymentRecord], drafts: Sequence[PostingDraft]) -> list[Held]:
    """One entry per payment whose state only a person can decide about."""
    records = {p.id: p for p in payments}
    review = {d.payment_id: d for d in drafts if d.details["action"] == "review" and d.operation == "post"}
    return [
        Held(
            kind="payment",
            natural_key=payment_id,
            period=draft.period,
            field="singleStatus",
            value=records[payment_id].single_status or records[payment_id].status,
            reason=str(draft.details["why"]),
            fix="Look at the payment in BILL and act there. What JD Edwards shows stays as it is until BILL shows "
            "another state; then it follows by itself.",
            rule=PAYMENT_STATE,
            amount=records[payment_id].amount,
            currency=draft.currency,
            party=draft.supplier,
        )
        for payment_id, draft in review.items()
    ]


def _totals(result: StepResult, drafts: Sequence[PostingDraft], held_keys: set[str]) -> None:
    reasons: dict[tuple[str, str], int] = defaultdict(int)
    for draft in drafts:
        name = "held" if draft.natural_key in held_keys else draft.status.replace("_", " ")
        result.add(f"{draft.operation}: {name}")
        result.add_total(f"{draft.operation}: {name}", draft.currency, draft.amount)
        if draft.status == "not_due":
            reasons[draft.operation, draft.reason] += 1
    result.tables["not due, by reason"] = [
        {"operation": operation, "reason": reason, "postings": n}
        for (operation, reason), n in sorted(reasons.items(), key=lambda x: -x[1])[:25]
    ]
