"""What is open, scheduled and paid on a bill, and how much of a vendor credit is used.

Belongs here: deriving amounts and states from payments and credits. Not here: making payments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from jdebill_pipelines.sandbox.bill.codec import ZERO, Json, money
from jdebill_pipelines.sandbox.bill.errors import Refusal, business
from jdebill_pipelines.sandbox.bill.records import Record

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization

SCHEDULED, PROCESSING, PAID, REVERSED = "scheduled", "processing", "paid", "reversed"


@dataclass
class Link:
    """What one payment does to one bill; amounts in the vendor's currency."""

    amount: Decimal
    phase: str
    credits: list[Json] = field(default_factory=list)


def links_of(bill: Record) -> dict[str, Link]:
    """The payments of a bill by payment id, reversed ones among them."""
    links: dict[str, Link] = bill.hidden.setdefault("payments", {})
    return links


def has_payments(bill: Record) -> bool:
    """Whether a payment that was not reversed touches the bill."""
    return any(link.phase != REVERSED for link in links_of(bill).values())


def settle(world: Organization, bill: Record, cause: str = "") -> None:
    """Derive a bill's amounts and payment state anew, and the vendor's balance from it.

    Args:
        world: the organization.
        bill: the bill.
        cause: `payment`, `credit` or `approval`; the switch `bumps_updated_time` says whether it moves `updatedTime`.
    """
    body = bill.body
    due_before = body.get("dueAmount", ZERO) if not bill.hidden.get("balance_out") else ZERO
    live = [link for link in links_of(bill).values() if link.phase != REVERSED]
    scheduled = sum((link.amount for link in live if link.phase in (SCHEDULED, PROCESSING)), ZERO)
    paid = sum((link.amount for link in live if link.phase == PAID), ZERO)
    credit = sum((item["amount"] for item in body.get("vendorCredits", [])), ZERO)
    credit += sum((item["amount"] for link in live for item in link.credits), ZERO)
    amount: Decimal = body["amount"]
    due = money(amount - credit - scheduled - paid)
    rate = world.rate(world.vendors.get(body["vendorId"]).body.get("billCurrency", "USD"))
    body["fundingAmount"] = money(amount * rate)
    body["exchangeRate"] = rate
    body["paidAmount"] = money(paid)
    body["scheduledAmount"] = money(scheduled)
    body["creditAmount"] = money(credit)
    body["dueAmount"] = due
    body["paymentStatus"] = _state(live, paid, credit, due)
    bill.hidden["balance_out"] = bill.archived
    move_balance(world, body["vendorId"], (ZERO if bill.archived else due) - due_before)
    world.bills.changed(bill, world.clock.now() if cause in world.switches.bumps_updated_time else None)


def move_balance(world: Organization, vendor_id: str, by: Decimal) -> None:
    """Change the open balance that a vendor shows; this does not move the vendor's `updatedTime`."""
    if by == 0:
        return
    vendor = world.vendors.get(vendor_id)
    vendor.hidden["balance"] = money(vendor.hidden.get("balance", ZERO) + by)
    vendor.hidden["balance_changed"] = world.clock.now()
    world.vendors.changed(vendor)


def _state(live: list[Link], paid: Decimal, credit: Decimal, due: Decimal) -> str:
    phases = {link.phase for link in live}
    if due > 0:
        return "PARTIALLY_PAID" if paid > 0 else "UNPAID"
    if PROCESSING in phases:
        return "IN_PROCESS"
    if SCHEDULED in phases:
        return "SCHEDULED"
    return "PAID" if paid > 0 or credit > 0 else "UNPAID"


def use_credit(world: Organization, credit: Record, bill_id: str, payment_id: str, amount: Decimal) -> None:
    """Say how much of a vendor credit one bill (and payment) uses; zero frees it again."""
    usage: dict[tuple[str, str], Decimal] = credit.hidden.setdefault("usage", {})
    if amount:
        usage[bill_id, payment_id] = amount
    else:
        usage.pop((bill_id, payment_id), None)
    show_credit(world, credit)


def show_credit(world: Organization, credit: Record) -> None:
    """Derive the applied amount, the state and the usage that a vendor credit shows."""
    usage: dict[tuple[str, str], Decimal] = credit.hidden.setdefault("usage", {})
    applied = money(sum(usage.values(), ZERO))
    credit.body["appliedAmount"] = applied
    full = applied >= credit.body["amount"]
    credit.body["status"] = "FULLY_APPLIED" if full else ("PARTIALLY_APPLIED" if applied else "NOT_APPLIED")
    rows = [{"billId": bill, "paymentId": payment, "amount": amount} for (bill, payment), amount in usage.items()]
    credit.body["usage"] = [{key: value for key, value in row.items() if value != ""} for row in rows]
    world.vendor_credits.changed(credit, world.clock.now())


def check_credits(world: Organization, given: list[Json], vendor_id: str, bill_id: str = "") -> Refusal | None:
    """Whether credits may be applied: known, the vendor's, not archived, and enough is left.

    Args:
        world: the organization.
        given: `[{id, amount}]`.
        vendor_id: whose bill it is.
        bill_id: what this bill used directly before is free again.
    """
    wanted: dict[str, Decimal] = {}
    for item in given:
        credit = world.vendor_credits.find(item["id"])
        if credit is None:
            return business("BDC_1205", f"No data found for id {item['id']} (vendorCredits).")
        if credit.body["vendorId"] != vendor_id or credit.archived:
            return business("BDC_1119", f"Invalid field value: vendor credit {credit.id} cannot be applied here.")
        wanted[credit.id] = wanted.get(credit.id, ZERO) + item["amount"]
        usage: dict[tuple[str, str], Decimal] = credit.hidden.get("usage", {})
        left = credit.body["amount"] - sum(usage.values(), ZERO) + usage.get((bill_id, ""), ZERO)
        if item["amount"] <= 0 or wanted[credit.id] > left:
            return business("BDC_1159", f"Vendor credit {credit.id} has not so much left.")
    return None
