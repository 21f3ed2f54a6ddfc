"""Making payments and moving them from state to state, with what that does to bills and credits.

Belongs here: the deeds, shared by the API and the AP clerk. Not here: who may do them and what a request looks like.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from jdebill_pipelines.sandbox.bill import approvals, ids
from jdebill_pipelines.sandbox.bill.bill_events import touched
from jdebill_pipelines.sandbox.bill.clock import add_business_days, stamp
from jdebill_pipelines.sandbox.bill.codec import ZERO, Json, money
from jdebill_pipelines.sandbox.bill.errors import Refusal, business
from jdebill_pipelines.sandbox.bill.payment_events import announce
from jdebill_pipelines.sandbox.bill.payment_states import FINAL, STATES, phase_of, steps
from jdebill_pipelines.sandbox.bill.records import Record
from jdebill_pipelines.sandbox.bill.settlement import PAID, REVERSED, Link, check_credits, links_of, settle, use_credit

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization

COMBINED = 35


@dataclass
class Item:
    """How much of one bill a payment pays, and with which credits on top."""

    bill: Record
    amount: Decimal
    credits: list[Json] = field(default_factory=list)


@dataclass
class Order:
    """A payment to be made."""

    vendor_id: str
    items: list[Item]
    process_date: str
    by: str
    online: bool = True
    funding: Json | None = None
    extra: Json = field(default_factory=dict)


def refuse(world: Organization, items: list[Item]) -> Refusal | None:
    """Why bills cannot be paid so, if they cannot."""
    wanted: dict[str, Decimal] = {}
    for item in items:
        bill = item.bill
        credit = sum((part["amount"] for part in item.credits), ZERO)
        wanted[bill.id] = wanted.get(bill.id, ZERO) + item.amount + credit
        if bill.archived:
            return business("BDC_1119", f"Bill {bill.id} is archived.")
        if item.amount < 0 or item.amount + credit <= 0:
            return business("BDC_1119", "Invalid field value: amount must be positive.")
        if wanted[bill.id] > bill.body["dueAmount"]:
            return business("BDC_1159", "A bill cannot be overpaid.")
        problem = approvals.check_payable(bill) or check_credits(world, item.credits, bill.body["vendorId"])
        if problem:
            return problem
    return None


def make(world: Organization, order: Order) -> Record:
    """Make a payment whose items were checked: scheduled online, or done at once when it was made outside BILL."""
    vendor = world.vendors.get(order.vendor_id)
    amount = money(sum((item.amount for item in order.items), ZERO))
    rate = world.rate(vendor.body.get("billCurrency", "USD"))
    number = world.next_number()
    payment_links: list[Json] = []
    for item in order.items:
        link: Json = {"id": world.ids.new(ids.BILL_PAYMENT), "billId": item.bill.id, "amount": money(item.amount)}
        if item.credits:
            link["vendorCredits"] = [{"id": c["id"], "amount": money(c["amount"])} for c in item.credits]
        payment_links.append(link)
    day = dt.date.fromisoformat(order.process_date)
    single_status = "SCHEDULED" if order.online else world.switches.offline_single_status
    body: Json = {
        "id": world.ids.new(ids.PAYMENT),
        "vendorId": vendor.id,
        "billPayments": payment_links,
        "amount": amount,
        "fundingAmount": money(amount * rate),
        "exchangeRate": rate,
        "processDate": order.process_date,
        "transactionNumber": order.extra.get("transactionNumber") or _transaction_number(world),
        "confirmationNumber": f"P{day:%y%m%d}01 - {number:07d}",
        "status": STATES[single_status][0] if order.online else "PAID",
        "singleStatus": single_status,
        "onlinePayment": order.online,
        "disbursementType": _method(vendor) if order.online else "OFFLINE",
        "disbursementInfo": {"isVoidable": True},
        "cancelRequestSubmitted": False,
        "createdBy": order.by,
        **{key: value for key, value in order.extra.items() if key != "transactionNumber"},
    }
    if len(order.items) == 1:
        body["billId"] = order.items[0].bill.id
    if order.funding is not None:
        body["fundingAccount"] = order.funding
    if "email" in vendor.body.get("paymentInformation", {}):
        body["remittanceEmail"] = vendor.body["paymentInformation"]["email"]
    record = Record(body, world.clock.now())
    record.hidden["number"] = number
    world.payments.add(record)
    world.payments_of[vendor.id][record.id] = None
    world.written["payments"] += 1
    for item in order.items:
        links_of(item.bill)[record.id] = Link(
            money(item.amount), phase_of(single_status) if order.online else PAID, item.credits
        )
        for part in item.credits:
            use_credit(world, world.vendor_credits.get(part["id"]), item.bill.id, record.id, part["amount"])
        settle(world, item.bill, "payment")
        touched(world, item.bill, "payment")
    if order.online or world.switches.record_payment_event:
        announce(world, record)
    return record


def move(world: Organization, payment: Record, to: str, *, jump: bool = False) -> None:
    """Bring a payment into a state; each state on the way is announced, unless it jumps."""
    now = payment.body["singleStatus"]
    for state in [to] if jump else steps(now, to):
        _enter(world, payment, state)


def cancel(world: Organization, payment: Record, *, pending: bool = False) -> None:
    """Cancel a scheduled payment.

    Raises:
        Refusal: 422 when it is in another state.
    """
    if payment.body["singleStatus"] not in {"SCHEDULED", "CANCELLATION_IN_PROGRESS"}:
        raise business("BDC_1119", f"Payment {payment.id} cannot be canceled: {payment.body['singleStatus']}.")
    payment.body["cancelRequestSubmitted"] = True
    _enter(world, payment, "CANCELLATION_IN_PROGRESS" if pending else "CANCELED")


def void(
    world: Organization, payment: Record, kind: str, reason: str, by: str, *, pending: bool = False
) -> Record | None:
    """Void a payment; `VOID_AND_REISSUE` makes a new one for the same bills, which is returned.

    Raises:
        Refusal: 422 when it is final or being voided.
    """
    state = payment.body["singleStatus"]
    if state in FINAL or (state == "VOID_PENDING" and pending):
        raise business("BDC_1119", f"Payment {payment.id} cannot be voided: {state}.")
    now = stamp(world.clock.now())
    info: list[Json] = payment.body.setdefault("voidInfo", [])
    if not info or state != "VOID_PENDING":
        info.append(
            {
                "id": world.ids.uuid(),
                "requestedBy": by,
                "type": kind,
                "status": "TO_BE_PROCESSED",
                "reason": reason,
                "createdTime": now,
                "updatedTime": now,
            }
        )
    if pending:
        _enter(world, payment, "VOID_PENDING")
        return None
    return finish_void(world, payment, by)


def finish_void(world: Organization, payment: Record, by: str) -> Record | None:
    """Carry out a void that was asked for; answers the new payment if one was to be issued again."""
    info = payment.body["voidInfo"][-1]
    info["status"], info["updatedTime"] = "ACCEPTED", stamp(world.clock.now())
    items = [
        Item(world.bills.get(link["billId"]), link["amount"], link.get("vendorCredits", []))
        for link in payment.body["billPayments"]
    ]
    _enter(world, payment, "VOIDED")
    if not info["type"].startswith("VOID_AND_REISSUE"):
        return None
    day = add_business_days(world.clock.today(), 1).isoformat()
    order = Order(payment.body["vendorId"], items, day, by, True, payment.body.get("fundingAccount"))
    return make(world, order)


def _enter(world: Organization, payment: Record, state: str) -> None:
    body = payment.body
    status, phase, disbursement = STATES.get(state, ("UNDEFINED", phase_of(state), ""))
    body["singleStatus"] = state
    body["status"] = world.switches.canceled_spelling if status == "CANCELLED" else status
    body.pop("disbursementStatus", None)
    if disbursement:
        body["disbursementStatus"] = disbursement
    body["disbursementInfo"] = _disbursement(payment)
    world.payments.changed(payment, world.clock.now())
    for link in body["billPayments"]:
        bill = world.bills.get(link["billId"])
        kept = links_of(bill)[payment.id]
        if kept.phase == phase:
            continue
        kept.phase = phase
        for part in kept.credits:
            credit = world.vendor_credits.get(part["id"])
            use_credit(world, credit, bill.id, payment.id, ZERO if phase == REVERSED else part["amount"])
        settle(world, bill, "payment")
        touched(world, bill, "payment")
    announce(world, payment)


def _disbursement(payment: Record) -> Json:
    body, info = payment.body, dict(payment.body["disbursementInfo"])
    info["isVoidable"] = body["singleStatus"] not in FINAL and body["singleStatus"] != "VOID_PENDING"
    if body["status"] != "PAID" or not body["onlinePayment"]:
        return info
    day = dt.date.fromisoformat(body["processDate"])
    dates: Json = {"sentDate": day.isoformat(), "arrivesByDate": add_business_days(day, 5).isoformat()}
    method = body["disbursementType"]
    if method == "CHECK":
        info["checkDisbursement"] = {**dates, "checkNumber": 10_000_000 + payment.hidden["number"]}
    elif method == "ACH":
        info["achDisbursement"] = {**dates, "arrivesByDate": add_business_days(day, 2).isoformat()}
    elif method == "INTERNATIONAL_E_PAYMENT":
        info["internationalDisbursement"] = {**dates, "amount": body["amount"], "disbursementSubType": "LOCAL"}
    elif method == "VIRTUAL_CARD":
        until = (day + dt.timedelta(days=60)).isoformat()
        arrives = dates["arrivesByDate"]
        info["vcardDisbursement"] = {"arrivesByDate": arrives, "validUntil": until, "last4CardNumber": "4242"}
    return info


def _method(vendor: Record) -> str:
    information = vendor.body.get("paymentInformation", {})
    method = str(information.get("payByType", "CHECK"))
    foreign = vendor.body.get("billCurrency", "USD") != "USD" or vendor.body["address"]["country"] != "US"
    if foreign and method in {"ACH", "CHECK"}:
        return "INTERNATIONAL_E_PAYMENT"
    return method if method != "UNDEFINED" else "CHECK"


def _transaction_number(world: Organization) -> str:
    return "".join(world.random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=20))
