"""What every test may ask for: a PostgreSQL of its own and servers on free ports.

Belongs here: fixtures that several folders share. Fixtures of one folder live in its own conftest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from jdebill_pipelines_tests.support.databases import copied_database
from jdebill_pipelines_tests.support.scheduling import FolderScheduling, rank

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    """Keep Dagster quiet and self-contained: no telemetry, no home of the developer's."""
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    os.environ.pop("DAGSTER_HOME", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first."""
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together what shares a costly fixture. (The marks of ``--dist loadgroup`` do not arrive with pytest 9.)"""
    return FolderScheduling(config, log)


def fast_folder() -> str | None:
    """Where a test's PostgreSQL lives: in memory when there is room (a database is copied in 10 ms, not in 300).

    Never below pytest's own folder: each pytest that starts closes that to other users, and as root PostgreSQL runs
    as another user.
    """
    memory = Path("/dev/shm")  # the tests' own data, and an unguessable name below it
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30 else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL cluster from the wheel for this test process; yields its URL without a database name."""
    from jdebill_pipelines.store.embedded import EmbeddedServer

    with tempfile.TemporaryDirectory(prefix="jdebill-", dir=fast_folder()) as folder:
        server = EmbeddedServer(Path(folder))
        try:
            yield server.start(fast=True)
        finally:
            server.stop()


@pytest.fixture(scope="session")
def template_database(postgres_server: str) -> str:
    """A migrated database that the others are copied from (one migration per test process, not per test)."""
    from jdebill_pipelines.store.embedded import create_database
    from jdebill_pipelines.store.engine import migrate

    url = create_database(postgres_server, "template_jdebill")
    migrate(url)
    return "template_jdebill"


@pytest.fixture
def database_url(postgres_server: str, template_database: str) -> Iterator[str]:
    """A fresh, migrated database of this test."""
    with copied_database(postgres_server, template_database, "t") as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[object]:
    """A SQLAlchemy engine on the database of this test."""
    from jdebill_pipelines.store.engine import create_engine

    engine = create_engine(database_url)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The public procurement data beside the checkout; skips where it is missing."""
    if not DATA.is_dir():
        pytest.skip("no data folder beside the checkout")
    return DATA


_ = psycopg2  # the driver must import: SQLAlchemy only names it in the URL
