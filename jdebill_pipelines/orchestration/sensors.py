"""Turns what is due into as few runs as can be, and settles what is due when the run has ended.

Belongs here: sensors over our own tables. None of them calls a vendor.
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain.periods import month_of
from jdebill_pipelines.orchestration.keys import (
    ACTOR_TAG,
    DUE_TAG,
    MODE_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    SINCE_TAG,
    months_job_name,
    payments_job_name,
    safe_name,
)
from jdebill_pipelines.orchestration.partitions import first_month
from jdebill_pipelines.orchestration.pools import ensure_pools
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines.steps.payments import FLOW
from jdebill_pipelines.steps.postings import wake_uncertain
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.steps.webhook_events import drain
from jdebill_pipelines.store.due import DueWork
from jdebill_pipelines.store.store import Store

# A second run takes what came after the first one had read BILL; more would only wait for each other.
PAYMENT_RUNS = 2
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def delta_tags(work: list[DueWork], request_id: str, actor: str, first: str) -> dict[str, str]:
    """The tags of the run that does this work: first to last month that is due, changes since the earliest.

    Args:
        work: what is due.
        request_id: names the request.
        actor: who asks.
        first: month ``YYYY-MM`` in which the connection starts. Dagster starts no run that names an earlier one.
    """
    periods = sorted({p for w in work for p in w.periods if p >= first}) or [first]
    since = [w.since for w in work if w.since is not None]
    tags = {
        RANGE_START_TAG: periods[0],
        RANGE_END_TAG: periods[-1],
        MODE_TAG: str(Mode.DELTA),
        DUE_TAG: request_id,
        ACTOR_TAG: actor,
    }
    if since:
        tags[SINCE_TAG] = min(since).isoformat()
    return tags


def payment_periods(store: Store, work: list[DueWork], first: str, today: date) -> tuple[str, ...]:
    """The months that due payments belong to; a payment that we do not know yet counts as one of this month.

    BILL tells of every payment, also of one processed before the connection's first month: that one is read, and no
    month of it is asked for.
    """
    entities = {e for w in work for e in w.entities}
    found = {row["period"] for row in store.mirror.payments(ids=entities) if row["period"]} if entities else set()
    found |= {p for w in work for p in w.periods}
    return tuple(sorted(p for p in found if p >= first)) or (max(first, month_of(today)),)


def payment_tags(
    store: Store, work: list[DueWork], request_id: str, actor: str, first: str, today: date
) -> dict[str, str]:
    """The tags of the run that brings due payments back to JDE; the arguments are those of ``delta_tags``."""
    periods = payment_periods(store, work, first, today)
    tags = delta_tags(work, request_id, actor, first)
    return tags | {RANGE_START_TAG: periods[0], RANGE_END_TAG: periods[-1]}


def build_sensors(
    connection: Connection, runtime: Runtime, jobs: Sequence[UnresolvedAssetJobDefinition]
) -> list[dg.SensorDefinition]:
    """The due sensor of a connection and the three that settle what was due.

    Args:
        connection: whose.
        runtime: opens the database.
        jobs: its months job and its payments job, the same objects that the definitions hold: Dagster takes two equal
            ones for two jobs of one name.
    """
    name, months, payments = connection.name, months_job_name(connection.name), payments_job_name(connection.name)

    @dg.sensor(
        name=f"{safe_name(name)}_due",
        jobs=list(jobs),
        minimum_interval_seconds=3,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts one delta run for the payments that are due, and one for everything else that is.",
    )
    def due(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        store, now = runtime.store(name), datetime.now(UTC)
        ensure_pools(context.instance, store, name)
        drain(store, window_minutes=connection.alerts.window_minutes)
        store.due.reclaim_expired()
        wake_uncertain(store, now)
        flows = {work.flow for work in store.due.pending()}
        requests, first = [], first_month(connection)
        if FLOW in flows and _running(context.instance, payments) < PAYMENT_RUNS:
            request_id = uuid.uuid4().hex
            if work := store.due.request(request_id, [FLOW]):
                today = now.astimezone(ZoneInfo(connection.timezone)).date()
                tags = payment_tags(store, work, request_id, "due sensor", first, today)
                requests.append(dg.RunRequest(run_key=request_id, job_name=payments, tags=tags))
        others = sorted(flows - {FLOW})
        if others and _running(context.instance, months) < 1:
            request_id = uuid.uuid4().hex
            if work := store.due.request(request_id, others):
                tags = delta_tags(work, request_id, "due sensor", first)
                requests.append(dg.RunRequest(run_key=request_id, job_name=months, tags=tags))
        if not requests:
            return dg.SkipReason("waits for the runs that are under way" if flows else "nothing is due")
        return dg.SensorResult(run_requests=requests)

    of_ended_runs: dict[str, Any] = {
        "monitored_jobs": list(jobs),
        "minimum_interval_seconds": 15,
        "default_status": dg.DefaultSensorStatus.RUNNING,
    }

    @dg.run_status_sensor(
        name=f"{safe_name(name)}_due_done",
        run_status=dg.DagsterRunStatus.SUCCESS,
        **of_ended_runs,
        description="Marks as done what a successful delta run was started for.",
    )
    def done(context: dg.RunStatusSensorContext) -> None:
        run = context.dagster_run
        if DUE_TAG in run.tags:
            runtime.store(name).due.done(run.run_id)

    @dg.run_failure_sensor(
        name=f"{safe_name(name)}_due_failed",
        **of_ended_runs,
        description="Gives back what a failed delta run was started for, with a growing delay.",
    )
    def failed(context: dg.RunFailureSensorContext) -> None:
        give_back(context.dagster_run, _reason(context))

    @dg.run_status_sensor(
        name=f"{safe_name(name)}_due_canceled",
        run_status=dg.DagsterRunStatus.CANCELED,
        **of_ended_runs,
        description="Gives back what a canceled delta run was started for, as for a failed one.",
    )
    def canceled(context: dg.RunStatusSensorContext) -> None:
        give_back(context.dagster_run, "the run was canceled")

    def give_back(run: dg.DagsterRun, reason: str) -> None:
        if DUE_TAG in run.tags:
            for holder in (run.run_id, run.tags[DUE_TAG]):
                runtime.store(name).due.failed(holder, reason)

    return [due, done, failed, canceled]


def _reason(context: dg.RunFailureSensorContext) -> str:
    """Why a run failed: what its first failed step raised, not that a step failed."""
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            return f"{event.step_key}: {error.message.strip()}"
    return str(context.failure_event.message or "the run failed")


def _running(instance: dg.DagsterInstance, job: str) -> int:
    """How many delta runs of a job are under way; a full run (backfill, sweep) does not count."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=_UNDER_WAY), limit=20)
    return sum(DUE_TAG in run.tags for run in runs)
