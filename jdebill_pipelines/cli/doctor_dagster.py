"""Dagster's part of the preflight: is its daemon alive, what runs, are pool slots held by runs that ended.

Belongs here: questions to the Dagster instance. Does not belong here: starting it (dagster_home.py).
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from sqlalchemy.exc import SQLAlchemyError

from jdebill_pipelines.cli import dagster_home
from jdebill_pipelines.cli.session import with_database
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.orchestration.keys import CONNECTION_TAG, pool_name
from jdebill_pipelines.steps.doctor import Finding, Findings
from jdebill_pipelines.store.embedded import EmbeddedServerError
from jdebill_pipelines.store.engine import SchemaOutdated, create_engine

AREA = "Dagster"
_SYSTEMS = ("jde", "bill")


def ask_dagster(settings: Settings, name: str) -> Findings:
    """Look at the Dagster instance that shares the database, if there is one. Starts nothing.

    Args:
        settings: where the database is.
        name: of the connection.
    """
    try:
        ready = with_database(settings)
        known = _is_there(ready)
    except (SQLAlchemyError, SchemaOutdated, EmbeddedServerError):
        yield Finding(area=AREA, what="instance", state="skipped", found="not asked: the database cannot be used")
        return
    if not known:
        yield Finding(area=AREA, what="instance", state="ok", found="has not run on this database yet")
        return
    dagster_home.enter(ready)
    with DagsterInstance.get() as instance:
        yield _daemon(instance)
        yield from _runs(instance, name)


def _is_there(settings: Settings) -> bool:
    assert settings.database_url is not None
    engine = create_engine(settings.database_url, pooled=False)
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text("SELECT to_regclass('public.runs')")).scalar_one() is not None
    finally:
        engine.dispose()


def _daemon(instance: DagsterInstance) -> Finding:
    statuses = [s for s in instance.get_daemon_statuses().values() if s.required]
    silent = [s for s in statuses if not s.healthy]
    if not silent:
        return Finding(area=AREA, what="daemon", state="ok", found=f"alive ({len(statuses)} parts)")
    last = max((s.last_heartbeat.timestamp for s in silent if s.last_heartbeat), default=None)
    seen = "it was never seen" if last is None else f"last seen {(time.time() - last) / 60:.0f} minutes ago"
    return Finding(
        area=AREA,
        what="daemon",
        state="warning",
        found=f"silent: {', '.join(sorted(s.daemon_type.lower() for s in silent))}; {seen}",
        fix="Nothing is scheduled, queued or retried without it: start it with jdebill up, or dagster-daemon run.",
    )


def _runs(instance: DagsterInstance, name: str) -> Findings:
    tags = {CONNECTION_TAG: name}
    queued = instance.get_runs_count(RunsFilter(statuses=[DagsterRunStatus.QUEUED], tags=tags))
    going = instance.get_runs_count(
        RunsFilter(statuses=[DagsterRunStatus.STARTING, DagsterRunStatus.STARTED], tags=tags)
    )
    yield Finding(area=AREA, what="runs", state="ok", found=f"{going} going, {queued} queued")
    for system in _SYSTEMS:
        pool = pool_name(name, system)
        info = instance.event_log_storage.get_concurrency_info(pool)
        holders = sorted(info.active_run_ids)
        ended = [
            run.run_id
            for run in instance.get_runs(RunsFilter(run_ids=holders, statuses=list(FINISHED_STATUSES)))
        ] if holders else []  # fmt: skip
        words = f"{len(info.claimed_slots)} of {info.limit if info.limit is not None else 'unlimited'} slots in use"
        words += f", {info.pending_step_count} waiting" if info.pending_step_count else ""
        if ended:
            yield Finding(
                area=AREA,
                what=f"pool {pool}",
                state="warning",
                found=f"{words}; held by a run that has ended: {', '.join(ended)}",
                fix="The daemon frees it within a minute; if it is down: free it in the UI, Deployment > Concurrency.",
            )
        else:
            yield Finding(area=AREA, what=f"pool {pool}", state="ok", found=words)
