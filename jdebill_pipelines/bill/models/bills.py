"""The bill as BILL sends and takes it.

Belongs here: bill shapes only.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from jdebill_pipelines.bill.codec import money
from jdebill_pipelines.bill.models.base import Classifications, CreditUse, Identified, Invoice, Moment, Received, Sent


class BillLine(Received, frozen=True, kw_only=True):
    """A line of a bill (``bli...``)."""

    id: str | None = None
    amount: Decimal | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    description: str | None = None
    classifications: Classifications | None = None


class BillLineIn(Sent, frozen=True, kw_only=True):
    """A line to write. Given amount, quantity and price BILL takes the amount. ``id`` only on PUT and PATCH."""

    amount: Decimal | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    description: str | None = None
    classifications: Classifications | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        for field in ("amount", "price"):
            msgspec.structs.force_setattr(self, field, money(getattr(self, field), field))
        msgspec.structs.force_setattr(self, "quantity", money(self.quantity, "quantity", decimals=0))


class Approver(Received, frozen=True, kw_only=True):
    """One approver of a bill; order counts from 0."""

    user_id: str | None = None
    status: str | None = None
    approver_order: int | None = None
    status_changed_time: Moment | None = None


class Bill(Identified, frozen=True, kw_only=True):
    """A bill (``00n...``). It has no currency of its own: the vendor's ``bill_currency`` holds."""

    vendor_id: str | None = None
    vendor_name: str | None = None
    amount: Decimal | None = None
    funding_amount: Decimal | None = None
    exchange_rate: Decimal | None = None
    paid_amount: Decimal | None = None
    due_amount: Decimal | None = None
    scheduled_amount: Decimal | None = None
    credit_amount: Decimal | None = None
    description: str | None = None
    due_date: date | None = None
    invoice: Invoice | None = None
    bill_line_items: tuple[BillLine, ...] = ()
    vendor_credits: tuple[CreditUse, ...] = ()
    pay_from_chart_of_account_id: str | None = None
    purchase_order_number: str | None = None
    classifications: Classifications | None = None
    payment_status: str | None = None
    approval_status: str | None = None
    approvers: tuple[Approver, ...] = ()

    @property
    def invoice_number(self) -> str | None:
        """The supplier's invoice number."""
        return self.invoice.invoice_number if self.invoice else None


class BillIn(Sent, frozen=True, kw_only=True):
    """A bill to create, or to replace as a whole (then lines carry their ``id``)."""

    vendor_id: str
    due_date: date
    invoice: Invoice
    bill_line_items: tuple[BillLineIn, ...]
    description: str | None = None
    pay_from_chart_of_account_id: str | None = None
    purchase_order_number: str | None = None
    classifications: Classifications | None = None
    vendor_credits: tuple[CreditUse, ...] | None = None
    bill_approvals: bool | None = None


class BillPatch(Sent, frozen=True, kw_only=True):
    """A bill's changed members; lines are addressed by ``id`` and what is None stays as it is."""

    vendor_id: str | None = None
    due_date: date | None = None
    invoice: Invoice | None = None
    bill_line_items: tuple[BillLineIn, ...] | None = None
    description: str | None = None
    pay_from_chart_of_account_id: str | None = None
    purchase_order_number: str | None = None
    classifications: Classifications | None = None
    vendor_credits: tuple[CreditUse, ...] | None = None
    bill_approvals: bool | None = None
