"""What the asset checks ask of stored data.

Belongs here: questions whose answer a person wants to see with the rows. Does not belong here: verdicts (``schemas``).
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.steps import bill_drafts, vendors
from jdebill_pipelines.steps.context import CheckOutcome, StepContext
from jdebill_pipelines.steps.holding import MAX_ROWS, failing_rows, gate_is_open


def vendor_rows(ctx: StepContext) -> CheckOutcome:
    """Suppliers whose vendor cannot be written."""
    return failing_rows(ctx, vendors.GATE, None)


def vendor_gate(ctx: StepContext) -> CheckOutcome:
    """Whether vendors may be written at all."""
    return gate_is_open(ctx, vendors.GATE, ())


def bill_rows(ctx: StepContext) -> CheckOutcome:
    """Lines of the run's months that hold their document."""
    return failing_rows(ctx, bill_drafts.GATE, ctx.periods)


def bill_gate(ctx: StepContext) -> CheckOutcome:
    """Whether bills of the run's months may be written at all."""
    return gate_is_open(ctx, bill_drafts.GATE, ctx.periods)


def distribution_balances(ctx: StepContext) -> CheckOutcome:
    """Vouchers whose distribution (F0911, ledger AA) is neither gross (F0411.AG) nor net of tax."""
    key = ("KCO", "DCT", "DOC")
    gross: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    tax: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    lines: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for *voucher, adjusting, amount, taxes in ctx.store.staging.rows(
        t.F0411, periods=ctx.periods, columns=(*key, "DCTA", "AG", "STAM")
    ):
        if not adjusting:
            gross[tuple(voucher)] += amount
            tax[tuple(voucher)] += taxes
    for *voucher, ledger, amount in ctx.store.staging.rows(t.F0911, periods=ctx.periods, columns=(*key, "LT", "AA")):
        if ledger == "AA":
            lines[tuple(voucher)] += amount
    wrong = [v for v in gross if lines[v] not in (gross[v], gross[v] - tax[v])]
    return CheckOutcome(
        passed=not wrong,
        summary=f"{len(wrong)} of {len(gross)} vouchers do not balance" if wrong else f"{len(gross)} vouchers balance",
        rows=[
            {"document": "-".join(str(p) for p in v), "gross": gross[v], "tax": tax[v], "distribution": lines[v]}
            for v in sorted(wrong)[:MAX_ROWS]
        ],
        total=len(wrong),
        warn_only=True,
    )


def nothing_uncertain(ctx: StepContext) -> CheckOutcome:
    """Writes whose answer was lost and that have not been found yet."""
    pending = ctx.store.writes.pending_recovery(("vendor", "bill", "vendor_credit", "account", "department"))
    return CheckOutcome(
        passed=not pending,
        summary=f"{len(pending)} write(s) are of unknown outcome" if pending else "every write is settled",
        rows=[
            {
                "kind": p.kind,
                "document": p.natural_key,
                "operation": p.operation,
                "fix": "run the month again: it is looked up first",
            }
            for p in pending[:MAX_ROWS]
        ],
        total=len(pending),
    )
