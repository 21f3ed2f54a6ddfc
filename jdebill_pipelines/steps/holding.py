"""From verdicts to the store: what is judged, what is held, and what people see of it.

Belongs here: storing the outcome of a gate in one order (drafts, verdicts, quarantine, gate states). Does not belong
here: any rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from jdebill_pipelines.domain.canonical import content_hash
from jdebill_pipelines.domain.tables import JdeTable
from jdebill_pipelines.domain.verdicts import Failure, Verdict
from jdebill_pipelines.schemas.systemic import GateDecision, ReferenceState, Tolerance
from jdebill_pipelines.steps.context import CheckOutcome, StepContext, StepResult
from jdebill_pipelines.store.drafts import Draft
from jdebill_pipelines.store.quarantine import Held

MAX_ROWS = 200


def tolerance(ctx: StepContext) -> Tolerance:
    """What the connection tolerates before its gate closes."""
    sync = ctx.connection.sync
    return Tolerance(gate=sync.gate, max_invalid_ratio=sync.max_invalid_ratio, max_age=timedelta(hours=26))


def reference_state(ctx: StepContext, table: JdeTable, what: str, *, may_be_empty: bool = False) -> ReferenceState:
    """How a snapshot of JDE was last read."""
    last = ctx.store.staging.last_extraction(table)
    return ReferenceState(
        name=f"{table.name} ({what})",
        rows=ctx.store.staging.count(table) if last else 0,
        extracted_at=last.finished_at if last else None,
        may_be_empty=may_be_empty,
    )


def held(drafts: Iterable[Draft], failures: Mapping[tuple[str, str], Sequence[Failure]]) -> list[Held]:
    """The quarantine's entries of drafts, by (kind, natural key)."""
    return [
        Held(
            kind=draft.kind,
            natural_key=draft.natural_key,
            period=draft.period,
            line=failure.line,
            field=failure.field,
            value=failure.value,
            reason=failure.reason,
            fix=failure.fix,
            rule=failure.rule,
            content_hash=content_hash(draft.kind, draft.content),
            amount=draft.amount,
            currency=draft.currency,
            party=draft.party,
        )
        for draft in drafts
        for failure in failures.get((draft.kind, draft.natural_key), ())
    ]


def failures_by_document(verdicts: Iterable[Verdict]) -> dict[tuple[str, str], tuple[Failure, ...]]:
    """The failures of verdicts that did not pass."""
    return {(v.kind, v.natural_key): tuple(v.failures) for v in verdicts if not v.passed}


def tell(result: StepResult, gate: str, held_now: Sequence[Held], decisions: Mapping[str, GateDecision]) -> None:
    """Add to a result what people want to know of a gate: causes by rule, closed months."""
    documents = {(h.kind, h.natural_key) for h in held_now}
    result.counts["held"] = len(documents)
    causes = Counter((h.rule, h.reason) for h in held_now)
    result.tables["held, by cause"] = [
        {"rule": rule, "documents or lines": n, "for example": reason} for (rule, reason), n in causes.most_common(25)
    ]
    closed = {period: d.reasons for period, d in decisions.items() if not d.is_open}
    for period, reasons in closed.items():
        result.needs_person.append(f"gate {gate} {period or '(all)'} is closed: {'; '.join(reasons)}")
    if documents:
        result.needs_person.append(f"{len(documents)} of gate {gate} are held: jdebill quarantine list")


def failing_rows(ctx: StepContext, gate: str, periods: Sequence[str] | None) -> CheckOutcome:
    """The check that shows the failing rows; it informs, the stored verdicts are what holds a document back."""
    rows = ctx.store.verdicts.failing(gate, periods=periods)
    documents = {(row["kind"], row["document"]) for row in rows}
    return CheckOutcome(
        passed=not rows,
        summary=f"{len(documents)} document(s) are held by {len(rows)} failing row(s)" if rows else "every row passes",
        rows=rows[:MAX_ROWS],
        total=len(rows),
        warn_only=True,
        facts={"documents held": str(len(documents))},
    )


def gate_is_open(ctx: StepContext, gate: str, periods: Sequence[str]) -> CheckOutcome:
    """The blocking check: reference data, invalid share and disappearances let every month of the run be written."""
    rows = []
    for period in periods or ("",):
        state = ctx.store.verdicts.gate(gate, period)
        if state is None:
            rows.append({"period": period, "reason": "the gate was never evaluated", "fix": "make the drafts first"})
        elif not state.is_open:
            rows += [{"period": period, "reason": reason} for reason in state.reasons]
    return CheckOutcome(
        passed=not rows,
        summary="; ".join(": ".join(filter(None, (r["period"], r["reason"]))) for r in rows[:5]) or "the gate is open",
        rows=rows,
        total=len(rows),
    )
