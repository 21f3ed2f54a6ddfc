"""Bills: create, replace, change, archive.

Belongs here: the rules of `/v3/bills`. Not here: paying them, and deriving their amounts (`settlement`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from jdebill_pipelines.sandbox.bill import approvals, ids
from jdebill_pipelines.sandbox.bill.bill_events import announce
from jdebill_pipelines.sandbox.bill.bulk import all_or_nothing, arranged, check_backend_limits, raise_failed
from jdebill_pipelines.sandbox.bill.classifications import check_references
from jdebill_pipelines.sandbox.bill.codec import ZERO, Json, money, with_text_amounts
from jdebill_pipelines.sandbox.bill.errors import Refusal, business, invalid
from jdebill_pipelines.sandbox.bill.listing import TIMES, ListRules, on, page_of, sorts_by
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.records import Record
from jdebill_pipelines.sandbox.bill.routing import Answer, Call
from jdebill_pipelines.sandbox.bill.schema import arr, checked, obj, plain, text
from jdebill_pipelines.sandbox.bill.settlement import check_credits, has_payments, move_balance, settle, use_credit

BULK_LIMIT = 100
HEADER = ("chartOfAccountId", "accountingClassId", "departmentId", "locationId", "itemId")
LINE_CLASSES = obj({name: text() for name in (*HEADER, "employeeId", "jobId", "customerId")})
LINE = {
    "amount": plain("money"),
    "quantity": plain("number"),
    "price": plain("number"),
    "description": text(high=4000),
    "classifications": LINE_CLASSES,
}
CREDITS = arr(obj({"id": text(required=True), "amount": plain("money", required=True)}))


def _bill(line: Any) -> Any:
    return obj(
        {
            "vendorId": text(required=True, low=1),
            "dueDate": plain("date", required=True),
            "description": text(high=4000),
            "invoice": obj(
                {"invoiceNumber": text(required=True), "invoiceDate": plain("date", required=True)}, required=True
            ),
            "billLineItems": arr(obj(line), required=True, low=1),
            "payFromChartOfAccountId": text(),
            "classifications": obj({name: text() for name in HEADER}),
            "vendorCredits": CREDITS,
            "purchaseOrderNumber": text(),
            "billApprovals": plain("bool"),
        }
    )


NEW_BILL = _bill(LINE)
PUT_BILL = _bill({"id": text(), **LINE})
PATCH_BILL = _bill({"id": text(required=True), **LINE}).optional
UPDATE_MEMBERS = ("vendorId", "amount", "invoice.invoiceNumber", "invoice.invoiceDate")


def _classes(name: str) -> Any:
    def read(record: Record) -> list[Any]:
        found = [record.body.get("classifications", {}).get(name)]
        return found + [line.get("classifications", {}).get(name) for line in record.body["billLineItems"]]

    return read


LIST = ListRules(
    filters={
        "id": on("eq ne in"),
        "archived": on("eq ne", "bool"),
        "vendorId": on("eq in"),
        "dueDate": on("gt gte lt lte", "date"),
        "paymentStatus": on("eq ne in"),
        **TIMES,
        "payFromChartOfAccountId": on("eq ne in"),
        **{f"classifications.{name}": on("eq ne in", "text", _classes(name)) for name in HEADER},
        "invoice.invoiceNumber": on("eq"),
    },
    sorts=sorts_by("archived fundingAmount exchangeRate description dueDate createdTime updatedTime"),
    allowed=lambda name, switches: name != "invoice.invoiceNumber" or switches.invoice_number_filter,
)


def list_bills(call: Call) -> Answer:
    """`GET /v3/bills`."""
    world = call.organization
    return Answer(page_of(world.bills, LIST, call.query, world.switches))


def get_bill(call: Call) -> Answer:
    """`GET /v3/bills/{id}`."""
    bills = call.organization.bills
    return Answer(bills.json(bills.get(call.ids["id"])))


def post_bill(call: Call) -> Answer:
    """`POST /v3/bills`."""
    world = call.organization
    record = create(world, call.json(), call.by)
    return Answer(_written(world, record), 201)


def post_bills(call: Call) -> Answer:
    """`POST /v3/bills/bulk`: a bare array in and out."""
    world = call.organization
    given = all_or_nothing(world, call.json(), NEW_BILL, BULK_LIMIT, lambda body: refuse(world, body))
    raise_failed(world, _doubles(world, given), len(given))
    records = [add(world, body, call.by) for body in given]
    return Answer(arranged(world, [_written(world, record) for record in records]), 201)


def put_bill(call: Call) -> Answer:
    """`PUT /v3/bills/{id}`: replaces the bill; lines that are not mentioned are deleted."""
    world = call.organization
    record = world.bills.get(call.ids["id"])
    replace(world, record, call.json())
    return Answer(_written(world, record))


def patch_bill(call: Call) -> Answer:
    """`PATCH /v3/bills/{id}`: changes what is given, lines by their id."""
    world = call.organization
    record = world.bills.get(call.ids["id"])
    change(world, record, call.json())
    return Answer(_written(world, record))


def archive_bill(call: Call) -> Answer:
    """`POST /v3/bills/{id}/archive`."""
    return _set_archived(call, True)


def restore_bill(call: Call) -> Answer:
    """`POST /v3/bills/{id}/restore`."""
    return _set_archived(call, False)


def create(world: Organization, given: Any, by: str) -> Record:
    """Check and keep a new bill.

    Raises:
        Refusal: 400 for its form, 422 for a rule.
    """
    body = checked(given, NEW_BILL, strict=world.switches.strict_members)
    problem = refuse(world, body)
    if problem:
        raise problem
    return add(world, body, by)


def replace(world: Organization, record: Record, given: Any) -> None:
    """Replace a bill; known line ids stay, lines without one are new, the others go.

    Raises:
        Refusal: 400 for its form, 422 for a rule.
    """
    body = checked(given, PUT_BILL, strict=world.switches.strict_members)
    known = {line["id"] for line in record.body["billLineItems"]}
    for line in body["billLineItems"]:
        if "id" in line and line["id"] not in known:
            raise business("BDC_1205", f"No data found for id {line['id']} (billLineItems).")
    _apply(world, record, body, kept=())


def change(world: Organization, record: Record, given: Any) -> None:
    """Change what is given and leave the rest.

    Raises:
        Refusal: 400 for its form, 422 for a rule.
    """
    changes = checked(given, PATCH_BILL, strict=world.switches.strict_members)
    lines = {line["id"]: dict(line) for line in record.body["billLineItems"]}
    for index, line in enumerate(changes.pop("billLineItems", [])):
        if line["id"] not in lines:
            raise business("BDC_1205", f"No data found for id {line['id']} (billLineItems[{index}]).")
        old = lines[line["id"]]
        if "amount" not in line and {"quantity", "price"} & set(line):
            old.pop("amount", None)
        merged = {**old.get("classifications", {}), **line.pop("classifications", {})}
        old.update(line)
        if merged:
            old["classifications"] = merged
    body = {key: record.body[key] for key in (NEW_BILL.members or {}) if key in record.body}
    for key, value in changes.items():
        body[key] = {**body.get(key, {}), **value} if isinstance(value, dict) else value
    body["billLineItems"] = list(lines.values())
    _apply(world, record, body, kept=("vendorCredits",) if "vendorCredits" not in changes else ())


def archive(world: Organization, record: Record, archived: bool) -> None:
    """Archive or restore; doing it again changes nothing.

    Raises:
        Refusal: 422 when the bill has payments and the switch `archive_paid_bill` refuses that.
    """
    if record.archived == archived:
        return
    if archived and has_payments(record) and world.switches.archive_paid_bill == "refuse":
        raise business("BDC_1119", "Bill with payments cannot be archived.")
    record.body["archived"] = archived
    settle(world, record, "archive")
    announce(world, "bill.archived" if archived else "bill.restored", record)


def refuse(world: Organization, body: Json, own: Record | None = None) -> Refusal | None:
    """Why a bill of the right form is refused, if it is."""
    try:
        check_backend_limits(world, body)
        _lines(body)
    except Refusal as found:
        return found
    vendor = world.vendors.find(body["vendorId"])
    if vendor is None:
        return business("BDC_1205", f"No data found for id {body['vendorId']} (vendorId).")
    if vendor.archived and world.switches.archived_reference == "refuse":
        return business("BDC_1119", f"Invalid field value: vendor {vendor.id} is archived.")
    total = sum((line["amount"] for line in body["billLineItems"]), ZERO)
    limit = world.switches.max_bill_lines
    if limit is not None and len(body["billLineItems"]) > limit:
        return invalid([f"billLineItems: size must be between 1 and {limit}"])
    if total < 0 and world.switches.negative_bill_total == "refuse":
        return business("BDC_1119", "Invalid field value: the amount of a bill cannot be negative.")
    if total == 0 and world.switches.zero_bill_total == "refuse":
        return business("BDC_1119", "Invalid field value: the amount of a bill cannot be zero.")
    problem = check_references(world, body.get("classifications"), "classifications")
    for index, line in enumerate(body["billLineItems"]):
        problem = problem or check_references(world, line.get("classifications"), f"billLineItems[{index}]")
    pay_from = body.get("payFromChartOfAccountId")
    if pay_from:
        problem = problem or check_references(world, {"chartOfAccountId": pay_from}, "payFromChartOfAccountId")
    problem = problem or check_credits(world, body.get("vendorCredits", []), vendor.id, own.id if own else "")
    return problem or _double(world, body, own)


def add(world: Organization, given: Json, by: str) -> Record:
    """Keep a bill that was checked."""
    _lines(given)
    lines = [{"id": world.ids.new(ids.BILL_LINE), **line} for line in given.pop("billLineItems")]
    asked = given.pop("billApprovals", False)
    body: Json = {
        "id": world.ids.new(ids.BILL),
        "archived": False,
        **given,
        "billLineItems": lines,
        "amount": money(sum((line["amount"] for line in lines), ZERO)),
        "approvalStatus": "UNASSIGNED",
    }
    record = Record(body, world.clock.now())
    record.hidden["created_by"] = by
    record.hidden["approvals_asked"] = asked
    world.bills.add(record)
    _index(world, record)
    approvals.assign(world, record)
    for item in body.get("vendorCredits", []):
        use_credit(world, world.vendor_credits.get(item["id"]), record.id, "", item["amount"])
    settle(world, record)
    world.written["bills"] += 1
    announce(world, "bill.created", record)
    return record


def _apply(world: Organization, record: Record, body: Json, kept: tuple[str, ...]) -> None:
    if has_payments(record) and world.switches.edit_paid_bill == "refuse":
        raise business("BDC_1119", "Bill with payments cannot be changed.")
    if record.hidden.get("approvals_asked") and not body.get("billApprovals", False):
        raise invalid(["billApprovals: must be true as on create"])
    problem = refuse(world, body, record)
    if problem:
        raise problem
    total = money(sum((line["amount"] for line in body["billLineItems"]), ZERO))
    taken = record.body["paidAmount"] + record.body["scheduledAmount"]
    if total < taken:
        raise business("BDC_1159", "A bill cannot be overpaid.")
    if has_payments(record) and body["vendorId"] != record.body["vendorId"]:
        raise business("BDC_1119", "Vendor of a bill with payments cannot be changed.")
    before = _watched(record)
    _unindex(world, record)
    for item in record.body.get("vendorCredits", []):
        if "vendorCredits" not in kept:
            use_credit(world, world.vendor_credits.get(item["id"]), record.id, "", ZERO)
    move_balance(world, record.body["vendorId"], -record.body["dueAmount"] if not record.archived else ZERO)
    body.pop("billApprovals", None)
    for key in NEW_BILL.members or {}:
        record.body.pop(key, None)
    record.body.update(body)
    record.body["billLineItems"] = [
        {"id": line.get("id") or world.ids.new(ids.BILL_LINE), **line} for line in body["billLineItems"]
    ]
    record.body["amount"] = total
    record.body["dueAmount"] = ZERO
    for item in body.get("vendorCredits", []):
        use_credit(world, world.vendor_credits.get(item["id"]), record.id, "", item["amount"])
    _index(world, record)
    settle(world, record)
    world.bills.changed(record, world.clock.now())
    world.written["bill changes"] += 1
    changed = {name for name, value in _watched(record).items() if before[name] != value}
    if "any" in world.switches.bill_updated_on or changed & set(world.switches.bill_updated_on):
        announce(world, "bill.updated", record)


def _set_archived(call: Call, archived: bool) -> Answer:
    world = call.organization
    record = world.bills.get(call.ids["id"])
    archive(world, record, archived)
    return Answer(_written(world, record))


def _written(world: Organization, record: Record) -> Json:
    body = dict(record.body)
    return with_text_amounts(body) if world.switches.amounts_as_text else body


def _lines(body: Json) -> None:
    for index, line in enumerate(body["billLineItems"]):
        if "amount" in line:
            line["amount"] = money(line["amount"])
        elif "quantity" in line and "price" in line:
            line["amount"] = money(Decimal(line["quantity"]) * Decimal(line["price"]))
        else:
            raise invalid([f"billLineItems[{index}].amount: must not be null"])


def _watched(record: Record) -> Json:
    invoice = record.body["invoice"]
    values = (record.body["vendorId"], record.body["amount"], invoice["invoiceNumber"], invoice["invoiceDate"])
    return dict(zip(UPDATE_MEMBERS, values, strict=True))


def _double(world: Organization, body: Json, own: Record | None) -> Refusal | None:
    mode, number = world.switches.duplicate_bill_number, body["invoice"]["invoiceNumber"]
    if mode == "off" or (own is not None and own.body["invoice"]["invoiceNumber"] == number):
        return None
    for bill_id in world.bills_numbered.get(number, ()):
        other = world.bills.get(bill_id)
        same = mode == "per_org" or other.body["vendorId"] == body["vendorId"]
        if other is not own and not other.archived and same:
            return business("BDC_1171", f"Duplicate invoice number for {bill_id}.")
    return None


def _doubles(world: Organization, given: list[Json]) -> dict[int, Refusal]:
    mode = world.switches.duplicate_bill_number
    seen: set[tuple[str, str]] = set()
    failed: dict[int, Refusal] = {}
    for index, body in enumerate(given if mode != "off" else []):
        key = (body["vendorId"] if mode == "per_vendor" else "", body["invoice"]["invoiceNumber"])
        if key in seen:
            failed[index] = business("BDC_1171", f"Duplicate invoice number for {body['vendorId']}.")
        seen.add(key)
    return failed


def _index(world: Organization, record: Record) -> None:
    world.bills_of[record.body["vendorId"]][record.id] = None
    world.bills_numbered[record.body["invoice"]["invoiceNumber"]][record.id] = None


def _unindex(world: Organization, record: Record) -> None:
    world.bills_of[record.body["vendorId"]].pop(record.id, None)
    world.bills_numbered[record.body["invoice"]["invoiceNumber"]].pop(record.id, None)
