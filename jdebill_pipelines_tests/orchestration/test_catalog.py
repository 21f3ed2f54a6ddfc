"""What Dagster knows of the assets, checks and jobs of a connection, held against the catalog."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import msgspec
import pytest

import jdebill_pipelines
from jdebill_pipelines.build import build_defs
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.orchestration.assets import KINDS, OWNERS
from jdebill_pipelines.orchestration.catalog import AUDIT_PATH, CATALOG, PAYMENT_PATHS, AssetRow
from jdebill_pipelines.orchestration.checks import CHECKS, CheckRow
from jdebill_pipelines.orchestration.keys import asset_key
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines_tests.receiver.conftest import connection as any_connection

NAME = "acme-two"  # a hyphen: not allowed in the names of jobs, sensors and pools
ROWS = {row.path: row for row in CATALOG}


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The definitions of two connections."""
    two = msgspec.structs.replace(any_connection(NAME), timezone="Asia/Tokyo")
    connections = {"acme": any_connection(), NAME: two}
    settings = Settings.from_environment({"JDEBILL_HOME": str(tmp_path_factory.mktemp("home"))})
    return build_defs(connections, runtime=Runtime(settings, connections))


@pytest.fixture(scope="module")
def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    """The assets of one connection by their path."""
    found = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
    assert {key.path[0] for key in found} == {"acme", NAME}
    return {row.path: found[asset_key(NAME, row.path)] for row in CATALOG}


def upstream(path: str) -> set[str]:
    """Everything that an asset is made of, at whatever distance."""
    return {found for need in ROWS[path].needs for found in (need, *upstream(need))}


def columns_of(spec: dg.AssetSpec) -> set[str]:
    """The columns that an asset says it has."""
    return {column.name for column in spec.metadata["dagster/column_schema"].columns}


@pytest.mark.parametrize("row", CATALOG, ids=lambda row: row.path)
def test_asset_says_what_it_is_and_whose(row: AssetRow, specs: dict[str, dg.AssetSpec]) -> None:
    """Description, kinds, owner, group, tags, code version and dependencies of every row are on the asset."""
    spec = specs[row.path]
    assert spec.description == row.description
    assert spec.description.endswith(".")
    assert spec.kinds == KINDS[row.group]
    assert spec.owners == OWNERS[row.group]
    assert spec.group_name == row.lineage_group
    assert spec.code_version == jdebill_pipelines.CODE_VERSION
    assert (spec.tags["connection"], spec.tags["writes"]) == (NAME, "yes" if row.writes else "no")
    assert {dep.asset_key for dep in spec.deps} == {asset_key(NAME, path) for path in row.needs}
    assert CATALOG.index(row) > max((CATALOG.index(ROWS[need]) for need in row.needs), default=-1)


@pytest.mark.parametrize("row", CATALOG, ids=lambda row: row.path)
def test_column_lineage_leads_to_columns_that_exist(row: AssetRow, specs: dict[str, dg.AssetSpec]) -> None:
    """Every asset shows its columns; each column that comes from another names one there, and there is upstream."""
    shown = columns_of(specs[row.path])
    assert shown
    lineage = specs[row.path].metadata.get("dagster/column_lineage")
    if row.tables:
        assert lineage is None, "read from JDE, from nothing of ours"
        return
    assert lineage is not None
    assert set(lineage.deps_by_column) == shown
    for column, deps in lineage.deps_by_column.items():
        assert deps, column
        for dep in deps:
            path = "/".join(dep.asset_key.path[1:])
            assert dep.asset_key.path[0] == NAME
            assert path in upstream(row.path), f"{column} comes from {path}, which is not upstream"
            assert dep.column_name in columns_of(specs[path]), f"{column}: {path} has no {dep.column_name}"


def test_months_are_partitions_in_the_connections_zone_and_a_range_is_one_run(defs: dg.Definitions) -> None:
    """Monthly rows have months from the start date to next month, one run for a range; snapshots have none."""
    for row in CATALOG:
        made = defs.resolve_assets_def(asset_key(NAME, row.path))
        if not row.monthly:
            assert (made.partitions_def, made.backfill_policy) == (None, None)
            continue
        assert isinstance(made.partitions_def, dg.MonthlyPartitionsDefinition)
        assert made.partitions_def.timezone == "Asia/Tokyo"
        keys = made.partitions_def.get_partition_keys()
        assert keys[0] == "2026-01"
        window = made.partitions_def.time_window_for_partition_key("2026-02")
        assert window.start.isoformat() == "2026-02-01T00:00:00+09:00"
        assert made.backfill_policy == dg.BackfillPolicy.single_run()


def test_next_month_is_a_partition_and_the_one_after_is_not(defs: dg.Definitions) -> None:
    """JDE takes a G/L date of the next period: on the last evening of January in Tokyo, March is not there yet."""
    months = defs.resolve_assets_def(asset_key(NAME, "jde/vouchers")).partitions_def
    assert months is not None
    evening = dt.datetime(2026, 1, 31, 23, 59, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    with dg.partition_loading_context(evening):
        assert months.get_partition_keys() == ["2026-01", "2026-02"]
    with dg.partition_loading_context(evening + dt.timedelta(minutes=2)):
        assert months.get_partition_keys() == ["2026-01", "2026-02", "2026-03"]


def test_each_outside_system_of_each_connection_has_a_pool(defs: dg.Definitions) -> None:
    """What calls JDE or BILL waits for the pool of that system and connection; what calls neither waits for nobody."""
    for row in CATALOG:
        (pool,) = {op.pool for op in (defs.resolve_assets_def(asset_key(NAME, row.path)).op,)}
        assert pool == (f"{row.system}_acme_two" if row.system else None), row.path


@pytest.fixture(scope="module")
def checks(defs: dg.Definitions) -> dict[dg.AssetCheckKey, dg.AssetCheckSpec]:
    """The checks of both connections."""
    found: dict[dg.AssetCheckKey, dg.AssetCheckSpec] = {}
    for made in defs.asset_checks or ():
        assert isinstance(made, dg.AssetChecksDefinition)
        found |= {spec.key: spec for spec in made.check_specs}
    assert len(found) == 2 * len(CHECKS)
    return found


@pytest.mark.parametrize("row", CHECKS, ids=lambda row: f"{row.path}:{row.name}")
def test_check_says_what_it_asks_and_whether_it_blocks(
    row: CheckRow, checks: dict[dg.AssetCheckKey, dg.AssetCheckSpec]
) -> None:
    """Every row of the table is a check of its asset, with its question; only gates stop what follows."""
    spec = checks[dg.AssetCheckKey(asset_key(NAME, row.path), row.name)]
    assert spec.description == row.description
    assert spec.blocking is row.blocking is (row.name == "gate")


def test_jobs_hold_what_they_promise_in_one_process(defs: dg.Definitions) -> None:
    """The main flow has every asset but the report, payments their three, the report itself; each with its checks."""
    wanted = {
        "acme_two_months": {row.path for row in CATALOG} - {AUDIT_PATH},
        "acme_two_payments": set(PAYMENT_PATHS),
        "acme_two_audit": {AUDIT_PATH},
    }
    for name, paths in wanted.items():
        job = defs.resolve_job_def(name)
        assert set(job.asset_layer.executable_asset_keys) == {asset_key(NAME, path) for path in paths}
        checked = {dg.AssetCheckKey(asset_key(NAME, c.path), c.name) for c in CHECKS if c.path in paths}
        assert set(job.asset_layer.asset_graph.asset_check_keys) == checked
    assert defs.resolve_implicit_global_asset_job_def().executor_def is dg.in_process_executor, "a backfill of the page"
    for name in (*wanted, "acme_two_poll"):
        job = defs.resolve_job_def(name)
        assert job.executor_def is dg.in_process_executor
        assert job.tags["jdebill/connection"] == NAME
        assert job.description
        assert job.description.startswith(f"{NAME}: ")
