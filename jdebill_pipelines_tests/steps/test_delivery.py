"""Released bills brought to a BILL simulator: each exactly once, whatever answer is lost, whoever dies or races."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.bill.errors import PermissionRefused
from jdebill_pipelines.config.connection import BillConfig
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.sandbox.bill.app import build_bill_app
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.steps import delivery
from jdebill_pipelines.steps.context import StepResult
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.steps.senders import BillSender
from jdebill_pipelines.store.drafts import Draft
from jdebill_pipelines.store.store import Store
from jdebill_pipelines.store.verdicts import Verdict
from jdebill_pipelines.transport.errors import ApiError
from jdebill_pipelines_tests.receiver.conftest import MASTER_KEY, connection
from jdebill_pipelines_tests.sandbox.bill.caller import Bill, vendor
from jdebill_pipelines_tests.steps.test_webhooks import LOGIN, Serving, _key_text

MONTH = "2026-01"


class World:
    """BILL, the database, and drafts that the gate has passed."""

    def __init__(self, runtime: Runtime, api: Bill, store: Store) -> None:
        self.runtime = runtime
        self.api = api
        self.store = store
        self.vendor_id: str = api.ok("POST", "/vendors", vendor())["id"]

    def release(self, *numbers: str, amount: str = "10.00", vendor_id: str = "", operation: Any = "create") -> None:
        """Draft bills with these invoice numbers and let them pass the gate."""
        self._put(
            [
                Draft(
                    kind="bill",
                    natural_key=f"00001-PV-{number}",
                    status="due",
                    period=MONTH,
                    operation=operation,
                    amount=Decimal(amount),
                    currency="USD",
                    party="1001",
                    content={
                        "vendorId": vendor_id or self.vendor_id,
                        "dueDate": "2026-02-15",
                        "invoice": {"invoiceNumber": number, "invoiceDate": "2026-01-16"},
                        "billLineItems": [{"amount": Decimal(amount), "description": "Paper"}],
                    },
                )
                for number in numbers
            ]
        )

    def _put(self, drafts: list[Draft]) -> None:
        kept = [d for d in self.store.drafts.read("bills") if d.natural_key not in {x.natural_key for x in drafts}]
        fields = Draft.__struct_fields__
        old = [Draft(**{name: getattr(d, name) for name in fields}) for d in kept]
        self.store.drafts.put("bills", [*old, *drafts], run_id="r0", replace_periods=[MONTH])
        passed = [
            Verdict(d.kind, d.natural_key, d.content_hash, passed=True)
            for d in self.store.drafts.read("bills")
            if d.status == "due"
        ]
        self.store.verdicts.put("bills", passed, run_id="r0")
        self.store.verdicts.set_gate("bills", MONTH, True, [], run_id="r0")

    def deliver(self, *, settling_seconds: int = 0, runtime: Runtime | None = None, run_id: str = "r1") -> StepResult:
        """One run of the asset."""
        ctx = (runtime or self.runtime).context("acme", run_id=run_id, asset_key="acme/bill/bills", periods=(MONTH,))
        return delivery.deliver(ctx, "bills", [BillSender(ctx)], settling_seconds=settling_seconds)

    def numbers(self) -> Counter[str]:
        """Invoice numbers of the bills in BILL, archived ones left out."""
        return Counter(b["invoice"]["invoiceNumber"] for b in self.api.control("bills") if not b["archived"])

    def states(self) -> Counter[str]:
        """The latest state of every document in the ledger."""
        sql = (
            "select distinct on (natural_key) natural_key, state from jdebill.writes where kind = 'bill' "
            "order by natural_key, generation desc"
        )
        with self.store.engine.connect() as tx:
            return Counter(state for _, state in tx.execute(sa.text(sql)))

    def links(self) -> dict[str, str]:
        """What is linked: natural key to BILL id."""
        return {key: link.remote_id for key, link in self.store.links.all("bill").items()}

    def pass_time(self) -> None:
        """Let the settling delay be over."""
        with self.store.engine.begin() as tx:
            sql = "update jdebill.writes set uncertain_since = now() - interval '2 hours', not_before = now()"
            tx.execute(sa.text(sql))

    def expire_leases(self) -> None:
        """Whoever holds a claim has been silent for too long."""
        with self.store.engine.begin() as tx:
            tx.execute(sa.text("update jdebill.writes set lease_until = now() - interval '1 hour'"))


def names(first: int, last: int) -> list[str]:
    """Invoice numbers."""
    return [f"INV-{n:03d}" for n in range(first, last + 1)]


@pytest.fixture
def world(database_url: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty BILL with one vendor, and a connection ``acme``; rounds of a run follow each other at once."""
    monkeypatch.setattr(delivery, "SETTLE_WAIT_SECONDS", 0.05)
    vault, organization = Vault(MASTER_KEY), Serving(build_bill_app(Organization(seed=7)))
    bare = connection()
    config = BillConfig(api_url=f"{organization.url}/connect", organization_id=bare.bill.organization_id)
    acme = msgspec.structs.replace(bare, bill=config)
    settings = Settings(database_url, tmp_path, tmp_path, _key_text(), tmp_path / "k", tmp_path / "d")
    runtime, store = Runtime(settings, {"acme": acme}), Store(engine, "acme")
    store.credentials.put("bill", vault.encrypt("acme", "bill", msgspec.json.encode(LOGIN)))
    api = Bill(organization.url)
    api.login()
    try:
        yield World(runtime, api, store)
    finally:
        api.http.close()
        runtime.close()
        organization.stop()


def test_all_are_created_once_and_a_second_run_sends_nothing(world: World) -> None:
    """250 bills in three bulk calls; again: no writing call at all."""
    world.release(*names(1, 250))
    assert world.deliver().counts["created"] == 250
    assert world.numbers() == Counter(names(1, 250))
    assert sorted(world.links().values()) == sorted(b["id"] for b in world.api.control("bills"))
    before = world.api.control("state")["calls"]
    assert world.deliver().counts["created"] == 0
    assert world.api.control("state")["calls"] == before
    assert world.states() == Counter(confirmed=250)


def test_one_bad_bill_never_holds_back_the_others(world: World) -> None:
    """A bulk that is refused whole is halved until the bad one stands alone, refused with BILL's words."""
    world.release(*names(1, 99))
    world.release("INV-100", vendor_id="00901NOSUCHVENDOR0000")
    result = world.deliver()
    assert (result.counts["created"], result.counts["refused"]) == (99, 1)
    assert world.numbers() == Counter(names(1, 99))
    (held,) = world.store.quarantine.open("bills")
    assert held.natural_key == "00001-PV-INV-100"
    assert "BDC_" in held.reason
    assert world.deliver().counts.get("refused before") == 1, "what was refused is not asked again at once"


@pytest.mark.parametrize("fault", ["reset_after_commit", "html_502_after_commit", "timeout_after_commit"])
def test_lost_answer_of_a_commit_is_looked_up_and_adopted(world: World, fault: str) -> None:
    """BILL created a hundred bills and the answer was lost: they are found and adopted, none is created again."""
    world.release(*names(1, 150))
    more = {"seconds": 0.1} if fault.startswith("timeout") else {}
    world.api.control("faults", {"fault": fault, "route": "bills/bulk", "method": "POST", "times": 1, **more})
    world.deliver()
    assert world.numbers() == Counter(names(1, 150))
    assert world.states() == Counter(confirmed=150)
    assert sorted(world.links().values()) == sorted(b["id"] for b in world.api.control("bills"))
    origins = Counter(link.origin for link in world.store.links.all("bill").values())
    assert origins["adopted"] in (50, 100)
    assert world.store.journal.verify().ok


def test_lost_answer_without_a_commit_is_sent_again_after_the_delay(world: World) -> None:
    """The connection broke before BILL did anything: not found, so sent again, but only after the settling delay."""
    world.release("INV-001")
    world.api.control("faults", {"fault": "reset", "route": "bills/bulk", "method": "POST", "times": 1})
    waiting = world.deliver(settling_seconds=3600)
    assert world.numbers() == Counter()
    assert waiting.needs_person
    assert world.states() == Counter(unknown=1)
    assert world.deliver(settling_seconds=3600).counts["created"] == 0, "the delay is not over"
    world.pass_time()
    assert world.deliver().counts["created"] == 1
    assert world.numbers() == Counter(["INV-001"])


def test_answer_that_leaves_one_out_is_no_proof(world: World) -> None:
    """A bulk answer that lacks an element: that one is looked up, not created again."""
    world.release(*names(1, 5))
    world.api.control("faults", {"fault": "drop_rows", "route": "bills/bulk", "rows": 1, "times": 1})
    world.deliver()
    assert world.numbers() == Counter(names(1, 5))
    assert world.states() == Counter(confirmed=5)


def test_process_that_died_after_sending_leaves_nothing_double(world: World) -> None:
    """Killed between BILL's commit and our note of it: the next run looks first, whoever it is."""
    world.release(*names(1, 3))
    ctx = world.runtime.context("acme", run_id="dead", asset_key="acme/bill/bills", periods=(MONTH,))
    sender = BillSender(ctx)
    releases = world.store.releases.releasable("bills", kinds=["bill"])
    claims = world.store.writes.intend(releases, worker="dead", run_id="dead", payload_of=sender.payload).claims
    ctx.bill().bills.create_bulk([sender._body(claim) for claim in claims])  # and no settling
    assert world.deliver().counts.get("busy elsewhere") == 3, "its lease is running: hands off"
    assert world.numbers() == Counter(names(1, 3))
    world.expire_leases()
    assert world.deliver().counts["created"] == 3
    assert world.numbers() == Counter(names(1, 3))
    assert {link.origin for link in world.store.links.all("bill").values()} == {"adopted"}


def test_process_that_died_before_sending_loses_nothing(world: World) -> None:
    """Killed after its intent: looked up, not found, and sent by the next run."""
    world.release(*names(1, 3))
    releases = world.store.releases.releasable("bills", kinds=["bill"])
    world.store.writes.intend(releases, worker="dead", run_id="dead")
    world.expire_leases()
    assert world.deliver(settling_seconds=0).counts["created"] == 3
    assert world.numbers() == Counter(names(1, 3))


def test_four_runs_at_once_create_each_bill_once(world: World) -> None:
    """Four workers with clients of their own over the same releases: no duplicate, never a fourth call in flight."""
    world.release(*names(1, 400))
    world.api.switch(latency_ms=20)
    start, runtimes = threading.Barrier(4), []

    def work(number: int) -> int:
        own = Runtime(world.runtime.settings, world.runtime.connections)
        runtimes.append(own)
        start.wait(20)
        return world.deliver(runtime=own, run_id=f"r{number}").counts["created"]

    with ThreadPoolExecutor(4) as pool:
        created = list(pool.map(work, range(4)))
    for own in runtimes:
        own.close()
    assert sum(created) == 400
    assert world.numbers() == Counter(names(1, 400))
    state = world.api.control("state")
    assert 1 < state["max_in_flight"] <= 3
    assert state["refused_concurrency"] == 0


def test_expired_session_in_the_middle_costs_nothing(world: World) -> None:
    """The session ends between two bulk calls: one login, every bill once."""
    world.release(*names(1, 300))
    fault = {"fault": "expire_session", "route": "bills/bulk", "after": 1, "times": 1}
    world.api.control("faults", fault)
    logins = world.api.control("state")["logins"]
    assert world.deliver().counts["created"] == 300
    assert world.numbers() == Counter(names(1, 300))
    assert world.api.control("state")["logins"] <= logins + 2


def test_gateway_in_place_of_bill_is_no_refusal(world: World) -> None:
    """A 404 that is not about an id of ours: one error; nothing counts as refused, everything goes later."""
    world.release(*names(1, 10))
    fault = {"fault": "status", "status": 404, "code": "", "message": "no route", "route": "bills/bulk"}
    world.api.control("faults", fault)
    with pytest.raises(ApiError, match="no route"):
        world.deliver()
    assert world.states() == Counter(intended=10)
    assert world.deliver().counts["created"] == 10


def test_missing_permission_stops_at_once_and_keeps_everything(world: World) -> None:
    """Nobody can do this for us: one refused call, an error, and everything still due for the next run."""
    world.release(*names(1, 300))
    world.api.switch(denied=["bills:write"])
    with pytest.raises(PermissionRefused):
        world.deliver()
    assert world.numbers() == Counter()
    world.api.switch(denied=[])
    assert world.deliver().counts["created"] == 300
    assert world.numbers() == Counter(names(1, 300))


def test_duplicate_number_is_adopted_when_it_is_ours(world: World) -> None:
    """BILL refuses a number that exists: the bill is looked up, adopted, and linked."""
    world.api.switch(duplicate_bill_number="per_vendor")
    world.release("INV-001")
    world.deliver()
    remote = world.links()["00001-PV-INV-001"]
    with world.store.engine.begin() as tx:
        tx.execute(sa.text("delete from jdebill.links where kind = 'bill'"))
        tx.execute(sa.text("update jdebill.writes set state = 'superseded' where kind = 'bill'"))
    world.deliver()
    assert world.links() == {"00001-PV-INV-001": remote}
    assert world.numbers() == Counter(["INV-001"])


def test_update_archive_and_restore_leave_one_bill(world: World) -> None:
    """Changed, withdrawn and brought back: the same bill all the time, also when an answer of a change is lost."""
    world.release("INV-001", amount="10.00")
    world.deliver()
    remote = world.links()["00001-PV-INV-001"]
    world.release("INV-001", amount="12.50")
    world.api.control(
        "faults", {"fault": "reset_after_commit", "route": f"bills/{remote}", "method": "PUT", "times": 1}
    )
    assert world.deliver().counts["updated"] == 1
    assert world.api.control(f"bills/{remote}")["amount"] == Decimal("12.50")
    world.release("INV-001", amount="12.50", operation="archive")
    assert world.deliver().counts["archived"] == 1
    assert world.numbers() == Counter()
    world.release("INV-001", amount="12.50")
    assert world.deliver().counts["restored"] == 1
    assert world.links() == {"00001-PV-INV-001": remote}
    assert world.numbers() == Counter(["INV-001"])
    assert world.store.journal.verify().ok
