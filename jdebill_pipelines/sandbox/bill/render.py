"""How objects look when they are read, where that differs from how they are kept.

Belongs here: derived members, and what list rows leave out. Not here: changing anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jdebill_pipelines.sandbox.bill.clock import stamp
from jdebill_pipelines.sandbox.bill.codec import ZERO, Json
from jdebill_pipelines.sandbox.bill.records import Record

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization

THIN_VENDOR = frozenset({"shortName", "additionalInfo", "paymentInformation", "balance", "autoPay"})
THIN_BILL = frozenset({"description", "billLineItems", "classifications", "purchaseOrderNumber", "payments"})
THIN_CREDIT = frozenset({"description", "vendorCreditLineItems", "usage"})


def vendor(organization: Organization, record: Record) -> Json:
    """A vendor with its open balance; switches mask the tax id and leave out the bank account."""
    body = dict(record.body)
    info = body.get("additionalInfo")
    if info and "taxId" in info and organization.switches.tax_id_masked:
        body["additionalInfo"] = {**info, "taxId": "*" * (len(info["taxId"]) - 4) + info["taxId"][-4:]}
    if "paymentInformation" in body and not organization.switches.vendor_shows_bank_account:
        body["paymentInformation"] = {k: v for k, v in body["paymentInformation"].items() if k != "bankAccount"}
    changed = record.hidden.get("balance_changed", record.created)
    body["balance"] = {"amount": record.hidden.get("balance", ZERO), "lastUpdatedDate": stamp(changed)}
    times = {name: body.pop(name) for name in ("createdTime", "updatedTime")}
    return {**body, **times}


def bill(organization: Organization, record: Record) -> Json:
    """A bill as GET and lists show it: with the vendor's name, and the undocumented `payments`."""
    vendor_record = organization.vendors.find(record.body["vendorId"])
    body = dict(record.body)
    body["vendorName"] = vendor_record.body["name"] if vendor_record else ""
    if organization.switches.bill_payments_member:
        links = record.hidden.get("payments", {})
        body["payments"] = [{"paymentId": key, "amount": link.amount} for key, link in links.items()]
    return body


def payment(organization: Organization, record: Record) -> Json:
    """A payment with the vendor's present name."""
    vendor_record = organization.vendors.find(record.body["vendorId"])
    return {**record.body, "vendorName": vendor_record.body["name"] if vendor_record else ""}
