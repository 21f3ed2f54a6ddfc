"""What the Dagster page and its daemon do with a backfill, in this process: the mutation of the button, then the runs.

Belongs here: Dagster's own parts around the real definitions. Does not belong here: any expectation.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_graphql.client.query import LAUNCH_PARTITION_BACKFILL_MUTATION
from dagster_graphql.test.utils import execute_dagster_graphql

from jdebill_pipelines.orchestration.keys import asset_key
from jdebill_pipelines_tests.orchestration import location
from jdebill_pipelines_tests.support.world import NAME, World

_LAUNCHER = {
    "module": "dagster._core.launcher.sync_in_memory_run_launcher",
    "class": "SyncInMemoryRunLauncher",
}
_MOST_ITERATIONS = 12


class Page:
    """The page over one code location, and the daemon behind it."""

    def __init__(self, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
        self.instance = instance
        self._workspace = workspace

    def backfill(self, paths: Iterable[str], months: Sequence[str]) -> PartitionBackfill:
        """Choose assets and months, press the button, and wait until the daemon is done with it.

        Raises:
            AssertionError: the page refuses it, or the daemon fails at it.
        """
        params = {
            "assetSelection": [{"path": asset_key(NAME, path).path} for path in paths],
            "partitionNames": list(months),
        }
        context = self._workspace.create_request_context()
        answer = execute_dagster_graphql(context, LAUNCH_PARTITION_BACKFILL_MUTATION, {"backfillParams": params}).data
        launched = answer["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        for _ in range(_MOST_ITERATIONS):
            errors = [e for e in execute_backfill_iteration(self._workspace, logging.getLogger("backfill")) if e]
            assert errors == []
            found = self.instance.get_backfill(launched["backfillId"])
            assert found is not None
            if found.status.value != "REQUESTED":
                return found
            for run in reversed(self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))):
                self.instance.launch_run(run.run_id, context)
        raise AssertionError("the backfill does not end")


@contextmanager
def page_of(world: World, home: Path) -> Iterator[Page]:
    """The page of a world's connection; runs are made in this process, all else is as in the project's dagster.yaml.

    Args:
        world: whose connection.
        home: an empty folder, DAGSTER_HOME from now on.
    """
    config = yaml.safe_load((world.settings.dagster_home / "dagster.yaml").read_text("utf-8"))
    (home / "dagster.yaml").write_text(yaml.safe_dump({**config, "run_launcher": _LAUNCHER}), "utf-8")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["JDEBILL_DATABASE_URL"] = str(world.settings.database_url)
    target = LoadableTargetOrigin(
        executable_path=sys.executable, module_name=location.__name__, attribute=location.defs.__name__
    )
    load = InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(target, location_name="jdebill"))
    location.runtime = world.runtime()
    try:
        with (
            dg.DagsterInstance.get() as instance,
            create_test_daemon_workspace_context(load, instance) as workspace,
        ):
            yield Page(instance, workspace)
    finally:
        location.runtime.close()
        location.runtime = None
