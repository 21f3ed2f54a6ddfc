"""A backfill of three months from the page, and what its checks show, stop and leave on record."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from jdebill_pipelines.orchestration.catalog import AUDIT_PATH, CATALOG
from jdebill_pipelines.orchestration.checks import CHECKS
from jdebill_pipelines.orchestration.keys import RANGE_END_TAG, RANGE_START_TAG, asset_key
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.orchestration.page import page_of
from jdebill_pipelines_tests.orchestration.ticks import Ticks, ticks_of
from jdebill_pipelines_tests.support.databases import copied_database
from jdebill_pipelines_tests.support.fixtures import MONTHS, open_world
from jdebill_pipelines_tests.support.world import NAME, World

CHOSEN = ("2025-03", "2025-04", "2025-05")
MAIN = [row.path for row in CATALOG if row.path != AUDIT_PATH]
DRAFTS, BILLS = asset_key(NAME, "sync/bill_drafts"), asset_key(NAME, "bill/bills")
# Dagster's own, about itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning"),
]


@dataclass
class Backfilled:
    """A world after its backfill, and the runs that made it in the order of their making."""

    world: World
    status: str
    runs: Sequence[dg.DagsterRun]


@pytest.fixture(scope="module")
def backfilled(
    tiny_company: SandboxProcess,
    postgres_server: str,
    dagster_template: str,
    dagster_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Backfilled]:
    """Three of six months of the main flow, chosen in the page, on an empty BILL."""
    before = dict(os.environ)
    for control in (tiny_company.control_ais, tiny_company.control_bill):
        control("reset", {})
    with copied_database(postgres_server, dagster_template, "w") as url:
        world = open_world(tiny_company, url, tmp_path_factory.mktemp("home"), dagster_folder, MONTHS)
        try:
            with page_of(world, tmp_path_factory.mktemp("dagster")) as page:
                found = page.backfill(MAIN, CHOSEN)
                runs = page.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": found.backfill_id}))
            yield Backfilled(world, found.status.value, runs[::-1])
        finally:
            world.engine.dispose()
            os.environ.clear()
            os.environ.update(before)


@pytest.fixture
def ticks(backfilled: Backfilled) -> Iterator[Ticks]:
    """The same instance, later."""
    with ticks_of(backfilled.world) as made:
        yield made


def alone(
    ticks: Ticks, *, assets: set[dg.AssetKey], checks: set[dg.AssetCheckKey] | None = None, month: str = ""
) -> dg.ExecuteInProcessResult:
    """Materialize assets with their checks, or execute checks alone, as the page's buttons do."""
    job = ticks.defs.resolve_implicit_global_asset_job_def()
    return job.get_subset(asset_selection=assets, asset_check_selection=checks).execute_in_process(
        instance=ticks.instance,
        tags={RANGE_START_TAG: month, RANGE_END_TAG: month} if month else {},
        raise_on_error=False,
    )


def test_a_range_of_months_is_one_run_per_layer_not_per_month(backfilled: Backfilled, ticks: Ticks) -> None:
    """Dagster makes runs of snapshots and runs of the whole range, four in all; each chosen month is there, no other.

    Every bill in BILL is linked, and all of them are documents of the chosen months.
    """
    assert backfilled.status == "COMPLETED_SUCCESS"
    assert [run.status for run in backfilled.runs] == [dg.DagsterRunStatus.SUCCESS] * 4
    ranges = Counter((run.tags.get(RANGE_START_TAG), run.tags.get(RANGE_END_TAG)) for run in backfilled.runs)
    assert ranges == {(CHOSEN[0], CHOSEN[-1]): 2, (None, None): 2}
    for row in CATALOG:
        made = ticks.instance.get_materialized_partitions(asset_key(NAME, row.path))
        assert made == (set(CHOSEN) if row.monthly and row.path in MAIN else set()), row.path
    world = backfilled.world
    links = {**world.links("bill"), **world.links("vendor_credit")}
    assert links
    assert sorted(links.values()) == sorted(one["id"] for kind in ("bill", "vendor_credit") for one in world.bill(kind))
    assert {draft.period for draft in world.drafts().values()} == set(CHOSEN)
    assert world.ledger()["bill", "create", "confirmed"] == len(world.links("bill"))


def test_a_backfill_is_on_record_with_each_asset_and_check(backfilled: Backfilled) -> None:
    """Our own record of its runs: that it was a backfill, by whom, which months, what each asset and check found."""
    records = [backfilled.world.store.runs.get(run.run_id) for run in backfilled.runs]
    assets: set[str] = set()
    checks: set[str] = set()
    for run, record in zip(backfilled.runs, records, strict=True):
        assert record is not None
        assert (record.flow, record.mode, record.actor) == ("backfill", "full", "Dagster UI")
        assert record.periods == (list(CHOSEN) if RANGE_START_TAG in run.tags else [])
        assets |= set(record.summary["assets"])
        checks |= set(record.summary.get("checks", {}))
    assert assets == set(MAIN)
    assert checks == {f"{row.path}: {row.name}" for row in CHECKS if row.path in MAIN}


def test_failing_rows_are_a_table_on_the_check(backfilled: Backfilled, ticks: Ticks) -> None:
    """The check of the drafts warns: how many rows, and the first with document, line, field, value, reason and fix."""
    record = ticks.instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(DRAFTS, "rows_are_valid"))
    assert record is not None
    evaluation = record.evaluation
    assert evaluation is not None
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    failing = backfilled.world.store.verdicts.failing("bills", periods=CHOSEN)
    assert evaluation.metadata["failing rows"].value == len(failing) > 0
    shown = evaluation.metadata["failures"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert {"document", "line", "field", "value", "reason", "fix"} <= {c.name for c in shown.schema.columns}
    assert [r.data["document"] for r in shown.records] == [row["document"] for row in failing][: len(shown.records)]
    assert all(r.data["reason"] for r in shown.records)


def test_a_check_executed_alone_is_asked_of_every_month(backfilled: Backfilled, ticks: Ticks) -> None:
    """The page gives a check no month: it must not be green for looking at none, nor red for a month never made."""
    keys = {dg.AssetCheckKey(asset_key(NAME, row.path), row.name) for row in CHECKS if row.path == "sync/bill_drafts"}
    found = alone(ticks, assets=set(), checks=keys)
    outcome = {e.check_name: e for e in found.get_asset_check_evaluations()}
    assert {name: e.passed for name, e in outcome.items()} == {"rows_are_valid": False, "gate": True}
    failing = backfilled.world.store.verdicts.failing("bills")
    assert outcome["rows_are_valid"].metadata["failing rows"].value == len(failing)
    record = backfilled.world.store.runs.get(found.run_id)
    assert record is not None
    assert record.periods == list(CHOSEN)


def test_a_gate_that_is_closed_stops_what_follows(backfilled: Backfilled) -> None:
    """Strict: one bad document of a month, and its bills are not even begun; the check names month and reason.

    The run failed, nothing more is in BILL, and it is on record which check it was.
    """
    world = backfilled.world
    before = sorted(one["id"] for one in world.bill("bill"))
    bad = world.store.verdicts.failing("bills")[0]["period"]
    world.configure(more="  gate: strict\n")
    with ticks_of(world) as strict:
        run = alone(strict, assets={DRAFTS, BILLS}, month=bad)
    assert not run.success
    assert {m.asset_key for m in run.get_asset_materialization_events()} == {DRAFTS}
    outcome = {(e.asset_key, e.check_name): e for e in run.get_asset_check_evaluations()}
    gate = outcome[DRAFTS, "gate"]
    assert (gate.passed, gate.severity) == (False, dg.AssetCheckSeverity.ERROR)
    shown = gate.metadata["failures"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert [record.data["period"] for record in shown.records] == [bad]
    assert shown.records[0].data["reason"]
    assert (BILLS, "nothing_uncertain") not in outcome
    assert sorted(one["id"] for one in world.bill("bill")) == before
    record = world.store.runs.get(run.run_id)
    assert record is not None
    assert record.summary["checks"]["sync/bill_drafts: gate"]["passed"] is False
    assert "bill/bills" not in record.summary["assets"]
