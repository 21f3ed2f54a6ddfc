"""The public procurement data through the whole loop, whole range, one run each: every document has a fate, to the
cent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from jdebill_pipelines.orchestration.running import month_range
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.support.fixtures import open_world
from jdebill_pipelines_tests.support.world import World

pytestmark = pytest.mark.data
D = Decimal
Opened = Callable[[str, tuple[str, ...]], AbstractContextManager[World]]


@dataclass(frozen=True)
class Fates:
    """How many documents and how much money ended where."""

    in_bill: tuple[int, Decimal]
    held: tuple[int, Decimal]
    not_due: tuple[int, Decimal]

    @property
    def total(self) -> Decimal:
        return self.in_bill[1] + self.held[1] + self.not_due[1]


@pytest.fixture
def opened(data_dir: Path, loop_database: str, tmp_path: Path, dagster_folder: Path, clean_environment: None) -> Opened:
    """Opens a connection over one of the data sets."""

    @contextmanager
    def open_(data: str, months: tuple[str, ...]) -> Iterator[World]:
        with SandboxProcess.start(data_dir / data) as sandbox:
            world = open_world(sandbox, loop_database, tmp_path, dagster_folder, months)
            try:
                yield world
            finally:
                world.engine.dispose()

    return open_


def control_total(readme: Path, table: str, item: str) -> Decimal:
    """A control total as the data's own README states it."""
    row = next(line for line in readme.read_text("utf-8").splitlines() if line.startswith(f"| {table} |"))
    found = re.search(rf"sum {item} = ([\d,.]*\d)", row)
    assert found is not None, row
    return D(found[1].replace(",", ""))


def fates(world: World) -> Fates:
    """Where each document is: what BILL holds, and of the rest what our store says.

    The figure of BILL is read from BILL; each bill there must be the draft it is linked to, and no other.
    """
    drafts = {d.natural_key: d for d in world.store.drafts.read("bills")}
    bills = {bill["id"]: bill for bill in world.bill("bill")}
    links = world.links("bill")
    assert sorted(links.values()) == sorted(bills), "each bill of BILL has exactly one document, and each link a bill"
    for key, remote_id in links.items():
        bill, draft = bills[remote_id], drafts.pop(key)
        assert bill["amount"] == draft.amount, key
        assert sum(line["amount"] for line in bill["billLineItems"]) == draft.amount, key
        assert bill["invoice"]["invoiceNumber"] == draft.content["invoice"]["invoiceNumber"], key
        assert draft.status == "due", key
    quarantined = set(world.held("bills"))
    held = [d.amount for d in drafts.values() if d.natural_key in quarantined]
    not_due = [d.amount for d in drafts.values() if d.natural_key not in quarantined]
    assert all(d.reason for d in drafts.values() if d.status != "due")
    assert {d.status for d in drafts.values() if d.natural_key not in quarantined} <= {"not_due"}
    return Fates(
        (len(bills), sum((bill["amount"] for bill in bills.values()), D(0))),
        (len(held), sum((a for a in held if a is not None), D(0))),
        (len(not_due), sum((a for a in not_due if a is not None), D(0))),
    )


def assert_written_once(world: World, documents: int) -> None:
    """The ledger holds every bill once and confirmed, BILL was called as allowed, the journal is whole."""
    ledger = world.ledger()
    assert {key: n for key, n in ledger.items() if key[0] == "bill"} == {("bill", "create", "confirmed"): documents}
    assert {state for _, _, state in ledger} == {"confirmed"}
    state = world.sandbox.control_bill("state")
    assert state["max_in_flight"] <= 3
    assert state["written"]["bills"] == documents
    # A hundred to a call, and at most one call of each month, kind or worker that is not full.
    assert world.writes()["POST bills/bulk"] <= -(-documents // 100) + len(world.months)
    assert world.store.journal.verify().ok


def test_vouchers_of_a_council(opened: Opened, data_dir: Path) -> None:
    """13,656 vouchers of fourteen months: in BILL, or held because their supplier has no name or no address."""
    with opened("oxford-2017", month_range("2016-12", "2018-01")) as world:
        world.configure(documents="vouchers")
        summary = world.sync()
        assert (summary.succeeded, summary.error) == (True, "")
        found = fates(world)
        assert found == Fates((13_087, D("60389158.61")), (569, D("2339540.19")), (0, D(0)))
        assert found.total == control_total(data_dir / "oxford-2017" / "README.md", "F0411", "AAP")
        # Documents carry the rule that holds them; the suppliers behind them are held by the same one.
        assert set(world.held("bills").values()) == {"name", "address"}
        rules = list(world.held("vendors").values())
        assert (rules.count("address"), rules.count("name"), len(rules)) == (27, 12, 39)
        assert_written_once(world, 13_087)


def test_orders_of_a_manufacturer(opened: Opened, data_dir: Path) -> None:
    """4,012 orders of 42 months: approved ones in BILL, those of suppliers on hold held, the others not due.

    A second run of the same range, now with everything in BILL, sends no writing call.
    """
    with opened("adventureworks", month_range("2022-04", "2025-09")) as world:
        world.configure(documents="purchase_orders")
        summary = world.sync()
        assert (summary.succeeded, summary.error) == (True, "")
        found = fates(world)
        assert found == Fates((3_516, D("56557688.12")), (185, D("2426717.49")), (311, D("4807600.33")))
        assert found.total == control_total(data_dir / "adventureworks" / "README.md", "F4311", "AEXP")
        assert set(world.held("bills").values()) == {"supplier_hold"}
        reasons = [d.reason.split(" by ")[0] for d in world.drafts().values() if d.status == "not_due"]
        assert (reasons.count("approval"), reasons.count("all lines are cancelled or rejected")) == (225, 86)
        assert_written_once(world, 3_516)
        before = world.writes()
        assert world.sync().succeeded
        assert world.writes() == before
        assert fates(world) == found
