"""The payment as BILL sends it, and the outside payment as BILL takes it.

Belongs here: payment shapes only.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from jdebill_pipelines.bill.codec import money
from jdebill_pipelines.bill.models.base import Classifications, CreditUse, Moment, Received, Sent


class BillPayment(Received, frozen=True, kw_only=True):
    """The link between a payment and one of its bills (``blp...``), amount in the vendor's currency."""

    id: str | None = None
    bill_id: str | None = None
    amount: Decimal | None = None
    vendor_credits: tuple[CreditUse, ...] = ()


class FundingAccount(Received, frozen=True, kw_only=True):
    """Where the money comes from."""

    type: str | None = None
    id: str | None = None


class VoidInfo(Received, frozen=True, kw_only=True):
    """A request to void a payment and what became of it."""

    id: str | None = None
    requested_by: str | None = None
    type: str | None = None
    status: str | None = None
    reason: str | None = None
    created_time: Moment | None = None
    updated_time: Moment | None = None


class CheckDisbursement(Received, frozen=True, kw_only=True):
    """A printed check. The number is text here: leading zeros matter on paper."""

    sent_date: date | None = None
    arrives_by_date: date | None = None
    check_number: str | None = None


class DisbursementInfo(Received, frozen=True, kw_only=True):
    """How the money travels; only the member of the method that was used is filled."""

    is_voidable: bool | None = None
    check_disbursement: CheckDisbursement | None = None


class Payment(Received, frozen=True, kw_only=True):
    """A payment (``stp...``), made through BILL or recorded there (``online_payment`` false)."""

    id: str
    vendor_id: str | None = None
    vendor_name: str | None = None
    bill_id: str | None = None
    bill_payments: tuple[BillPayment, ...] = ()
    amount: Decimal | None = None
    funding_amount: Decimal | None = None
    exchange_rate: Decimal | None = None
    description: str | None = None
    process_date: date | None = None
    funding_account: FundingAccount | None = None
    transaction_number: str | None = None
    confirmation_number: str | None = None
    status: str | None = None
    single_status: str | None = None
    online_payment: bool | None = None
    disbursement_type: str | None = None
    disbursement_status: str | None = None
    disbursement_info: DisbursementInfo | None = None
    void_info: tuple[VoidInfo, ...] = ()
    cancel_request_submitted: bool | None = None
    sync_reference: str | None = None
    to_print_check: bool | None = None
    classifications: Classifications | None = None
    created_by: str | None = None
    created_time: Moment | None = None
    updated_time: Moment | None = None

    @property
    def plain_status(self) -> str | None:
        """``status`` with one spelling: BILL writes both ``CANCELLED`` and ``CANCELED``."""
        return "CANCELLED" if self.status == "CANCELED" else self.status

    @property
    def plain_single_status(self) -> str | None:
        """``singleStatus`` with one spelling: ``CANCELED``."""
        return "CANCELED" if self.single_status == "CANCELLED" else self.single_status

    @property
    def links(self) -> tuple[BillPayment, ...]:
        """The bills it pays; a payment that only names ``billId`` pays that one with its whole amount."""
        if self.bill_payments or self.bill_id is None:
            return self.bill_payments
        return (BillPayment(bill_id=self.bill_id, amount=self.amount),)


class RecordedPart(Sent, frozen=True, kw_only=True):
    """What an outside payment pays of one bill."""

    bill_id: str
    amount: Decimal
    vendor_credits: tuple[CreditUse, ...] | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "amount", money(self.amount, "amount"))


class RecordPaymentIn(Sent, frozen=True, kw_only=True):
    """A payment made outside BILL, of one vendor, for one or more bills. BILL moves no money."""

    vendor_id: str
    process_date: date
    payments: tuple[RecordedPart, ...]
    to_print_check: bool
    classifications: Classifications | None = None
    description: str | None = None
    sync_reference: str | None = None
    allow_export: bool | None = None
