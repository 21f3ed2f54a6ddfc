"""The one assembly function: connections and settings in, Dagster definitions out.

Tests, the command line and ``definitions`` call it; nothing is read from the environment here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.orchestration.alerting import build_alert_sensors
from jdebill_pipelines.orchestration.assets import build_assets
from jdebill_pipelines.orchestration.checks import build_checks
from jdebill_pipelines.orchestration.connection_files import build_notice
from jdebill_pipelines.orchestration.jobs import audit_job, months_job, payments_job, poll_job
from jdebill_pipelines.orchestration.schedules import build_schedules
from jdebill_pipelines.orchestration.sensors import build_sensors
from jdebill_pipelines.orchestration.webhook_watch import build_watch
from jdebill_pipelines.steps.runtime import Runtime


def build_defs(
    connections: Mapping[str, Connection], *, runtime: Runtime, problems: Sequence[str] = ()
) -> dg.Definitions:
    """Assemble everything that Dagster shows.

    Args:
        connections: by name; those that are not enabled are left out.
        runtime: opens database, vault and clients; nothing is opened while assembling.
        problems: mistakes of connection files, one line each; their connections are not among ``connections``.
    """
    enabled = [c for c in connections.values() if c.enabled]
    flows = {c.name: [months_job(c), payments_job(c)] for c in enabled}
    notices, notice_sensors = build_notice(runtime.settings.connections_dir, problems, any_enabled=bool(enabled))
    watches = [build_watch(c, runtime) for c in enabled]
    jobs: list[dg.JobDefinition | UnresolvedAssetJobDefinition] = []
    for c in enabled:
        jobs += [*flows[c.name], poll_job(c, runtime), audit_job(c)]
    return dg.Definitions(
        assets=[*notices, *(asset for c in enabled for asset in build_assets(c, runtime))],
        asset_checks=[check for c in enabled for check in build_checks(c, runtime)],
        # What is started from the page (assets, a backfill) is of no job of ours: it runs in one process all the same.
        executor=dg.in_process_executor,
        jobs=[*jobs, *(job for watched, _ in watches for job in watched)],
        schedules=[
            *(schedule for c in enabled for schedule in build_schedules(c)),
            *(schedule for _, schedules in watches for schedule in schedules),
        ],
        sensors=[
            *notice_sensors,
            *(
                sensor
                for c in enabled
                for sensor in (*build_sensors(c, runtime, flows[c.name]), *build_alert_sensors(c, runtime))
            ),
        ],
    )
