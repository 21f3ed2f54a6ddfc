"""The job that looks after BILL's webhook subscription, every hour.

Belongs here: when it runs. Does not belong here: what it does (``steps.webhook_watch``).
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

import dagster as dg

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.orchestration.keys import CONNECTION_TAG, pool_name, safe_name
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.steps.webhook_watch import watch


def build_watch(connection: Connection, runtime: Runtime) -> tuple[list[dg.JobDefinition], list[dg.ScheduleDefinition]]:
    """The watch's job and schedule; nothing for a connection without ``bill.webhook_url``."""
    if not connection.bill.webhook_url:
        return [], []
    name = f"{safe_name(connection.name)}_webhook_watch"

    @dg.op(
        name=f"{name}_op",
        description="Enable a disabled subscription, fetch what was missed, tell of silence.",
        pool=pool_name(connection.name, "bill"),
    )
    def look(context: dg.OpExecutionContext) -> None:
        found = watch(runtime, connection.name)
        context.log.info("%s", found)

    @dg.job(
        name=name,
        description=f"{connection.name}: do BILL's webhooks still arrive?",
        tags={CONNECTION_TAG: connection.name},
        executor_def=dg.in_process_executor,
    )
    def watched() -> None:
        look()

    schedule = dg.ScheduleDefinition(
        name=f"{name}_schedule",
        cron_schedule="7 * * * *",
        execution_timezone=connection.timezone,
        job=watched,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Ask BILL every hour whether its events still arrive.",
    )
    return [watched], [schedule]
