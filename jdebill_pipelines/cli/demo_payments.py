"""The way back of the demo: the clerk pays, webhooks arrive, JD Edwards books it, a payment is voided and taken back.

Belongs here: the order of these events and what was seen of them. Does not belong here: the work, which is the
product's own (subscription, receiver, inbox, the payments job), and rendering (demo_report.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from jdebill_pipelines.cli import ports
from jdebill_pipelines.cli.demo_clerk import Clerk, Way
from jdebill_pipelines.cli.demo_tie_out import Line, payment_ids, tie_out
from jdebill_pipelines.cli.exits import OtherSideFailed
from jdebill_pipelines.cli.output import Progressed
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.domain.keys import BadKeyError, OrderKey, VoucherKey
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.steps import webhooks
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.store.store import Store


@dataclass(frozen=True, slots=True)
class Events:
    """Webhooks since the subscription.

    Attributes:
        sent: signed posts that BILL had answered with 200.
        failed: those that were not.
        stored: events in the inbox.
        refused: posts that the receiver did not take.
    """

    sent: int
    failed: int
    stored: int
    refused: int

    @property
    def all_arrived(self) -> bool:
        """Whether every event that was sent is in the inbox."""
        return self.sent == self.stored and not self.failed and not self.refused


@dataclass(frozen=True, slots=True)
class Moment:
    """What both sides say of one voucher at one time.

    Attributes:
        when: in words.
        state: of the payment in BILL (`singleStatus`).
        open: what is open of the voucher (F0411).
        paid: what was paid of it, voids taken off (F0414).
    """

    when: str
    state: str
    open: Decimal
    paid: Decimal


@dataclass(slots=True)
class WayBack:
    """Everything that happened between the clerk's first payment and the comparison.

    Attributes:
        url: where BILL posts its webhooks to.
        ways: what was paid how.
        paid: webhooks of it.
        posted: the run that they started.
        voucher: the voucher whose payment was voided, its currency, and the moments.
        voided: webhooks after the void, all in all.
        reversed: the run that they started.
        lines: the comparison.
    """

    url: str
    ways: list[Way]
    paid: Events
    posted: ports.SyncSummary
    voucher: str = ""
    currency: str = ""
    moments: list[Moment] = field(default_factory=list)
    voided: Events | None = None
    reversed: ports.SyncSummary | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def taken_back(self) -> bool:
        """Whether the voucher was open, then paid, then open again."""
        if len(self.moments) != 3:
            return False
        before, paid, after = self.moments
        was_paid = paid.open == 0 and paid.paid > 0
        return was_paid and (before.open, before.paid) == (after.open, after.paid) and after.open > 0

    @property
    def equal(self) -> bool:
        """Whether JD Edwards shows exactly what BILL paid and did not void."""
        return self.taken_back and bool(self.lines) and all(line.equal for line in self.lines)


def way_back(
    settings: Settings, connection: Connection, sandbox: SandboxProcess, *, most: int, told: Progressed
) -> WayBack:
    """Pay, void, and bring both back to JD Edwards.

    Args:
        settings: with a database URL.
        connection: whose documents are in BILL, with a receiver that runs at its ``bill.webhook_url``.
        sandbox: its two simulated servers.
        most: how many bills the clerk pays, about.
        told: progress.

    Raises:
        OtherSideFailed: a webhook did not arrive.
        ApiError: BILL did not take the subscription.
    """
    name = connection.name
    runtime = Runtime(settings, {name: connection})
    try:
        store = runtime.store(name)
        subscribed = webhooks.subscribe(runtime, name)
        before = payment_ids(sandbox)
        clerk = Clerk(sandbox, datetime.now(UTC).date(), _invoices(store), _invoiced_orders(sandbox, store))
        ways = clerk.pay(most)
        payment_id, voucher, currency = _to_be_voided(sandbox, store, ways[0])
        moments = [_moment("before", sandbox, payment_id, voucher, state="")]
        paid = _arrived(sandbox, store)
        posted = ports.run_payments()(settings, name, actor="demo", progress=told)
        found = WayBack(subscribed.url, ways, paid, posted, str(voucher), currency, moments)
        if not posted.succeeded:
            return found
        moments.append(_moment("paid in BILL", sandbox, payment_id, voucher))
        clerk.void(payment_id)
        found.voided = _arrived(sandbox, store)
        found.reversed = ports.run_payments()(settings, name, actor="demo", progress=told)
        moments.append(_moment("voided in BILL", sandbox, payment_id, voucher))
        bank = connection.sync.bank_account or ""
        found.lines = tie_out(sandbox, store, bank, before=before)
        return found
    finally:
        runtime.close()


def _to_be_voided(sandbox: SandboxProcess, store: Store, way: Way) -> tuple[str, VoucherKey, str]:
    """The first payment that pays a voucher whole: BILL's id, the voucher, the currency."""
    links = store.links.by_remote("bill")
    bills = {bill_id: link.natural_key for bill_id, link in links.items()}
    for payment_id in way.payments:
        payment = sandbox.control_bill(f"payments/{payment_id}")
        vendor = sandbox.control_bill(f"vendors/{payment['vendorId']}")
        currency = vendor.get("billCurrency") or "USD"
        voucher = _voucher(bills[payment["billPayments"][0]["billId"]])
        if voucher is not None and currency == "USD":
            return payment_id, voucher, currency
    raise OtherSideFailed("the clerk paid no voucher")


def _invoiced_orders(sandbox: SandboxProcess, store: Store) -> frozenset[str]:
    """BILL's ids of the orders that JD Edwards has invoices of: a payment would wait until all of it is invoiced."""
    orders = {str(OrderKey.of(row)) for row in sandbox.control_ais("tables/F43121?MATC=2")}
    return frozenset(link.remote_id for key, link in store.links.all("bill").items() if key in orders)


def _invoices(store: Store) -> frozenset[str]:
    """Ids of the bills that are vouchers in JD Edwards."""
    return frozenset(link.remote_id for key, link in store.links.all("bill").items() if _voucher(key) is not None)


def _voucher(key: str) -> VoucherKey | None:
    try:
        return VoucherKey.parse(key)
    except BadKeyError:
        return None  # a purchase order


def _moment(
    when: str, sandbox: SandboxProcess, payment_id: str, voucher: VoucherKey, state: str | None = None
) -> Moment:
    key = f"KCO={voucher.company}&DCT={voucher.type}&DOC={voucher.number}"
    items = sandbox.control_ais(f"tables/F0411?{key}")
    paid = sandbox.control_ais(f"tables/F0414?{key}")
    if state is None:
        state = str(sandbox.control_bill(f"payments/{payment_id}")["singleStatus"])
    return Moment(
        when,
        state,
        sum((row.get("AAP", Decimal(0)) for row in items), Decimal(0)),
        sum((row.get("PAAP", Decimal(0)) for row in paid), Decimal(0)),
    )


def _arrived(sandbox: SandboxProcess, store: Store) -> Events:
    """Wait until BILL has delivered everything, and count on both sides.

    Raises:
        OtherSideFailed: something did not arrive.
    """
    sandbox.control_bill("webhooks/idle", {})
    sent, stored = sandbox.control_bill("state")["webhooks"], store.inbox.stats()
    events = Events(sent["delivered"], sent["failed"] + sent["dropped"], stored.total, stored.refused)
    if not events.all_arrived:
        raise OtherSideFailed(
            f"webhooks: {events.sent} delivered and {events.failed} not, {events.stored} in the inbox, "
            f"{events.refused} refused"
        )
    return events
