"""What happens in the small company whose documents are traced: each deed is one that a person does in a screen.

Belongs here: the deeds and the keys of what they left on both sides. Does not belong here: any expectation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jdebill_pipelines.steps.ap_ledger import ap_ledger
from jdebill_pipelines_tests.support.edits import ITEM, simple_vouchers
from jdebill_pipelines_tests.support.world import World

WHO, WHY = "A. Controller", "Agreed with the supplier by telephone"
Row = dict[str, Any]


@dataclass
class Story:
    """The keys of the documents that something happened to, by what happened.

    Attributes:
        parts: a voucher whose bill is paid in two parts.
        order: a purchase order whose bill is paid whole.
        voided: a voucher whose payment is voided after it was posted.
        overridden: a voucher of a supplier on hold, let pass by a person.
        fixed: a voucher that did not balance, corrected in JDE.
        matched: a voucher of a supplier whose vendor was in BILL before.
        typed: a bill that a clerk typed into BILL, paid.
        together: two vouchers of one supplier, paid by one payment.
        confused: a voucher whose invoice number is the number of the order.
        bills: BILL bill id by document key.
        payments: BILL payment ids by document key, in order.
        supplier: address number of the matched supplier; vendor: its vendor in BILL.
    """

    parts: str = ""
    order: str = ""
    voided: str = ""
    overridden: str = ""
    fixed: str = ""
    matched: str = ""
    typed: str = ""
    together: tuple[str, ...] = ()
    confused: str = ""
    supplier: str = ""
    vendor: str = ""

    def __post_init__(self) -> None:
        self.bills: dict[str, str] = {}
        self.payments: dict[str, list[str]] = {}


def key_of(row: Row) -> str:
    """The natural key of a pay item's voucher."""
    return f"{row['KCO']}-{row['DCT']}-{row['DOC']}"


def tell(world: World, override: Callable[[str], None]) -> Story:
    """Let it happen, over five runs, and bring the audit's copies of JDE's ledgers up to date.

    Args:
        world: a company of two months that nothing has happened to yet.
        override: lets a held document pass, as a person does.
    """
    story = Story()
    first, second = world.months
    _vendor_of_long_ago(world, story)
    _number_of_an_order(world, story)
    world.sync(first)
    _hold_and_unbalance(world, story, second)
    world.sync(second)
    override(story.overridden)
    _balance(world, story)
    world.sync()
    _pay(world, story)
    world.sync()
    _void(world, story)
    world.sync()
    world.sandbox.control_ais("post", {})
    world.step(ap_ledger)
    return story


def _vouchers(world: World, month: str) -> list[Row]:
    """Simple vouchers of a month, one per supplier that may be paid, dearest first."""
    stopped = {row["AN8"] for row in world.jde("F0401") if row.get("HDPY") not in (None, "", "N")}
    found: dict[int, Row] = {}
    for row in simple_vouchers(world):
        if str(row["DGJ"]).startswith(month.replace("-", "")) and row["AN8"] not in stopped:
            found.setdefault(row["AN8"], row)
    return list(found.values())


def _vendor_of_long_ago(world: World, story: Story) -> None:
    """A clerk entered the supplier in BILL by hand, years before anything was joined: same tax id, another name."""
    (row,) = [r for r in _vouchers(world, world.months[0]) if _tax(world, r["AN8"])][:1]
    story.supplier, story.matched = str(row["AN8"]), key_of(row)
    home = {
        "line1": "1 Old Road",
        "city": "Denver",
        "stateOrProvince": "CO",
        "zipOrPostalCode": "80202",
        "country": "US",
    }
    body = {
        "name": "The Old Name Inc",
        "accountType": "BUSINESS",
        "address": home,
        "additionalInfo": {"taxId": _tax(world, row["AN8"]), "taxIdType": "EIN"},
    }
    story.vendor = world.sandbox.control_bill("clerk/create_vendor", body)["id"]


def _tax(world: World, supplier: int) -> str:
    (row,) = world.jde("F0101", f"AN8={supplier}")
    return str(row.get("TAX", "")) if row.get("TAXC") in (None, "", "C") else ""


def _number_of_an_order(world: World, story: Story) -> None:
    """A supplier's invoice has the number that an order of ours has."""
    order = sorted(world.jde("F4301"), key=lambda row: row["DOCO"])[0]
    row = _vouchers(world, world.months[0])[-1]
    story.confused = key_of(row)
    world.change("F0411", {k: row[k] for k in ITEM} | {"VINV": str(order["DOCO"])})


def _hold_and_unbalance(world: World, story: Story, month: str) -> None:
    """A supplier is put on hold; a voucher of another one is left with a distribution that does not add up."""
    taken = {int(story.supplier)}
    one, other = [r for r in _vouchers(world, month) if r["AN8"] not in taken][:2]
    story.overridden, story.fixed = key_of(one), key_of(other)
    world.change("F0401", {"AN8": one["AN8"], "HDPY": "Y"})
    _distribution(world, other, other["AG"] + 1)


def _distribution(world: World, row: Row, amount: Any) -> None:
    (line,) = [x for x in world.jde("F0911", f"DOC={row['DOC']}") if x["DCT"] == row["DCT"] and x["LT"] == "AA"]
    world.change("F0911", {k: line[k] for k in ("DCT", "DOC", "KCO", "DGJ", "JELN", "LT")} | {"AA": amount})


def _balance(world: World, story: Story) -> None:
    """The distribution is corrected in JDE."""
    (row,) = [r for r in world.jde("F0411", f"DOC={story.fixed.split('-')[2]}") if key_of(r) == story.fixed]
    _distribution(world, row, row["AG"])
    world.change("F0411", {k: row[k] for k in ITEM})


def _pay(world: World, story: Story) -> None:
    """Bills are paid in every way; all payments go through."""
    bills = {bill["id"]: bill for bill in world.bill("bill")}
    by_key = {key: bills[remote] for key, remote in world.links("bill").items()}
    chosen = {story.matched, story.overridden, story.fixed, story.confused}
    simple = [key_of(r) for r in simple_vouchers(world) if key_of(r) in by_key and key_of(r) not in chosen]
    of_vendor: dict[str, list[str]] = {}
    for key in simple:
        of_vendor.setdefault(by_key[key]["vendorId"], []).append(key)
    story.together = tuple(next(keys for keys in of_vendor.values() if len(keys) > 1)[:2])
    story.parts, story.voided = [key for key in simple if key not in story.together][:2]
    story.order = next(k for k, b in by_key.items() if k.count("-") == 3 and b["vendorId"] not in of_vendor)
    known = by_key[story.parts]
    classes = known["billLineItems"][0]["classifications"]
    today = str(world.sandbox.control_bill("clock")["now"])[:10]
    typed = world.sandbox.control_bill(
        "clerk/create_bill",
        {
            "vendorId": known["vendorId"],
            "dueDate": today,
            "invoice": {"invoiceNumber": "TYPED-1", "invoiceDate": today},
            "billLineItems": [{"amount": Decimal("200.01"), "description": "Typed", "classifications": classes}],
        },
    )
    story.typed = typed["id"]
    documents = (story.parts, story.order, story.voided, story.overridden, story.fixed, story.matched, *story.together)
    story.bills = {key: by_key[key]["id"] for key in documents}
    pay = {"processDate": today, "to": "PROCESSED"}
    part = (known["amount"] / 3).quantize(known["amount"])
    for key, more in (
        (story.parts, {"amount": str(part)}),
        (story.parts, {}),
        (story.order, {}),
        (story.voided, {}),
        (story.overridden, {}),
        (story.fixed, {}),
        (story.matched, {}),
    ):
        made = world.sandbox.control_bill("clerk/pay", {"billId": story.bills[key], **pay, **more})
        story.payments.setdefault(key, []).append(made["id"])
    made = world.sandbox.control_bill("clerk/pay", {"billId": story.typed, **pay})
    story.payments[story.typed] = [made["id"]]
    both = [{"billId": story.bills[key]} for key in story.together]
    made = world.sandbox.control_bill("clerk/pay_many", {"payments": both, **pay})
    for key in story.together:
        story.payments[key] = [made["id"]]


def _void(world: World, story: Story) -> None:
    """The payment was sent to the wrong place."""
    (payment,) = story.payments[story.voided]
    world.sandbox.control_bill("clerk/void", {"paymentId": payment, "reason": "Sent to the wrong address"})
