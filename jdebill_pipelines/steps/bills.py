"""Writes the released bills and vendor credits.

Belongs here: the asset ``bill/bills``. Does not belong here: what may be written (``bill_drafts``).
"""

from __future__ import annotations

from jdebill_pipelines.steps.bill_drafts import GATE, KINDS
from jdebill_pipelines.steps.context import Mode, StepContext, StepResult
from jdebill_pipelines.steps.delivery import deliver
from jdebill_pipelines.steps.senders import BillSender, VendorCreditSender


def write_bills(ctx: StepContext) -> StepResult:
    """Create, update, archive and restore what is released: the run's months, in a delta run everything released."""
    periods = ctx.periods if ctx.mode is Mode.FULL else None
    result = deliver(ctx, GATE, [BillSender(ctx), VendorCreditSender(ctx)], periods=periods)
    for reason, n in ctx.store.releases.blocked(GATE, periods=periods, kinds=KINDS).items():
        result.counts[f"not released: {reason}"] = n
    result.counts["written"] = sum(result.counts.get(k, 0) for k in ("created", "updated", "archived", "restored"))
    return result
