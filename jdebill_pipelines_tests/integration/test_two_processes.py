"""Two `jdebill sync` processes over the same months at once: nothing twice, and never a fourth call in flight."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from jdebill_pipelines.steps.bill_side import refresh_bills, refresh_classifications, refresh_vendors
from jdebill_pipelines.steps.context import StepContext
from jdebill_pipelines_tests.support.states import differences, state_of
from jdebill_pipelines_tests.support.world import World


def test_two_syncs_at_once(world: World) -> None:
    """Both end well, every vendor and bill is in BILL once, and BILL saw two or three calls at a time, not more."""
    world.sandbox.control_bill("switches", {"latency_ms": 40})
    try:
        running = [world.start_sync(), world.start_sync()]
        ended = [(process, *process.communicate(timeout=200)) for process in running]
    finally:
        world.sandbox.control_bill("switches", {"latency_ms": 0})
    for process, out, err in ended:
        # 1: done, and held documents wait for a person.
        assert process.returncode == 1, err.decode()[-2000:]
        assert json.loads(out)["succeeded"] is True, f"{out.decode()}\n{err.decode()[-4000:]}"
    seen = world.sandbox.control_bill("state")
    assert 1 < seen["max_in_flight"] <= 3
    assert seen["refused_concurrency"] == 0

    bills, vendors = world.bill("bill"), world.bill("vendor")
    numbers = Counter((b["vendorId"], b["invoice"]["invoiceNumber"]) for b in bills)
    assert numbers
    assert max(numbers.values()) == 1
    assert sorted(world.links("bill").values()) == sorted(b["id"] for b in bills)
    assert sorted(world.links("vendor").values()) == sorted(v["id"] for v in vendors)
    assert {state for _, _, state in world.ledger()} == {"confirmed"}
    assert seen["written"]["bills"] == len(bills)

    # A quiet run afterwards has nothing to add.
    before, state = world.writes(), state_of(world)
    assert world.sync().succeeded
    assert differences(state, state_of(world)) == []
    assert world.writes() == before
    assert world.store.journal.verify().ok


def test_a_list_that_another_run_reads_removes_nothing_that_came_after_it_began(world: World) -> None:
    """One run began to list an empty BILL; another, begun even earlier, finds what was made since: all of it stays.

    As when both create what is missing: the slower list must not take the other's new accounts for deleted ones.
    """
    slow_list_began = datetime.now(UTC)
    generate = {"vendors": 2, "accounts": 3, "departments": 1, "bills": 4, "seed": 5, "days": 30}
    world.sandbox.control_bill("seed", {"generate": generate})

    def of_an_older_run(ctx: StepContext) -> None:
        ctx = replace(ctx, now=slow_list_began - timedelta(minutes=5))
        refresh_vendors(ctx)
        refresh_bills(ctx)
        for kind in ("accounts", "departments"):
            refresh_classifications(ctx, kind)

    world.step(of_an_older_run)
    for kind in ("vendors", "bills", "accounts", "departments"):
        there = world.store.mirror.count(kind)
        assert there >= generate[kind]
        assert world.store.mirror.replace(kind, [], run_id="slow", seen_at=slow_list_began).removed == 0
        assert world.store.mirror.count(kind) == there
