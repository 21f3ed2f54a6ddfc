"""Classifications: chart of accounts, departments, locations, accounting classes, employees, items, jobs.

Belongs here: the rules of `/v3/classifications/{kind}`, which are the same for each kind. Not here: how bills use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jdebill_pipelines.sandbox.bill.bulk import all_or_nothing, arranged
from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.errors import Refusal, business, invalid
from jdebill_pipelines.sandbox.bill.listing import TIMES, ListRules, on, page_of, sorts_by
from jdebill_pipelines.sandbox.bill.records import Record
from jdebill_pipelines.sandbox.bill.routing import Answer, Call, Handler
from jdebill_pipelines.sandbox.bill.schema import Rule, checked, obj, plain, text

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization

BULK_LIMIT = 50
ACCOUNT_TYPES = """
UNSPECIFIED ACCOUNTS_PAYABLE ACCOUNTS_RECEIVABLE BANK COST_OF_GOODS_SOLD CREDIT_CARD EQUITY EXPENSE FIXED_ASSET INCOME
LONG_TERM_LIABILITY OTHER_ASSET OTHER_CURRENT_ASSET OTHER_CURRENT_LIABILITY OTHER_EXPENSE OTHER_INCOME NON_POSTING
"""
_NAME = text(required=True, low=1)
_PLAIN = {"name": _NAME, "shortName": text(), "description": text(), "parentId": text()}


@dataclass(frozen=True)
class Kind:
    """One kind of classification.

    Attributes:
        path: its name in the path.
        plural: the member that wraps bulk answers.
        prefix: how its ids begin.
        reference: the member of a line item that refers to it.
    """

    path: str
    plural: str
    prefix: str
    reference: str
    rule: Rule

    def with_id(self) -> Rule:
        """The form of an element of `PATCH /bulk`."""
        return obj({"id": text(required=True), **(self.rule.optional.members or {})})


def _kind(path: str, plural: str, prefix: str, reference: str, members: Mapping[str, Rule]) -> Kind:
    return Kind(path, plural, prefix, reference, obj(members))


KINDS = (
    _kind(
        "chart-of-accounts",
        "chartOfAccounts",
        "0ca",
        "chartOfAccountId",
        {
            "name": _NAME,
            "description": text(),
            "parentId": text(),
            "account": obj({"type": text(one_of=ACCOUNT_TYPES), "number": text()}),
        },
    ),
    _kind("departments", "departments", "0de", "departmentId", _PLAIN),
    _kind("locations", "locations", "loc", "locationId", _PLAIN),
    _kind("accounting-classes", "accountingClasses", "cls", "accountingClassId", _PLAIN),
    _kind("jobs", "jobs", "job", "jobId", _PLAIN),
    _kind(
        "employees",
        "employees",
        "emp",
        "employeeId",
        {"firstName": text(), "lastName": text(), "shortName": text(), "parentId": text()},
    ),
    _kind(
        "items",
        "items",
        "0ii",
        "itemId",
        {
            **_PLAIN,
            "type": text(required=True),
            "price": plain("number"),
            "expenseChartOfAccountId": text(),
            "purchaseDescription": text(),
            "purchaseCost": plain("number"),
            "chartOfAccountId": text(),
            "taxable": plain("bool"),
            "percentage": plain("number"),
        },
    ),
)
BY_PATH = {kind.path: kind for kind in KINDS}
BY_REFERENCE = {kind.reference: kind for kind in KINDS}

LIST = ListRules(
    filters={"id": on("eq ne in"), "archived": on("eq ne", "bool"), "name": on("eq sw"), **TIMES},
    sorts=sorts_by("archived name description firstName lastName createdTime updatedTime"),
    allowed=lambda name, switches: name == "id" or switches.classification_filters == "likely",
)


def create(world: Organization, kind: Kind, given: Any) -> Record:
    """Check and keep a new classification.

    Raises:
        Refusal: 400 for its form, 422 where names or numbers must be unique.
    """
    body = checked(given, kind.rule, strict=world.switches.strict_members)
    problem = _refuse(world, kind, body)
    if problem:
        raise problem
    return _add(world, kind, body)


def archive(world: Organization, kind: Kind, record: Record, archived: bool) -> None:
    """Archive or restore; doing it again changes nothing."""
    if record.archived != archived:
        record.body["archived"] = archived
        at = world.clock.now() if "archive" in world.switches.bumps_updated_time else None
        world.classifications[kind.path].changed(record, at)


def check_references(world: Organization, given: Json | None, at: str) -> Refusal | None:
    """Whether the classifications that a bill, line or credit refers to exist and are not archived."""
    for reference, value in (given or {}).items():
        kind = BY_REFERENCE.get(reference)
        if kind is None:
            continue
        record = world.classifications[kind.path].find(value)
        if record is None:
            return business("BDC_1205", f"No data found for id {value} ({at}.{reference}).")
        if record.archived and world.switches.archived_reference == "refuse":
            return business("BDC_1119", f"Invalid field value: {at}.{reference} {value} is archived.")
    return None


def handlers(kind: Kind) -> dict[tuple[str, str], Handler]:
    """The calls of one kind, by method and path behind the kind's own."""

    def listed(call: Call) -> Answer:
        world = call.organization
        return Answer(page_of(world.classifications[kind.path], LIST, call.query, world.switches))

    def got(call: Call) -> Answer:
        collection = call.organization.classifications[kind.path]
        return Answer(collection.json(collection.get(call.ids["id"])))

    def posted(call: Call) -> Answer:
        record = create(call.organization, kind, call.json())
        return Answer(call.organization.classifications[kind.path].json(record), 201)

    def posted_bulk(call: Call) -> Answer:
        world = call.organization
        given = all_or_nothing(world, call.json(), kind.rule, BULK_LIMIT, lambda body: _refuse(world, kind, body))
        return _wrapped(world, kind, [_add(world, kind, body) for body in given], 201)

    def patched(call: Call) -> Answer:
        world = call.organization
        collection = world.classifications[kind.path]
        record = collection.get(call.ids["id"])
        _change(world, kind, record, checked(call.json(), kind.rule.optional, strict=world.switches.strict_members))
        return Answer(collection.json(record))

    def patched_bulk(call: Call) -> Answer:
        world = call.organization
        collection = world.classifications[kind.path]
        given = all_or_nothing(world, call.json(), kind.with_id(), BULK_LIMIT)
        pairs = [(collection.get(body.pop("id")), body) for body in given]
        for record, body in pairs:
            _change(world, kind, record, body)
        return _wrapped(world, kind, [record for record, _ in pairs], 200)

    def archived(value: bool) -> Handler:
        def handler(call: Call) -> Answer:
            collection = call.organization.classifications[kind.path]
            record = collection.get(call.ids["id"])
            archive(call.organization, kind, record, value)
            return Answer(collection.json(record))

        return handler

    def archived_bulk(value: bool) -> Handler:
        def handler(call: Call) -> Answer:
            collection = call.organization.classifications[kind.path]
            ids = [part for text in call.query.get("ids", []) for part in text.split(",") if part]
            if not 1 <= len(ids) <= BULK_LIMIT:
                raise invalid([f"ids: size must be between 1 and {BULK_LIMIT}"])
            records = [collection.get(object_id) for object_id in ids]
            for record in records:
                archive(call.organization, kind, record, value)
            return _wrapped(call.organization, kind, records, 200)

        return handler

    return {
        ("GET", ""): listed,
        ("POST", ""): posted,
        ("POST", "/bulk"): posted_bulk,
        ("PATCH", "/bulk"): patched_bulk,
        ("POST", "/bulk/archive"): archived_bulk(True),
        ("POST", "/bulk/restore"): archived_bulk(False),
        ("GET", "/{id}"): got,
        ("PATCH", "/{id}"): patched,
        ("POST", "/{id}/archive"): archived(True),
        ("POST", "/{id}/restore"): archived(False),
    }


def _refuse(world: Organization, kind: Kind, body: Json) -> Refusal | None:
    collection, switches = world.classifications[kind.path], world.switches
    name, number = body.get("name"), body.get("account", {}).get("number")
    parent = body.get("parentId")
    if parent is not None and collection.find(parent) is None:
        return business("BDC_1205", f"No data found for id {parent} (parentId).")
    live = [other.body for other in collection if not other.archived]
    if name and not switches.duplicate_classification_name and any(b.get("name") == name for b in live):
        return business("BDC_1171", f"Duplicate name {name}.")
    taken = {b.get("account", {}).get("number") for b in live} if not switches.duplicate_account_number else set()
    if number and number in taken:
        return business("BDC_1171", f"Duplicate account number {number}.")
    return None


def _add(world: Organization, kind: Kind, given: Json) -> Record:
    body: Json = {"id": world.ids.new(kind.prefix), "archived": False, **given}
    if kind.path == "chart-of-accounts":
        body["account"] = {"type": "UNSPECIFIED", **given.get("account", {})}
    world.written[kind.path] += 1
    return world.classifications[kind.path].add(Record(body, world.clock.now()))


def _change(world: Organization, kind: Kind, record: Record, given: Json) -> None:
    for key, value in given.items():
        record.body[key] = {**record.body.get(key, {}), **value} if isinstance(value, dict) else value
    world.classifications[kind.path].changed(record, world.clock.now())


def _wrapped(world: Organization, kind: Kind, records: list[Record], status: int) -> Answer:
    collection = world.classifications[kind.path]
    return Answer({kind.plural: arranged(world, [collection.shown(record) for record in records])}, status)
