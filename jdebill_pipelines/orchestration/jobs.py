"""The jobs of a connection: the main flow over a range of months, and the poll.

Belongs here: which assets run together. Does not belong here: when (``schedules``, ``sensors``).
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.orchestration.keys import CONNECTION_TAG, months_job_name, poll_job_name
from jdebill_pipelines.steps.poll import poll
from jdebill_pipelines.steps.runtime import Runtime


def months_job(connection: Connection) -> UnresolvedAssetJobDefinition:
    """Every asset of the main flow with its checks, in one process: a process per step costs more than it gives."""
    return dg.define_asset_job(
        months_job_name(connection.name),
        selection=dg.AssetSelection.key_prefixes([connection.name]),
        description=f"{connection.name}: JD Edwards to BILL, one month or a range of months in one run.",
        tags={CONNECTION_TAG: connection.name},
        executor_def=dg.in_process_executor,
    )


def poll_job(connection: Connection, runtime: Runtime) -> dg.JobDefinition:
    """Ask JDE what changed; the due sensor turns the answer into a run."""

    @dg.op(name=f"{poll_job_name(connection.name)}_op", description="Ask JDE what changed since the last poll.")
    def ask(context: dg.OpExecutionContext) -> None:
        ctx = runtime.context(
            connection.name,
            run_id=context.run.run_id,
            asset_key="",
            actor=context.run.tags.get("dagster/schedule_name", "Dagster UI"),
            log=context.log,
        )
        result = poll(ctx)
        context.log.info("due: %s; %s", result.facts["due"], result.counts)

    @dg.job(
        name=poll_job_name(connection.name),
        description=f"{connection.name}: what changed in JD Edwards since the last poll?",
        tags={CONNECTION_TAG: connection.name},
        executor_def=dg.in_process_executor,
    )
    def polled() -> None:
        ask()

    return polled
