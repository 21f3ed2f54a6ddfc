"""An AP clerk who pays everything that is open, in mixed ways and always the same for one seed.

Belongs here: what is done in BILL. Does not belong here: what comes of it in JDE.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from jdebill_pipelines_tests.support.world import World

PARTIAL, COMBINED, FAILED, VOIDED = "0.3", "0.1", 0.01, 0.02


@dataclass(frozen=True)
class Paid:
    """What a clerk did.

    Attributes:
        payments: BILL's payments.
        bills: bills paid by them.
        partial, combined: of these bills, so many in part and so many together with others.
        failed_bills: bills of the payments that failed.
    """

    payments: int
    bills: int
    partial: int
    combined: int
    failed_bills: int


def pay_everything(world: World, *, seed: int = 1, part: slice = slice(None)) -> Paid:
    """Pay the open bills today: 30 % of them in part, 10 % together with others; 1 % of the payments fail.

    Args:
        world: whose.
        seed: of what is chosen.
        part: of the bills by invoice number; all by default.
    """
    # The order of BILL's own ids is that of our parallel calls, another one in every run.
    bills = sorted(world.bill("bill"), key=lambda b: (b["invoice"]["invoiceNumber"], b["vendorName"], b["amount"]))
    how = {"partial": PARTIAL, "combined": COMBINED, "seed": seed, "processDate": today(world)}
    done = world.sandbox.control_bill("clerk/pay_mixed", {**how, "billIds": [bill["id"] for bill in bills[part]]})
    ids = done.pop("paymentIds")
    failed = 0
    for payment_id in random.Random(seed).sample(ids, max(1, round(len(ids) * FAILED))):
        shown = world.sandbox.control_bill("clerk/fail", {"paymentId": payment_id, "kind": "funding_voided"})
        failed += len(shown["billPayments"])
    world.sandbox.control_bill("clerk/advance_all", {"to": "PROCESSED"})
    return Paid(**done, failed_bills=failed)


def void_some(world: World, *, seed: int = 1) -> tuple[int, int]:
    """Void 2 % of the payments that went through; every second of them is paid again by another payment.

    Returns:
        How many bills the voided payments had paid, and how many of them were paid again.
    """
    paid = {p["id"]: p for p in world.sandbox.control_bill("payments") if p["singleStatus"] == "PROCESSED"}
    ordered = sorted(paid, key=lambda i: (paid[i]["vendorId"], paid[i]["amount"], paid[i]["transactionNumber"]))
    voided = again = 0
    for n, payment_id in enumerate(random.Random(seed).sample(ordered, max(2, round(len(paid) * VOIDED)))):
        links: list[dict[str, Any]] = paid[payment_id]["billPayments"]
        world.sandbox.control_bill("clerk/void", {"paymentId": payment_id})
        voided += len(links)
        if n % 2:
            parts = [{"billId": link["billId"], "amount": link["amount"]} for link in links]
            body = {"payments": parts, "processDate": today(world), "to": "PROCESSED"}
            world.sandbox.control_bill("clerk/pay_many", body)
            again += len(links)
    return voided, again


def today(world: World) -> str:
    """BILL's date."""
    return str(world.sandbox.control_bill("clock")["now"])[:10]
