"""A run's connections to Dagster's storage are kept, and replaced when PostgreSQL ended them."""

from __future__ import annotations

import sqlalchemy as sa

from jdebill_pipelines.orchestration.storage import keep_connections
from jdebill_pipelines_tests.orchestration.ticks import ticks_of
from jdebill_pipelines_tests.support.world import World

OTHERS = """
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def test_one_connection_serves_many_statements_and_a_lost_one_is_replaced(world: World) -> None:
    """Ten questions to the run storage leave the same backend; after it was ended the next question has another."""

    def backends() -> set[int]:
        with world.engine.connect() as tx:
            return set(tx.execute(sa.text(f"SELECT pid {OTHERS}")).scalars())

    with ticks_of(world) as ticks:
        assert ticks.instance.get_runs() == []
        assert backends() == set(), "as Dagster makes it: a connection for each statement"
        keep_connections(ticks.instance)
        keep_connections(ticks.instance)
        assert ticks.instance.get_runs() == []
        kept = backends()
        assert len(kept) == 1
        for _ in range(10):
            assert ticks.instance.get_runs() == []
        assert backends() == kept
        with world.engine.connect() as tx:
            assert tx.execute(sa.text(f"SELECT count(pg_terminate_backend(pid)) {OTHERS}")).scalar_one() == 1
        assert ticks.instance.get_runs() == []
        assert len(backends() - kept) == 1
