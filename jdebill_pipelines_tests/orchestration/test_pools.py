"""The concurrency pools of a connection are there before two first runs can ask for them at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from jdebill_pipelines.orchestration.catalog import CATALOG
from jdebill_pipelines.orchestration.pools import ensure_pools
from jdebill_pipelines_tests.orchestration.ticks import ticks_of
from jdebill_pipelines_tests.support.world import NAME, World


def test_pools_are_made_once_however_many_ask_at_once(world: World) -> None:
    """Eight ask for the pools of a new installation at the same moment: none fails, and each pool has its limit."""
    assert {asset.system for asset in CATALOG} - {""} == {"jde", "bill"}
    with ticks_of(world) as ticks:
        start = threading.Barrier(8)

        def ask(_: int) -> None:
            start.wait()
            ensure_pools(ticks.instance, world.store, NAME)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(8)))
        pools = {p.name: (p.limit, p.from_default) for p in ticks.instance.event_log_storage.get_pool_limits()}
        assert pools == {"jde_acme": (1, True), "bill_acme": (1, True)}


def test_a_limit_that_people_set_stays(world: World) -> None:
    """Two calls at a time into JD Edwards, set by hand: the tick of the due sensor makes what is missing, no more."""
    with ticks_of(world) as ticks:
        ticks.instance.event_log_storage.set_concurrency_slots("jde_acme", 2)
        assert ticks.sensor("due").said == "nothing is due"
        pools = {p.name: (p.limit, p.from_default) for p in ticks.instance.event_log_storage.get_pool_limits()}
        assert pools == {"jde_acme": (2, False), "bill_acme": (1, True)}
