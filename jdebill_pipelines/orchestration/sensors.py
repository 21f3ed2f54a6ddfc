"""Turns what is due into as few runs as can be, and settles what is due when the run has ended.

Belongs here: sensors over our own tables. None of them calls a vendor.
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

import uuid

import dagster as dg

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.orchestration.keys import (
    ACTOR_TAG,
    DUE_TAG,
    MODE_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    SINCE_TAG,
    months_job_name,
    safe_name,
)
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.store.due import DueWork


def delta_tags(work: list[DueWork], request_id: str, actor: str, default_period: str) -> dict[str, str]:
    """The tags of the run that does this work: first to last month that is due, changes since the earliest."""
    periods = sorted({p for w in work for p in w.periods}) or [default_period]
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


def build_sensors(connection: Connection, runtime: Runtime) -> list[dg.SensorDefinition]:
    """The due sensor of a connection and the two that settle what was due."""
    name, job = connection.name, months_job_name(connection.name)

    @dg.sensor(
        name=f"{safe_name(name)}_due",
        job_name=job,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts one delta run for everything that is due.",
    )
    def due() -> dg.SensorResult | dg.SkipReason:
        store = runtime.store(name)
        store.due.reclaim_expired()
        request_id = uuid.uuid4().hex
        work = store.due.request(request_id)
        if not work:
            return dg.SkipReason("nothing is due")
        tags = delta_tags(work, request_id, "due sensor", f"{connection.start_date:%Y-%m}")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=request_id, tags=tags)])

    @dg.run_status_sensor(
        name=f"{safe_name(name)}_due_done",
        run_status=dg.DagsterRunStatus.SUCCESS,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks as done what a successful delta run was started for.",
    )
    def done(context: dg.RunStatusSensorContext) -> None:
        run = context.dagster_run
        if run.job_name == job and DUE_TAG in run.tags:
            runtime.store(name).due.done(run.run_id)

    @dg.run_failure_sensor(
        name=f"{safe_name(name)}_due_failed",
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Gives back what a failed delta run was started for, with a growing delay.",
    )
    def failed(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        if run.job_name == job and DUE_TAG in run.tags:
            reason = str(context.failure_event.message or "the run failed")
            for holder in (run.run_id, run.tags[DUE_TAG]):
                runtime.store(name).due.failed(holder, reason)

    return [due, done, failed]
