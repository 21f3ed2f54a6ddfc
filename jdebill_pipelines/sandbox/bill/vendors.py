"""Vendors: create, change, archive, and their bank accounts.

Belongs here: the rules of `/v3/vendors`. Not here: who may call.
"""

from __future__ import annotations

from typing import Any

from jdebill_pipelines.sandbox.bill import ids
from jdebill_pipelines.sandbox.bill.bulk import all_or_nothing, arranged, check_backend_limits
from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.errors import Refusal, business, invalid
from jdebill_pipelines.sandbox.bill.listing import TIMES, ListRules, on, page_of, sorts_by
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.places import COUNTRIES, COUNTRY_NAMES, CURRENCIES
from jdebill_pipelines.sandbox.bill.records import Record
from jdebill_pipelines.sandbox.bill.routing import Answer, Call
from jdebill_pipelines.sandbox.bill.schema import checked, obj, plain, text

BULK_LIMIT = 20

BANK_ACCOUNT = obj(
    {
        "accountNumber": text(required=True),
        "nameOnAccount": text(),
        "routingNumber": text(),
        "type": text(one_of="CHECKING SAVINGS"),
        "ownerType": text(one_of="BUSINESS PERSONAL"),
        "paymentCurrency": text(one_of=CURRENCIES),
        "bankCountry": text(one_of=COUNTRIES),
        "regulatoryFields": plain("any"),
    }
)
ADDRESS = {
    "line1": text(required=True, high=1000),
    "line2": text(high=100),
    "city": text(required=True, high=100),
    "stateOrProvince": text(high=100),
    "zipOrPostalCode": text(required=True, high=30),
    "country": text(required=True, one_of=COUNTRIES, reason="must be an ISO 3166-1 alpha-2 country code"),
    "countryName": text(),
}
PAYMENT_INFORMATION = {
    "payeeName": text(high=100),
    "email": text(low=1),
    "payByType": text(one_of="ACH CHECK INTERNATIONAL_E_PAYMENT OFFLINE RPPS VIRTUAL_CARD WALLET UNDEFINED"),
    "paymentPurpose": plain("any"),
    "bankAccount": BANK_ACCOUNT,
}
VENDOR = obj(
    {
        "name": text(required=True, low=1, high=100),
        "shortName": text(high=40),
        "accountType": text(one_of="BUSINESS PERSON NONE"),
        "accountNumber": text(),
        "email": text(low=1, pattern=r"[^@\s]+@[^@\s]+", reason="must be a well-formed email address"),
        "phone": text(),
        "address": obj(ADDRESS, required=True),
        "paymentInformation": obj(PAYMENT_INFORMATION),
        "additionalInfo": obj(
            {
                "taxId": text(),
                "taxIdType": text(one_of="EIN SSN UNDEFINED"),
                "track1099": plain("bool"),
                "leadTimeInDays": plain("int"),
                "combinePayments": plain("bool"),
                "paymentTermId": text(),
                "companyName": text(),
            }
        ),
        "billCurrency": text(one_of=CURRENCIES, reason="must be an ISO 4217 currency code"),
        "autoPay": obj({"enabled": plain("bool"), "bankAccountId": text(), "maxAmount": plain("money")}),
    }
)

LIST = ListRules(
    filters={
        "id": on("eq ne in"),
        "archived": on("eq ne", "bool"),
        "name": on("eq sw"),
        "accountType": on("eq ne in nin"),
        "address.country": on("eq ne"),
        "billCurrency": on("eq ne in nin"),
        "paymentStatus": on("eq ne in nin", "text", lambda r: "UNPAID" if r.hidden.get("balance") else "PAID"),
        **TIMES,
    },
    sorts=sorts_by("archived name shortName email phone billCurrency createdTime updatedTime"),
)


def list_vendors(call: Call) -> Answer:
    """`GET /v3/vendors`."""
    world = call.organization
    return Answer(page_of(world.vendors, LIST, call.query, world.switches))


def get_vendor(call: Call) -> Answer:
    """`GET /v3/vendors/{id}`."""
    vendors = call.organization.vendors
    return Answer(vendors.json(vendors.get(call.ids["id"])))


def post_vendor(call: Call) -> Answer:
    """`POST /v3/vendors`."""
    world = call.organization
    record = create(world, call.json())
    return Answer(world.vendors.json(record), 201)


def post_vendors(call: Call) -> Answer:
    """`POST /v3/vendors/bulk`: a bare array in, `{"vendors": [...]}` out."""
    world = call.organization
    given = all_or_nothing(world, call.json(), VENDOR, BULK_LIMIT, lambda body: _refuse(world, body))
    records = [_add(world, body) for body in given]
    return Answer({"vendors": arranged(world, [world.vendors.shown(record) for record in records])}, 201)


def patch_vendor(call: Call) -> Answer:
    """`PATCH /v3/vendors/{id}`; bank accounts have their own calls."""
    world = call.organization
    record = world.vendors.get(call.ids["id"])
    change(world, record, call.json())
    return Answer(world.vendors.json(record))


def archive_vendor(call: Call) -> Answer:
    """`POST /v3/vendors/{id}/archive`."""
    return _set_archived(call, True)


def restore_vendor(call: Call) -> Answer:
    """`POST /v3/vendors/{id}/restore`."""
    return _set_archived(call, False)


def get_bank_account(call: Call) -> Answer:
    """`GET /v3/vendors/{id}/bank-account`."""
    record = call.organization.vendors.get(call.ids["id"])
    account = record.body.get("paymentInformation", {}).get("bankAccount")
    if account is None:
        raise business("BDC_1205", f"No data found for id {record.id}.", 404)
    return Answer(account)


def post_bank_account(call: Call) -> Answer:
    """`POST /v3/vendors/{id}/bank-account`: only if none exists."""
    world = call.organization
    record = world.vendors.get(call.ids["id"])
    if record.body.get("paymentInformation", {}).get("bankAccount") is not None:
        raise business("BDC_1119", "Vendor has a bank account already.")
    account = checked(call.json(), BANK_ACCOUNT, strict=world.switches.strict_members)
    set_bank_account(world, record, account)
    return Answer(account)


def delete_bank_account(call: Call) -> Answer:
    """`DELETE /v3/vendors/{id}/bank-account`."""
    record = call.organization.vendors.get(call.ids["id"])
    if record.body.get("paymentInformation", {}).get("bankAccount") is None:
        raise business("BDC_1205", f"No data found for id {record.id}.", 404)
    set_bank_account(call.organization, record, None)
    return Answer(None, 204)


def create(world: Organization, given: Any) -> Record:
    """Check and keep a new vendor.

    Raises:
        Refusal: 400 for its form, 422 when names must be unique and this one is taken.
    """
    body = checked(given, VENDOR, strict=world.switches.strict_members)
    problem = _refuse(world, body)
    if problem:
        raise problem
    return _add(world, body)


def change(world: Organization, record: Record, given: Any) -> None:
    """Change the members that are given; nested objects are merged.

    Raises:
        Refusal: 400 for its form, 422 for a currency that can no longer change.
    """
    body = checked(given, VENDOR.optional, strict=world.switches.strict_members)
    check_backend_limits(world, body)
    body.get("paymentInformation", {}).pop("bankAccount", None)
    currency = body.get("billCurrency", record.body.get("billCurrency"))
    if currency != record.body.get("billCurrency") and world.bills_of[record.id]:
        raise business("BDC_1119", "Currency cannot be changed: vendor has bills or payments.")
    before = {key: record.body.get(key) for key in body}
    for key, value in body.items():
        record.body[key] = {**record.body.get(key, {}), **value} if isinstance(value, dict) else value
    _name_country(record.body)
    changed = {key for key, value in before.items() if record.body.get(key) != value}
    world.vendors.changed(record, world.clock.now())
    if "name" in changed:
        _rename(world, record)
    wanted = set(world.switches.vendor_updated_on)
    if changed and ("any" in wanted or changed & wanted):
        announce(world, "vendor.updated", record)


def set_bank_account(world: Organization, record: Record, account: Json | None) -> None:
    """Set or remove the vendor's bank account; payments then go by ACH or by check."""
    information = dict(record.body.get("paymentInformation", {}))
    information.pop("bankAccount", None)
    if account is not None:
        information["bankAccount"] = account
        record.hidden["bank_since"] = world.clock.now()
    information["payByType"] = "ACH" if account else "CHECK"
    information["payBySubType"] = "ACH" if account else "NONE"
    record.body["paymentInformation"] = information
    record.body["bankAccountStatus"] = "NO_NET_LINKED_ACCOUNT" if account else "NO_ACCOUNT"
    world.vendors.changed(record, world.clock.now())
    if {"any", "bank"} & set(world.switches.vendor_updated_on):
        announce(world, "vendor.updated", record)


def archive(world: Organization, record: Record, archived: bool) -> None:
    """Archive or restore; doing it again changes nothing."""
    if record.archived == archived:
        return
    record.body["archived"] = archived
    world.vendors.changed(record, world.clock.now() if "archive" in world.switches.bumps_updated_time else None)
    announce(world, "vendor.archived" if archived else "vendor.restored", record)


def announce(world: Organization, event: str, record: Record) -> None:
    """Tell the subscriptions about a vendor."""
    hidden = {"accountType", "billCurrency", "bankAccountStatus", "recurringPayments"}
    body = {key: value for key, value in world.vendors.shown(record).items() if key not in hidden}
    world.emit(event, "vendor", record.id, body)


def _set_archived(call: Call, archived: bool) -> Answer:
    world = call.organization
    record = world.vendors.get(call.ids["id"])
    archive(world, record, archived)
    return Answer(world.vendors.json(record))


def _refuse(world: Organization, body: Json) -> Refusal | None:
    try:
        check_backend_limits(world, body)
    except Refusal as problem:
        return problem
    if not world.switches.duplicate_vendor_name:
        name = body["name"].casefold()
        taken = any(not v.archived and v.body["name"].casefold() == name for v in world.vendors)
        if taken:
            return business("BDC_1171", f"Duplicate vendor name {body['name']}.")
    if body.get("autoPay", {}).get("enabled"):
        return invalid(["autoPay.enabled: needs a trusted session"])
    return None


def _add(world: Organization, given: Json) -> Record:
    account = given.get("paymentInformation", {}).get("bankAccount")
    information = {"payByType": "ACH" if account else "CHECK", **given.get("paymentInformation", {})}
    information["payBySubType"] = "ACH" if account else "NONE"
    now = world.clock.now()
    body: Json = {
        "id": world.ids.new(ids.VENDOR),
        "archived": False,
        **given,
        "paymentInformation": information,
        "additionalInfo": {"combinePayments": False, **given.get("additionalInfo", {})},
        "bankAccountStatus": "NO_NET_LINKED_ACCOUNT" if account else "NO_ACCOUNT",
        "recurringPayments": False,
        "billCurrency": given.get("billCurrency", "USD"),
        "autoPay": {"enabled": False},
        "networkStatus": "NOT_CONNECTED",
    }
    _name_country(body)
    record = world.vendors.add(Record(body, now))
    if account:
        record.hidden["bank_since"] = now
    world.written["vendors"] += 1
    announce(world, "vendor.created", record)
    return record


def _name_country(body: Json) -> None:
    address = body["address"]
    name = COUNTRY_NAMES.get(address["country"])
    body["address"] = {**address, "countryName": name} if name else address


def _rename(world: Organization, record: Record) -> None:
    for bill_id in world.bills_of[record.id]:
        world.bills.changed(world.bills.get(bill_id))
    for payment_id in world.payments_of[record.id]:
        world.payments.changed(world.payments.get(payment_id))
