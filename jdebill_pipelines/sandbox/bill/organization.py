"""The state of one BILL organization: switches, clock, objects, sessions, limits, webhooks.

Belongs here: what the simulator remembers, and starting over. Not here: rules; each kind of object has its own module.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jdebill_pipelines.sandbox.bill import classifications, ids, render
from jdebill_pipelines.sandbox.bill.clock import Clock
from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.limits import Limits
from jdebill_pipelines.sandbox.bill.records import Collection, Record
from jdebill_pipelines.sandbox.bill.sessions import Sessions
from jdebill_pipelines.sandbox.bill.switches import Switches
from jdebill_pipelines.sandbox.faults import Faults

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.webhooks import Webhooks


class Organization:
    """Everything that one BILL organization holds.

    Args:
        seed: makes ids, orders and faults repeatable.
        switches: names and values as for `Switches.change`.
    """

    def __init__(self, *, seed: int = 1, switches: dict[str, Any] | None = None) -> None:
        self.seed = seed
        self.initial = dict(switches or {})
        self.switches = Switches()
        self.webhooks: Webhooks | None = None
        self.reset()

    def reset(self, *, keep_switches: bool = False) -> None:
        """Forget all objects, sessions and counters; the switches go back to their start unless they are to stay."""
        if self.webhooks is not None:
            self.webhooks.forget()
        if not keep_switches:
            self.switches.restore()
            self.switches.change(self.initial)
        switches = self.switches
        self.clock = Clock()
        self.ids = ids.Ids(self.seed)
        self.random = random.Random(self.seed)
        self.sessions = Sessions(switches, self.clock, self.ids)
        self.limits = Limits(switches, self.clock)
        self.faults = Faults()
        self.vendors = Collection("vendors", switches, shown=lambda r: render.vendor(self, r), thin=render.THIN_VENDOR)
        self.bills = Collection("bills", switches, shown=lambda r: render.bill(self, r), thin=render.THIN_BILL)
        self.vendor_credits = Collection("vendor-credits", switches, thin=render.THIN_CREDIT)
        self.payments = Collection("payments", switches, shown=lambda r: render.payment(self, r))
        self.banks = Collection("banks", switches)
        self.policies = Collection("policies", switches)
        self.classifications = {kind.path: Collection(kind.path, switches) for kind in classifications.KINDS}
        self.bills_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.payments_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.bills_numbered: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.calls: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.sequence = 0
        self._default_bank()

    def collection(self, name: str) -> Collection:
        """A collection by the name that the control endpoint uses.

        Raises:
            KeyError: no such collection.
        """
        names = {
            "vendors": self.vendors,
            "bills": self.bills,
            "vendor-credits": self.vendor_credits,
            "payments": self.payments,
            "banks": self.banks,
            "policies": self.policies,
            "accounts": self.classifications["chart-of-accounts"],
            **self.classifications,
        }
        return names[name]

    def emit(self, event: str, entity: str, entity_id: str, body: Json, **top_level: Any) -> None:
        """Tell the subscriptions about something that happened."""
        if self.webhooks is not None:
            self.webhooks.emit(event, entity, entity_id, body, top_level)

    def next_number(self) -> int:
        """A number that is used once: confirmation and check numbers."""
        self.sequence += 1
        return self.sequence

    def rate(self, currency: str) -> Decimal:
        """US dollars for one unit of a currency."""
        return self.switches.exchange_rates.get(currency, Decimal(1))

    def change_switches(self, values: dict[str, Any]) -> None:
        """Set switches; what they show differently is encoded anew."""
        self.switches.change(values)
        for name in ("vendors", "bills", "vendor-credits", "payments"):
            self.collection(name).forget_encoded()

    def _default_bank(self) -> None:
        now = self.clock.now()
        body: Json = {
            "id": self.ids.new(ids.BANK),
            "archived": False,
            "status": "VERIFIED",
            "createdBy": self.sessions.user_id("payer"),
            "routingNumber": "074000010",
            "accountNumber": "****6789",
            "nameOnAccount": "Operating",
            "type": "CHECKING",
            "ownerType": "BUSINESS",
            "bankName": "Example Bank",
            "accessToAdmins": True,
            "default": {"payables": True, "receivables": True},
        }
        self.banks.add(Record(body, now))
