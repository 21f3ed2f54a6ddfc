"""The AP clerk: what people do in BILL's web application, as control calls.

Belongs here: `POST /__control/clerk/{action}`, one function per deed. Not here: the rules, which the API shares.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from jdebill_pipelines.sandbox.bill import approvals, bills, classifications, credits, payments, vendors
from jdebill_pipelines.sandbox.bill.bill_events import touched
from jdebill_pipelines.sandbox.bill.clock import add_business_days
from jdebill_pipelines.sandbox.bill.codec import ZERO, Json
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.payment_events import announce_failed
from jdebill_pipelines.sandbox.bill.payment_moves import Item, Order, cancel, finish_void, make, move, refuse, void
from jdebill_pipelines.sandbox.bill.payment_states import FAILURES, FINAL, HAPPY_PATH, STATES, VOID_TYPES
from jdebill_pipelines.sandbox.bill.records import Record

Deed = Callable[[Organization, Json], Any]


def approve(world: Organization, body: Json) -> Json:
    """`{"billIds": [...]}` or `{"all": true}`: approve for every approver."""
    return _act(world, body, "APPROVE")


def deny(world: Organization, body: Json) -> Json:
    """`{"billIds": [...]}`: deny."""
    return _act(world, body, "DENY")


def pay(world: Organization, body: Json) -> Json:
    """`{"billId", "amount"?, "method"?, "processDate"?, "to"?}`: schedule a payment and bring it to a state."""
    bill = world.bills.get(body["billId"])
    item = Item(bill, amount(body["amount"]) if "amount" in body else bill.body["dueAmount"])
    return _pay(world, [item], body)


def pay_many(world: Organization, body: Json) -> Json:
    """`{"billIds": [...]}` or `{"payments": [{"billId", "amount"}]}`: one payment over several bills of one vendor."""
    wanted = body.get("payments") or [{"billId": bill_id} for bill_id in body["billIds"]]
    items = []
    for part in wanted:
        bill = world.bills.get(part["billId"])
        items.append(Item(bill, amount(part["amount"]) if "amount" in part else bill.body["dueAmount"]))
    if len({item.bill.body["vendorId"] for item in items}) != 1:
        raise ValueError("pay_many: all bills must be of one vendor")
    return _pay(world, items, body)


def pay_with_credit(world: Organization, body: Json) -> Json:
    """`{"billId", "credits": [{"id", "amount"}], "amount"?}`: pay what the credits leave, or so much."""
    bill = world.bills.get(body["billId"])
    parts = [{"id": part["id"], "amount": amount(part["amount"])} for part in body["credits"]]
    rest = bill.body["dueAmount"] - sum((part["amount"] for part in parts), ZERO)
    return _pay(world, [Item(bill, amount(body["amount"]) if "amount" in body else rest, parts)], body)


def apply_credit(world: Organization, body: Json) -> Json:
    """`{"billId", "credits": [{"id", "amount"}]}`: apply credits to a bill without a payment."""
    bill = world.bills.get(body["billId"])
    parts = [{"id": part["id"], "amount": amount(part["amount"])} for part in body["credits"]]
    bills.change(world, bill, {"vendorCredits": parts, **_asked(bill)})
    return world.bills.shown(bill)


def record_offline(world: Organization, body: Json) -> Json:
    """`{"billId", "amount"?}` or `{"payments": [...]}`, `"processDate"?`, `"syncReference"?`: paid outside BILL."""
    items = []
    for part in body.get("payments") or [body]:
        bill = world.bills.get(part["billId"])
        items.append(Item(bill, amount(part["amount"]) if "amount" in part else bill.body["dueAmount"]))
    given = {
        "toPrintCheck": False,
        **{key: value for key, value in body.items() if key in {"description", "syncReference"}},
        "vendorId": items[0].bill.body["vendorId"],
        "processDate": body.get("processDate", world.clock.today().isoformat()),
    }
    return world.payments.shown(payments.record(world, given, items, _clerk(world)))


def advance(world: Organization, body: Json) -> Json:
    """`{"paymentId", "to"?, "jump"?, "status"?}`: to a singleStatus, by default the next of the happy path.

    An unknown singleStatus is allowed with `"force": true`, because BILL's list is open-ended; `status` is what the
    coarser field says then, where it is not what usually goes with it.
    """
    payment = world.payments.get(body["paymentId"])
    to = body.get("to") or _next(payment)
    _check_state(to, force=bool(body.get("force")))
    if to == "VOIDED" and payment.body["singleStatus"] == "VOID_PENDING":
        finish_void(world, payment, _clerk(world))
    else:
        move(world, payment, to, jump=bool(body.get("jump")))
    if "status" in body:
        payment.body["status"] = str(body["status"])
        world.payments.changed(payment, world.clock.now())
    return world.payments.shown(payment)


def advance_all(world: Organization, body: Json) -> Json:
    """`{"to"?, "from"?}`: every payment of the happy path; one step, or up to a state."""
    count = 0
    for payment in list(world.payments):
        now, to = payment.body["singleStatus"], body.get("to")
        if not payment.body["onlinePayment"] or now not in HAPPY_PATH[:-1] or body.get("from", now) != now:
            continue
        to = to or _next(payment)
        _check_state(to)
        if HAPPY_PATH.index(to) > HAPPY_PATH.index(now):
            move(world, payment, to)
            count += 1
    return {"advanced": count}


def clear(world: Organization, body: Json) -> Json:
    """`{"paymentId"}` or `{"all": true}`: to CLEARED."""
    return advance_all(world, {"to": "CLEARED"}) if body.get("all") else advance(world, {**body, "to": "CLEARED"})


def void_payment(world: Organization, body: Json) -> Json:
    """`{"paymentId", "type"?, "reason"?, "pending"?}`: VOIDED, or VOID_PENDING first."""
    kind = body.get("type", "VOID_ONLY")
    if kind not in VOID_TYPES.split():
        raise ValueError(f"type must be one of {VOID_TYPES}")
    payment = world.payments.get(body["paymentId"])
    reason = body.get("reason", "Voided by the clerk")
    new = void(world, payment, kind, reason, _clerk(world), pending=bool(body.get("pending")))
    shown = world.payments.shown(payment)
    return {**shown, "reissuedAs": new.id} if new else shown


def cancel_payment(world: Organization, body: Json) -> Json:
    """`{"paymentId", "pending"?}`: CANCELED, or CANCELLATION_IN_PROGRESS first."""
    payment = world.payments.get(body["paymentId"])
    cancel(world, payment, pending=bool(body.get("pending")))
    return world.payments.shown(payment)


def fail(world: Organization, body: Json) -> Json:
    """`{"paymentId", "kind"}`: funding, funding_voided, disbursement, vendor_bank, escheat, hold, ..."""
    kind = body.get("kind", "")
    if kind not in FAILURES:
        raise ValueError(f"kind must be one of {', '.join(FAILURES)}")
    payment = world.payments.get(body["paymentId"])
    if payment.body["singleStatus"] in FINAL:
        raise ValueError(f"payment is {payment.body['singleStatus']} for good")
    move(world, payment, FAILURES[kind])
    return world.payments.shown(payment)


def create_failed(world: Organization, body: Json) -> Json:
    """`{"billId", "amount"?, "code"?, "message"?}`: a request to pay failed; an event, and no payment."""
    bill = world.bills.get(body["billId"])
    wanted = amount(body["amount"]) if "amount" in body else bill.body["dueAmount"]
    code = body.get("code", "BDC_1151")
    message = body.get("message", "Bank account is not enabled for online payments.")
    vendor = world.vendors.get(bill.body["vendorId"])
    announce_failed(world, [{"id": bill.id, "amount": wanted}], vendor, code, message, _clerk(world))
    return {"sent": True}


def edit_bill(world: Organization, body: Json) -> Json:
    """`{"billId", "changes": {...}}`: as PATCH; `{"billId", "bill": {...}}`: as PUT."""
    bill = world.bills.get(body["billId"])
    if "bill" in body:
        bills.replace(world, bill, body["bill"])
    else:
        bills.change(world, bill, {**_asked(bill), **body["changes"]})
    return world.bills.shown(bill)


def archive_bill(world: Organization, body: Json) -> Json:
    """`{"billId"}`."""
    bill = world.bills.get(body["billId"])
    bills.archive(world, bill, True)
    return world.bills.shown(bill)


def restore_bill(world: Organization, body: Json) -> Json:
    """`{"billId"}`."""
    bill = world.bills.get(body["billId"])
    bills.archive(world, bill, False)
    return world.bills.shown(bill)


def create_bill(world: Organization, body: Json) -> Json:
    """The body of a bill: typed into BILL by hand, not from JDE."""
    return world.bills.shown(bills.create(world, body, _clerk(world)))


def create_vendor(world: Organization, body: Json) -> Json:
    """The body of a vendor: typed into BILL by hand, not from JDE."""
    return world.vendors.shown(vendors.create(world, body))


def create_credit(world: Organization, body: Json) -> Json:
    """The body of a vendor credit."""
    return world.vendor_credits.shown(credits.create(world, body))


def edit_vendor(world: Organization, body: Json) -> Json:
    """`{"vendorId", "changes": {...}}`: as PATCH."""
    vendor = world.vendors.get(body["vendorId"])
    vendors.change(world, vendor, body["changes"])
    return world.vendors.shown(vendor)


def archive_vendor(world: Organization, body: Json) -> Json:
    """`{"vendorId"}`."""
    vendor = world.vendors.get(body["vendorId"])
    vendors.archive(world, vendor, True)
    return world.vendors.shown(vendor)


def change_vendor_bank(world: Organization, body: Json) -> Json:
    """`{"vendorId", "bankAccount": {...} | null}`."""
    vendor = world.vendors.get(body["vendorId"])
    default = {"accountNumber": "000123456789", "routingNumber": "074000010", "nameOnAccount": vendor.body["name"]}
    vendors.set_bank_account(world, vendor, body.get("bankAccount", default))
    return world.vendors.shown(vendor)


def archive_account(world: Organization, body: Json) -> Json:
    """`{"accountId"}`."""
    return _archive_classification(world, "chart-of-accounts", body["accountId"])


def archive_department(world: Organization, body: Json) -> Json:
    """`{"departmentId"}`."""
    return _archive_classification(world, "departments", body["departmentId"])


def pay_mixed(world: Organization, body: Json) -> Json:
    """`{"partial": 0.3, "combined": 0.1, "seed", "processDate"?, "to"?, "limit"?, "billIds"?}`: pay what is open.

    A share of the bills is paid in part, a share together with other bills of the vendor; the rest whole and alone.
    """
    chance = random.Random(int(body.get("seed", 1)))
    partial, combined = Decimal(body.get("partial", 0)), Decimal(body.get("combined", 0))
    chosen: Iterable[Record] = (
        (world.bills.get(bill_id) for bill_id in body["billIds"]) if "billIds" in body else world.bills
    )
    open_bills = [b for b in chosen if not b.archived and b.body["dueAmount"] > 0 and not approvals.check_payable(b)]
    open_bills = open_bills[: body["limit"]] if "limit" in body else open_bills
    together: dict[str, list[Item]] = {}
    made: list[str] = []
    figures = {"payments": 0, "bills": 0, "partial": 0, "combined": 0}
    for bill in open_bills:
        due: Decimal = bill.body["dueAmount"]
        cents = int(due * 100)
        figures["bills"] += 1
        if cents > 1 and chance.random() < partial:
            due = Decimal(chance.randrange(max(1, cents // 10), max(2, cents * 9 // 10))) / 100
            figures["partial"] += 1
        if chance.random() < combined:
            together.setdefault(bill.body["vendorId"], []).append(Item(bill, due))
        else:
            made.append(_pay(world, [Item(bill, due)], body)["id"])
    for items in together.values():
        for start in range(0, len(items), 5):
            figures["combined"] += len(items[start : start + 5])
            made.append(_pay(world, items[start : start + 5], body)["id"])
    figures["payments"] = len(made)
    return {**figures, "paymentIds": made}


DEEDS: dict[str, Deed] = {
    "approve": approve,
    "deny": deny,
    "pay": pay,
    "pay_many": pay_many,
    "pay_mixed": pay_mixed,
    "pay_with_credit": pay_with_credit,
    "apply_credit": apply_credit,
    "record_offline": record_offline,
    "advance": advance,
    "advance_all": advance_all,
    "clear": clear,
    "void": void_payment,
    "cancel": cancel_payment,
    "fail": fail,
    "create_failed": create_failed,
    "edit_bill": edit_bill,
    "archive_bill": archive_bill,
    "restore_bill": restore_bill,
    "create_bill": create_bill,
    "create_vendor": create_vendor,
    "create_credit": create_credit,
    "edit_vendor": edit_vendor,
    "archive_vendor": archive_vendor,
    "change_vendor_bank": change_vendor_bank,
    "archive_account": archive_account,
    "archive_department": archive_department,
}


def amount(value: Any) -> Decimal:
    """An amount from a control body, as a JSON number or as text.

    Raises:
        ValueError: not an amount.
    """
    try:
        found = Decimal(value)
        if found.is_finite() and not isinstance(value, bool):
            return found
    except (InvalidOperation, TypeError):
        pass
    raise ValueError(f"not an amount: {value!r}")


def _act(world: Organization, body: Json, action: str) -> Json:
    if body.get("all"):
        chosen = [bill for bill in world.bills if not bill.archived and bill.body["approvalStatus"] != "APPROVED"]
    else:
        chosen = [world.bills.get(bill_id) for bill_id in body["billIds"]]
    for bill in chosen:
        approvals.act(world, bill, action, everyone=True)
        touched(world, bill, "approval")
    return {"bills": len(chosen)}


def _pay(world: Organization, items: list[Item], body: Json) -> Json:
    problem = refuse(world, items)
    if problem:
        raise problem
    day = body.get("processDate") or add_business_days(world.clock.today(), 1).isoformat()
    bank = next(iter(world.banks)).id
    order = Order(items[0].bill.body["vendorId"], items, day, _clerk(world), True, {"type": "BANK_ACCOUNT", "id": bank})
    if "method" in body:
        order.extra["disbursementType"] = body["method"]
    for name in ("transactionNumber", "description"):
        if name in body:
            order.extra[name] = body[name]
    payment = make(world, order)
    if "to" in body:
        _check_state(body["to"])
        move(world, payment, body["to"])
    return world.payments.shown(payment)


def _asked(bill: Record) -> Json:
    return {"billApprovals": True} if bill.hidden.get("approvals_asked") else {}


def _next(payment: Record) -> str:
    now = payment.body["singleStatus"]
    if now in HAPPY_PATH[:-1]:
        following = HAPPY_PATH[HAPPY_PATH.index(now) + 1]
        return "CLEARED" if following == "DELIVERED" else following
    following = {"VOID_PENDING": "VOIDED", "CANCELLATION_IN_PROGRESS": "CANCELED"}.get(now, "")
    if not following:
        raise ValueError(f"nothing follows {now}: say where to")
    return following


def _check_state(state: str, *, force: bool = False) -> None:
    if state not in STATES and not force:
        raise ValueError(f"no singleStatus {state!r}; there are: {', '.join(STATES)}")


def _archive_classification(world: Organization, path: str, object_id: str) -> Json:
    record = world.classifications[path].get(object_id)
    classifications.archive(world, classifications.BY_PATH[path], record, True)
    return world.classifications[path].shown(record)


def _clerk(world: Organization) -> str:
    return world.sessions.user_id("clerk")
