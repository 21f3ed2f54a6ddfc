"""What the subscriptions hear of bills.

Belongs here: the bodies of `bill.*` events, and when a payment or an approval counts as an update.
Not here: delivery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.records import Record

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization


def announce(world: Organization, event: str, record: Record) -> None:
    """Tell the subscriptions about a bill: no lines, and the invoice date as a date-time."""
    body = record.body
    names = (
        "id archived vendorId amount description dueDate payFromChartOfAccountId purchaseOrderNumber classifications"
    )
    shown: Json = {key: body[key] for key in names.split() if key in body}
    if event != "bill.created":
        shown["vendorName"] = world.vendors.get(body["vendorId"]).body["name"]
    shown["invoice"] = {**body["invoice"], "invoiceDate": f"{body['invoice']['invoiceDate']}T00:00:00.000Z"}
    shown["paymentStatus"] = body["paymentStatus"]
    shown["createdBy"] = record.hidden.get("created_by", "")
    shown["createdTime"], shown["updatedTime"] = body["createdTime"], body["updatedTime"]
    world.emit(event, "bill", record.id, shown)


def touched(world: Organization, record: Record, cause: str) -> None:
    """Announce a change by payment or approval if the switch `bill_updated_on` says that BILL does."""
    if {"any", cause} & set(world.switches.bill_updated_on):
        announce(world, "bill.updated", record)
