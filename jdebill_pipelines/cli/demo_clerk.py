"""The AP clerk of the demo: pays due bills in the simulated BILL, in every way that occurs.

Belongs here: which bills and how. Does not belong here: what becomes of it in JD Edwards (demo_payments.py).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from jdebill_pipelines.domain.money import ISO_DECIMALS
from jdebill_pipelines.sandbox.serve import SandboxProcess

Bill = dict[str, Any]
# Of a hundred bills so many are paid together with others of their vendor, and so many in part.
COMBINED, PARTIAL = 10, 30
_MOST_IN_ONE = 5


@dataclass(slots=True)
class Way:
    """One way of paying.

    Attributes:
        name: in words.
        payments: BILL's ids.
        bills: how many bills were paid.
        totals: amounts by currency.
    """

    name: str
    payments: list[str] = field(default_factory=list)
    bills: int = 0
    totals: dict[str, Decimal] = field(default_factory=dict)

    def add(self, payment: dict[str, Any], currency: str) -> None:
        """Count a payment."""
        self.payments.append(payment["id"])
        self.bills += len(payment["billPayments"])
        self.totals[currency] = self.totals.get(currency, Decimal(0)) + payment["amount"]


class Clerk:
    """Somebody who works in BILL.

    Args:
        sandbox: the simulated servers.
        day: process date of the payments.
        invoices: ids of the bills that are supplier invoices; the others are purchase orders.
        left: ids of bills that are not paid.
    """

    def __init__(
        self, sandbox: SandboxProcess, day: date, invoices: frozenset[str], left: frozenset[str] = frozenset()
    ) -> None:
        self._sandbox = sandbox
        self._invoices = invoices
        self._left = left
        self._day = day.isoformat()
        self._currencies = {v["id"]: v.get("billCurrency") or "USD" for v in sandbox.control_bill("vendors")}

    def pay(self, most: int) -> list[Way]:
        """Pay the bills that are due longest, and one of every currency.

        Args:
            most: how many bills, about.

        Returns:
            What was paid how. BILL has processed all of it but the failed payment.
        """
        bills = self._due(most)
        ways = [self._with_credit(bills), self._failing(bills), self._together(bills)]
        partial = Way("in part")
        for bill in _every(bills, PARTIAL):
            bills.remove(bill)
            half = _half(bill["dueAmount"], self._currency(bill))
            self._paid(partial, bill, "pay", billId=bill["id"], amount=half)
        whole = Way("whole")
        for bill in bills:
            self._paid(whole, bill, "pay", billId=bill["id"])
        self._do("advance_all", to="PROCESSED")
        return [whole, partial, *ways]

    def void(self, payment_id: str) -> None:
        """Void a payment."""
        self._do("void", paymentId=payment_id, reason="Paid by mistake")

    def _due(self, most: int) -> list[Bill]:
        """Open bills, those that are due first first."""
        listed = [b for b in self._sandbox.control_bill("bills") if not b["archived"] and b["dueAmount"] > 0]
        bills = [b for b in listed if b["id"] not in self._left]
        bills.sort(key=lambda b: (b["dueDate"], b["invoice"]["invoiceNumber"], b["amount"]))
        first: dict[str, Bill] = {}
        for bill in bills:
            first.setdefault(self._currency(bill), bill)
        chosen = bills[:most]
        return [*chosen, *(bill for bill in first.values() if bill not in chosen)]

    def _with_credit(self, bills: list[Bill]) -> Way:
        """Apply each vendor credit to an invoice of its vendor and pay the rest."""
        way = Way("with a vendor credit")
        theirs = sorted(self._sandbox.control_bill("bills"), key=lambda b: (b["dueDate"], b["id"]))
        for credit in self._sandbox.control_bill("vendor-credits"):
            amount = credit["amount"] - credit["appliedAmount"]
            fitting = [b for b in theirs if b["vendorId"] == credit["vendorId"] and b["dueAmount"] > amount > 0]
            # A purchase order is no document that a credit memo of JD Edwards could be applied to.
            for bill in [b for b in fitting if b["id"] in self._invoices and not b["archived"]][:1]:
                if bill in bills:
                    bills.remove(bill)
                credits_ = [{"id": credit["id"], "amount": amount}]
                self._paid(way, bill, "pay_with_credit", billId=bill["id"], credits=credits_)
        return way

    def _failing(self, bills: list[Bill]) -> Way:
        """Pay a bill without having the money: BILL voids the payment."""
        way = Way("failed for lack of funds")
        bill = next(b for b in bills if self._currency(b) == "USD")
        bills.remove(bill)
        self._paid(way, bill, "pay", billId=bill["id"])
        self._do("fail", paymentId=way.payments[0], kind="funding_voided")
        return way

    def _together(self, bills: list[Bill]) -> Way:
        """Pay several bills of a vendor at once."""
        way = Way("several bills in one payment")
        wanted = max(2, len(bills) * COMBINED // 100)
        groups: defaultdict[str, list[Bill]] = defaultdict(list)
        for bill in bills:
            groups[bill["vendorId"]].append(bill)
        for group in groups.values():
            taken = group[: min(_MOST_IN_ONE, wanted - way.bills)]
            if len(taken) > 1:
                for bill in taken:
                    bills.remove(bill)
                self._paid(way, taken[0], "pay_many", billIds=[bill["id"] for bill in taken])
        return way

    def _paid(self, way: Way, bill: Bill, action: str, **body: Any) -> None:
        way.add(self._do(action, processDate=self._day, **body), self._currency(bill))

    def _currency(self, bill: Bill) -> str:
        return self._currencies[bill["vendorId"]]

    def _do(self, action: str, **body: Any) -> Any:
        return self._sandbox.control_bill(f"clerk/{action}", body)


def _every(bills: list[Bill], percent: int) -> list[Bill]:
    return [bill for n, bill in enumerate(bills) if n * percent % 100 < percent]


def _half(amount: Decimal, currency: str) -> Decimal:
    return (amount / 2).quantize(Decimal(1).scaleb(-ISO_DECIMALS.get(currency, 2)), ROUND_HALF_UP)
