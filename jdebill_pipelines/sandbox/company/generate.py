"""A demo company that always looks current: suppliers, vouchers and orders of the last months.

Belongs here: how many of what, and the ordinary documents. Does not belong here: how a document is written.
The same arguments give the same company, row for row.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from jdebill_pipelines.sandbox.company.awkward import AwkwardDocuments
from jdebill_pipelines.sandbox.company.calendar import business_days, months_before
from jdebill_pipelines.sandbox.company.ledger import Ledger
from jdebill_pipelines.sandbox.company.model import Company
from jdebill_pipelines.sandbox.company.orders import Item, Orders
from jdebill_pipelines.sandbox.company.reference import Account, Chart, add_reference
from jdebill_pipelines.sandbox.company.suppliers import Supplier, Suppliers, add_suppliers
from jdebill_pipelines.sandbox.company.vouchers import Spec, Vouchers

Size = Literal["demo", "tiny"]
SIZES: dict[Size, tuple[int, int]] = {"demo": (300, 3000), "tiny": (12, 40)}
_ORDER_SHARE = Decimal("0.3")
_TAX = Decimal("0.0825")


def build_company(
    size: Size = "demo",
    *,
    today: date,
    seed: int = 7,
    suppliers: int | None = None,
    documents: int | None = None,
    months: int = 6,
) -> Company:
    """Make a company.

    Args:
        size: ``demo`` (about 300 suppliers, 3,000 documents) or ``tiny`` (about 12 and 40), both with every awkward
            case.
        today: the last day of its documents; its fiscal period is the current one.
        seed: another seed, another company.
        suppliers: other than the size's number.
        documents: other than the size's number of vouchers and orders.
        months: calendar months with documents, the current one included.

    Returns:
        The company; its rows are final.
    """
    count, wanted = SIZES[size]
    rng = random.Random(f"{seed}/{size}")  # a text seed is hashed alike on every platform
    company = Company(today=today, start=months_before(today, months - 1))
    chart = add_reference(company)
    known = add_suppliers(company, rng, suppliers or count)
    ledger = Ledger(company, chart)
    vouchers = Vouchers(company, ledger, rng)
    orders = Orders(company, ledger, vouchers, rng)
    days = business_days(company.start, today)
    AwkwardDocuments(company, chart, known, vouchers, orders, days, rng).add_all()
    _Ordinary(company, chart, known, vouchers, orders, days, rng).add(documents or wanted)
    ledger.close()
    return company


class _Ordinary:
    """Writes documents as they happen every day."""

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
        self.vouchers = vouchers
        self.orders = orders
        self.days = days
        self.rng = rng
        self.suppliers = suppliers.ordinary
        # A few suppliers send most of the invoices.
        self.weights = [1 / (n + 4) for n in range(len(self.suppliers))]
        self.by_object: dict[str, list[Account]] = {}
        for account in chart.expenses:
            self.by_object.setdefault(account.object, []).append(account)
        self.expenses = chart.expenses
        self.invoices: Counter[int] = Counter()

    def add(self, wanted: int) -> None:
        """Add orders, then vouchers, until there are ``wanted`` documents in all."""
        while len(self.company.tables["F4301"]) < wanted * _ORDER_SHARE:
            self._order()
        while len(self.vouchers.rows) + len(self.company.tables["F4301"]) < wanted:
            self._voucher()

    def _voucher(self) -> None:
        rng, supplier = self.rng, self._supplier()
        count = rng.choices((1, 2, 3, 5, 9), (55, 25, 11, 7, 2))[0]
        lines = tuple((self._account(supplier), self._amount()) for _ in range(count))
        net = sum((amount for _, amount in lines), Decimal(0))
        tax = (net * _TAX).quantize(Decimal("0.01")) if rng.random() < 0.12 else Decimal(0)
        status = "H" if rng.random() < 0.015 else "A"
        day = rng.choice(self.days)
        key = self.vouchers.add(
            Spec(supplier, day, lines, self._invoice(supplier), supplier.currency, tax, status=status)
        )
        if status == "A":
            self._maybe_paid(key, day)

    def _order(self) -> None:
        rng, supplier = self.rng, self._supplier()
        day = rng.choice(self.days)
        items = []
        for n in range(rng.choices((1, 2, 3, 6), (45, 30, 15, 10))[0]):
            cost = Decimal(rng.randint(5_000, 4_000_000)).scaleb(-4)
            items.append(Item(self._account(supplier), rng.randint(1, 60), cost, f"Item {n + 1} of {supplier.name}"))
        number = self.orders.add(supplier, day, items, supplier.currency)
        fate = rng.random()
        approved = day + timedelta(days=rng.randint(1, 3))
        if approved > self.company.today or fate < 0.06:
            return
        if fate < 0.09:
            self.orders.reject(number, approved)
            return
        self.orders.approve(number, approved)
        if fate < 0.18:
            return
        self.orders.print(number, approved)
        received = approved + timedelta(days=rng.randint(4, 16))
        if received > self.company.today or fate < 0.30:
            return
        self.orders.receive(number, received, Decimal("0.5") if fate < 0.45 else Decimal(1))
        matched = received + timedelta(days=rng.randint(2, 9))
        if fate >= 0.70 and matched <= self.company.today:
            key = self.orders.match(number, matched, self._invoice(supplier))
            self._maybe_paid(key, matched)

    def _maybe_paid(self, key: str, day: date) -> None:
        """Most of what is older than two months was paid in JD Edwards, before BILL came."""
        paid = day + timedelta(days=self.rng.randint(25, 45))
        if paid > self.company.today - timedelta(days=20) or self.rng.random() < 0.4:
            return
        self.vouchers.pay(key, paid, Decimal("0.5") if self.rng.random() < 0.05 else Decimal(1))

    def _supplier(self) -> Supplier:
        return self.rng.choices(self.suppliers, self.weights)[0]

    def _account(self, supplier: Supplier) -> Account:
        usual = self.by_object.get(supplier.object, self.expenses)
        return self.rng.choice(usual if self.rng.random() < 0.8 else self.expenses)

    def _amount(self) -> Decimal:
        """Most amounts are small, a few are large; cents are as they come."""
        top = self.rng.choices((10_000, 100_000, 1_000_000, 5_000_000), (30, 45, 22, 3))[0]
        return Decimal(self.rng.randint(1_000, top)).scaleb(-2)

    def _invoice(self, supplier: Supplier) -> str:
        """Each supplier counts its invoices in its own way."""
        self.invoices[supplier.number] += 1
        n = self.invoices[supplier.number] + supplier.number % 900
        styles = (f"INV-{n:05d}", f"{self.company.today.year}/{n:04d}", f"{n:08d}", f"A{n}", f"{supplier.number}-{n}")
        return styles[supplier.number % len(styles)]
