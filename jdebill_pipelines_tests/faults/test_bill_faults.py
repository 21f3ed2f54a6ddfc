"""BILL fails while it is written to: no document is lost, none is there twice."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from jdebill_pipelines.steps import delivery
from jdebill_pipelines_tests.support.completeness import assert_no_gap_and_no_duplicate
from jdebill_pipelines_tests.support.world import World

BULK = {"route": "v3/bills/bulk", "method": "POST"}
# What one run gets over by itself.
HEALED: dict[str, list[dict[str, Any]]] = {
    "401 in the middle of a bulk write": [{"fault": "expire_session", **BULK}],
    "burst of BDC_1322": [{"fault": "bdc_1322", "route": "v3/(bills|vendors)", "times": 6}],
    "HTML 502 while lists are read": [{"fault": "html_502", "route": "v3/", "method": "GET", "times": 2}],
}
# Carried out, but the answer is lost: found on the other side and adopted, never sent again.
LOST_ANSWERS = ("html_502_after_commit", "reset_after_commit", "timeout_after_commit", "truncate", "empty")
# Not carried out, and nobody can know: sent again only after a look-up and the settling delay.
LOST_CALLS = ("html_502", "timeout")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up is not waited for: the next run looks again."""
    monkeypatch.setattr(delivery, "SETTLE_WAIT_SECONDS", 0)


def order(world: World, *faults: dict[str, Any]) -> None:
    """Order faults of BILL."""
    for fault in faults:
        world.sandbox.control_bill("faults", fault)


def fired(world: World) -> int:
    """How many calls a fault has hit."""
    return sum(world.sandbox.control_bill("state")["faults"].values())


def let_time_pass(world: World) -> None:
    """What was looked up in vain may be sent again: the settling delay of open writes is over."""
    with world.engine.begin() as tx:
        tx.execute(
            sa.text(
                "UPDATE jdebill.writes SET uncertain_since = uncertain_since - interval '1 hour', "
                "not_before = not_before - interval '1 hour' WHERE state IN ('unknown', 'intended', 'claimed')"
            )
        )


@pytest.mark.parametrize("name", HEALED)
def test_the_run_goes_on(world: World, name: str) -> None:
    """The same run gets over the fault."""
    order(world, *HEALED[name])
    summary = world.sync()
    assert fired(world) == sum(o.get("times", 1) for o in HEALED[name])
    assert (summary.succeeded, summary.error) == (True, "")
    assert_no_gap_and_no_duplicate(world)


@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_a_write_whose_answer_is_lost_is_adopted(world: World, fault: str) -> None:
    """Vendors and bills are created, the answers are lost: they are looked up and adopted, and sent once."""
    order(
        world, {"fault": fault, **BULK, "seconds": 1}, {"fault": fault, **BULK, "route": "vendors/bulk", "seconds": 1}
    )
    summary = world.sync()
    assert fired(world) == 2
    assert (summary.succeeded, summary.error) == (True, "")
    assert_no_gap_and_no_duplicate(world)
    for kind in ("bill", "vendor"):
        assert "adopted" in {link.origin for link in world.store.links.all(kind).values()}
    written = world.sandbox.control_bill("state")["written"]
    assert written["bills"] == len(world.bill("bill"))


@pytest.mark.parametrize("fault", LOST_CALLS)
def test_a_write_that_never_happened_is_sent_again_when_that_is_certain(world: World, fault: str) -> None:
    """Not found is not believed at once: the bills wait, the run says so, a later run sends them, once."""
    order(world, {"fault": fault, **BULK, "seconds": 1})
    first = world.sync()
    assert fired(world) == 1
    assert first.succeeded
    waiting = len(world.store.writes.open_writes())
    assert waiting > 0
    assert any("wait for certainty" in line for line in first.results["bill/bills"].needs_person)
    assert ("bill/bills", "nothing_uncertain") in {(f.asset, f.check) for f in first.failed_checks}

    before = world.sandbox.control_bill("state")["written"].get("bills", 0)
    assert world.sync().succeeded
    assert world.sandbox.control_bill("state")["written"].get("bills", 0) == before, "too soon to send again"
    let_time_pass(world)
    assert world.sync().succeeded
    assert_no_gap_and_no_duplicate(world)
