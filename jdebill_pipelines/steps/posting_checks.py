"""What the asset checks ask of payments and postings.

Belongs here: questions whose answer a person wants to see with the rows. Does not belong here: verdicts (``schemas``),
the comparison with JDE (``posting_readback``, which has stored what it found).
"""

from __future__ import annotations

from jdebill_pipelines.steps import posting_readback
from jdebill_pipelines.steps.context import CheckOutcome, StepContext
from jdebill_pipelines.steps.holding import MAX_ROWS, failing_rows, gate_is_open
from jdebill_pipelines.steps.jde_senders import GATE, KINDS
from jdebill_pipelines.steps.posting_drafts import PAYMENT_STATE


def posting_rows(ctx: StepContext) -> CheckOutcome:
    """Postings of the run's months that are held, with the rows."""
    return failing_rows(ctx, GATE, ctx.periods)


def posting_gate(ctx: StepContext) -> CheckOutcome:
    """Whether postings of the run's months may be written at all."""
    return gate_is_open(ctx, GATE, ctx.periods)


def payments_need_no_person(ctx: StepContext) -> CheckOutcome:
    """Payments of any month in a state that only a person can decide about."""
    rows = [row for row in ctx.store.quarantine.open(GATE) if row.rule == PAYMENT_STATE]
    return CheckOutcome(
        passed=not rows,
        summary=f"{len(rows)} payment(s) need a person" if rows else "no payment needs a person",
        rows=[
            {
                "document": row.natural_key,
                "field": row.field,
                "value": row.value,
                "amount": row.amount,
                "currency": row.currency,
                "reason": row.reason,
                "fix": row.fix,
                "since": row.first_seen.isoformat(timespec="seconds"),
            }
            for row in rows[:MAX_ROWS]
        ],
        total=len(rows),
        warn_only=True,
    )


def posting_matches_jde(ctx: StepContext) -> CheckOutcome:
    """Postings that JDE holds otherwise than they were sent, and those that could not be compared."""
    rows = [
        {
            "document": row.natural_key,
            "kind": row.kind,
            "line": row.line,
            "field": row.field,
            "value": row.value,
            "reason": row.reason,
            "fix": row.fix,
        }
        for gate in posting_readback.GATES.values()
        for row in ctx.store.quarantine.open(gate)
    ]
    unread = posting_readback.waiting(ctx)
    rows += [
        {**row, "reason": "It was not read back from JD Edwards yet.", "fix": "It is compared in the next run."}
        for row in unread
    ]
    documents = {(row["kind"], row["document"]) for row in rows}
    return CheckOutcome(
        passed=not rows,
        summary=f"{len(documents)} posting(s) are not as they were sent" if rows else "every posting is as it was sent",
        rows=rows[:MAX_ROWS],
        total=len(rows),
    )


def nothing_uncertain(ctx: StepContext) -> CheckOutcome:
    """Postings whose answer was lost and that have not been found yet."""
    pending = ctx.store.writes.pending_recovery(KINDS)
    return CheckOutcome(
        passed=not pending,
        summary=f"{len(pending)} posting(s) are of unknown outcome" if pending else "every posting is settled",
        rows=[
            {
                "kind": p.kind,
                "document": p.natural_key,
                "operation": p.operation,
                "reason": "; ".join(str(e.get("message", "")) for e in p.errors),
                "fix": "It is looked up again by itself; where several fit, void the wrong ones in JD Edwards.",
            }
            for p in pending[:MAX_ROWS]
        ],
        total=len(pending),
    )
