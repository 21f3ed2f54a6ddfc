"""What BILL has paid and what JDE's tables say was paid, each added up from that side's own rows.

Belongs here: reading the simulators' tables and adding. Does not belong here: anything of the product but the vendor
that stands for a supplier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from jdebill_pipelines_tests.support.world import World

D = Decimal
Sums = dict[int, Decimal]
# BILL API v3: in these states of `singleStatus` the payer was debited and has not got the money back.
PAID = ("PROCESSED", "SENT", "DELIVERED", "CLEARED")
BANK, PAYABLES = "00009901", "00009902"


def add_accounts(world: World, unit: str, company: str = "00001") -> None:
    """Give a company what payments need: a bank account (F0901, F0030) and payables (F0901, and F0012's PC)."""
    account = {"CO": company, "MCU": unit, "LDA": "6", "PEC": ""}
    world.change(
        "F0901",
        {**account, "AID": BANK, "OBJ": "1110", "DL01": "Operating Account"},
        {**account, "AID": PAYABLES, "OBJ": "4110", "DL01": "Accounts Payable Trade"},
    )
    world.change("F0030", {"UKID": 1, "BKTP": "G", "AN8": 1, "AID": BANK, "CRCD": "USD", "NXTC": 1, "NXTA": 1})
    world.change("F0012", {"ITEM": "PC", "CO": company, "MCU": unit, "OBJ": "4110"})


def paid_in_bill(world: World) -> Sums:
    """Amounts that left the payer's account, by supplier."""
    supplier = {remote: int(key) for key, remote in world.links("vendor").items()}
    sums: defaultdict[int, Decimal] = defaultdict(D)
    for payment in world.sandbox.control_bill("payments"):
        if payment["singleStatus"] in PAID:
            assert sum(link["amount"] for link in payment["billPayments"]) == payment["amount"], payment["id"]
            sums[supplier[payment["vendorId"]]] += payment["amount"]
    return _without_nothing(sums)


def paid_in_jde(world: World) -> dict[str, Sums]:
    """What each table of JDE says was paid and not voided, by supplier: four tables that must tell the same."""
    found: dict[str, defaultdict[int, Decimal]] = {
        name: defaultdict(D) for name in ("F0413", "F0414", "F0911 bank", "F0911 payables", "F0411")
    }
    for row in world.jde("F0413"):
        found["F0413"][row["PYE"]] += row.get("PAAP", D(0))
    for row in world.jde("F0414"):
        found["F0414"][row["AN8"]] += row.get("PAAP", D(0))
    for row in world.jde("F0911", f"DCT=PN&DCT=PO&AID={BANK}&LT=AA"):
        found["F0911 bank"][row["AN8"]] -= row["AA"]
    for row in world.jde("F0911", f"DCT=PN&DCT=PO&AID={PAYABLES}&LT=AA"):
        found["F0911 payables"][row["AN8"]] += row["AA"]
    for row in world.jde("F0411"):
        if not row.get("VOD"):
            found["F0411"][row["AN8"]] += row.get("AG", D(0)) - row.get("AAP", D(0))
    return {name: _without_nothing(sums) for name, sums in found.items()}


def total(sums: Mapping[int, Decimal]) -> Decimal:
    """All suppliers."""
    return sum(sums.values(), D(0))


def _without_nothing(sums: Mapping[int, Decimal]) -> Sums:
    return {supplier: amount for supplier, amount in sums.items() if amount}
