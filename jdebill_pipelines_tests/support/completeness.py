"""Whether everything arrived: no gap on the way in, no duplicate and no gap on the way out.

Belongs here: the comparison of both sides with what lies between them, after a run that met faults.
"""

from __future__ import annotations

from collections import Counter

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines_tests.support.world import World

STAGED = (t.F0010, t.F0006, t.F0401, t.F0116, t.F4301, t.F4311, t.F4209)


def assert_no_gap_and_no_duplicate(world: World) -> None:
    """Staging has every row of JDE, and BILL has every document whose verdict passes, once, with its amount."""
    counts = world.sandbox.control_ais("tables")
    for table in STAGED:
        assert world.store.staging.count(table) == counts[table.name], table.name
    vouchers = world.jde("F0411", "DCT=PV")
    assert world.store.staging.count(t.F0411) == len(vouchers)
    assert world.store.staging.count(t.F0911) == len(world.jde("F0911", "DCT=PV"))

    verdicts = world.store.verdicts.read("bills")
    drafts = {d.natural_key: d for d in world.store.drafts.read("bills", status="due")}
    passed = {k for k, d in drafts.items() if (v := verdicts.get((k, d.content_hash))) is not None and v.passed}
    links = {**world.links("bill"), **world.links("vendor_credit")}
    in_bill = {one["id"]: one for kind in ("bill", "vendor_credit") for one in world.bill(kind)}
    assert set(links) == passed != set()
    assert sorted(links.values()) == sorted(in_bill)
    assert all(in_bill[links[key]]["amount"] == drafts[key].amount for key in passed)
    for kind in ("vendor", "account", "department"):
        # BILL was empty: whatever it holds was written by us.
        assert sorted(world.links(kind).values()) == sorted(one["id"] for one in world.bill(kind)), kind
    names = Counter((v["name"], v["address"]["line1"]) for v in world.bill("vendor"))
    assert max(names.values()) == 1
    assert {state for _, _, state in world.ledger()} == {"confirmed"}
    assert world.sandbox.control_bill("state")["max_in_flight"] <= 3
    assert world.store.journal.verify().ok
