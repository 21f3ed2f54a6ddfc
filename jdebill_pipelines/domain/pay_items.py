"""How a payment of a bill is spread over the pay items of its voucher.

Belongs here: reading open pay items and the spreading. Does not belong here: the posting around it.

Decisions: a payment of everything that is open pays every item. A payment of less pays the items in order of due date,
each as far as the money goes; negative items wait for the last payment. A payment that falls short by exactly the
discount that JDE still grants on its day takes the discount (BILL knows no discount: AP pays the smaller amount).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from jdebill_pipelines.domain.keys import PayItemKey
from jdebill_pipelines.domain.payments import money
from jdebill_pipelines.domain.posting_documents import OpenItem, PostedDocument
from jdebill_pipelines.domain.rows import ZERO, Row, day, number, text


class PaidItem(msgspec.Struct, frozen=True):
    """What is paid of a pay item: money (or credit), and the discount taken; a credit item has negative amounts."""

    key: str
    amount: Decimal
    discount: Decimal


class OverpaidError(ValueError):
    """More is to be paid than is open."""


def read_open_items(f0411: Iterable[Row]) -> dict[str, list[OpenItem]]:
    """Return the open pay items by voucher key; adjustments (SFXE) are added to their item, voided rows left out.

    Foreign vouchers (CRRM ``F``) give their foreign open amount (FAP) and discount (CDS).
    """
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in f0411:
        if text(row, "VOD") != "V":
            rows[str(PayItemKey.of(row))].append(row)
    found: dict[str, list[OpenItem]] = defaultdict(list)
    for key, parts in rows.items():
        first = min(parts, key=lambda r: number(r, "SFXE"))
        left, discount = ("FAP", "CDS") if text(first, "CRRM") == "F" else ("AAP", "ADSC")
        item = OpenItem(
            key=key,
            open=sum((r[left] for r in parts), ZERO),
            discount=sum((number(r, discount) for r in parts), ZERO),
            discount_until=day(first, "DDNJ"),
            due=day(first, "DDJ"),
        )
        found[str(PayItemKey.parse(key).voucher)].append(item)
    return {voucher: sorted(items, key=_order) for voucher, items in found.items()}


def spread(amount: Decimal, items: Sequence[OpenItem], when: date) -> list[PaidItem]:
    """Spread a payment (or, negative, a credit) over open pay items.

    Args:
        amount: of the payment; negative for a credit voucher.
        items: what is open.
        when: the payment's date, for the discount.

    Raises:
        OverpaidError: the amount is more than is open, or is of the other sign.
    """
    still = [item for item in sorted(items, key=_order) if item.open != 0]
    total = sum((item.open for item in still), ZERO)
    if amount == 0 or amount * total <= 0 or abs(amount) > abs(total):
        raise OverpaidError(f"{amount} is to be settled, but {total} is open")
    if amount == total:
        return [PaidItem(item.key, item.open, ZERO) for item in still]
    granted = [i.discount if i.discount_until is not None and when <= i.discount_until else ZERO for i in still]
    if sum(granted, ZERO) != 0 and amount == total - sum(granted, ZERO):
        return [PaidItem(i.key, i.open - d, d) for i, d in zip(still, granted, strict=True)]
    paid = []
    left = amount
    for item in still:
        if left == 0 or item.open * total < 0:
            continue
        part = item.open if abs(item.open) <= abs(left) else left
        paid.append(PaidItem(item.key, part, ZERO))
        left -= part
    return paid


def take(open_items: Mapping[str, Sequence[OpenItem]], paid: Iterable[PaidItem]) -> dict[str, list[OpenItem]]:
    """Return what is open after these items were paid, so that the next payment of a batch sees it."""
    by_key = {p.key: p for p in paid}
    changed = {}
    for voucher in {str(PayItemKey.parse(key).voucher) for key in by_key}:
        left = []
        for item in open_items.get(voucher, ()):
            p = by_key.get(item.key)
            if p is None:
                left.append(item)
            else:
                rest = item.open - p.amount - p.discount
                left.append(msgspec.structs.replace(item, open=rest, discount=item.discount if rest else ZERO))
        changed[voucher] = left
    return changed


def settled_by(posted: Iterable[PostedDocument]) -> dict[str, Decimal]:
    """Return what confirmed payments have settled, discount included, by pay item key (for ``DraftContext.settled``).

    Give the postings that were confirmed before F0411 was read; reversed ones settle nothing.
    """
    found: dict[str, Decimal] = defaultdict(Decimal)
    for document in posted:
        if document.reversed or document.content["route"] != "payment":
            continue
        for voucher in document.content["vouchers"]:
            key = "{document_company}-{document_type}-{document_number}-{pay_item}".format_map(voucher)
            found[key] += money(voucher["amount"]) + money(voucher["discount"])
    return dict(found)


def _order(item: OpenItem) -> tuple[date, str]:
    return (item.due or date.max, item.key)
