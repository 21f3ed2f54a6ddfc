"""The jobs of a connection: the main flow over a range of months, the way back of payments alone, and the poll.

Belongs here: which assets run together. Does not belong here: when (``schedules``, ``sensors``).
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.orchestration.catalog import AUDIT_PATH, PAYMENT_PATHS
from jdebill_pipelines.orchestration.keys import (
    CONNECTION_TAG,
    asset_key,
    audit_job_name,
    months_job_name,
    payments_job_name,
    poll_job_name,
)
from jdebill_pipelines.steps.payments import poll_payments
from jdebill_pipelines.steps.poll import poll
from jdebill_pipelines.steps.runtime import Runtime


def months_job(connection: Connection) -> UnresolvedAssetJobDefinition:
    """Every asset of the main flow with its checks, in one process: a process per step costs more than it gives."""
    return dg.define_asset_job(
        months_job_name(connection.name),
        selection=dg.AssetSelection.key_prefixes([connection.name])
        - dg.AssetSelection.assets(asset_key(connection.name, AUDIT_PATH)),
        description=f"{connection.name}: JD Edwards to BILL and payments back, a range of months in one run.",
        tags={CONNECTION_TAG: connection.name},
        executor_def=dg.in_process_executor,
    )


def payments_job(connection: Connection) -> UnresolvedAssetJobDefinition:
    """BILL's payments to JDE and nothing else: what a webhook starts, without reading all of JDE first."""
    return dg.define_asset_job(
        payments_job_name(connection.name),
        selection=dg.AssetSelection.assets(*(asset_key(connection.name, path) for path in PAYMENT_PATHS)),
        description=f"{connection.name}: payments of BILL back to JD Edwards.",
        tags={CONNECTION_TAG: connection.name},
        executor_def=dg.in_process_executor,
    )


def audit_job(connection: Connection) -> UnresolvedAssetJobDefinition:
    """The month-end report with its checks; a backfill of it reports past months again."""
    return dg.define_asset_job(
        audit_job_name(connection.name),
        selection=dg.AssetSelection.assets(asset_key(connection.name, AUDIT_PATH)),
        description=f"{connection.name}: the month-end report of a range of months.",
        tags={CONNECTION_TAG: connection.name},
        executor_def=dg.in_process_executor,
    )


def poll_job(connection: Connection, runtime: Runtime) -> dg.JobDefinition:
    """Ask JDE and BILL what changed; the due sensor turns the answer into runs."""

    @dg.op(name=f"{poll_job_name(connection.name)}_op", description="Ask both sides what changed since the last poll.")
    def ask(context: dg.OpExecutionContext) -> None:
        ctx = runtime.context(
            connection.name,
            run_id=context.run.run_id,
            asset_key="",
            actor=context.run.tags.get("dagster/schedule_name", "Dagster UI"),
            log=context.log,
        )
        result = poll(ctx)
        changed = poll_payments(ctx)
        context.log.info("due: %s; %s; %d payments", result.facts["due"], result.counts, changed)

    @dg.job(
        name=poll_job_name(connection.name),
        description=f"{connection.name}: what changed in JD Edwards and BILL since the last poll?",
        tags={CONNECTION_TAG: connection.name},
        executor_def=dg.in_process_executor,
    )
    def polled() -> None:
        ask()

    return polled
