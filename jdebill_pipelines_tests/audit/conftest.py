"""Both simulators as processes, once per test process, and a connection between them per test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from jdebill_pipelines_tests.payments.conftest import connection, loop, servers
from jdebill_pipelines_tests.support.fixtures import (
    clean_environment,
    dagster_folder,
    dagster_template,
    loop_database,
    tiny_company,
    world,
)

__all__ = [
    "clean_environment",
    "connection",
    "dagster_folder",
    "dagster_template",
    "loop",
    "loop_database",
    "servers",
    "tiny_company",
    "world",
]


@pytest.fixture
def in_months() -> Callable[[int], date]:
    """The first day of a month counted from this one."""

    def first(ahead: int) -> date:
        today = datetime.now(UTC).date()
        index = today.year * 12 + today.month - 1 + ahead
        return date(index // 12, index % 12 + 1, 1)

    return first
