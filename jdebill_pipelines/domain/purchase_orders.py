"""Approved purchase orders as BILL bills.

Belongs here: reading F4301 and F4311 with their holds, receipts and terms. Does not belong here: vouchers, or whether
the accounts are valid (``schemas.gate``).

Decisions: one order (KCOO, DCTO, DOCO, SFXO) is one bill. With basis ``received`` it grows with each receipt while it
is unpaid and unapproved. Tax and freight are not part of it: they come with the supplier's invoice.

Sources: JDE has no single "approved" flag. An order is approved when the next status (NXTR) of its lines is one that
the connection names for the order type, its header is not on hold (F4301.HOLD; lines have no hold), and F4209 has no
approval that waits (ASTS 1N, 2N) and no other hold code that is unreleased. Rows of F4209 stay as history, so the
latest row of an approver counts. A line with NXTR 999 and nothing open or received is cancelled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

from jdebill_pipelines.domain.documents import BillDraft, BillLine, DraftContext, tags
from jdebill_pipelines.domain.invoice_numbers import NumberRequest, assign
from jdebill_pipelines.domain.keys import OrderKey, OrderLink, VoucherKey, whole
from jdebill_pipelines.domain.payment_terms import Terms, due_date, read_terms
from jdebill_pipelines.domain.periods import month_of
from jdebill_pipelines.domain.rows import ZERO, Row, day, number, text
from jdebill_pipelines.domain.verdicts import Failure

APPROVAL = "**"  # F4209.HCOD of approval records
CLOSED = "999"


class OrderRules(msgspec.Struct, frozen=True):
    """What the connection says about orders.

    Attributes:
        approved_next_status: F4311.NXTR codes that mean approved, by order type.
        basis: bill what was ordered, or what was received.
        default_net_days: for terms codes that F0014 does not have.
        companies: F4311.CO that are covered; empty means all.
    """

    approved_next_status: Mapping[str, tuple[str, ...]]
    basis: Literal["ordered", "received"] = "ordered"
    default_net_days: int = 30
    companies: tuple[str, ...] = ()


class OrderTables(msgspec.Struct, frozen=True):
    """The rows that describe orders."""

    f4301: Iterable[Row]
    f4311: Iterable[Row]
    f4209: Iterable[Row] = ()
    f43121: Iterable[Row] = ()
    f0014: Iterable[Row] = ()


class _Line(msgspec.Struct, frozen=True):
    """A line with the amounts that count, in the order's currency."""

    row: Row
    amount: Decimal
    cancelled: bool


def build_order_drafts(
    tables: OrderTables,
    context: DraftContext,
    rules: OrderRules,
    *,
    vouchered: Mapping[OrderLink, str] | None = None,
) -> list[BillDraft]:
    """Return one draft per order, in order of key: due, or not due with a reason.

    Args:
        tables: the rows; every line, hold and receipt of the orders given.
        context: what they are read against.
        rules: the connection's choices.
        vouchered: natural key of the voucher that is in BILL already, by the order it was matched to.

    Raises:
        KeyError: a row lacks an item that money depends on, or an order has no date.
    """
    lines, holds, receipts = _grouped(tables.f4311), _grouped(tables.f4209), _grouped(tables.f43121)
    terms = read_terms(tables.f0014)
    drafts = []
    for header in sorted(tables.f4301, key=OrderKey.of):
        key = OrderKey.of(header)
        parts = (lines.get(key, []), holds.get(key, []), receipts.get(key, []))
        drafts.append(_draft(key, header, *parts, terms, context, rules, vouchered or {}))
    requests = (
        NumberRequest(d.supplier, d.natural_key, _number(d.natural_key), d.natural_key)
        for d in drafts
        if d.status == "due"
    )
    numbers = assign(requests, context.taken)
    return [
        msgspec.structs.replace(d, invoice_number=numbers[d.natural_key]) if d.natural_key in numbers else d
        for d in drafts
    ]


def billed_orders(drafts: Iterable[BillDraft], linked: Iterable[str]) -> dict[OrderLink, str]:
    """Return the orders that are bills, or become bills with these drafts, for ``build_voucher_drafts``.

    Args:
        drafts: order drafts; those that are due or held count.
        linked: natural keys of orders that have a live bill in BILL.
    """
    keys = [OrderKey.parse(key) for key in linked]
    keys += [OrderKey.parse(d.natural_key) for d in drafts if d.source == "F4301" and d.status != "not_due"]
    return {key.link: str(key) for key in keys}


def paid_in_jde(f0411: Iterable[Row]) -> dict[OrderLink, Decimal]:
    """Return what was already paid in JDE on vouchers that were matched to an order, by order.

    Paid is gross less open (F0411.AG - AAP) of vouchers that are not void, in the company's currency.
    """
    found: dict[OrderLink, Decimal] = defaultdict(Decimal)
    for row in f0411:
        link = OrderLink.of(row)
        if link is not None and not text(row, "VOD"):
            found[link] += number(row, "AG") - number(row, "AAP")
    return {link: paid for link, paid in found.items() if paid != 0}


def without_paid(draft: BillDraft, paid: Mapping[OrderLink, Decimal]) -> BillDraft:
    """Keep an order that JDE has paid already, wholly or in part, from being paid again through BILL.

    Only for orders that are no bill yet: what JDE shows as paid on an order that is one came from BILL.
    """
    amount = paid.get(OrderKey.parse(draft.natural_key).link, ZERO)
    if draft.status != "due" or amount == 0:
        return draft
    if amount >= draft.gross_amount:
        return msgspec.structs.replace(
            draft,
            status="not_due",
            reason="paid in JD Edwards through its voucher",
            lines=(),
            amount=draft.gross_amount,
        )
    failure = Failure(
        "",
        "F0411.AAP",
        format(amount, "f"),
        f"{amount:,.2f} of the order's {draft.gross_amount:,.2f} was paid in JD Edwards already.",
        "Let the rest come as vouchers: close the order for BILL in JD Edwards, or void the payment there.",
        "partly_paid",
    )
    return msgspec.structs.replace(draft, status="held", reason=failure.reason, problems=(*draft.problems, failure))


def orders_of_vouchers(f43121: Iterable[Row]) -> dict[VoucherKey, OrderKey]:
    """Return the order that a voucher was matched to (F43121 rows with match type 2)."""
    return {VoucherKey.of(row): OrderKey.of(row) for row in f43121 if text(row, "MATC") == "2"}


def _number(natural_key: str) -> str:
    """An order has no supplier's invoice number: its own key, at most 21 characters."""
    key = OrderKey.parse(natural_key)
    suffix = "" if key.suffix.strip("0") == "" else f"-{key.suffix}"
    return f"{key.type}{key.number}-{key.company}{suffix}"


def _grouped(rows: Iterable[Row]) -> dict[OrderKey, list[Row]]:
    found: dict[OrderKey, list[Row]] = defaultdict(list)
    for row in rows:
        found[OrderKey.of(row)].append(row)
    return found


def _draft(
    key: OrderKey,
    header: Row,
    rows: Sequence[Row],
    holds: Sequence[Row],
    receipts: Sequence[Row],
    terms: Mapping[str, Terms],
    context: DraftContext,
    rules: OrderRules,
    vouchered: Mapping[OrderLink, str],
) -> BillDraft:
    rows = sorted(rows, key=lambda r: number(r, "LNID"))
    company = text(rows[0], "CO") if rows else key.company
    foreign = text(header, "CRRM") == "F"
    base = context.companies.get(company, "")
    currency = text(header, "CRCD") if foreign or not base else base
    received = _received(receipts, foreign=foreign)
    lines = [_line(row, received, rules.basis, foreign=foreign) for row in rows]
    live = [line for line in lines if not line.cancelled]
    ordered = sum((_ordered(row, foreign=foreign) for row in rows), ZERO)
    total = sum((line.amount for line in live), ZERO)
    supplier = str(whole(header["AN8"]))
    vendor = context.vendors.get(supplier)
    placed = day(header, "TRDJ")
    if placed is None:
        raise KeyError(f"order {key} has no order date (TRDJ)")
    invoice_date = placed if rules.basis == "ordered" else _last_receipt(receipts) or placed
    code = text(header, "PTC") or next((text(r, "PTC") for r in rows if text(r, "PTC")), "")
    if not code and supplier in context.suppliers:
        code = context.suppliers[supplier].terms
    reason = _why_not(key, header, lines, holds, company, rules, vouchered)
    if not reason and total <= 0:
        reason = "nothing has been received yet" if rules.basis == "received" else "the order amounts to nothing"
    return BillDraft(
        kind="bill",
        natural_key=str(key),
        period=month_of(placed),
        status="not_due" if reason else "due",
        reason=reason,
        supplier=supplier,
        company=company,
        currency=currency,
        amount=ordered if reason else total,
        document_amount=ordered if reason else total,
        gross_amount=ordered,
        vendor_id=vendor.id if vendor else "",
        vendor_currency=vendor.currency if vendor else "",
        invoice_date=invoice_date,
        due_date=due_date(terms.get(code), invoice_date, rules.default_net_days),
        description=f"JD Edwards purchase order {key}",
        purchase_order=f"{key.type}-{key.number}",
        lines=() if reason else tuple(_bill_line(line, context) for line in live if line.amount != 0),
        source="F4301",
        details=_details(terms.get(code), code, total),
    )


def _why_not(
    key: OrderKey,
    header: Row,
    lines: Sequence[_Line],
    holds: Sequence[Row],
    company: str,
    rules: OrderRules,
    vouchered: Mapping[OrderLink, str],
) -> str:
    """Return why an order is not due, or ''."""
    approved = rules.approved_next_status.get(key.type)
    if approved is None:
        return f"order type {key.type} is not sent to BILL"
    if rules.companies and company not in rules.companies:
        return f"company {company} is not covered by the connection"
    if key.link in vouchered:
        return f"its voucher {vouchered[key.link]} is already a bill"
    live = [line for line in lines if not line.cancelled]
    if not lines:
        return "the order has no lines"
    if not live:
        return "all lines are cancelled or rejected"
    if text(header, "HOLD"):
        return f"the order is on hold (hold code {text(header, 'HOLD')})"
    waiting = _waiting(holds)
    if waiting:
        return waiting
    for line in live:
        status = text(line.row, "NXTR")
        if status not in approved and status != CLOSED:
            return f"line {number(line.row, 'LNID').normalize():f} is not approved (next status {status or 'blank'})"
    return ""


def _waiting(holds: Sequence[Row]) -> str:
    """Return which approval or hold of F4209 is still open, or ''."""
    latest: dict[tuple[Decimal, Decimal, str], tuple[Any, str]] = {}
    for row in holds:
        code = text(row, "HCOD")
        if code != APPROVAL:
            # Only of approval rows does the release date (RDJ) say nothing: they are created with it.
            if not text(row, "RDC") and day(row, "RDJ") is None:
                return f"hold {code} is not released"
            continue
        status = text(row, "ASTS")
        # Of two rows of one moment the one that no longer waits is the later.
        order = (day(row, "RDJ") or date.min, int(row.get("RDT") or 0), not status.endswith("N"))
        slot = (number(row, "RPER"), number(row, "LNID"), status[:1])
        if slot not in latest or order > latest[slot][0]:
            latest[slot] = (order, status)
    waiting = sorted(slot[0] for slot, (_, status) in latest.items() if status in ("1N", "2N"))
    return f"approval by {waiting[0].normalize():f} is pending" if waiting else ""


def _ordered(row: Row, *, foreign: bool) -> Decimal:
    """What a line orders; an amount-only line without extended amount has its open and received amounts."""
    extended, open_, received = ("FEA", "FAP", "FREC") if foreign else ("AEXP", "AOPN", "AREC")
    amount: Decimal = row[extended]
    return amount if amount != 0 else number(row, open_) + number(row, received)


def _line(row: Row, received: Mapping[Decimal, Decimal], basis: str, *, foreign: bool) -> _Line:
    closed = text(row, "NXTR") == CLOSED
    left = number(row, "AOPN") + number(row, "AREC") + number(row, "FAP") + number(row, "FREC")
    touched = left != 0 or number(row, "UOPN") != 0 or number(row, "UREC") != 0
    if closed and not touched:
        return _Line(row, ZERO, cancelled=True)
    if basis == "received":
        return _Line(row, received.get(number(row, "LNID"), ZERO), cancelled=False)
    if closed and day(row, "CNDJ") is not None:
        # Closed short: the part that was never received is cancelled.
        open_, got = ("FAP", "FREC") if foreign else ("AOPN", "AREC")
        return _Line(row, number(row, open_) + number(row, got), cancelled=False)
    return _Line(row, _ordered(row, foreign=foreign), cancelled=False)


def _received(receipts: Iterable[Row], *, foreign: bool) -> dict[Decimal, Decimal]:
    """Received amounts per line: match type 1 are receipts, 3 takes receipts back (its sign differs by release)."""
    item = "FREC" if foreign else "AREC"
    found: dict[Decimal, Decimal] = defaultdict(Decimal)
    for row in receipts:
        if text(row, "MATC") == "1":
            found[number(row, "LNID")] += row[item]
        elif text(row, "MATC") == "3":
            found[number(row, "LNID")] -= abs(row[item])
    return found


def _last_receipt(receipts: Iterable[Row]) -> date | None:
    return max((d for d in (day(r, "RCDJ") for r in receipts if text(r, "MATC") == "1") if d), default=None)


def _bill_line(line: _Line, context: DraftContext) -> BillLine:
    row = line.row
    aid, mcu, obj, sub = text(row, "AID"), text(row, "OMCU"), text(row, "OBJ"), text(row, "SUB")
    account, department = tags(context.gl.resolve(aid, mcu, obj, sub))
    return BillLine(
        line=f"line {number(row, 'LNID').normalize():f}",
        aid=aid,
        business_unit=mcu,
        object=obj,
        subsidiary=sub,
        subledger=text(row, "SBL"),
        subledger_type=text(row, "SBLT"),
        amount=line.amount,
        description=" ".join(part for part in (text(row, "DSC1"), text(row, "DSC2")) if part) or text(row, "LITM"),
        bill_account_id=account,
        bill_department_id=department,
    )


def _details(terms: Terms | None, code: str, total: Decimal) -> dict[str, object]:
    details: dict[str, object] = {"terms": code, "terms_known": terms is not None}
    if terms is not None and terms.discount_percent:
        amount = (total * terms.discount_percent / 100).quantize(Decimal("0.01"))
        details["discount"] = {"amount": amount, "days": terms.discount_days}
    return details
