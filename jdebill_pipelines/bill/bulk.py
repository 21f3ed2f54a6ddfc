"""Bulk creates: which element of the answer belongs to which element of the request.

Belongs here: reading and matching bulk answers. Does not belong here: sending them (``client``).

BILL API v3 answers bills with a bare array and everything else with a wrapped one, and promises no order. So what was
created is matched by what it is, never by where it stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from jdebill_pipelines.bill.codec import MalformedAnswerError, convert, decode, decode_any
from jdebill_pipelines.bill.listing import only_array
from jdebill_pipelines.bill.models import (
    Account,
    AccountIn,
    Address,
    Bill,
    BillIn,
    Department,
    DepartmentIn,
    Vendor,
    VendorCredit,
    VendorCreditIn,
    VendorIn,
)

S = TypeVar("S")
R = TypeVar("R")
Key = Callable[[Any], Hashable]

BULK_LIMITS = {"vendors": 20, "bills": 100, "vendor-credits": 50, "classifications": 50}
"""BILL API v3: most elements of one bulk create; all of them are created, or none."""


class BulkAnswer(msgspec.Struct, Generic[S, R], frozen=True):
    """What a bulk create made.

    Attributes:
        request: what was sent.
        created: same length and order as ``request``; None where the answer has nothing that is certainly it. The
            outcome of such an element is unknown: look it up before sending it again.
        extra: what the answer has besides.
    """

    request: tuple[S, ...]
    created: tuple[R | None, ...]
    extra: tuple[R, ...]

    @property
    def pairs(self) -> list[tuple[S, R]]:
        """What was sent, with what it became."""
        return [(s, r) for s, r in zip(self.request, self.created, strict=True) if r is not None]

    @property
    def missing(self) -> list[S]:
        """What was sent and is not in the answer."""
        return [s for s, r in zip(self.request, self.created, strict=True) if r is None]


def read_bulk(body: bytes, kind: type[R]) -> list[R]:
    """Read a bulk answer: a bare array, a wrapped one whatever the wrapper's name, or a single object.

    Raises:
        MalformedAnswerError: none of these.
    """
    try:
        return decode(body, list[kind])  # type: ignore[valid-type]
    except MalformedAnswerError:
        value = decode_any(body)
    if isinstance(value, dict):
        value = [value] if "id" in value else only_array(value)
    if not isinstance(value, list):
        raise MalformedAnswerError("neither a list nor an object")
    return [convert(v, kind) for v in value]


def match(request: Sequence[S], answer: Iterable[R], levels: Sequence[tuple[Key, Key]]) -> BulkAnswer[S, R]:
    """Match by key, the finest first.

    Args:
        request: what was sent.
        answer: what came back, in whatever order.
        levels: pairs of (key of what was sent, key of what came), finest first. At the finest level elements of the same
            key are interchangeable and paired as they come; at the others only unique ones are.
    """
    received = list(answer)
    created: list[R | None] = [None] * len(request)
    open_sent = set(range(len(request)))
    open_received = set(range(len(received)))
    for level, (key_sent, key_received) in enumerate(levels):
        sent_by: dict[Hashable, list[int]] = defaultdict(list)
        received_by: dict[Hashable, list[int]] = defaultdict(list)
        for index in sorted(open_sent):
            sent_by[key_sent(request[index])].append(index)
        for index in sorted(open_received):
            received_by[key_received(received[index])].append(index)
        for key, ours in sent_by.items():
            theirs = received_by.get(key, [])
            if len(ours) != len(theirs) or (level > 0 and len(ours) > 1):
                continue
            for mine, its in zip(ours, theirs, strict=True):
                created[mine] = received[its]
                open_sent.discard(mine)
                open_received.discard(its)
    extra = tuple(received[i] for i in sorted(open_received))
    return BulkAnswer(tuple(request), tuple(created), extra)


def text_key(value: str | None) -> str:
    """A text for comparing: outer and repeated blanks and case do not count."""
    return " ".join((value or "").split()).casefold()


def _address(address: Address | None) -> tuple[str, ...]:
    if address is None:
        return ()
    parts = (address.line1, address.line2, address.city, address.state_or_province, address.zip_or_postal_code)
    return tuple(text_key(p) for p in parts)


def _vendor(v: Vendor | VendorIn) -> Hashable:
    return (text_key(v.name), text_key(v.account_number), text_key(v.short_name), _address(v.address))


def _bill(b: Bill | BillIn) -> Hashable:
    number = b.invoice.invoice_number if b.invoice else None
    return (b.vendor_id, text_key(number), b.due_date, b.invoice.invoice_date if b.invoice else None)


def _credit(c: VendorCredit | VendorCreditIn) -> Hashable:
    lines = sum((line.amount or 0 for line in c.vendor_credit_line_items), start=0)
    return (c.vendor_id, text_key(c.reference_number), c.credit_date, lines)


def _account(a: Account | AccountIn) -> Hashable:
    return (text_key(a.name), text_key(a.account.number if a.account else None), a.parent_id)


def _department(d: Department | DepartmentIn) -> Hashable:
    return (text_key(d.name), text_key(d.short_name), d.parent_id)


def _same(*keys: Key) -> list[tuple[Key, Key]]:
    return [(key, key) for key in keys]


VENDOR_KEYS = _same(_vendor, lambda v: (text_key(v.name), text_key(v.account_number)), lambda v: text_key(v.name))
BILL_KEYS = _same(_bill, lambda b: (b.vendor_id, text_key(b.invoice.invoice_number if b.invoice else None)))
VENDOR_CREDIT_KEYS = _same(_credit, lambda c: (c.vendor_id, text_key(c.reference_number)))
ACCOUNT_KEYS = _same(
    _account,
    lambda a: (text_key(a.name), text_key(a.account.number if a.account else None)),
    lambda a: text_key(a.name),
)
DEPARTMENT_KEYS = _same(_department, lambda d: text_key(d.name))
