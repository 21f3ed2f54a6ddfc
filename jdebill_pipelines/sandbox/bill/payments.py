"""Payments by API: through BILL, recorded from outside, canceled, voided.

Belongs here: the rules of `/v3/payments` and `record-payment`. Not here: what a payment does to bills; that is in
`payment_moves`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation

from jdebill_pipelines.sandbox.bill import bills
from jdebill_pipelines.sandbox.bill.bulk import raise_failed
from jdebill_pipelines.sandbox.bill.clock import add_business_days, is_business_day
from jdebill_pipelines.sandbox.bill.codec import Json, money
from jdebill_pipelines.sandbox.bill.errors import Element, Refusal, business, invalid
from jdebill_pipelines.sandbox.bill.listing import TIME_OPERATORS, TIMES, ListRules, on, page_of, sorts_by
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.payment_moves import COMBINED, Item, Order, cancel, make, refuse, void
from jdebill_pipelines.sandbox.bill.payment_states import VOID_TYPES
from jdebill_pipelines.sandbox.bill.records import Record
from jdebill_pipelines.sandbox.bill.routing import Answer, Call
from jdebill_pipelines.sandbox.bill.schema import arr, checked, obj, plain, text

BULK_LIMIT = 50
FUNDING = obj(
    {"type": text(required=True, one_of="BANK_ACCOUNT CARD_ACCOUNT WALLET AP_CARD"), "id": text()}, required=True
)
OPTIONS = {
    "createBill": plain("bool"),
    "requestPayFaster": plain("bool"),
    "requestCheckDeliveryType": text(one_of="STANDARD UPS_1DAY UPS_2DAY UPS_3DAY RTP_DELIVERY"),
}
COMMON = {
    "vendorId": text(),
    "fundingAccount": FUNDING,
    "processDate": plain("date"),
    "description": text(high=70),
    "transactionNumber": text(high=50, pattern="[A-Za-z0-9]+", reason="must be alphanumeric"),
    "cardFundingPurpose": text(),
}
PAYMENT = obj(
    {
        **COMMON,
        "billId": text(),
        "amount": plain("money", required=True),
        "processingOptions": obj(OPTIONS, required=True),
        "createBill": plain("bool"),
        "paymentPurpose": plain("any"),
        "exchangeRateBatchId": plain("int"),
    }
)
BULK = obj(
    {
        **COMMON,
        "processingOptions": obj(OPTIONS),
        "payments": arr(
            obj({"billId": text(required=True), "amount": plain("money", required=True)}),
            required=True,
            low=1,
            high=BULK_LIMIT,
        ),
    }
)
RECORD = obj(
    {
        "vendorId": text(required=True),
        "processDate": plain("date", required=True),
        "toPrintCheck": plain("bool", required=True),
        "payments": arr(
            obj(
                {
                    "billId": text(required=True),
                    "amount": plain("money", required=True),
                    "vendorCredits": bills.CREDITS,
                }
            ),
            required=True,
            low=1,
        ),
        "classifications": obj({"chartOfAccountId": text()}),
        "description": text(),
        "syncReference": text(),
        "allowExport": plain("bool"),
    }
)
VOID = obj({"type": text(required=True, one_of=VOID_TYPES), "reason": text(required=True, low=1, high=4000)})

_RANGE = "eq gt gte lt lte"
LIST = ListRules(
    filters={
        "id": on("eq in"),
        "vendorId": on("eq in"),
        "processDate": on(_RANGE, "date"),
        "amount": on(_RANGE, "money"),
        "transactionNumber": on("eq"),
        "status": on("eq in"),
        "onlinePayment": on("eq", "bool"),
        "disbursementType": on("eq in"),
        **{name: on(" ".join(TIME_OPERATORS), "time") for name in TIMES},
    },
    sorts=sorts_by(
        "description processDate amount confirmationNumber onlinePayment createdTime updatedTime disbursementStatus"
    ),
    allowed=lambda name, switches: name == "id" or switches.payment_filters,
)


def list_payments(call: Call) -> Answer:
    """`GET /v3/payments`; `billId` is not filterable."""
    world = call.organization
    return Answer(page_of(world.payments, LIST, call.query, world.switches))


def get_payment(call: Call) -> Answer:
    """`GET /v3/payments/{id}`."""
    payments = call.organization.payments
    return Answer(payments.json(payments.get(call.ids["id"])))


def post_payment(call: Call) -> Answer:
    """`POST /v3/payments`."""
    world = call.organization
    given = checked(call.json(), PAYMENT, strict=world.switches.strict_members)
    amount = given.pop("amount")
    options = given["processingOptions"]
    day = _check_request(world, given)
    if options.get("createBill"):
        if "vendorId" not in given or "billId" in given:
            raise invalid(["vendorId must be provided and billId must not if createBill is true"])
        bill = _bill_for(world, given, amount, day, call.by)
    elif "billId" not in given:
        raise invalid(["billId must be provided if createBill is false"])
    else:
        bill = _bill_of(world, given["billId"], given.get("vendorId"))
    item = Item(bill, amount)
    _check_bills(world, [item], day)
    return Answer(world.payments.json(_pay(world, given, [item], day, call.by)), 201)


def post_payments(call: Call) -> Answer:
    """`POST /v3/payments/bulk`: an object in; one payment per bill unless the vendor combines payments."""
    world = call.organization
    given = checked(call.json(), BULK, strict=world.switches.strict_members)
    parts = given.pop("payments")
    day = _check_request(world, given)
    items: list[Item] = []
    failed: dict[int, Refusal] = {}
    for index, part in enumerate(parts):
        try:
            items.append(Item(_bill_of(world, part["billId"], given.get("vendorId")), part["amount"]))
            _check_bills(world, [item for item in items if item.bill.id == part["billId"]], day)
        except Refusal as problem:
            failed[index] = problem
    raise_failed(world, failed, len(parts))
    made = [_pay(world, given, group, day, call.by) for group in groups(world, items)]
    return Answer({"payments": [world.payments.shown(record) for record in made]}, 201)


def record_payment(call: Call) -> Answer:
    """`POST /v3/bills/record-payment`: a payment made outside BILL, done at once."""
    world = call.organization
    given = checked(call.json(), RECORD, strict=world.switches.strict_members)
    items = [
        Item(_bill_of(world, part["billId"], given["vendorId"]), part["amount"], part.get("vendorCredits", []))
        for part in given.pop("payments")
    ]
    return Answer(world.payments.json(record(world, given, items, call.by)))


def record(world: Organization, given: Json, items: list[Item], by: str) -> Record:
    """Record a payment that was made outside BILL.

    Raises:
        Refusal: 422 for bills that cannot be paid so.
    """
    problem = refuse(world, items)
    if problem:
        raise problem
    names = "toPrintCheck classifications description syncReference allowExport"
    extra = {name: given[name] for name in names.split() if name in given}
    return make(world, Order(given["vendorId"], items, given["processDate"], by, online=False, extra=extra))


def cancel_payment(call: Call) -> Answer:
    """`POST /v3/payments/{id}/cancel`: only while it is scheduled."""
    world = call.organization
    payment = world.payments.get(call.ids["id"])
    cancel(world, payment)
    return Answer(world.payments.json(payment))


def void_payment(call: Call) -> Answer:
    """`POST /v3/payments/{id}/void`: pending for what went through BILL, done at once for what did not."""
    world = call.organization
    payment = world.payments.get(call.ids["id"])
    given = checked(call.json(), VOID, strict=world.switches.strict_members)
    void(world, payment, given["type"], given["reason"], call.by, pending=payment.body["onlinePayment"])
    return Answer(world.payments.json(payment))


def check_image(call: Call) -> Answer:
    """`GET /v3/payments/{id}/check-image`."""
    payment = call.organization.payments.get(call.ids["id"])
    found = "checkDisbursement" in payment.body["disbursementInfo"]
    return Answer({"results": [{"downloadLink": f"/connect/v3/check-images/{payment.id}"}] if found else []})


def payment_options(call: Call) -> Answer:
    """`GET /v3/payments/options?vendorId&amount`."""
    world = call.organization
    vendor_id, amount = _vendor_and_amount(call)
    first = add_business_days(world.clock.today(), 1)
    banks = [
        {
            "id": bank.id,
            "name": bank.body["nameOnAccount"],
            "available": bank.body["status"] == "VERIFIED" and not bank.archived,
            "processDate": first.isoformat(),
            "deliveryDate": add_business_days(first, 5).isoformat(),
            "fee": money(Decimal("0.59")),
            "conditions": [],
        }
        for bank in world.banks
    ]
    return Answer({"vendorId": vendor_id, "amount": amount, "fundingOptions": {"banks": banks, "cards": []}})


def exchange_rate(call: Call) -> Answer:
    """`GET /v3/payments/exchange-rate?vendorId&amount&baseCurrency`."""
    world = call.organization
    vendor_id, _ = _vendor_and_amount(call)
    currency = world.vendors.get(vendor_id).body.get("billCurrency", "USD")
    until = world.clock.now() + dt.timedelta(minutes=20)
    return Answer(
        {
            "paymentCurrency": currency,
            "baseCurrency": "USD",
            "exchangeRate": world.rate(currency),
            "amountRange": {"from": Decimal("0.01"), "to": Decimal("1000000.00")},
            "expirationTime": f"{until:%Y-%m-%dT%H:%M:%S}.000+00:00",
            "exchangeRateBatchId": world.next_number(),
        }
    )


def groups(world: Organization, items: list[Item]) -> list[list[Item]]:
    """Which bills go into one payment: up to 35 of a vendor that combines payments, else each its own."""
    found: list[list[Item]] = []
    combined: dict[str, list[Item]] = {}
    for item in items:
        vendor = world.vendors.get(item.bill.body["vendorId"])
        group = combined.get(vendor.id)
        if group is not None and len(group) < COMBINED:
            group.append(item)
            continue
        group = [item]
        found.append(group)
        if vendor.body.get("additionalInfo", {}).get("combinePayments"):
            combined[vendor.id] = group
    return found


def _check_request(world: Organization, given: Json) -> str:
    funding = given["fundingAccount"]
    if funding["type"] in {"WALLET", "AP_CARD"} and "processDate" not in given:
        raise invalid(["processDate: must not be null"])
    if funding["type"] != "WALLET" and not funding.get("id"):
        raise invalid(["fundingAccount.id: must not be blank"])
    bank = world.banks.find(funding.get("id"))
    usable = bank is not None and bank.body["status"] == "VERIFIED" and not bank.archived
    if funding["type"] == "BANK_ACCOUNT" and not usable:
        raise business("BDC_1151", "Bank account is not enabled for online payments.")
    number = given.get("transactionNumber")
    unique = bool(number) and not world.switches.transaction_number_reuse
    if unique and any(payment.body["transactionNumber"] == number for payment in world.payments):
        raise business("BDC_1171", f"Duplicate transaction number {number}.")
    today = world.clock.today()
    day = dt.date.fromisoformat(given.get("processDate", add_business_days(today, 1).isoformat()))
    if day < today or not is_business_day(day):
        message = "Invalid Process Date : ${paramName0}."
        twice = [message, f"{given.get('billId', '')} : {message}"]
        raise Refusal(422, [Element("BDC_1152", text, "APPLICATION") for text in twice])
    return day.isoformat()


def _check_bills(world: Organization, items: list[Item], day: str) -> None:
    problem = refuse(world, items)
    if problem:
        raise problem
    since = world.vendors.get(items[0].bill.body["vendorId"]).hidden.get("bank_since")
    if since is not None and world.switches.vendor_bank_verification:
        earliest = add_business_days(since.date(), 2)
        if dt.date.fromisoformat(day) < earliest:
            raise business("BDC_1402", "Process date must be at least two business days from now.", 400)


def _pay(world: Organization, given: Json, items: list[Item], day: str, by: str) -> Record:
    names = "processingOptions description transactionNumber cardFundingPurpose paymentPurpose"
    extra = {name: given[name] for name in names.split() if name in given}
    vendor_id = items[0].bill.body["vendorId"]
    return make(world, Order(vendor_id, items, day, by, funding=given["fundingAccount"], extra=extra))


def _bill_of(world: Organization, bill_id: str, vendor_id: str | None) -> Record:
    bill = world.bills.find(bill_id)
    if bill is None:
        raise business("BDC_1205", f"No data found for id {bill_id} (billId).")
    if vendor_id is not None and bill.body["vendorId"] != vendor_id:
        raise business("BDC_1119", f"Invalid field value: bill {bill_id} is not of vendor {vendor_id}.")
    return bill


def _bill_for(world: Organization, given: Json, amount: Decimal, day: str, by: str) -> Record:
    wanted: Json = {
        "vendorId": given["vendorId"],
        "dueDate": day,
        "invoice": {"invoiceNumber": f"PAY{world.next_number():07d}", "invoiceDate": day},
        "billLineItems": [{"amount": amount, "description": given.get("description", "Payment")}],
    }
    return bills.create(world, wanted, by)


def _vendor_and_amount(call: Call) -> tuple[str, Decimal]:
    query = call.query
    vendor_id = (query.get("vendorId") or [""])[-1]
    call.organization.vendors.get(vendor_id)
    try:
        return vendor_id, Decimal((query.get("amount") or [""])[-1])
    except InvalidOperation:
        raise invalid(["amount: must be a number"]) from None
