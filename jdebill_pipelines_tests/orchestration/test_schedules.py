"""Schedules at the moments that matter: the zone's midnight and month ends, the first months, months of 28 days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.orchestration.schedules import REPORTED
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines_tests.orchestration.ticks import Tick, Ticks
from jdebill_pipelines_tests.receiver.conftest import connection as any_connection

TOKYO = ZoneInfo("Asia/Tokyo")
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """Schedules ask the instance nothing; Dagster wants a lasting one all the same."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance"))) as made:
        yield made


def ticks(instance: dg.DagsterInstance, tmp: Path, start: date = date(2025, 1, 15)) -> Ticks:
    """The ticks of a connection in Tokyo that starts on a day."""
    connection: Connection = any_connection(start_date=start, timezone="Asia/Tokyo")
    settings = Settings.from_environment({"JDEBILL_HOME": str(tmp)})
    return Ticks(Runtime(settings, {"acme": connection}), instance)


def months(tick: Tick) -> tuple[str, str]:
    """First and last month of the one run that a tick asked for."""
    (request,) = tick.requests
    return request.tags[RANGE[0]], request.tags[RANGE[1]]


@pytest.mark.parametrize(
    ("at", "swept"),
    [
        (datetime(2026, 3, 1, 2, 30, tzinfo=TOKYO), ("2026-01", "2026-03")),  # still February in UTC
        (datetime(2026, 1, 31, 2, 30, tzinfo=TOKYO), ("2025-11", "2026-01")),
        (datetime(2025, 2, 28, 2, 30, tzinfo=TOKYO), ("2025-01", "2025-02")),  # no month before the first
        (datetime(2025, 1, 15, 2, 30, tzinfo=TOKYO), ("2025-01", "2025-01")),
    ],
)
def test_nightly_sweep_reads_the_open_months_whole(
    instance: dg.DagsterInstance, tmp_path: Path, at: datetime, swept: tuple[str, str]
) -> None:
    """The month of the zone's day and the two before, none before the start; full, with an actor for the journal."""
    tick = ticks(instance, tmp_path).schedule("nightly", at)
    assert months(tick) == swept
    assert tick.requests[0].tags["jdebill/mode"] == "full"
    assert tick.requests[0].tags["jdebill/actor"] == "nightly sweep"


def test_before_the_start_nothing_is_swept_or_reported(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """A connection that starts next month: no run with its months the wrong way round, but a reason."""
    at = datetime(2024, 12, 31, 2, 30, tzinfo=TOKYO)
    connection = ticks(instance, tmp_path)
    for name in ("nightly", "audit"):
        tick = connection.schedule(name, at)
        assert tick.requests == []
        assert "start" in tick.said
    first_report = connection.schedule("audit", datetime(2025, 2, 1, 5, 30, tzinfo=TOKYO))
    assert [r.partition_key for r in first_report.requests] == ["2025-01"]
    assert (
        "2024-12 is before the start" in connection.schedule("audit", datetime(2025, 1, 10, 5, 30, tzinfo=TOKYO)).said
    )


def test_the_closed_month_is_reported_on_ten_mornings_after_the_sweep(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """05:30 on the first in Tokyo is the month before in UTC: the closed month is reported, each morning once."""
    connection = ticks(instance, tmp_path)
    schedule = connection.defs.resolve_schedule_def("acme_audit_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == (REPORTED, "Asia/Tokyo")
    asked = [
        request
        for day in (1, 2, 10)
        for request in connection.schedule("audit", datetime(2026, 1, day, 5, 30, tzinfo=TOKYO)).requests
    ]
    assert [request.partition_key for request in asked] == ["2025-12"] * 3
    assert len({request.run_key for request in asked}) == 3
    assert {request.tags["jdebill/actor"] for request in asked} == {"month end"}
    again = connection.schedule("audit", datetime(2026, 1, 2, 5, 30, tzinfo=TOKYO))
    assert again.requests == [], "the same tick twice is one run"


def test_poll_asks_once_per_moment_of_its_cron(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Each moment has a run key of its own, also in the hour that a zone goes through twice."""
    connection = ticks(instance, tmp_path)
    berlin = ZoneInfo("Europe/Berlin")
    moments = [datetime(2025, 10, 26, 2, 30, fold=fold, tzinfo=berlin) for fold in (0, 1)]
    keys = [request.run_key for at in moments for request in connection.schedule("poll", at).requests]
    assert keys == ["2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"]
    assert connection.schedule("poll", moments[0]).requests == []
