"""Keeps our own record of every run: who, which months, what each asset did, which checks failed, how it ended.

Belongs here: writing it from what Dagster knows. Does not belong here: showing it (audit/). Dagster's event log may be
pruned; this record stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

import jdebill_pipelines
from jdebill_pipelines.orchestration.keys import MODE_TAG
from jdebill_pipelines.steps.context import CheckOutcome, Mode, StepContext, StepResult
from jdebill_pipelines.store.runs import RunStatus
from jdebill_pipelines.store.store import Store


def begun(ctx: StepContext, job_name: str, tags: Mapping[str, str]) -> None:
    """Record that a run does something for a connection; again in the same run changes nothing."""
    ctx.store.runs.start(
        ctx.run_id,
        flow="backfill" if tags.get("dagster/backfill") else job_name,
        mode=tags.get(MODE_TAG, str(Mode.FULL)),
        periods=ctx.periods,
        actor=ctx.actor,
        code_version=jdebill_pipelines.CODE_VERSION,
    )


def made(ctx: StepContext, path: str, result: StepResult) -> None:
    """Record what an asset's step did."""
    ctx.store.runs.add_part(ctx.run_id, "assets", path, {"counts": dict(result.counts), "periods": list(ctx.periods)})


def checked(ctx: StepContext, path: str, name: str, outcome: CheckOutcome) -> None:
    """Record the outcome of a check."""
    fact = {"passed": outcome.passed, "summary": outcome.summary, "total": outcome.total}
    ctx.store.runs.add_part(ctx.run_id, "checks", f"{path}: {name}", fact)


def ended(store: Store, run: dg.DagsterRun, status: RunStatus, error: str = "") -> None:
    """Record how a run ended, also of one that never got to a step."""
    tags: dict[str, Any] = dict(run.tags)
    store.runs.start(run.run_id, flow=run.job_name, mode=tags.get(MODE_TAG, str(Mode.FULL)))
    store.runs.finish(run.run_id, status, {"error": error} if error else {})
