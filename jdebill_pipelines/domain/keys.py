"""Natural keys: the names under which documents are known on both sides.

Belongs here: building and parsing keys. Does not belong here: what a key is used for.

JDE holds a purchase order number in finance as text with or without leading zeros (F0411.PO, F0911.PO), so orders are
compared as numbers.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Literal, NamedTuple

from jdebill_pipelines.domain.rows import Row, text

REMARK_LENGTH = 30


class BadKeyError(ValueError):
    """A text that is no key of this kind."""


def whole(value: object) -> int:
    """Return a JDE number that has no decimals as an int.

    Raises:
        BadKeyError: the value is no whole number.
    """
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value).strip())
        if number != number.to_integral_value():
            raise BadKeyError(f"{value!r} is no whole number")
    except ArithmeticError:
        raise BadKeyError(f"{value!r} is no whole number") from None
    return int(number)


def supplier_key(number: object) -> str:
    """Return the natural key of an address number (AN8)."""
    return str(whole(number))


def _parts(key: str, count: int, what: str) -> list[str]:
    parts = key.split("-")
    if len(parts) != count or not all(parts):
        raise BadKeyError(f"{key!r} is no {what} key")
    return parts


class VoucherKey(NamedTuple):
    """A voucher: KCO, DCT, DOC."""

    company: str
    type: str
    number: int

    @classmethod
    def of(cls, row: Row) -> VoucherKey:
        """Read the key of an F0411 or F0911 row."""
        return cls(str(row["KCO"]), str(row["DCT"]), whole(row["DOC"]))

    @classmethod
    def parse(cls, key: str) -> VoucherKey:
        """Read ``00001-PV-105502``. Raises BadKeyError."""
        company, type_, number = _parts(key, 3, "voucher")
        return cls(company, type_, whole(number))

    def __str__(self) -> str:
        return f"{self.company}-{self.type}-{self.number}"


class PayItemKey(NamedTuple):
    """A pay item of a voucher: KCO, DCT, DOC, SFX."""

    company: str
    type: str
    number: int
    suffix: str

    @classmethod
    def of(cls, row: Row) -> PayItemKey:
        """Read the key of an F0411 or F0414 row."""
        return cls(*VoucherKey.of(row), str(row["SFX"]))

    @classmethod
    def parse(cls, key: str) -> PayItemKey:
        """Read ``00001-PV-105502-001``. Raises BadKeyError."""
        company, type_, number, suffix = _parts(key, 4, "pay item")
        return cls(company, type_, whole(number), suffix)

    @property
    def voucher(self) -> VoucherKey:
        """The voucher it belongs to."""
        return VoucherKey(self.company, self.type, self.number)

    def __str__(self) -> str:
        return f"{self.company}-{self.type}-{self.number}-{self.suffix}"


class OrderLink(NamedTuple):
    """An order as a voucher names it, without suffix: PKCO, PDCT, PO."""

    company: str
    type: str
    number: int

    @classmethod
    def of(cls, row: Row) -> OrderLink | None:
        """Read the order that an F0411 or F0911 row names, or None. A blank PKCO means the voucher's company."""
        type_, number = text(row, "PDCT"), text(row, "PO").lstrip("0")
        if not type_ or not number.isdecimal():
            return None
        return cls(text(row, "PKCO") or text(row, "KCO"), type_, int(number))


class OrderKey(NamedTuple):
    """A purchase order: KCOO, DCTO, DOCO, SFXO."""

    company: str
    type: str
    number: int
    suffix: str

    @classmethod
    def of(cls, row: Row) -> OrderKey:
        """Read the key of an F4301, F4311, F4209 or F43121 row."""
        return cls(str(row["KCOO"]), str(row["DCTO"]), whole(row["DOCO"]), str(row["SFXO"]))

    @classmethod
    def parse(cls, key: str) -> OrderKey:
        """Read ``00001-OP-12-000``. Raises BadKeyError."""
        company, type_, number, suffix = _parts(key, 4, "order")
        return cls(company, type_, whole(number), suffix)

    @property
    def link(self) -> OrderLink:
        """The order as vouchers name it."""
        return OrderLink(self.company, self.type, self.number)

    def __str__(self) -> str:
        return f"{self.company}-{self.type}-{self.number}-{self.suffix}"


class PostingKey(NamedTuple):
    """What happens in JDE because of one payment of one bill."""

    payment_id: str
    bill_id: str
    what: Literal["post", "reverse"]

    @classmethod
    def parse(cls, key: str) -> PostingKey:
        """Read ``stp...:00n...:post``. Raises BadKeyError."""
        parts = key.split(":")
        if len(parts) != 3 or not all(parts):
            raise BadKeyError(f"{key!r} is no posting key")
        if parts[2] == "post":
            return cls(parts[0], parts[1], "post")
        if parts[2] == "reverse":
            return cls(parts[0], parts[1], "reverse")
        raise BadKeyError(f"{key!r} is no posting key")

    def __str__(self) -> str:
        return f"{self.payment_id}:{self.bill_id}:{self.what}"


def external_reference(key: PostingKey) -> str:
    """Return the reference that a posting carries in JDE's remark (RMK and EXA hold 30 characters).

    Payment id and a digest of the whole key: readable for a person, unique for a machine.
    """
    suffix = hashlib.sha256(str(key).encode()).hexdigest()[:9]
    return f"{key.payment_id[: REMARK_LENGTH - 10]}/{suffix}"
