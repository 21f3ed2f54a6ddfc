"""Vendor credits: create, replace, change, archive; there is no restore.

Belongs here: the rules of `/v3/vendor-credits`. Not here: applying them (`settlement`).
"""

from __future__ import annotations

from typing import Any

from jdebill_pipelines.sandbox.bill import ids
from jdebill_pipelines.sandbox.bill.bulk import all_or_nothing, arranged, check_backend_limits
from jdebill_pipelines.sandbox.bill.classifications import check_references
from jdebill_pipelines.sandbox.bill.codec import ZERO, Json, money
from jdebill_pipelines.sandbox.bill.errors import Refusal, business, invalid
from jdebill_pipelines.sandbox.bill.listing import TIMES, ListRules, on, page_of, sorts_by
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.records import Record
from jdebill_pipelines.sandbox.bill.routing import Answer, Call
from jdebill_pipelines.sandbox.bill.schema import Rule, arr, checked, obj, plain, text
from jdebill_pipelines.sandbox.bill.settlement import show_credit

BULK_LIMIT = 50
CLASSES = "chartOfAccountId accountingClassId departmentId locationId itemId employeeId jobId customerId"


def _credit(*, amounts: bool, extra: dict[str, Rule]) -> Rule:
    line = {
        "id": text(),
        "amount": plain("money", required=amounts),
        "description": text(high=4000),
        "classifications": obj({name: text() for name in CLASSES.split()}),
    }
    return obj(
        {
            **extra,
            "vendorId": text(required=True),
            "referenceNumber": text(required=True, high=100),
            "creditDate": plain("date", required=True),
            "vendorCreditLineItems": arr(obj(line), required=True, low=1),
            "description": text(),
            "applyToBankAccountId": text(),
            "applyToChartOfAccountId": text(),
        }
    )


NEW_CREDIT = _credit(amounts=True, extra={})
PATCH_CREDIT = _credit(amounts=False, extra={}).optional
BULK_PUT = _credit(amounts=True, extra={"id": text(required=True)})
BULK_PATCH = obj({**(PATCH_CREDIT.members or {}), "id": text(required=True)})

LIST = ListRules(
    filters={
        "id": on("eq ne in"),
        "archived": on("eq ne", "bool"),
        "vendorId": on("eq in"),
        "referenceNumber": on("eq"),
        **TIMES,
    },
    sorts=sorts_by("archived creditDate amount appliedAmount createdTime updatedTime"),
    allowed=lambda name, switches: name == "id" or switches.classification_filters == "likely",
)


def list_credits(call: Call) -> Answer:
    """`GET /v3/vendor-credits`."""
    world = call.organization
    return Answer(page_of(world.vendor_credits, LIST, call.query, world.switches))


def get_credit(call: Call) -> Answer:
    """`GET /v3/vendor-credits/{id}`."""
    kept = call.organization.vendor_credits
    return Answer(kept.json(kept.get(call.ids["id"])))


def post_credit(call: Call) -> Answer:
    """`POST /v3/vendor-credits`."""
    world = call.organization
    record = create(world, call.json())
    return Answer(world.vendor_credits.json(record), 201)


def post_credits(call: Call) -> Answer:
    """`POST /v3/vendor-credits/bulk`: a bare array in, `{"vendorCredits": [...]}` out."""
    world = call.organization
    given = all_or_nothing(world, call.json(), NEW_CREDIT, BULK_LIMIT, lambda body: _refuse(world, body))
    return _wrapped(world, [add(world, body) for body in given], 201)


def put_credits(call: Call) -> Answer:
    """`PUT /v3/vendor-credits/bulk`."""
    return _change_many(call, BULK_PUT, whole=True)


def patch_credits(call: Call) -> Answer:
    """`PATCH /v3/vendor-credits/bulk`."""
    return _change_many(call, BULK_PATCH, whole=False)


def put_credit(call: Call) -> Answer:
    """`PUT /v3/vendor-credits/{id}`."""
    return _change_one(call, NEW_CREDIT, whole=True)


def patch_credit(call: Call) -> Answer:
    """`PATCH /v3/vendor-credits/{id}`."""
    return _change_one(call, PATCH_CREDIT, whole=False)


def archive_credit(call: Call) -> Answer:
    """`POST /v3/vendor-credits/{id}/archive`."""
    world = call.organization
    record = world.vendor_credits.get(call.ids["id"])
    archive(world, record)
    return Answer(world.vendor_credits.json(record))


def archive_credits(call: Call) -> Answer:
    """`POST /v3/vendor-credits/bulk/archive?ids=...`."""
    world = call.organization
    wanted = [part for value in call.query.get("ids", []) for part in value.split(",") if part]
    if not 1 <= len(wanted) <= BULK_LIMIT:
        raise invalid([f"ids: size must be between 1 and {BULK_LIMIT}"])
    records = [world.vendor_credits.get(object_id) for object_id in wanted]
    for record in records:
        archive(world, record)
    return _wrapped(world, records, 200)


def create(world: Organization, given: Any) -> Record:
    """Check and keep a new vendor credit.

    Raises:
        Refusal: 400 for its form, 422 for a rule.
    """
    body = checked(given, NEW_CREDIT, strict=world.switches.strict_members)
    problem = _refuse(world, body)
    if problem:
        raise problem
    return add(world, body)


def add(world: Organization, given: Json) -> Record:
    """Keep a vendor credit that was checked."""
    lines = [_line(world, line) for line in given["vendorCreditLineItems"]]
    body: Json = {
        "id": world.ids.new(ids.VENDOR_CREDIT),
        "archived": False,
        **given,
        "vendorCreditLineItems": lines,
        "amount": money(sum((line["amount"] for line in lines), ZERO)),
    }
    record = Record(body, world.clock.now())
    world.vendor_credits.add(record)
    show_credit(world, record)
    world.written["vendor-credits"] += 1
    return record


def archive(world: Organization, record: Record) -> None:
    """Archive; doing it again changes nothing.

    Raises:
        Refusal: 422 when part of the credit is used.
    """
    if record.archived:
        return
    if record.hidden.get("usage"):
        raise business("BDC_1119", "Vendor credit that is applied cannot be archived.")
    record.body["archived"] = True
    world.vendor_credits.changed(record, world.clock.now())


def _change_one(call: Call, rule: Rule, *, whole: bool) -> Answer:
    world = call.organization
    record = world.vendor_credits.get(call.ids["id"])
    _change(world, record, checked(call.json(), rule, strict=world.switches.strict_members), whole=whole)
    return Answer(world.vendor_credits.json(record))


def _change_many(call: Call, rule: Rule, *, whole: bool) -> Answer:
    world = call.organization
    given = all_or_nothing(world, call.json(), rule, BULK_LIMIT)
    pairs = [(world.vendor_credits.get(body.pop("id")), body) for body in given]
    for record, body in pairs:
        _change(world, record, body, whole=whole, dry=True)
    for record, body in pairs:
        _change(world, record, body, whole=whole)
    return _wrapped(world, [record for record, _ in pairs], 200)


def _change(world: Organization, record: Record, given: Json, *, whole: bool, dry: bool = False) -> None:
    body: Json = {} if whole else {k: record.body[k] for k in (NEW_CREDIT.members or {}) if k in record.body}
    known = {line["id"]: line for line in record.body["vendorCreditLineItems"]}
    lines = list(known.values())
    if "vendorCreditLineItems" in given:
        for index, line in enumerate(given["vendorCreditLineItems"]):
            if line.get("id", "") not in known and ("id" in line or not whole):
                raise business("BDC_1205", f"No data found for vendorCreditLineItems[{index}].id.")
        if whole:
            lines = given["vendorCreditLineItems"]
        else:
            new = {line["id"]: line for line in given["vendorCreditLineItems"]}
            lines = [{**line, **new.get(line["id"], {})} for line in lines]
    body = {**body, **given, "vendorCreditLineItems": lines}
    problem = _refuse(world, body)
    if problem:
        raise problem
    amount = money(sum((line["amount"] for line in lines), ZERO))
    if amount < record.body["appliedAmount"]:
        raise business("BDC_1159", "Vendor credit is applied to more than that.")
    if dry:
        return
    for key in NEW_CREDIT.members or {}:
        record.body.pop(key, None)
    record.body.update(body)
    record.body["vendorCreditLineItems"] = [_line(world, line) for line in lines]
    record.body["amount"] = amount
    show_credit(world, record)


def _refuse(world: Organization, body: Json) -> Refusal | None:
    try:
        check_backend_limits(world, body)
    except Refusal as problem:
        return problem
    vendor = world.vendors.find(body["vendorId"])
    if vendor is None:
        return business("BDC_1205", f"No data found for id {body['vendorId']} (vendorId).")
    if vendor.archived and world.switches.archived_reference == "refuse":
        return business("BDC_1119", f"Invalid field value: vendor {vendor.id} is archived.")
    if "applyToBankAccountId" in body and "applyToChartOfAccountId" in body:
        return invalid(["applyToBankAccountId: not together with applyToChartOfAccountId"])
    if sum((line["amount"] for line in body["vendorCreditLineItems"]), ZERO) <= 0:
        return business("BDC_1119", "Invalid field value: the amount of a vendor credit must be positive.")
    found = (
        check_references(world, {"chartOfAccountId": body.get("applyToChartOfAccountId")}, "apply")
        if body.get("applyToChartOfAccountId")
        else None
    )
    for index, line in enumerate(body["vendorCreditLineItems"]):
        found = found or check_references(world, line.get("classifications"), f"vendorCreditLineItems[{index}]")
    return found


def _line(world: Organization, line: Json) -> Json:
    return {"id": line.get("id") or world.ids.new(ids.VENDOR_CREDIT_LINE), **line, "amount": money(line["amount"])}


def _wrapped(world: Organization, records: list[Record], status: int) -> Answer:
    bodies = [world.vendor_credits.shown(record) for record in records]
    return Answer({"vendorCredits": arranged(world, bodies)}, status)
