"""What the subscriptions hear of payments.

Belongs here: the bodies of `payment.updated` and `payment.failed`. Not here: delivery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jdebill_pipelines.sandbox.bill.clock import stamp
from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.records import Record

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization


def announce(world: Organization, payment: Record) -> None:
    """`payment.updated`: bill ids without amounts, and `status` in the words of `singleStatus`."""
    body = payment.body
    vendor = world.vendors.get(body["vendorId"])
    currency = vendor.body.get("billCurrency", "USD")
    account = (
        {**body["fundingAccount"], "name": "Operating", "accountNumber": "****6789"} if "fundingAccount" in body else {}
    )
    disbursement: Json = {"amount": body["amount"], "currency": currency, "disbursementAccount": {}}
    if body["status"] == "PAID":
        disbursement["disbursementAccount"] = {"type": body["disbursementType"], "accountNumber": "****1122"}
    for name, details in body["disbursementInfo"].items():
        if name != "isVoidable" and "arrivesByDate" in details:
            disbursement["arrivesByDate"] = details["arrivesByDate"]
    shown: Json = {
        "id": payment.id,
        "billIds": [link["billId"] for link in body["billPayments"]],
        "transactionNumber": body["transactionNumber"],
        "status": body["singleStatus"],
        "processDate": body["processDate"],
        "createdBy": body["createdBy"],
        "createdTime": body["createdTime"],
        "updatedTime": body["updatedTime"],
        "funding": {"amount": body["fundingAmount"], "currency": "USD", "fundingAccount": account},
        "disbursement": disbursement,
        "vendor": {"id": vendor.id, "name": vendor.body["name"]},
        "billingType": "BDC" if body["onlinePayment"] else "NET_SYNC_FROM_OFFLINE_PAYMENT",
    }
    world.emit("payment.updated", "payment", payment.id, shown)


def announce_failed(world: Organization, bills: list[Json], vendor: Record, code: str, message: str, by: str) -> None:
    """`payment.failed`: a request to pay failed, so there is no payment and no id; the errors stand beside it."""
    now = stamp(world.clock.now())
    shown: Json = {
        "bills": bills,
        "transactionNumber": "".join(world.random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=20)),
        "createdBy": by,
        "createdTime": now,
        "updatedTime": now,
        "fundingAccount": {"id": next(iter(world.banks)).id, "type": "BANK_ACCOUNT"},
        "vendor": {"id": vendor.id, "name": vendor.body["name"]},
    }
    errors = [{"code": code, "message": message, "timestamp": now}]
    world.emit("payment.failed", "payment", "", shown, errors=errors)
