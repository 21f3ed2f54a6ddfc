"""Funding accounts: the organization's own bank accounts.

Belongs here: the rules of `/v3/funding-accounts/banks`. Not here: vendors' bank accounts.
"""

from __future__ import annotations

from jdebill_pipelines.sandbox.bill import ids
from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.errors import business
from jdebill_pipelines.sandbox.bill.listing import TIMES, ListRules, on, page_of, sorts_by
from jdebill_pipelines.sandbox.bill.records import Record
from jdebill_pipelines.sandbox.bill.routing import Answer, Call
from jdebill_pipelines.sandbox.bill.schema import checked, obj, plain, text

DEPOSIT = "0.5"
BANK = obj(
    {
        "nameOnAccount": text(required=True),
        "routingNumber": text(required=True),
        "accountNumber": text(required=True),
        "type": text(required=True, one_of="CHECKING SAVINGS"),
        "ownerType": text(one_of="BUSINESS PERSONAL"),
        "bankName": text(),
    }
)
VERIFY = obj({"depositAmount": plain("money", required=True)})
LIST = ListRules(
    filters={"id": on("eq"), "bankAccountId": on("eq", "text", lambda record: record.id), **TIMES},
    sorts=sorts_by("archived nameOnAccount bankName accessToAdmins createdTime updatedTime"),
)


def list_banks(call: Call) -> Answer:
    """`GET /v3/funding-accounts/banks`."""
    world = call.organization
    return Answer(page_of(world.banks, LIST, call.query, world.switches))


def get_bank(call: Call) -> Answer:
    """`GET /v3/funding-accounts/banks/{id}`."""
    banks = call.organization.banks
    return Answer(banks.json(banks.get(call.ids["id"])))


def post_bank(call: Call) -> Answer:
    """`POST /v3/funding-accounts/banks`: starts as `PENDING`."""
    world = call.organization
    given = checked(call.json(), BANK, strict=world.switches.strict_members)
    body: Json = {
        "id": world.ids.new(ids.BANK),
        "archived": False,
        "status": "PENDING",
        "createdBy": call.by,
        **given,
        "accountNumber": "****" + given["accountNumber"][-4:],
        "accessToAdmins": True,
        "default": {"payables": False, "receivables": False},
    }
    record = world.banks.add(Record(body, world.clock.now()))
    _announce(call, "bank-account.created", record)
    return Answer(world.banks.json(record), 201)


def verify_bank(call: Call) -> Answer:
    """`POST /v3/funding-accounts/banks/{id}/verify`: the sandbox deposit is 0.50, and there are three attempts."""
    world = call.organization
    record = world.banks.get(call.ids["id"])
    given = checked(call.json(), VERIFY, strict=world.switches.strict_members)
    attempts = record.hidden["attempts"] = record.hidden.get("attempts", 0) + 1
    right = str(given["depositAmount"].normalize()) == DEPOSIT
    if attempts > 3 or not right:
        if attempts >= 3:
            record.body["status"] = "BLOCKED"
            world.banks.changed(record, world.clock.now())
        raise business("BDC_1119", "Invalid field value: depositAmount.")
    record.body["status"] = "VERIFIED"
    world.banks.changed(record, world.clock.now())
    _announce(call, "bank-account.updated", record)
    return Answer({"verified": True})


def archive_bank(call: Call) -> Answer:
    """`POST /v3/funding-accounts/banks/{id}/archive`."""
    world = call.organization
    record = world.banks.get(call.ids["id"])
    record.body["archived"] = True
    world.banks.changed(record, world.clock.now())
    return Answer(world.banks.json(record))


def _announce(call: Call, event: str, record: Record) -> None:
    call.organization.emit(event, "bankAccount", record.id, record.body)
