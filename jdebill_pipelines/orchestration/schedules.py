"""When JDE is asked, and when open months are swept.

Belongs here: cron lines of the connection file as schedules. Neither calls a vendor: that is the runs' work.
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

import dagster as dg

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.orchestration.keys import (
    ACTOR_TAG,
    MODE_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    audit_job_name,
    months_job_name,
    poll_job_name,
    safe_name,
)
from jdebill_pipelines.orchestration.partitions import first_month
from jdebill_pipelines.steps.context import Mode

# The months that the nightly sweep reads whole: what is older changes seldom, and the poll finds it when it does.
SWEPT_MONTHS = 3
# The last month is reported every day while it is being closed, after the nightly sweep.
REPORTED = "30 5 1-10 * *"


def build_schedules(connection: Connection) -> list[dg.ScheduleDefinition]:
    """The poll, the nightly sweep and the month-end report of a connection, running unless somebody stops them."""
    name = connection.name

    @dg.schedule(
        name=f"{safe_name(name)}_poll_schedule",
        cron_schedule=connection.sync.schedule,
        execution_timezone=connection.timezone,
        job_name=poll_job_name(name),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Ask JD Edwards what changed; what is due is run by the due sensor.",
    )
    def polled(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())

    @dg.schedule(
        name=f"{safe_name(name)}_nightly_schedule",
        cron_schedule=connection.sync.nightly,
        execution_timezone=connection.timezone,
        job_name=months_job_name(name),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Read the open months whole: finds what disappeared, and what no poll and no event announced.",
    )
    def swept(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        last = context.scheduled_execution_time
        first = max(_months_before(last.year, last.month, SWEPT_MONTHS - 1), first_month(connection))
        if first > f"{last:%Y-%m}":
            return dg.SkipReason(f"the connection starts in {first}")
        return dg.RunRequest(
            run_key=last.isoformat(),
            tags={
                RANGE_START_TAG: first,
                RANGE_END_TAG: f"{last:%Y-%m}",
                MODE_TAG: Mode.FULL,
                ACTOR_TAG: "nightly sweep",
            },
        )

    @dg.schedule(
        name=f"{safe_name(name)}_audit_schedule",
        cron_schedule=REPORTED,
        execution_timezone=connection.timezone,
        job_name=audit_job_name(name),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Report last month on each of the first ten days of a month, while it is being closed.",
    )
    def reported(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time
        month = _months_before(now.year, now.month, 1)
        if month < first_month(connection):
            return dg.SkipReason(f"{month} is before the start of the connection")
        return dg.RunRequest(run_key=now.isoformat(), partition_key=month, tags={ACTOR_TAG: "month end"})

    return [polled, swept, reported]


def _months_before(year: int, month: int, n: int) -> str:
    index = year * 12 + month - 1 - n
    return f"{index // 12:04d}-{index % 12 + 1:02d}"
