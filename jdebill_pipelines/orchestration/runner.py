"""Runs the main flow in this process and waits: what `jdebill sync` and `jdebill demo` do.

Belongs here: one run from start to summary. Does not belong here: what runs (``jobs``) and rendering
(the command line).
The run is recorded in the Dagster instance, so that the UI shows it like any other.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from jdebill_pipelines.config.connection import Connection, load_connections
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.orchestration import run_records
from jdebill_pipelines.orchestration.assets import build_assets
from jdebill_pipelines.orchestration.checks import CHECKS, build_checks
from jdebill_pipelines.orchestration.jobs import months_job, payments_job
from jdebill_pipelines.orchestration.keys import (
    ACTOR_TAG,
    CONNECTION_TAG,
    MODE_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
)
from jdebill_pipelines.orchestration.partitions import first_month
from jdebill_pipelines.orchestration.pools import ensure_pools
from jdebill_pipelines.orchestration.running import month_range
from jdebill_pipelines.orchestration.sensors import delta_tags, payment_tags
from jdebill_pipelines.orchestration.storage import keep_connections
from jdebill_pipelines.steps.context import CheckOutcome, Mode, StepResult
from jdebill_pipelines.steps.payments import FLOW, poll_payments
from jdebill_pipelines.steps.poll import poll
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.steps.webhook_events import drain
from jdebill_pipelines.store.runs import RunStatus
from jdebill_pipelines.store.store import Store
from jdebill_pipelines.transport.errors import ApiError

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that did not pass."""

    asset: str
    check: str
    outcome: CheckOutcome


@dataclass(slots=True)
class SyncSummary:
    """How a sync ended.

    Attributes:
        run_id: the Dagster run, '' when nothing was due.
        succeeded: whether the run ended well; a failed blocking check makes it False.
        other_side_failed: JDE, BILL or the database did not do their part.
        error: why, one line.
        mode: full or delta.
        periods: months of the run.
        results: by asset path, in the order they were made.
        failed_checks: also those that only warn.
    """

    run_id: str = ""
    succeeded: bool = True
    other_side_failed: bool = False
    error: str = ""
    mode: str = str(Mode.DELTA)
    periods: tuple[str, ...] = ()
    results: dict[str, StepResult] = field(default_factory=dict)
    failed_checks: list[FailedCheck] = field(default_factory=list)


def run_sync(
    settings: Settings, connection_name: str, periods: Sequence[str] | None, *, actor: str, progress: Progress
) -> SyncSummary:
    """Run the main flow of a connection and wait for its end.

    Args:
        settings: with a database URL.
        connection_name: a connection that exists.
        periods: months of a full run; None for the delta run that the schedule makes.
        actor: who asked, for the journal.
        progress: called with (what, done, total).

    Raises:
        ConnectionFileError: a connection file is wrong.
    """
    connections = load_connections(settings.connections_dir)
    connection = connections[connection_name]
    runtime = Runtime(settings, connections)
    runtime.progress = progress
    try:
        if periods is not None:
            tags = {RANGE_START_TAG: periods[0], RANGE_END_TAG: periods[-1], MODE_TAG: str(Mode.FULL), ACTOR_TAG: actor}
            return _execute(connection, runtime, tags, months_job(connection))
        return _delta(connection, runtime, actor)
    except ApiError as error:
        return SyncSummary(succeeded=False, other_side_failed=True, error=str(error))
    finally:
        runtime.close()


def run_payments(settings: Settings, connection_name: str, *, actor: str, progress: Progress) -> SyncSummary:
    """Take what is in the inbox and bring the payments that are due back to JDE: the run of the due sensor, waited for.

    Args:
        settings: with a database URL.
        connection_name: a connection that exists.
        actor: who asked, for the journal.
        progress: called with (what, done, total).

    Raises:
        ConnectionFileError: a connection file is wrong.
    """
    connections = load_connections(settings.connections_dir)
    connection = connections[connection_name]
    runtime = Runtime(settings, connections)
    runtime.progress = progress
    try:
        store, request_id = runtime.store(connection_name), uuid.uuid4().hex
        while drain(store, window_minutes=connection.alerts.window_minutes):
            pass
        work = store.due.request(request_id, [FLOW])
        if not work:
            return SyncSummary()
        today = datetime.now(ZoneInfo(connection.timezone)).date()
        tags = payment_tags(store, work, request_id, actor, first_month(connection), today)
        return _settled(store, request_id, _execute(connection, runtime, tags, payments_job(connection)))
    except ApiError as error:
        return SyncSummary(succeeded=False, other_side_failed=True, error=str(error))
    finally:
        runtime.close()


def _delta(connection: Connection, runtime: Runtime, actor: str) -> SyncSummary:
    """Poll, then run what is due; what fails stays due."""
    store, request_id = runtime.store(connection.name), uuid.uuid4().hex
    ctx = runtime.context(connection.name, run_id=request_id, asset_key="", actor=actor)
    poll(ctx, source=actor)
    poll_payments(ctx, source=actor)
    work = store.due.request(request_id)
    if not work:
        return SyncSummary()
    tags = delta_tags(work, request_id, actor, first_month(connection))
    return _settled(store, request_id, _execute(connection, runtime, tags, months_job(connection)))


def _settled(store: Store, request_id: str, summary: SyncSummary) -> SyncSummary:
    """Settle what a run was started for: done, or due again."""
    if summary.succeeded:
        store.due.done(summary.run_id)
    else:
        for holder in (summary.run_id, request_id):
            store.due.failed(holder, summary.error or "the run failed")
    return summary


def _execute(
    connection: Connection, runtime: Runtime, tags: dict[str, str], asked: UnresolvedAssetJobDefinition
) -> SyncSummary:
    definitions = dg.Definitions(
        assets=build_assets(connection, runtime),
        asset_checks=build_checks(connection, runtime),
        jobs=[asked],
    )
    job = definitions.resolve_job_def(asked.name)
    with _instance(runtime.settings) as instance:
        ensure_pools(instance, runtime.store(connection.name), connection.name)
        result = job.execute_in_process(
            instance=instance,
            tags={**tags, CONNECTION_TAG: connection.name},
            raise_on_error=False,
            # The event log keeps everything; the terminal has a progress and a summary of its own.
            run_config={"loggers": {"console": {"config": {"log_level": "WARNING"}}}},
        )
    summary = SyncSummary(
        run_id=result.run_id,
        succeeded=result.success,
        mode=tags[MODE_TAG],
        periods=month_range(tags[RANGE_START_TAG], tags[RANGE_END_TAG]),
        results={path: r for (name, path), r in runtime.results.items() if name == connection.name},
        failed_checks=_failed(connection, runtime, tags, result),
    )
    for event in result.filter_events(lambda e: e.is_step_failure):
        error = event.step_failure_data.error
        if error is not None and not summary.error:
            root = error
            while root.cause is not None:
                root = root.cause
            summary.error = f"{event.step_key}: {root.message.strip()}"
            summary.other_side_failed = root.cls_name in _OTHER_SIDE
    status: RunStatus = "succeeded" if result.success else "failed"
    run_records.ended(runtime.store(connection.name), result.dagster_run, status, summary.error)
    return summary


def _failed(
    connection: Connection, runtime: Runtime, tags: dict[str, str], result: dg.ExecuteInProcessResult
) -> list[FailedCheck]:
    """Ask the checks that failed once more, for their rows: the event log keeps only what fits into metadata."""
    periods = month_range(tags[RANGE_START_TAG], tags[RANGE_END_TAG])
    failed = {
        ("/".join(e.asset_check_key.asset_key.path[1:]), e.asset_check_key.name)
        for e in result.get_asset_check_evaluations()
        if not e.passed
    }
    found = []
    for row in CHECKS:
        if (row.path, row.name) in failed:
            ctx = runtime.context(
                connection.name, run_id=result.run_id, asset_key=f"{connection.name}/{row.path}", periods=periods
            )
            found.append(FailedCheck(row.path, row.name, row.ask(ctx)))
    return found


def _instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of the installation; the folder must have been prepared."""
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    if settings.database_url is not None:
        os.environ["JDEBILL_DATABASE_URL"] = settings.database_url
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")
    instance = dg.DagsterInstance.get()
    keep_connections(instance)
    return instance


_OTHER_SIDE = {
    "ApiError",
    "TransientError",
    "PermanentError",
    "AuthenticationError",
    "RateLimited",
    "UnknownOutcome",
    "NotFound",
    "Refused",
    "BillRefused",
    "PermissionRefused",
    "UntrustedSession",
    "OperationalError",
}
