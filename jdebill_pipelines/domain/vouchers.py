"""JDE vouchers as BILL bills and vendor credits.

Belongs here: reading F0411 pay items with their F0911 distribution. Does not belong here: purchase orders, or whether
the accounts are valid (``schemas.gate``).

Decisions, all for writing exactly once:

* One voucher (KCO, DCT, DOC) is one bill, whatever its pay items: the amount is the sum of the payable open ones, the
  due date the earliest of them. A bill per pay item would multiply and merge as pay items are split in JDE.
* What BILL has paid and we have posted is added back (``DraftContext.settled``), so that a bill keeps its content
  while our own postings reduce the voucher.
* A voucher whose payable total is negative is a vendor credit with its signs turned; negative lines of a bill stay.
* The BILL vendor is the payee (PYE), because the payee gets the money; the supplier (AN8) only where there is none.

Sources: JDE keeps one F0411 row per pay item; AG and AAP are gross and open in the company's currency with tax, ACR
and FAP in the transaction's (CRRM ``F``). Payable is PST ``A``; every other status is not. F0911 ledger ``AA`` is the
company's currency, ``CA`` the transaction's, on older releases ACR of the ``AA`` row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from jdebill_pipelines.domain.documents import BillDraft, BillLine, DraftContext, tags
from jdebill_pipelines.domain.invoice_numbers import NumberRequest, assign
from jdebill_pipelines.domain.keys import OrderLink, PayItemKey, VoucherKey, whole
from jdebill_pipelines.domain.money import InexactAmountError, UnallocatableError, allocate
from jdebill_pipelines.domain.periods import month_of
from jdebill_pipelines.domain.rows import ZERO, Row, day, number, text
from jdebill_pipelines.domain.verdicts import Failure

ADJUSTMENT = "PE"  # document type of changes to a posted voucher
PAY_STATUS = {
    "H": "held (pay status H)",
    "P": "paid in JD Edwards (pay status P)",
    "%": "withholding (pay status %)",
    "R": "retainage (pay status R)",
    "#": "selected for a JD Edwards payment run (pay status #)",
    "B": "waiting for the customer's payment (pay status B)",
    "D": "paid by draft (pay status D)",
    "G": "paid by draft (pay status G)",
    "E": "draft expired (pay status E)",
}


class VoucherRules(msgspec.Struct, frozen=True):
    """What the connection says about vouchers.

    Attributes:
        document_types: F0411.DCT that are sent.
        pay_statuses: F0411.PST that mean payable.
        companies: F0411.CO that are covered; empty means all.
    """

    document_types: tuple[str, ...] = ("PV",)
    pay_statuses: tuple[str, ...] = ("A",)
    companies: tuple[str, ...] = ()


class _Item(msgspec.Struct, frozen=True):
    """One pay item in the transaction's currency."""

    row: Row
    gross: Decimal
    tax: Decimal
    open: Decimal  # of JDE, plus what we have settled
    payable: bool


def build_voucher_drafts(
    f0411: Iterable[Row],
    f0911: Iterable[Row],
    context: DraftContext,
    rules: VoucherRules,
    *,
    billed_orders: Mapping[OrderLink, str] | None = None,
) -> list[BillDraft]:
    """Return one draft per voucher, in order of key: due, not due with a reason, or held with problems.

    Args:
        f0411: all pay items of the vouchers, with all their statuses.
        f0911: all general ledger lines of the vouchers.
        context: what they are read against.
        rules: the connection's choices.
        billed_orders: natural key of the order that is (or is about to be) a bill itself, by order.

    Raises:
        KeyError: a row lacks an item that money depends on.
    """
    items: dict[VoucherKey, list[Row]] = defaultdict(list)
    for row in f0411:
        items[VoucherKey.of(row)].append(row)
    lines = _lines_by_voucher(f0911, items)
    orders = billed_orders or {}
    drafts = [_draft(key, items[key], lines.get(key, []), context, rules, orders) for key in sorted(items)]
    numbers = assign(
        (
            NumberRequest(d.supplier, d.natural_key, d.original_invoice_number, _fallback(d.natural_key))
            for d in drafts
            if d.status != "not_due"
        ),
        context.taken,
    )
    return [_numbered(d, numbers[d.natural_key]) if d.natural_key in numbers else d for d in drafts]


def _fallback(natural_key: str) -> str:
    key = VoucherKey.parse(natural_key)
    return f"{key.type}{key.number}-{key.company}"


def _numbered(draft: BillDraft, invoice_number: str) -> BillDraft:
    description = f"JD Edwards voucher {draft.natural_key}"
    if draft.original_invoice_number and invoice_number != draft.original_invoice_number:
        description += f", invoice {draft.original_invoice_number}"
    return msgspec.structs.replace(draft, invoice_number=invoice_number, description=description)


def _lines_by_voucher(f0911: Iterable[Row], items: Mapping[VoucherKey, object]) -> dict[VoucherKey, list[Row]]:
    """Group the distribution; lines of an adjustment (PE) belong to the voucher with their number and company.

    Automatic entries (DCT AE: the offset to the payables account) have another document type and fall out here.
    """
    namesakes: dict[tuple[str, int], list[VoucherKey]] = defaultdict(list)
    for key in items:
        namesakes[key.company, key.number].append(key)
    found: dict[VoucherKey, list[Row]] = defaultdict(list)
    for row in f0911:
        key = VoucherKey.of(row)
        if key.type == ADJUSTMENT and key not in items:
            owners = namesakes.get((key.company, key.number), [])
            if len(owners) == 1:
                found[owners[0]].append(row)
        else:
            found[key].append(row)
    return found


def _draft(
    key: VoucherKey,
    rows: Sequence[Row],
    ledger: Sequence[Row],
    context: DraftContext,
    rules: VoucherRules,
    billed_orders: Mapping[OrderLink, str],
) -> BillDraft:
    rows = sorted(rows, key=lambda r: (str(r["SFX"]), number(r, "SFXE")))
    first = rows[0]
    company, foreign = text(first, "CO"), text(first, "CRRM") == "F"
    base = context.companies.get(company, "")
    currency = text(first, "CRCD") if foreign or not base else base
    items = _items(rows, context, rules, foreign=foreign)
    payable = [item for item in items if item.payable]
    total = sum((item.open for item in payable), ZERO)
    still_open = sum((item.open for item in items), ZERO)
    payee = _payee((payable or items)[0].row if items else first)
    vendor = context.vendors.get(payee)
    order = next((link for link in map(OrderLink.of, [*rows, *ledger]) if link is not None), None)
    posted = next((d for d in (day(first, "DGJ"), day(first, "DIVJ")) if d is not None), None)
    if posted is None:
        raise KeyError(f"voucher {key} has no G/L date (DGJ)")
    draft = BillDraft(
        kind="vendor_credit" if total < 0 else "bill",
        natural_key=str(key),
        period=month_of(posted),
        status="not_due",
        supplier=payee,
        company=company,
        currency=currency,
        amount=abs(total or still_open),
        document_amount=abs(total or still_open),
        gross_amount=sum((item.gross for item in items), ZERO),
        vendor_id=vendor.id if vendor else "",
        vendor_currency=vendor.currency if vendor else "",
        original_invoice_number=text(first, "VINV"),
        invoice_date=day(first, "DIVJ") or posted,
        due_date=_due_date([item.row for item in payable]) or day(first, "DIVJ") or posted,
        purchase_order=f"{order.type}-{order.number}" if order else "",
        source="F0411",
        details=_details(items, order),
    )
    reason = _why_not(key, company, items, payable, total, order, rules, billed_orders)
    if reason:
        return msgspec.structs.replace(draft, reason=reason)
    lines, problems = _lines(draft, items, total, ledger, context, foreign=foreign)
    if len({_payee(item.row) for item in payable}) > 1:
        problems.append(
            Failure(
                "",
                "F0411.PYE",
                ", ".join(sorted({_payee(item.row) for item in payable})),
                "The pay items of the voucher have different payees, and a bill has one vendor.",
                "Give all open pay items of the voucher one payee, or split it into one voucher per payee.",
                "one_payee",
            )
        )
    status = "held" if problems else "due"
    return msgspec.structs.replace(
        draft,
        status=status,
        reason=problems[0].reason if problems else "",
        lines=lines,
        problems=tuple(problems),
    )


def _items(rows: Sequence[Row], context: DraftContext, rules: VoucherRules, *, foreign: bool) -> list[_Item]:
    gross, tax, left = ("ACR", "CTAM", "FAP") if foreign else ("AG", "STAM", "AAP")
    live = [row for row in rows if text(row, "VOD") != "V"]
    whole_item: dict[PayItemKey, Decimal] = defaultdict(Decimal)
    for row in live:
        whole_item[PayItemKey.of(row)] += row[gross]
    items = []
    for row in live:
        key, in_jde = PayItemKey.of(row), row[left]
        # An extension row (SFXE) is an adjustment of its pay item: what was settled counts once, on the item itself.
        settled = context.settled.get(str(key), ZERO) if number(row, "SFXE") == 0 else ZERO
        ready = text(row, "PST") in rules.pay_statuses and in_jde != 0
        amount = (in_jde if ready else ZERO) + settled
        if settled != 0 and abs(amount) > abs(whole_item[key]):
            # The row was read before our posting reached it: an item is never over more than its gross amount.
            amount = whole_item[key]
        payable = ready or settled != 0
        items.append(_Item(row, row[gross], number(row, tax), amount if payable else in_jde, payable))
    return items


def _payee(row: Row) -> str:
    payee = number(row, "PYE")
    return str(whole(payee if payee != 0 else row["AN8"]))


def _due_date(rows: Iterable[Row]) -> date | None:
    return min((d for d in (day(row, "DDJ") for row in rows) if d is not None), default=None)


def _details(items: Sequence[_Item], order: OrderLink | None) -> dict[str, object]:
    discount = sum((number(i.row, "ADSC") for i in items if i.payable), ZERO)
    details: dict[str, object] = {
        "pay_items": [str(PayItemKey.of(i.row)) for i in items if i.payable],
        "supplier": str(whole(items[0].row["AN8"])) if items else "",
    }
    if discount:
        until = min((d for d in (day(i.row, "DDNJ") for i in items if i.payable) if d), default=None)
        details["discount"] = {"amount": discount, "until": until.isoformat() if until else ""}
    if order:
        details["order"] = list(order)
    return details


def _why_not(
    key: VoucherKey,
    company: str,
    items: Sequence[_Item],
    payable: Sequence[_Item],
    total: Decimal,
    order: OrderLink | None,
    rules: VoucherRules,
    billed_orders: Mapping[OrderLink, str],
) -> str:
    """Return why a voucher is not due, or ''."""
    if key.type not in rules.document_types:
        return f"document type {key.type} is not sent to BILL"
    if rules.companies and company not in rules.companies:
        return f"company {company} is not covered by the connection"
    if not items:
        return "voided in JD Edwards"
    if order is not None and order in billed_orders:
        return f"its purchase order {billed_orders[order]} is already a bill"
    if not payable:
        if all(item.open == 0 for item in items):
            paid = any(text(item.row, "PST") == "P" for item in items)
            return "paid in JD Edwards" if paid else "nothing is open"
        statuses = sorted({text(item.row, "PST") for item in items if item.open != 0})
        return "; ".join(PAY_STATUS.get(s, f"not payable (pay status {s or 'blank'})") for s in statuses)
    if total == 0:
        return "the open pay items add up to zero"
    return ""


def _lines(
    draft: BillDraft,
    items: Sequence[_Item],
    total: Decimal,
    ledger: Sequence[Row],
    context: DraftContext,
    *,
    foreign: bool,
) -> tuple[tuple[BillLine, ...], list[Failure]]:
    """Spread the open amount over the distribution, or say why that cannot be done."""
    rows, amounts = _distribution(ledger, foreign=foreign)
    problem = _distribution_problem(draft, items, amounts, context)
    if problem is not None:
        return _bill_lines(rows, amounts, context, turned=total < 0), [problem]
    decimals = context.currencies.decimals(draft.currency)
    try:
        untaxed = draft.gross_amount - sum(amounts, ZERO)
        if untaxed != 0:
            shares = allocate(untaxed, amounts, decimals)
            amounts = [a + s for a, s in zip(amounts, shares, strict=True)]
        if total != draft.gross_amount:
            amounts = allocate(total, amounts, decimals)
    except (UnallocatableError, InexactAmountError) as error:
        failure = Failure(
            "",
            "F0411.AAP",
            str(total),
            f"The open amount cannot be spread over the distribution: {error}.",
            "Correct the voucher's distribution or amounts in JD Edwards.",
            "distribution",
        )
        return _bill_lines(rows, amounts, context, turned=total < 0), [failure]
    return _bill_lines(rows, amounts, context, turned=total < 0), []


def _distribution(ledger: Sequence[Row], *, foreign: bool) -> tuple[list[Row], list[Decimal]]:
    """Return the distribution lines and their amounts in the transaction's currency. Reversed lines (RE) are out."""
    live = sorted(
        (r for r in ledger if not text(r, "RE")), key=lambda r: (r["DGJ"], number(r, "JELN"), text(r, "EXTL"))
    )
    domestic = [r for r in live if text(r, "LT") == "AA"]
    if not foreign:
        return domestic, [r["AA"] for r in domestic]
    currency_rows = [r for r in live if text(r, "LT") == "CA"]
    if currency_rows:
        return currency_rows, [r["AA"] or number(r, "ACR") for r in currency_rows]
    return domestic, [r["ACR"] for r in domestic]


def _distribution_problem(
    draft: BillDraft, items: Sequence[_Item], amounts: Sequence[Decimal], context: DraftContext
) -> Failure | None:
    """The distribution, or the distribution and the tax, must be the gross amount to the cent."""
    if not context.currencies.known(draft.currency):
        return Failure(
            "",
            "F0411.CRCD",
            draft.currency,
            f"The currency {draft.currency or '(blank)'} is unknown.",
            "Correct the currency of the voucher or of its company in JD Edwards.",
            "currency_known",
        )
    if not amounts:
        return Failure(
            "",
            "F0911",
            "",
            "The voucher has no distribution to general ledger accounts.",
            "Complete the voucher's G/L distribution in JD Edwards.",
            "distribution",
        )
    missing = draft.gross_amount - sum(amounts, ZERO)
    tax = sum((item.tax for item in items), ZERO)
    if missing in (ZERO, tax):
        return None
    return Failure(
        "",
        "F0911.AA",
        str(sum(amounts, ZERO)),
        f"The distribution ({sum(amounts, ZERO)}) and the tax ({tax}) do not add up to the gross amount "
        f"({draft.gross_amount}); {missing - tax} {draft.currency} is unexplained.",
        "Correct the voucher's G/L distribution in JD Edwards until it equals the gross amount.",
        "distribution",
    )


def _bill_lines(
    rows: Sequence[Row], amounts: Sequence[Decimal], context: DraftContext, *, turned: bool
) -> tuple[BillLine, ...]:
    lines = []
    for row, amount in zip(rows, amounts, strict=True):
        if amount == 0:
            continue
        aid, mcu, obj, sub = (text(row, item) for item in ("AID", "MCU", "OBJ", "SUB"))
        account, department = tags(context.gl.resolve(aid, mcu, obj, sub))
        lines.append(
            BillLine(
                line=f"JELN {number(row, 'JELN').normalize():f}",
                aid=aid,
                business_unit=mcu,
                object=obj,
                subsidiary=sub,
                subledger=text(row, "SBL"),
                subledger_type=text(row, "SBLT"),
                amount=-amount if turned else amount,
                description=text(row, "EXR") or text(row, "EXA"),
                bill_account_id=account,
                bill_department_id=department,
            )
        )
    return tuple(lines)
