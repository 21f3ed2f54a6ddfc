"""Fixtures of the whole loop; a folder's conftest imports what its tests ask for.

The simulators live as long as the test process and are reset before each test, and each test has a database of its
own, copied from one that Dagster and we have migrated.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from jdebill_pipelines.cli import dagster_home
from jdebill_pipelines.orchestration.running import month_range
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.store.embedded import create_database
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines_tests.support.databases import copied_database
from jdebill_pipelines_tests.support.world import World, settings_for

# The generated company's last day. In the past, so that its months are partitions whenever the tests run.
TODAY = date(2025, 6, 27)
MONTHS = month_range("2025-01", "2025-06")


@pytest.fixture(scope="session")
def dagster_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAGSTER_HOME with the project's dagster.yaml."""
    folder = tmp_path_factory.mktemp("dagster")
    shutil.copyfile(dagster_home.ROOT / "dagster.yaml", folder / "dagster.yaml")
    return folder


@pytest.fixture(scope="session")
def dagster_template(postgres_server: str, template_database: str, dagster_folder: Path) -> str:
    """A database with our tables and Dagster's: made once, copied per test."""
    name = f"template_loop_{uuid.uuid4().hex[:8]}"
    url = create_database(postgres_server, name, template=template_database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDEBILL_DATABASE_URL", url)
        patch.setenv("DAGSTER_HOME", str(dagster_folder))
        with dg.DagsterInstance.get() as instance:
            instance.get_runs(limit=1)
            instance.fetch_materializations(dg.AssetKey("none"), limit=1)
            instance.all_instigator_state()
    return name


@pytest.fixture
def loop_database(postgres_server: str, dagster_template: str) -> Iterator[str]:
    """A fresh database of this test."""
    with copied_database(postgres_server, dagster_template, "w") as url:
        yield url


@pytest.fixture(scope="session")
def tiny_company() -> Iterator[SandboxProcess]:
    """The simulators over the tiny generated company, which has every awkward case."""
    with SandboxProcess.start(company="tiny", today=TODAY) as sandbox:
        yield sandbox


@pytest.fixture
def clean_environment() -> Iterator[None]:
    """What a run puts into the environment is taken away again."""
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith(("JDEBILL_", "DAGSTER_HOME"))]:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def open_world(sandbox: SandboxProcess, database: str, home: Path, dagster: Path, months: tuple[str, ...]) -> World:
    """A connection that is set up and has not run yet."""
    engine = create_engine(database, pool_size=3)
    world = World(sandbox, replace(settings_for(home, database, dagster)), engine, months)
    world.configure()
    world.log_in()
    return world


@pytest.fixture
def world(
    tiny_company: SandboxProcess, loop_database: str, tmp_path: Path, dagster_folder: Path, clean_environment: None
) -> Iterator[World]:
    """The tiny company with an empty BILL; both simulators as they were in the beginning."""
    tiny_company.control_ais("reset", {})
    tiny_company.control_bill("reset", {})
    opened = open_world(tiny_company, loop_database, tmp_path, dagster_folder, MONTHS)
    try:
        yield opened
    finally:
        opened.engine.dispose()
