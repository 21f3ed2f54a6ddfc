"""What Dagster's daemon does with a connection's schedules and sensors, tick by tick, in this process.

Belongs here: evaluating the real definitions on the real instance, keeping cursors, running what was asked for. Does
not belong here: any expectation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from jdebill_pipelines.build import build_defs
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines_tests.support.world import NAME, World


@dataclass(frozen=True)
class Tick:
    """What a tick came to.

    Attributes:
        requests: the runs that it asked for; run keys that were asked for before are left out, as the daemon does.
        said: why it asked for none.
        reacted: the runs that a run status sensor was called with.
        errors: what it raised for them.
    """

    requests: Sequence[dg.RunRequest]
    said: str = ""
    reacted: Sequence[str] = ()
    errors: Sequence[str] = ()


class Ticks:
    """Ticks of the schedules and sensors of the connection ``acme``.

    Attributes:
        instance: on the PostgreSQL of the test, with the project's dagster.yaml.
        defs: what the code location holds.
    """

    def __init__(self, runtime: Runtime, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.defs = build_defs(runtime.connections, runtime=runtime)
        self._cursors: dict[str, str | None] = {}
        self._run_keys: set[str] = set()

    def sensor(self, name: str) -> Tick:
        """One tick of a sensor, named without the connection."""
        definition = self.defs.resolve_sensor_def(f"{NAME}_{name}")
        with dg.build_sensor_context(self.instance, cursor=self._cursors.get(name), sensor_name=definition.name) as ctx:
            found = definition.evaluate_tick(ctx)
        self._cursors[name] = found.cursor
        reactions = found.dagster_run_reactions or ()
        return Tick(
            self._fresh(found.run_requests),
            found.skip_message or "",
            [r.dagster_run.run_id for r in reactions if r.dagster_run],
            [r.error.message for r in reactions if r.error],
        )

    def schedule(self, name: str, at: datetime) -> Tick:
        """One tick of a schedule, named without the connection, at a moment in the schedule's zone."""
        definition = self.defs.resolve_schedule_def(f"{NAME}_{name}_schedule")
        with dg.build_schedule_context(
            self.instance, scheduled_execution_time=at, repository_def=self.defs.get_repository_def()
        ) as ctx:
            found = definition.evaluate_tick(ctx)
        return Tick(self._fresh(found.run_requests), found.skip_message or "")

    def _fresh(self, requests: Sequence[dg.RunRequest] | None) -> list[dg.RunRequest]:
        fresh = [r for r in requests or () if r.run_key not in self._run_keys]
        self._run_keys |= {str(r.run_key) for r in fresh}
        return fresh

    def run(self, request: dg.RunRequest, job: str = "") -> dg.ExecuteInProcessResult:
        """Run what a tick asked for and wait for it."""
        return self.run_job(request.job_name or f"{NAME}_{job}", request.tags)

    def run_job(self, job: str, tags: Mapping[str, str] | None = None) -> dg.ExecuteInProcessResult:
        """Run a job and wait for it."""
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            tags=dict(tags or {}),
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


@contextmanager
def ticks_of(world: World) -> Iterator[Ticks]:
    """The ticks of a world's connection, as its files say now."""
    os.environ["DAGSTER_HOME"] = str(world.settings.dagster_home)
    os.environ["JDEBILL_DATABASE_URL"] = str(world.settings.database_url)
    runtime = world.runtime()
    try:
        with dg.DagsterInstance.get() as instance:
            yield Ticks(runtime, instance)
    finally:
        runtime.close()
