"""From a Dagster run to the context of a step.

Belongs here: reading run tags and partitions. Does not belong here: what a step does with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import dagster as dg

from jdebill_pipelines.orchestration.keys import ACTOR_TAG, DUE_TAG, MODE_TAG, SINCE_TAG
from jdebill_pipelines.orchestration.storage import keep_connections
from jdebill_pipelines.steps.context import Mode, StepContext
from jdebill_pipelines.steps.runtime import Runtime


def step_context(
    runtime: Runtime, connection: str, context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, path: str
) -> StepContext:
    """The context of the step behind an asset or check.

    A run without a mode tag (the UI, a backfill) is a full one.
    """
    keep_connections(context.instance)
    tags = context.run.tags
    if DUE_TAG in tags:
        # From here on the work is this run's: should it die, the lease gives it back.
        runtime.store(connection).due.claim(context.run.run_id, request_id=tags[DUE_TAG], also_ready=False)
    actor = (
        tags.get(ACTOR_TAG) or tags.get("user") or tags.get("dagster/schedule_name") or tags.get("dagster/sensor_name")
    )
    return runtime.context(
        connection,
        run_id=context.run.run_id,
        asset_key=f"{connection}/{path}",
        mode=Mode(tags.get(MODE_TAG, Mode.FULL)),
        periods=periods(context),
        since=datetime.fromisoformat(tags[SINCE_TAG]) if SINCE_TAG in tags else None,
        actor=actor or "Dagster UI",
        log=context.log,
        progress=runtime.progress,
    )


def periods(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> tuple[str, ...]:
    """The months of the run, in order; none for a snapshot."""
    return months_of(context.run.tags)


def months_of(tags: Mapping[str, str]) -> tuple[str, ...]:
    """The months that a run's tags name, in order; none for a snapshot."""
    start, end = tags.get("dagster/asset_partition_range_start"), tags.get("dagster/asset_partition_range_end")
    if start and end:
        return month_range(start, end)
    single = tags.get("dagster/partition")
    return (single,) if single else ()


def month_range(first: str, last: str) -> tuple[str, ...]:
    """All months from ``first`` to ``last``, both ``YYYY-MM`` and included.

    Raises:
        ValueError: a month is not written so, or they are in the wrong order.
    """
    year, month = (int(part) for part in first.split("-"))
    found = []
    while f"{year:04d}-{month:02d}" <= last:
        found.append(f"{year:04d}-{month:02d}")
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    if not found:
        raise ValueError(f"{first} is after {last}")
    return tuple(found)
