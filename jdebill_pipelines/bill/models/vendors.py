"""The vendor as BILL sends and takes it.

Belongs here: vendor shapes only.
"""

from __future__ import annotations

from decimal import Decimal

from jdebill_pipelines.bill.models.base import Address, Identified, Moment, Received, Sent


class PaymentInformation(Sent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """How the vendor is paid. ``pay_by_type`` is BILL's on read."""

    payee_name: str | None = None
    email: str | None = None
    pay_by_type: str | None = None


class AdditionalInfo(Sent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Tax and payment-term details. BILL may mask ``tax_id`` on read."""

    tax_id: str | None = None
    tax_id_type: str | None = None
    track1099: bool | None = None
    lead_time_in_days: int | None = None
    combine_payments: bool | None = None
    payment_term_id: str | None = None
    company_name: str | None = None


class Balance(Received, frozen=True, kw_only=True):
    """Open payables of a vendor."""

    amount: Decimal | None = None
    last_updated_date: Moment | None = None


class Vendor(Identified, frozen=True, kw_only=True):
    """A vendor (``009...``)."""

    name: str | None = None
    short_name: str | None = None
    account_number: str | None = None
    account_type: str | None = None
    email: str | None = None
    phone: str | None = None
    address: Address | None = None
    payment_information: PaymentInformation | None = None
    additional_info: AdditionalInfo | None = None
    bill_currency: str | None = None
    rpps_id: str | None = None
    bank_account_status: str | None = None
    network_status: str | None = None
    recurring_payments: bool | None = None
    balance: Balance | None = None


class VendorIn(Sent, frozen=True, kw_only=True):
    """A vendor to create. BILL demands a name of 1 to 100 characters and an address."""

    name: str
    address: Address
    short_name: str | None = None
    account_number: str | None = None
    account_type: str | None = None
    email: str | None = None
    phone: str | None = None
    payment_information: PaymentInformation | None = None
    additional_info: AdditionalInfo | None = None
    bill_currency: str | None = None


class VendorPatch(Sent, frozen=True, kw_only=True):
    """A vendor's changed members; what is None stays as it is. Bank details cannot be patched."""

    name: str | None = None
    address: Address | None = None
    short_name: str | None = None
    account_number: str | None = None
    account_type: str | None = None
    email: str | None = None
    phone: str | None = None
    payment_information: PaymentInformation | None = None
    additional_info: AdditionalInfo | None = None
    bill_currency: str | None = None
