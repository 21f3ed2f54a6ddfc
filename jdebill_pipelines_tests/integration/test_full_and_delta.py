"""A delta run leaves what a full run would leave, whatever changed in between."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from dagster import DagsterInstance
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.orchestration.catalog import CATALOG
from jdebill_pipelines.orchestration.keys import asset_key
from jdebill_pipelines_tests.support.edits import EDITS, ITEM, add_supplier, amend_amount, simple_vouchers
from jdebill_pipelines_tests.support.states import differences, state_of
from jdebill_pipelines_tests.support.world import NAME, World

D = Decimal
CHANGES = st.lists(st.tuples(st.sampled_from(sorted(EDITS)), st.integers(0, 999)), min_size=1, max_size=4)


def data_versions(world: World) -> dict[str, str]:
    """The data version of every asset's last materialization, as Dagster has it."""
    found = {}
    with DagsterInstance.from_config(str(world.settings.dagster_home)) as instance:
        for row in CATALOG:
            event = instance.get_latest_materialization_event(asset_key(NAME, row.path))
            if event is not None and event.asset_materialization is not None:
                found[row.path] = (event.asset_materialization.tags or {})["dagster/data_version"]
    return found


@pytest.fixture
def first_load(world: World) -> World:
    """Everything is in BILL, and the poll has seen JDE once."""
    assert world.sync().succeeded
    assert world.delta().succeeded
    return world


@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # each list goes on where the last one ended: nothing to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=CHANGES)
def test_random_changes(first_load: World, changes: list[tuple[str, int]]) -> None:
    """Random edits, a delta run, then a full run of all months, which finds nothing to repair and writes nothing.

    The company is not made anew between the lists: each goes on where the last one ended, which is one longer list.
    """
    world = first_load
    for name, number in changes:
        EDITS[name](world, number)
    assert world.delta().error == ""
    after_delta, written = state_of(world), world.writes()
    assert world.sync().error == ""
    assert differences(after_delta, state_of(world)) == []
    assert world.writes() == written


def test_every_kind_of_change(first_load: World) -> None:
    """Every kind of edit once, three to a delta run; the full run at the end finds nothing to repair."""
    world = first_load
    for number, name in enumerate(sorted(EDITS)):
        EDITS[name](world, number)
        if number % 3 == 2 or number == len(EDITS) - 1:
            assert world.delta().error == ""
    after_delta, written = state_of(world), world.writes()
    assert world.sync().error == ""
    assert differences(after_delta, state_of(world)) == []
    assert world.writes() == written


def test_a_change_that_a_failed_run_has_staged_is_not_lost(first_load: World) -> None:
    """A voucher changes, the delta run stages it and fails at BILL's vendors: the next delta run still brings it."""
    world = first_load
    voucher = simple_vouchers(world)[0]
    amount = voucher["AG"] + D("0.01")
    key = f"{voucher['KCO']}-PV-{voucher['DOC']}"
    bill = world.links("bill")[key]
    amend_amount(world, voucher, amount)
    refusal = {"fault": "status", "status": 403, "code": "BDC_1121", "message": "No permission.", "times": 99}
    world.sandbox.control_bill("faults", {**refusal, "route": "v3/vendors", "method": "GET"})
    failed = world.delta()
    assert not failed.succeeded
    assert failed.error != ""
    staged = world.store.staging.rows(t.F0411, where={"DOC": {voucher["DOC"]}}, columns=("AG",))
    assert [row[0] for row in staged] == [amount]
    assert next(x["amount"] for x in world.bill("bill") if x["id"] == bill) == voucher["AG"]

    world.sandbox.control_bill("faults", method="DELETE")
    assert [r.natural_key for r in world.plan().rows if r.action == "update"] == [
        f"{voucher['KCO']}-PV-{voucher['DOC']}"
    ]
    assert world.delta().succeeded
    assert next(x["amount"] for x in world.bill("bill") if x["id"] == bill) == amount


def test_a_second_run_writes_nothing_and_three_changes_are_three_writes(world: World) -> None:
    """A plan promises nothing and the next run sends nothing; a voucher, an order and a supplier are three writes."""
    assert world.sync().succeeded
    before, bills = world.writes(), {bill["id"]: bill for bill in world.bill("bill")}
    versions = data_versions(world)
    assert len(versions) == len(CATALOG) - 1  # the report has a job of its own
    assert {row.action for row in world.plan().rows} <= {"skip", "hold"}
    assert world.sync().succeeded
    assert world.delta().succeeded
    assert world.writes() == before
    assert {bill["id"]: bill for bill in world.bill("bill")} == bills
    # A vendor that was new to the first run is a linked one to the second.
    assert {path for path, version in data_versions(world).items() if version != versions[path]} == {"sync/vendor_map"}

    links = world.links("bill")
    voucher = simple_vouchers(world)[0]
    voucher_bill = links[f"{voucher['KCO']}-PV-{voucher['DOC']}"]
    order = next(key for key in sorted(links) if "-OP-" in key)
    amend_amount(world, voucher, voucher["AG"] + Decimal("0.01"))
    world.sandbox.control_ais("clerk/cancel_order", {"DOCO": int(order.split("-")[2])})
    add_supplier(world, 61_999)
    planned = Counter((r.kind, r.action) for r in world.plan().rows if r.action not in ("skip", "hold"))
    assert planned == {("bill", "update"): 1, ("bill", "archive"): 1, ("vendor", "create"): 1}

    assert world.delta().succeeded
    assert world.writes() - before == {
        "PUT bills/{id}": 1,
        "POST bills/{id}/archive": 1,
        "POST vendors/bulk": 1,
    }
    now = {bill["id"]: bill for bill in world.bill("bill")}
    assert {key for key in now if now[key] != bills.get(key)} == {voucher_bill, links[order]}
    assert now[voucher_bill]["amount"] == voucher["AG"] + Decimal("0.01")
    assert now[links[order]]["archived"] is True
    assert [v["name"] for v in world.bill("vendor") if v["id"] == world.links("vendor")["61999"]] == [
        "Added Example Ltd"
    ]
    settled = world.writes()
    assert world.sync().succeeded
    assert world.writes() == settled


def test_cents_survive_the_whole_loop(world: World) -> None:
    """0.1 + 0.2 and 12,345,678,901.23 go from JDE's table through AIS, PostgreSQL and the gate into BILL unchanged."""
    small, large = simple_vouchers(world)[:2]
    line = next(x for x in world.jde("F0911", f"DOC={small['DOC']}") if x["DCT"] == "PV")
    keys = {k: v for k, v in line.items() if k not in ("AA", "JELN")}
    world.change("F0911", {**line, "AA": D("0.1")}, {**keys, "JELN": line["JELN"] + 1000, "AA": D("0.2")})
    world.change("F0411", {k: small[k] for k in ITEM} | {"AG": D("0.3"), "AAP": D("0.3")})
    amend_amount(world, large, D("12345678901.23"))
    assert world.sync().succeeded
    links, bills = world.links("bill"), {bill["id"]: bill for bill in world.bill("bill")}
    one, two = (bills[links[f"{v['KCO']}-PV-{v['DOC']}"]] for v in (small, large))
    assert sorted(part["amount"] for part in one["billLineItems"]) == [D("0.1"), D("0.2")]
    assert (one["amount"], two["amount"]) == (D("0.3"), D("12345678901.23"))
    assert str(two["amount"]) == "12345678901.23"
    stored = {d.natural_key: d.amount for d in world.store.drafts.read("bills")}
    assert stored[f"{large['KCO']}-PV-{large['DOC']}"] == D("12345678901.23")
