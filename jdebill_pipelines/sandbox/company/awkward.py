"""The documents that need care, each at least once, in every size of company.

Belongs here: which awkward documents there are, and why they are awkward. Does not belong here: how a document is
written (vouchers.py, orders.py) and the awkward suppliers (suppliers.py).
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from jdebill_pipelines.sandbox.company.model import Awkward, Company, Outcome
from jdebill_pipelines.sandbox.company.orders import Item, Orders
from jdebill_pipelines.sandbox.company.reference import Account, Chart
from jdebill_pipelines.sandbox.company.suppliers import Supplier, Suppliers
from jdebill_pipelines.sandbox.company.vouchers import Spec, Vouchers

LONG_INVOICE = "INV-2026-000123-REV-B-017"


class AwkwardDocuments:
    """Writes the awkward documents.

    Args:
        company, chart, suppliers: what there is already.
        vouchers, orders: write documents.
        days: business days to choose from, in order.
        rng: source of all choices.
    """

    def __init__(
        self,
        company: Company,
        chart: Chart,
        suppliers: Suppliers,
        vouchers: Vouchers,
        orders: Orders,
        days: list[date],
        rng: random.Random,
    ) -> None:
        self.company = company
        self.chart = chart
        self.suppliers = suppliers
        self.vouchers = vouchers
        self.orders = orders
        self.days = days
        self.rng = rng

    def add_all(self) -> None:
        """Write every awkward document."""
        self._currencies()
        self._amounts()
        self._invoice_numbers()
        self._suppliers()
        self._accounts()
        self._not_payable()
        self._order_lines()
        self._order_approvals()
        self._matched_orders()

    def _currencies(self) -> None:
        euro, yen = self.suppliers.special["non-ascii name"], self.suppliers.special["currency without decimals"]
        self._voucher(
            "foreign voucher",
            "in euros, with tax: each line has an AA row in dollars and a CA row in euros",
            "bill",
            self._spec(euro, "1480.50", "219.95", currency="EUR", tax=Decimal("323.09")),
        )
        self._voucher(
            "yen voucher",
            "a currency without decimals: 150,000 yen must not become 1,500.00",
            "bill",
            self._spec(yen, "150000", "32001", currency="JPY"),
        )

    def _amounts(self) -> None:
        self._voucher(
            "three pay items",
            "one voucher in three instalments with a due date each: one bill",
            "bill",
            replace(self._spec(self._any(), "1000.00", "500.01"), parts=(1, 1, 1)),
        )
        self._voucher(
            "credit memo", "a negative voucher: a vendor credit", "credit", self._spec(self._any(), "-245.30")
        )
        self._voucher(
            "negative line",
            "one line takes back a part of the others",
            "bill",
            self._spec(self._any(), "820.00", "-120.00"),
        )
        key = self._voucher(
            "partly paid",
            "half of it was paid in JD Edwards already: only the rest is due",
            "bill",
            self._spec(self._any(), "900.00", early=True),
        )
        self.vouchers.pay(key, self._later(self._day_of(key), 9), Decimal("0.5"))
        self._voucher(
            "discount and tax",
            "2 % within ten days, and tax on top of the distribution",
            "bill",
            replace(self._spec(self._any(), "2000.00", tax=Decimal("165.00")), terms="D21"),
        )

    def _invoice_numbers(self) -> None:
        long, blank = self._spec(self._any(), "77.10"), self._spec(self._any(), "64.00")
        self._voucher(
            "long invoice number",
            "25 characters, BILL takes 21",
            "bill",
            replace(long, invoice=LONG_INVOICE),
        )
        self._voucher("blank invoice number", "VINV is blank, BILL demands one", "bill", replace(blank, invoice=""))
        pair = self._spec(self._any(), "431.25")
        self._voucher(
            "disguised duplicate",
            "the next voucher has the same amount and the same number, written differently",
            "bill",
            replace(pair, invoice="INV-0042"),
        )
        self._voucher(
            "disguised duplicate (second)",
            "the same amount and number as the one before, written differently",
            "bill",
            replace(pair, invoice="inv 42", day=self._later(pair.day, 3)),
        )

    def _suppliers(self) -> None:
        special = self.suppliers.special
        for case, why, outcome in (
            ("supplier on hold", "its supplier is on hold", "held"),
            ("supplier without address", "its supplier has no address", "held"),
            ("supplier without name", "its supplier has no name", "held"),
            ("supplier without tax id", "its supplier has no tax id", "bill"),
            ("duplicate name", "two suppliers have this name", "bill"),
            ("duplicate name (second)", "two suppliers have this name", "bill"),
        ):
            known: Outcome = "held" if outcome == "held" else "bill"
            self._voucher(f"voucher of {case}", why, known, self._spec(special[case], "150.00"))

    def _accounts(self) -> None:
        chart = self.chart
        for case, why, account in (
            ("inactive account", "a line uses an account with posting edit code I", chart.inactive),
            ("non-posting account", "a line uses a heading (posting edit code N)", chart.non_posting),
            ("closed business unit", "a line uses an account of a closed business unit", chart.closed_unit),
            ("account of another company", "a line uses an account of company 00070", chart.other_company),
        ):
            self._voucher(case, why, "held", self._spec(self._any(), "310.00", "89.90", second=account))

    def _not_payable(self) -> None:
        self._voucher("held voucher", "pay status H", "not due", replace(self._spec(self._any(), "512.00"), status="H"))
        self._voucher(
            "debit memo",
            "document type PD is not sent",
            "not due",
            replace(self._spec(self._any(), "-88.00"), type="PD"),
        )
        key = self._voucher(
            "voided voucher", "voided in JD Edwards after it was posted", "not due",
            self._spec(self._any(), "199.00", early=True),
        )  # fmt: skip
        self.vouchers.void(key, self._later(self._day_of(key), 12))

    def _order_lines(self) -> None:
        amount = self._order([("Site survey, lump sum", 0, "1250.00"), ("Markers", 40, "2.7525")])
        self._note(amount, "amount-only line", "a service line with quantity 0: only its amount counts", "bill")
        cancelled = self._order([("Gaskets", 12, "18.4000"), ("Seals", 5, "31.1000"), ("Valves", 2, "210.0000")])
        self.orders.cancel(cancelled, 2, self._order_day(cancelled, 4))
        self._note(cancelled, "cancelled line", "the second of three lines was cancelled", "bill")
        foreign = self._order(
            [("Messschieber für Ø 20", 8, "49.9000")], self.suppliers.special["non-ascii name"], "EUR"
        )
        self._note(foreign, "foreign order", "in euros, with a non-ASCII text", "bill")
        held = self._order([("Pallets", 20, "11.2500")], self.suppliers.special["supplier on hold"])
        self._note(held, "order of supplier on hold", "approved, but its supplier is on hold", "held")
        closed = self._order([("Lamp", 1, "75.0000")], account=self.chart.closed_unit)
        self._note(closed, "order on closed business unit", "its account belongs to a closed business unit", "held")

    def _order_approvals(self) -> None:
        pending = self._order([("Laptops", 3, "1180.0000")], approved=False)
        self._note(pending, "pending order", "waits for approval (F4209 status 1N)", "not due")
        second = self._order([("Forklift lease", 0, "8400.00")], waits=True)
        self._note(second, "second approval pending", "its status says approved, F4209 says 2N", "not due")
        hold = self._order([("Chairs", 6, "129.0000")])
        self.orders.header_hold(hold, "H1")
        self._note(hold, "order on hold", "F4301.HOLD is H1", "not due")
        detail = self._order([("Desks", 2, "349.0000")])
        self.orders.hold(detail, "C1", self._order_day(detail, 2))
        self._note(detail, "unreleased hold", "F4209 has hold C1 without a release", "not due")
        rejected = self._order([("Espresso machine", 1, "2990.0000")], approved=False)
        self.orders.reject(rejected, self._order_day(rejected, 2))
        self._note(rejected, "rejected order", "rejected by the approver, every line closed", "not due")

    def _matched_orders(self) -> None:
        partial = self._order([("Steel plate", 10, "84.2500")])
        self.orders.receive(partial, self._order_day(partial, 6), Decimal("0.4"))
        voucher = self.orders.match(partial, self._order_day(partial, 10), "PART-1", close=False)
        self._note(partial, "order billed and partly vouchered", "its receipt was vouchered, the rest is open", "bill")
        self._add(voucher, "voucher of a billed order", "its order is a bill: a second would pay it twice", "not due")
        done = self._order([("Copper wire", 25, "12.4000")], early=True)
        self.orders.receive(done, self._order_day(done, 6))
        paid = self.orders.match(done, self._order_day(done, 9), "FULL-1")
        self.vouchers.pay(paid, self._order_day(done, 20))
        self._note(done, "order paid in JD Edwards", "received, vouchered and paid: nothing is left to bill", "not due")
        self._add(paid, "voucher paid in JD Edwards", "paid before BILL knew of it", "not due")

    def _order(
        self,
        lines: list[tuple[str, int, str]],
        supplier: Supplier | None = None,
        currency: str = "USD",
        *,
        account: Account | None = None,
        approved: bool = True,
        waits: bool = False,
        early: bool = False,
    ) -> int:
        day = self._day(early=early)
        items = [
            Item(account or self.rng.choice(self.chart.expenses), q, Decimal(cost), text) for text, q, cost in lines
        ]
        number = self.orders.add(supplier or self._any(), day, items, currency)
        if approved:
            self.orders.approve(number, self._later(day, 1), waits=waits)
            if not waits:
                self.orders.print(number, self._later(day, 2))
        return number

    def _spec(
        self,
        supplier: Supplier,
        *amounts: str,
        currency: str = "USD",
        tax: Decimal = Decimal(0),
        second: Account | None = None,
        early: bool = False,
    ) -> Spec:
        accounts = [self.rng.choice(self.chart.expenses) for _ in amounts]
        if second is not None:
            accounts[1] = second
        lines = tuple(zip(accounts, map(Decimal, amounts), strict=True))
        invoice = f"X{self.rng.randint(100_000, 999_999)}"
        return Spec(supplier, self._day(early=early), lines, invoice, currency, tax)

    def _voucher(self, case: str, why: str, outcome: Outcome, spec: Spec) -> str:
        key = self.vouchers.add(replace(spec, remark=case[:30]))
        self._add(key, case, why, outcome)
        return key

    def _note(self, order: int, case: str, why: str, outcome: Outcome) -> None:
        self._add(self.orders.key(order), case, why, outcome)

    def _add(self, key: str, case: str, why: str, outcome: Outcome) -> None:
        self.company.awkward.append(Awkward(key, case, why, outcome))

    def _any(self) -> Supplier:
        """A supplier with nothing unusual about it, in the company's currency."""
        return self.rng.choice([s for s in self.suppliers.ordinary if s.currency == "USD"])

    def _day(self, *, early: bool) -> date:
        """A day that is posted; ``early`` leaves time for what follows."""
        end = len(self.days) // 2 if early else len(self.days) - 5
        return self.rng.choice(self.days[: max(end, 1)])

    def _later(self, day: date, days: int) -> date:
        return min(day + timedelta(days=days), self.company.today)

    def _day_of(self, voucher: str) -> date:
        day = self.vouchers.rows[voucher][0]["DGJ"]
        assert isinstance(day, date)
        return day

    def _order_day(self, order: int, after: int) -> date:
        return self._later(self.orders.day(order), after)
