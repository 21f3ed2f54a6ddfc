"""The vendor credit as BILL sends and takes it.

Belongs here: vendor credit shapes only.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from jdebill_pipelines.bill.codec import money
from jdebill_pipelines.bill.models.base import Classifications, Identified, Received, Sent


class VendorCreditLine(Received, frozen=True, kw_only=True):
    """A line of a vendor credit (``vci...``)."""

    id: str | None = None
    amount: Decimal | None = None
    description: str | None = None
    classifications: Classifications | None = None


class VendorCreditLineIn(Sent, frozen=True, kw_only=True):
    """A line of a vendor credit to write."""

    amount: Decimal
    description: str | None = None
    classifications: Classifications | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "amount", money(self.amount, "amount"))


class CreditUsage(Received, frozen=True, kw_only=True):
    """Where a vendor credit was applied."""

    bill_id: str | None = None
    payment_id: str | None = None
    amount: Decimal | None = None


class VendorCredit(Identified, frozen=True, kw_only=True):
    """A vendor credit (``vcr...``)."""

    vendor_id: str | None = None
    reference_number: str | None = None
    credit_date: date | None = None
    description: str | None = None
    amount: Decimal | None = None
    applied_amount: Decimal | None = None
    status: str | None = None
    apply_to_chart_of_account_id: str | None = None
    apply_to_bank_account_id: str | None = None
    vendor_credit_line_items: tuple[VendorCreditLine, ...] = ()
    usage: tuple[CreditUsage, ...] = ()


class VendorCreditIn(Sent, frozen=True, kw_only=True):
    """A vendor credit to create or replace. ``reference_number`` has at most 100 characters."""

    vendor_id: str
    reference_number: str
    credit_date: date
    vendor_credit_line_items: tuple[VendorCreditLineIn, ...]
    description: str | None = None
    apply_to_chart_of_account_id: str | None = None
    apply_to_bank_account_id: str | None = None
