"""PostgreSQL drops every connection in the middle of a run, as in a restart or a failover."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from jdebill_pipelines_tests.live.installed import wait_for
from jdebill_pipelines_tests.support.completeness import assert_no_gap_and_no_duplicate
from jdebill_pipelines_tests.support.databases import end_others
from jdebill_pipelines_tests.support.world import World

# What the run before had claimed waits out its lease, and what was not found its settling delay.
LET_TIME_PASS = """
UPDATE jdebill.writes SET lease_until = now(), claimed_at = claimed_at - interval '1 hour',
  uncertain_since = uncertain_since - interval '1 hour'
WHERE state <> 'confirmed'
"""


def jde_is_read(world: World) -> bool:
    """The accounts are there, what comes after them is not."""
    return sum(world.sandbox.control_ais("state")["calls"].values()) >= 6


def bills_are_written(world: World) -> bool:
    """BILL has taken a bulk of bills; more are under way."""
    return any("bills/bulk" in call for call in world.sandbox.control_bill("state")["calls"])


@pytest.mark.parametrize("moment", [jde_is_read, bills_are_written])
def test_a_run_that_loses_the_database_loses_nothing_else(world: World, moment: Callable[[World], bool]) -> None:
    """The run ends, well or failed and on record as what it is; the next one is complete, and nothing is in BILL twice.

    Answers of BILL that came while nobody could write them down are looked up first.
    """
    for control in (world.sandbox.control_ais, world.sandbox.control_bill):
        control("switches", {"latency_ms": 60})
    running = world.start_sync()
    try:
        wait_for(lambda: moment(world) or running.poll() is not None, moment.__name__, 60, every=0.02)
        assert running.poll() is None, "it ended before the moment came"
        assert end_others(world.engine) >= 1
        out, err = running.communicate(timeout=200)
    finally:
        running.kill()
        for control in (world.sandbox.control_ais, world.sandbox.control_bill):
            control("switches", {"latency_ms": 0})
    assert running.returncode in (0, 1, 3), (out.decode()[-1000:], err.decode()[-2000:])
    with world.engine.connect() as tx:
        (status,) = tx.execute(sa.text("SELECT status FROM runs")).scalars()
    assert status == ("FAILURE" if b'"succeeded": false' in out else "SUCCESS"), (
        out.decode()[-1000:],
        err.decode()[-3000:],
    )

    with world.engine.begin() as tx:
        tx.execute(sa.text(LET_TIME_PASS))
    assert world.sync().succeeded
    assert world.sync().succeeded
    assert_no_gap_and_no_duplicate(world)
