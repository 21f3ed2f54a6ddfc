"""What is left of a run when Dagster's event log is gone."""

from __future__ import annotations

import dagster as dg
import pytest

from jdebill_pipelines_tests.support.world import World


def test_a_run_is_on_record_without_dagster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who, which months, what each asset did and each check found: also after the run was deleted in Dagster."""
    summary = world.sync("2025-05")
    with dg.DagsterInstance.get() as instance:
        instance.delete_run(summary.run_id)
        assert instance.get_run_by_id(summary.run_id) is None
    run = world.store.runs.get(summary.run_id)
    assert run is not None
    assert (run.status, run.actor, run.mode, run.periods) == ("succeeded", "test", "full", ["2025-05"])
    assert run.finished_at is not None
    assert run.code_version
    assert set(run.summary["assets"]) == set(summary.results)
    assert run.summary["assets"]["jde/vouchers"]["counts"]["F0411"] == summary.results["jde/vouchers"].counts["F0411"]
    failed = {name for name, fact in run.summary["checks"].items() if not fact["passed"]}
    assert failed == {f"{check.asset}: {check.check}" for check in summary.failed_checks} != set()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("jdebill_pipelines.orchestration.run_records.made", broken)
    lost = world.sync("2025-04")
    run = world.store.runs.get(lost.run_id)
    assert run is not None
    assert (run.status, "the disk is full" in run.summary["error"]) == ("failed", True)
