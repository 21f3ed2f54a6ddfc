"""What the code location holds when it is loaded: everything that runs by itself, for every enabled connection."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import msgspec

from jdebill_pipelines.build import build_defs
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines_tests.receiver.conftest import connection as any_connection


def test_code_location_loads_with_all_that_runs_by_itself(tmp_path: Path) -> None:
    """Three connections, one of them off: loaded without a warning, and sensors and schedules run from the start."""
    acme, two = any_connection(), any_connection("acme-two")
    bill = msgspec.structs.replace(two.bill, webhook_url="https://hooks.example.com/webhooks/acme-two")
    connections = {
        "acme": acme,
        "acme-two": msgspec.structs.replace(two, bill=bill),
        "off": msgspec.structs.replace(any_connection("off"), enabled=False),
    }
    settings = Settings.from_environment({"JDEBILL_HOME": str(tmp_path)})
    defs = build_defs(connections, runtime=Runtime(settings, connections))
    dg.Definitions.validate_loadable(defs)
    repository = defs.get_repository_def()
    ours = ("due", "due_done", "due_failed", "due_canceled", "alerts_of_finished_runs", "alerts_of_failed_runs",
            "alerts_of_canceled_runs", "alerts_sender")  # fmt: skip
    sensors = [s for s in repository.sensor_defs if s.name != "default_automation_condition_sensor"]
    assert {s.name for s in sensors} == {f"{c}_{name}" for c in ("acme", "acme_two") for name in ours}
    assert {s.default_status for s in sensors} == {dg.DefaultSensorStatus.RUNNING}
    schedules = {s.name: s for s in repository.schedule_defs}
    both = {f"{c}_{name}_schedule" for c in ("acme", "acme_two") for name in ("poll", "nightly", "audit")}
    assert set(schedules) == both | {"acme_two_webhook_watch_schedule"}
    assert {s.default_status for s in schedules.values()} == {dg.DefaultScheduleStatus.RUNNING}
    assert not (tmp_path / "postgres").exists(), "nothing is opened while loading"
