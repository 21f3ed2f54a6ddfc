"""JD Edwards fails while it is read: the run ends right, and nothing is missing and nothing twice in BILL."""

from __future__ import annotations

from typing import Any

import pytest

from jdebill_pipelines_tests.support.completeness import assert_no_gap_and_no_duplicate
from jdebill_pipelines_tests.support.world import World

# What one run gets over by itself: the fault, and how often it must have struck.
HEALED: dict[str, list[dict[str, Any]]] = {
    "444 in the middle of paging": [{"fault": "444", "route": "dataservice", "after": 9}],
    "token that expires while pages follow": [{"fault": "expire_session", "route": "dataservice", "after": 12}],
    "cursors that expire, again and again": [
        {"fault": "expire_cursors", "route": "dataservice", "after": after} for after in (2, 9, 17)
    ],
    "HTML 502 in a row": [{"fault": "html_502", "route": "dataservice", "after": 8, "times": 2}],
    "connection reset and a body that breaks off": [
        {"fault": "reset", "route": "dataservice", "after": 5},
        {"fault": "truncate", "route": "dataservice", "after": 14},
    ],
}


@pytest.fixture
def paged(world: World) -> World:
    """A world whose JDE gives ten rows to a page, so that every table has several."""
    world.configure(jde="  page_size: 10\n")
    return world


@pytest.mark.parametrize("name", HEALED)
def test_the_run_goes_on(paged: World, name: str) -> None:
    """The fault strikes while pages are read; the same run reads them all and writes everything."""
    paged.sandbox.control_ais("faults", HEALED[name])
    summary = paged.sync()
    fired = paged.sandbox.control_ais("state")["faults_fired"]
    wanted = sum(order.get("times", 1) for order in HEALED[name])
    assert sum(fired.values()) == wanted, fired
    assert (summary.succeeded, summary.error) == (True, "")
    assert_no_gap_and_no_duplicate(paged)


def test_an_answer_with_errors_inside_is_an_error(paged: World) -> None:
    """HTTP 200 with sysErrors on every try: the run fails, says so and writes no bill; the next one is complete."""
    paged.sandbox.control_ais("faults", {"fault": "sys_errors", "route": "dataservice", "body": "F0411", "times": 0})
    summary = paged.sync()
    assert not summary.succeeded
    assert summary.other_side_failed
    assert "F0411" in summary.error or "vouchers" in summary.error
    assert paged.bill("bill") == []
    paged.sandbox.control_ais("faults", method="DELETE")
    assert paged.sync().succeeded
    assert_no_gap_and_no_duplicate(paged)


def test_sys_errors_once(paged: World) -> None:
    """HTTP 200 with sysErrors once, in the middle: whether the run gets over it or fails, nothing is half."""
    paged.sandbox.control_ais("faults", {"fault": "sys_errors", "route": "dataservice", "after": 10})
    first = paged.sync()
    assert paged.sandbox.control_ais("state")["faults_fired"] == {"sys_errors": 1}
    if not first.succeeded:
        assert first.error
        assert paged.sync().succeeded
    assert_no_gap_and_no_duplicate(paged)
