"""Sensors that tell people: of failed checks, failed and canceled runs, held documents, work given up.

Belongs here: reading Dagster's event log. Does not belong here: words, windows and channels (alerts/, store).
Open-source Dagster alerts on nothing by itself: a failed check that is not blocking leaves its run a success.
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

import time
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import dagster as dg
import msgspec
from sqlalchemy.exc import OperationalError

from jdebill_pipelines.alerts import causes
from jdebill_pipelines.alerts.causes import Alert, FailedCheck, FailedStep
from jdebill_pipelines.alerts.sending import channels_of, deliver, offer
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.orchestration import run_records
from jdebill_pipelines.orchestration.assets import OWNERS
from jdebill_pipelines.orchestration.keys import CONNECTION_TAG, safe_name
from jdebill_pipelines.orchestration.running import months_of
from jdebill_pipelines.steps import bill_drafts, jde_senders, vendors
from jdebill_pipelines.steps.posting_drafts import PAYMENT_STATE
from jdebill_pipelines.steps.posting_readback import GATES
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.store.quarantine import REFUSED, HeldRow
from jdebill_pipelines.store.runs import RunStatus
from jdebill_pipelines.store.store import Store

WILL_RETRY_TAG = "dagster/will_retry"
# What `metadata.of_check` calls things.
_ROWS, _TOTAL, _HELD = "failures", "failing rows", "documents held"
_CHECK_FAILED = "DagsterAssetCheckFailedError"
# The checks that show what is in the quarantine.
_STATES = ("sync/posting_drafts", "payments_need_no_person")
_READBACK = ("jde/postings", "posting_matches_jde")
_VERDICTS = {
    vendors.GATE: ("sync/vendor_map", "suppliers_are_complete"),
    bill_drafts.GATE: ("sync/bill_drafts", "rows_are_valid"),
    jde_senders.GATE: ("sync/posting_drafts", "rows_are_valid"),
}
_GATE_OWNER = "team:accounts-payable"
_ENDED: dict[dg.DagsterRunStatus, RunStatus] = {
    dg.DagsterRunStatus.SUCCESS: "succeeded",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "canceled",
}
# A status sensor moves on when its function raises, and the run would never be told of.
_ATTEMPTS, _PAUSE_SECONDS = 3, 2.0


def build_alert_sensors(connection: Connection, runtime: Runtime) -> list[dg.SensorDefinition]:
    """The sensors of a connection: finished, failed and canceled runs, and the sender of the outbox.

    They look at the runs of all code locations: one that `jdebill sync` made belongs to none.
    """
    name = safe_name(connection.name)

    @dg.run_status_sensor(
        name=f"{name}_alerts_of_finished_runs",
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitor_all_code_locations=True,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed checks and held documents of runs that succeeded.",
    )
    def finished(context: dg.RunStatusSensorContext) -> None:
        _told(connection, runtime, context, lambda _checks: [])

    @dg.run_failure_sensor(
        name=f"{name}_alerts_of_failed_runs",
        monitor_all_code_locations=True,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed runs, their failed checks and held documents; not when another attempt follows.",
    )
    def failed(context: dg.RunFailureSensorContext) -> None:
        _told(connection, runtime, context, lambda checks: _failure(context, checks))

    @dg.run_status_sensor(
        name=f"{name}_alerts_of_canceled_runs",
        run_status=dg.DagsterRunStatus.CANCELED,
        monitor_all_code_locations=True,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of canceled runs.",
    )
    def canceled(context: dg.RunStatusSensorContext) -> None:
        run = context.dagster_run
        _told(connection, runtime, context, lambda _checks: [causes.run_canceled(run.job_name, run.run_id)])

    @dg.sensor(
        name=f"{name}_alerts_sender",
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends the alerts in the outbox and tells of work that was given up.",
    )
    def sender(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        store = runtime.store(connection.name)
        context.update_cursor(_tell_given_up(connection, store, context.cursor))
        done = deliver(store, connection)
        if not channels_of(connection):
            return dg.SkipReason("no channel is configured: alerts.urls_env names no variable, or it is empty")
        return dg.SkipReason(f"sent {done.sent}, failed and tried again {done.failed}, given up {done.given_up}")

    return [finished, failed, canceled, sender]


def failed_checks(instance: dg.DagsterInstance, run_id: str, connection: str) -> list[FailedCheck]:
    """The checks of a connection's assets that failed in a run, whatever their severity."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    found = []
    for record in records:
        event = record.event_log_entry.dagster_event
        evaluation: Any = event.event_specific_data if event else None
        if evaluation is None or evaluation.passed or evaluation.asset_key.path[0] != connection:
            continue
        asset = "/".join(evaluation.asset_key.path[1:])
        metadata = {label: value.value for label, value in evaluation.metadata.items() if label != _ROWS}
        table = evaluation.metadata.get(_ROWS)
        total = metadata.pop(_TOTAL, 0)
        found.append(
            FailedCheck(
                asset=asset,
                name=evaluation.check_name,
                summary=evaluation.description or "",
                severity=evaluation.severity.value,
                owner=_owner(asset, evaluation.check_name, metadata),
                rows=_rows(table) if isinstance(table, dg.TableMetadataValue) else [],
                total=total if isinstance(total, int) else 0,
                facts={label: str(value) for label, value in metadata.items()},
            )
        )
    return found


def newly_held(store: Store, run: dg.DagsterRun, checks: Sequence[FailedCheck]) -> dict[str, list[HeldRow]]:
    """What a run put into the quarantine and no failed check of it shows, by gate."""
    failed, months = {(check.asset, check.name) for check in checks}, months_of(run.tags)
    judged: dict[str, set[tuple[str, str]]] = {}
    found: dict[str, list[HeldRow]] = {}
    for row in store.quarantine.open():
        if row.run_id != run.run_id:
            continue
        if row.gate not in judged:
            # A delta run may judge other months than its own; its checks show its own.
            periods = months if months and row.period else None
            judged[row.gate] = {(r["kind"], r["document"]) for r in store.verdicts.failing(row.gate, periods=periods)}
        if _shown_by(row, judged[row.gate]) not in failed:
            found.setdefault(row.gate, []).append(row)
    return found


def _shown_by(row: HeldRow, judged: Set[tuple[str, str]]) -> tuple[str, str] | None:
    """The check that fails because of a row of the quarantine; None when there is none, as for a refusal."""
    if row.rule == PAYMENT_STATE:
        return _STATES
    if row.rule == REFUSED:
        return None
    if row.gate in GATES.values():
        return _READBACK
    return _VERDICTS.get(row.gate) if (row.kind, row.natural_key) in judged else None


def _rows(table: dg.TableMetadataValue) -> list[dict[str, Any]]:
    """The rows of a table in the order of its columns; the event log sorts the members of a record."""
    return [{column.name: row.data.get(column.name) for column in table.schema.columns} for row in table.records]


def _owner(asset: str, check: str, metadata: Mapping[str, Any]) -> str:
    """Whose a failed check is: held documents and payments are for the clerks, all else for the asset's owner."""
    if _HELD in metadata or (asset, check) == _STATES:
        return _GATE_OWNER
    return ", ".join(OWNERS.get(asset.split("/", 1)[0], [causes.ENGINEERS]))


def _told(
    connection: Connection,
    runtime: Runtime,
    context: dg.RunStatusSensorContext,
    of_run: Callable[[Sequence[FailedCheck]], list[Alert]],
) -> None:
    run = context.dagster_run
    if not _is_of(run, connection.name):
        return
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            store = runtime.store(connection.name)
            run_records.ended(store, run, _ENDED[run.status])
            if run.tags.get(WILL_RETRY_TAG) == "true":
                return  # on record, and told of when the last attempt fails
            checks = failed_checks(context.instance, run.run_id, connection.name)
            alerts = [causes.check_failed(check, run.run_id) for check in checks]
            alerts += of_run(checks)
            alerts += [
                causes.quarantine_grew(gate, rows, run.run_id, owner=_GATE_OWNER)
                for gate, rows in newly_held(store, run, checks).items()
            ]
            for alert in alerts:
                offer(store, alert, window_minutes=connection.alerts.window_minutes)
            return
        except OperationalError:
            # Offered twice is told once.
            if attempt == _ATTEMPTS:
                raise
            time.sleep(_PAUSE_SECONDS)


def _failure(context: dg.RunFailureSensorContext, checks: Sequence[FailedCheck]) -> list[Alert]:
    """The alert about a failed run; none when all that failed are checks, which have alerts of their own."""
    steps, blocked = [], False
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        kind = (error.cls_name if error else None) or "step failure"
        if kind == _CHECK_FAILED:
            blocked = True
            continue
        steps.append(FailedStep(event.step_key or "", kind, _message(error.message if error else "", kind)))
    if blocked and checks and not steps:
        return []
    run = context.dagster_run
    return [causes.run_failed(run.job_name, run.run_id, steps, context.failure_event.message or "")]


def _message(text: str, kind: str) -> str:
    """The message without the class that Dagster writes before it."""
    head, separator, rest = text.strip().partition(": ")
    return rest if separator and head.rsplit(".", 1)[-1] == kind else text.strip()


def _is_of(run: dg.DagsterRun, connection: str) -> bool:
    """Whether a run is of this connection: by its tag, or (started in the UI) by what it materializes or checks."""
    tag = run.tags.get(CONNECTION_TAG)
    if tag is not None:
        return tag == connection
    keys = [*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())]
    return any(key.path[0] == connection for key in keys)


def _tell_given_up(connection: Connection, store: Store, cursor: str | None) -> str:
    """Tell of work that was given up since; the cursor holds the entries that were told already."""
    known: set[int] = set(msgspec.json.decode(cursor, type=list[int])) if cursor else set()
    now: set[int] = set()
    for work in store.due.given_up():
        if not set(work.ids) <= known:
            offer(store, causes.work_given_up(work), window_minutes=connection.alerts.window_minutes)
        now |= set(work.ids)
    return msgspec.json.encode(sorted(now)).decode("ascii")
