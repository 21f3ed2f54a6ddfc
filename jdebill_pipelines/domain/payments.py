"""A BILL payment as the rules need it.

Belongs here: reading the payment that the API sends. Does not belong here: what its state means (``payment_states``)
or what it becomes in JDE (``postings``).

Sources: BILL API v3: ``billPayments`` is the link between a payment and its bills, with an amount in the vendor's
currency and the vendor credits that were applied on top of it; ``billId`` alone is set when there is one bill.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.domain.rows import ZERO


class CreditApplied(msgspec.Struct, frozen=True):
    """A vendor credit that paid part of a bill; positive, vendor's currency."""

    credit_id: str
    amount: Decimal


class PaidLink(msgspec.Struct, frozen=True):
    """What a payment pays of one bill.

    Attributes:
        bill_id: the bill.
        amount: money, vendor's currency.
        credits: applied on top of the money.
    """

    bill_id: str
    amount: Decimal
    credits: tuple[CreditApplied, ...] = ()

    @property
    def settled(self) -> Decimal:
        """What the bill's open amount falls by: money and credits."""
        return self.amount + sum((c.amount for c in self.credits), ZERO)


class PaymentRecord(msgspec.Struct, frozen=True):
    """A payment.

    Attributes:
        amount: money, vendor's currency.
        funding_amount: USD, None when BILL leaves it out.
        process_date: the day it is made.
        ended_on: the day of the last change in the connection's zone, which for a voided one is the day of the void.
        online: False when it was made elsewhere and recorded in BILL.
        check_number: '' when it was no check or is not printed yet.
    """

    id: str
    vendor_id: str
    amount: Decimal
    funding_amount: Decimal | None
    process_date: date
    ended_on: date
    online: bool
    single_status: str
    status: str
    links: tuple[PaidLink, ...]
    check_number: str = ""
    confirmation_number: str = ""
    transaction_number: str = ""
    void_reason: str = ""

    @classmethod
    def of(cls, raw: Mapping[str, Any], zone: tzinfo = UTC) -> PaymentRecord:
        """Read a payment as the API sends it.

        Args:
            raw: the payment; numbers as Decimal or int, dates and times as text or objects.
            zone: the connection's zone, for the business date of a void.

        Raises:
            KeyError: it has no id or no process date.
            TypeError: an amount is a float.
        """
        amount = money(raw.get("amount"))
        process_date = _date(raw["processDate"])
        voids = [v for v in raw.get("voidInfo") or () if v.get("status") in (None, "ACCEPTED", "TO_BE_PROCESSED")]
        changed = (voids[-1].get("updatedTime") if voids else None) or raw.get("updatedTime")
        check = ((raw.get("disbursementInfo") or {}).get("checkDisbursement") or {}).get("checkNumber")
        return cls(
            id=str(raw["id"]),
            vendor_id=str(raw.get("vendorId") or ""),
            amount=amount,
            funding_amount=money(raw["fundingAmount"]) if raw.get("fundingAmount") is not None else None,
            process_date=process_date,
            ended_on=_moment(changed).astimezone(zone).date() if changed else process_date,
            online=raw.get("onlinePayment") is not False,
            single_status=str(raw.get("singleStatus") or ""),
            status=str(raw.get("status") or ""),
            links=_links(raw, amount),
            check_number=str(check) if check else "",
            confirmation_number=str(raw.get("confirmationNumber") or ""),
            transaction_number=str(raw.get("transactionNumber") or ""),
            void_reason=str(voids[-1].get("reason") or "") if voids else "",
        )

    @property
    def linked(self) -> Decimal:
        """Money over all links; equal to ``amount`` when BILL tells everything."""
        return sum((link.amount for link in self.links), ZERO)


def money(value: Any) -> Decimal:
    """Return an amount of an API answer; 0 when it is left out. Text is taken too.

    Raises:
        TypeError: it is a float.
    """
    if value is None:
        return ZERO
    if isinstance(value, float):
        raise TypeError("an amount arrived as a float")
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _links(raw: Mapping[str, Any], amount: Decimal) -> tuple[PaidLink, ...]:
    links = [
        PaidLink(
            bill_id=str(link.get("billId") or ""),
            amount=money(link.get("amount")),
            credits=tuple(
                CreditApplied(str(c.get("id") or ""), money(c.get("amount"))) for c in link.get("vendorCredits") or ()
            ),
        )
        for link in raw.get("billPayments") or ()
    ]
    if not links and raw.get("billId"):
        return (PaidLink(str(raw["billId"]), amount),)
    # Two links to one bill in one payment are one fact: the posting is named by payment and bill.
    merged: dict[str, PaidLink] = {}
    for link in links:
        known = merged.get(link.bill_id)
        merged[link.bill_id] = (
            PaidLink(link.bill_id, known.amount + link.amount, known.credits + link.credits) if known else link
        )
    return tuple(merged.values())


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return date.fromisoformat(str(value)[:10])


def _moment(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
