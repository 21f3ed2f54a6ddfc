"""Real data: everything that is in BILL is paid there in mixed ways, and JDE's tables must tell the same, to the cent.

By default the last month or months of each data set; JDEBILL_TEST_ALL_MONTHS=1 takes all of it (minutes, and thousands
of postings).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from jdebill_pipelines.orchestration.running import month_range
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.integration_payments.clerk import pay_everything, void_some
from jdebill_pipelines_tests.integration_payments.ledgers import (
    BANK,
    add_accounts,
    paid_in_bill,
    paid_in_jde,
    total,
)
from jdebill_pipelines_tests.support.fixtures import open_world
from jdebill_pipelines_tests.support.world import World

# Read before the tests take such variables out of the environment.
ALL_MONTHS = bool(os.environ.get("JDEBILL_TEST_ALL_MONTHS"))
pytestmark = [pytest.mark.data, pytest.mark.timeout(1500 if ALL_MONTHS else 300)]
Opened = Callable[[str, tuple[str, ...], str], AbstractContextManager[World]]


@dataclass
class Counted:
    """Postings of a run, and reversals."""

    posted: int
    reversed: int


@pytest.fixture
def opened(data_dir: Path, loop_database: str, tmp_path: Path, dagster_folder: Path, clean_environment: None) -> Opened:
    """Opens a connection over one of the data sets, on a day of its own time."""

    @contextmanager
    def open_(data: str, months: tuple[str, ...], day: str) -> Iterator[World]:
        with SandboxProcess.start(data_dir / data) as sandbox:
            world = open_world(sandbox, loop_database, tmp_path, dagster_folder, months)
            sandbox.control_bill("clock", {"set": f"{day}T09:00:00Z"})
            try:
                yield world
            finally:
                world.engine.dispose()

    return open_


def months_of(first: str, few: str, last: str) -> tuple[str, ...]:
    """The months of the test: from ``few`` on, or all of them."""
    return month_range(first if ALL_MONTHS else few, last)


def configure(world: World, documents: str) -> None:
    """The connection over this kind of documents, paying from the account that ``add_accounts`` adds."""
    world.configure(documents=documents)
    path = world.settings.connections_dir / "acme.yaml"
    path.write_text(path.read_text("utf-8").replace('"00000123"', f'"{BANK}"'), "utf-8")


def bring_back(world: World) -> Counted:
    """The delta runs that the schedule makes until nothing is due; nothing of payments may fail, be held or differ.

    What was paid again after a void waits for the reversal, which makes it due.
    """
    started, found = time.monotonic(), Counted(0, 0)
    for _ in range(2):
        counts = one_run(world)
        found = Counted(found.posted + counts["posted"], found.reversed + counts["reversed"])
        if not world.store.due.pending(["payments"]):
            break
    print(f"{found.posted} posted, {found.reversed} reversed, {time.monotonic() - started:.1f} s")
    assert world.store.due.pending(["payments"]) == []
    return found


def one_run(world: World) -> Counter[str]:
    """A delta run; returns what was posted."""
    summary = world.delta()
    assert (summary.succeeded, summary.error) == (True, "")
    paths = ("bill/payments", "sync/posting_drafts", "jde/postings")
    assert [(c.check, c.outcome.rows[:5]) for c in summary.failed_checks if c.asset in paths] == []
    assert world.held("postings") == {}
    counts = Counter(summary.results["jde/postings"].counts)
    assert counts["refused"] == counts["of unknown outcome"] == 0
    return counts


def assert_equal(world: World) -> Decimal:
    """Every table of JDE shows for every supplier what BILL has paid; returns the total."""
    bill = paid_in_bill(world)
    for table, sums in paid_in_jde(world).items():
        differing = {s: (bill.get(s), sums.get(s)) for s in {*bill, *sums} if bill.get(s) != sums.get(s)}
        assert differing == {}, table
        assert total(sums) == total(bill) > 0, table
    print(f"{total(bill):,} paid to {len(bill)} suppliers, equal in BILL, F0411, F0413, F0414 and F0911")
    return total(bill)


def pay_void_and_compare(world: World) -> None:
    """The story of every data set: pay all, compare, void some and pay half of them again, compare."""
    done = pay_everything(world)
    assert done.partial > 0.25 * done.bills
    assert done.combined > 0.05 * done.bills
    assert done.failed_bills > 0
    first = bring_back(world)
    assert first == Counted(done.bills - done.failed_bills, 0)
    before = assert_equal(world)
    world.sandbox.control_bill("clock", {"advance_seconds": 3600})
    voided, again = void_some(world)
    second = bring_back(world)
    assert second == Counted(again, voided)
    assert assert_equal(world) < before
    assert bring_back(world) == Counted(0, 0), "nothing is left to do"
    assert world.store.journal.verify().ok


def test_vouchers_of_a_council(opened: Opened) -> None:
    """Supplier invoices: each payment is a payment of their vouchers; a void opens them again."""
    months = months_of("2016-12", "2018-01", "2018-01")
    with opened("oxford-2017", months, "2018-01-15") as world:
        add_accounts(world, unit="1000")
        configure(world, "vouchers")
        assert world.sync().succeeded
        pay_void_and_compare(world)
        assert {row["PST"] for row in world.jde("F0411") if row["AG"] > 0 and not row.get("AAP")} == {"P"}


def test_orders_of_a_manufacturer(opened: Opened) -> None:
    """Purchase orders: each payment is a voucher against the order's accounts and its payment; a void undoes both."""
    months = months_of("2022-04", "2025-07", "2025-09")
    with opened("adventureworks", months, "2025-09-29") as world:
        # The data does not say which period is the current one.
        current = {"DFYJ": "20250101", "PNC": 9, "APFJ": "20250101", "APPN": 9}
        world.change("F0010", {"CO": "00001", **current})
        add_accounts(world, unit="100")
        configure(world, "purchase_orders")
        assert world.sync().succeeded
        pay_void_and_compare(world)
        open_ = [row for row in world.jde("F0411") if not row.get("VOD") and row.get("AAP")]
        assert open_ == [], "a voucher that a payment run could pay again"
