"""What people do in JDE between two runs, each as one function of the world and a number that chooses the document.

Belongs here: edits a poll can see, made as JDE programs make them. Rows that vanish are not among them: only a full run
finds those.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from jdebill_pipelines_tests.support.world import World

Edit = Callable[[World, int], None]
ITEM = ("DOC", "DCT", "KCO", "SFX")  # what names a pay item
EDITS: dict[str, Edit] = {}


def _edit(function: Edit) -> Edit:
    EDITS[function.__name__] = function
    return function


def simple_vouchers(world: World) -> list[dict[str, Any]]:
    """Open vouchers in dollars with one pay item and one distribution line, dearest first."""
    lines: dict[Any, int] = {}
    for row in world.jde("F0911"):
        if row["DCT"] == "PV":
            lines[row["DOC"]] = lines.get(row["DOC"], 0) + 1
    items: dict[Any, list[dict[str, Any]]] = {}
    for row in world.jde("F0411", "DCT=PV"):
        items.setdefault(row["DOC"], []).append(row)
    found = [
        rows[0]
        for number, rows in items.items()
        if len(rows) == 1
        and lines.get(number) == 1
        and rows[0].get("CRRM") != "F"
        and rows[0].get("PST") == "A"
        and not rows[0].get("PO")
        and rows[0].get("AAP") == rows[0].get("AG")
        and Decimal(rows[0].get("AG", 0)) > 50
        and not rows[0].get("STAM")
    ]
    return sorted(found, key=lambda row: (-row["AG"], row["DOC"]))


def _pick(rows: list[dict[str, Any]], number: int) -> dict[str, Any]:
    return rows[number % len(rows)]


def amend_amount(world: World, row: dict[str, Any], amount: Decimal) -> None:
    """Change gross and open amount of a simple voucher and its distribution line."""
    line = next(x for x in world.jde("F0911", f"DOC={row['DOC']}") if x["DCT"] == "PV")
    world.change(
        "F0911", {k: line[k] for k in ("DCT", "DOC", "KCO", "DGJ", "JELN", "LT") if k in line} | {"AA": amount}
    )
    changed: dict[str, Any] = {"AG": amount, "AAP": amount}
    changed |= {"ATXN": amount} if row.get("ATXN") else {}
    changed |= {"ATXA": amount} if row.get("ATXA") else {}
    world.change("F0411", {k: row[k] for k in ITEM} | changed)


def add_supplier(world: World, number: int) -> None:
    """A new supplier, complete."""
    world.change("F0101", {"AN8": number, "ALPH": "Added Example Ltd", "AT1": "V"})
    world.change(
        "F0116", {"AN8": number, "ADD1": "1 Example Road", "CTY1": "Denver", "ADDS": "CO", "ADDZ": "80202", "CTR": "US"}
    )
    world.change("F0401", {"AN8": number, "HDPY": "N", "TRAP": "N30", "CRRP": "USD", "CRCA": "USD"})


@_edit
def voucher_amount(world: World, number: int) -> None:
    """A voucher's amount is corrected, gross and distribution alike."""
    row = _pick(simple_vouchers(world), number)
    amend_amount(world, row, row["AG"] + Decimal("0.01") * (1 + number % 97))


@_edit
def voucher_distribution_only(world: World, number: int) -> None:
    """A distribution line is changed and the pay item forgotten: the voucher no longer balances."""
    row = _pick(simple_vouchers(world), number)
    line = next(x for x in world.jde("F0911", f"DOC={row['DOC']}") if x["DCT"] == "PV")
    keys = {k: line[k] for k in ("DCT", "DOC", "KCO", "DGJ", "JELN", "LT") if k in line}
    world.change("F0911", keys | {"AA": line["AA"] + 1})


@_edit
def voucher_status(world: World, number: int) -> None:
    """A pay item is put on hold, or released."""
    row = _pick(sorted(world.jde("F0411", "DCT=PV"), key=lambda r: r["DOC"]), number)
    keys = {k: row[k] for k in ITEM}
    world.change("F0411", keys | {"PST": "A" if row.get("PST") == "H" else "H"})


@_edit
def voucher_number(world: World, number: int) -> None:
    """The supplier's invoice number is corrected."""
    row = _pick(simple_vouchers(world), number)
    keys = {k: row[k] for k in ITEM}
    world.change("F0411", keys | {"VINV": f"C{number}"})


@_edit
def order_cancelled(world: World, number: int) -> None:
    """An order is cancelled, all its open lines."""
    order = _pick(sorted(world.jde("F4301"), key=lambda r: r["DOCO"]), number)
    if any(line.get("NXTR") != "999" for line in world.jde("F4311", f"DOCO={order['DOCO']}")):
        world.sandbox.control_ais("clerk/cancel_order", {"DOCO": order["DOCO"]})


@_edit
def order_approved(world: World, number: int) -> None:
    """An order that waits for its approver is approved."""
    waiting = [row for row in world.jde("F4209") if row.get("ASTS") == "1N" and not row.get("RDC")]
    if waiting:
        world.sandbox.control_ais("clerk/approve_order", {"DOCO": _pick(waiting, number)["DOCO"]})


@_edit
def supplier_hold(world: World, number: int) -> None:
    """A supplier is put on hold, or released."""
    row = _pick(sorted(world.jde("F0401"), key=lambda r: r["AN8"]), number)
    world.change("F0401", {"AN8": row["AN8"], "HDPY": "N" if row.get("HDPY") == "Y" else "Y"})


@_edit
def supplier_name(world: World, number: int) -> None:
    """A supplier gets another name."""
    row = _pick(sorted(world.jde("F0111", "IDLN=0"), key=lambda r: r["AN8"]), number)
    world.change("F0111", {"AN8": row["AN8"], "IDLN": 0, "MLNM": f"Renamed Example {number} Inc"})


@_edit
def account_inactive(world: World, number: int) -> None:
    """An account that documents use stops taking postings, or takes them again."""
    used = sorted({row["AID"] for row in world.jde("F0911") if row["DCT"] == "PV"})
    account = world.jde("F0901", f"AID={used[number % len(used)]}")[0]
    world.change("F0901", {"AID": account["AID"], "PEC": "" if account.get("PEC") == "I" else "I"})
