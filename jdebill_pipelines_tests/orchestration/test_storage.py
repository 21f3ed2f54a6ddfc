"""A run's connections to Dagster's storage are kept, and replaced when PostgreSQL ended them."""

from __future__ import annotations

from jdebill_pipelines.orchestration.storage import keep_connections
from jdebill_pipelines_tests.orchestration.ticks import ticks_of
from jdebill_pipelines_tests.support.databases import end_others, others_of
from jdebill_pipelines_tests.support.world import World


def test_one_connection_serves_many_statements_and_a_lost_one_is_replaced(world: World) -> None:
    """Ten questions to the run storage leave the same backend; after it was ended the next question has another."""
    with ticks_of(world) as ticks:
        assert ticks.instance.get_runs() == []
        assert others_of(world.engine) == set(), "as Dagster makes it: a connection for each statement"
        keep_connections(ticks.instance)
        keep_connections(ticks.instance)
        assert ticks.instance.get_runs() == []
        kept = others_of(world.engine)
        assert len(kept) == 1
        for _ in range(10):
            assert ticks.instance.get_runs() == []
        assert others_of(world.engine) == kept
        assert end_others(world.engine) == 1
        assert ticks.instance.get_runs() == []
        assert len(others_of(world.engine) - kept) == 1
