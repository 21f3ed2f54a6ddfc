"""How runs end that never came to their own end."""

from __future__ import annotations

import dagster as dg

from jdebill_pipelines_tests.orchestration.ticks import ticks_of
from jdebill_pipelines_tests.support.world import World


def test_a_run_whose_worker_died_is_on_record_although_it_is_tried_again(world: World) -> None:
    """The first attempt died and Dagster starts another: the record says failed, and nobody is told yet.

    The last attempt is told.
    """
    with ticks_of(world) as ticks:
        ticks.sensor("alerts_of_failed_runs")
        job = ticks.defs.resolve_job_def("acme_months")
        for most, told in ((2, 0), (0, 1)):
            tags = {"jdebill/connection": "acme", "dagster/max_retries": str(most)}
            run = ticks.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
            ticks.instance.report_run_failed(run, "the worker died")
            tick = ticks.sensor("alerts_of_failed_runs")
            assert (tick.reacted, tick.errors) == ([run.run_id], [])
            record = world.store.runs.get(run.run_id)
            assert record is not None
            assert (record.status, record.flow, record.finished_at is not None) == ("failed", "acme_months", True)
            assert len(world.store.alerts.outbox()) == told
