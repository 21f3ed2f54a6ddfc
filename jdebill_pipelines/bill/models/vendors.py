"""The vendor as BILL sends and takes it.

Belongs here: vendor shapes only.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal

import msgspec

from jdebill_pipelines.bill.models.base import Address, Identified, Moment, Received, Sent


class PaymentInformation(Sent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """How the vendor is paid. ``pay_by_type`` is BILL's on read."""

    payee_name: str | None = None
    email: str | None = None
    pay_by_type: str | None = None


class BankAccount(Received, frozen=True, kw_only=True, omit_defaults=True):
    """Where the vendor's money goes, as BILL shows it: read only, there is no way to send one.

    The account number is never kept: only its last four digits and a fingerprint, so that a change of it and two
    vendors with one account are seen. ``status`` is left out: verifying an account does not change it.
    """

    account_number: str | None = None
    routing_number: str | None = None
    name_on_account: str | None = None
    type: str | None = None
    owner_type: str | None = None
    bank_country: str | None = None
    payment_currency: str | None = None

    def __post_init__(self) -> None:
        if self.account_number and not _FINGERPRINT.fullmatch(self.account_number):
            salt = (self.routing_number or "").encode()
            digest = hashlib.pbkdf2_hmac("sha256", self.account_number.encode(), salt, _ROUNDS).hex()[:16]
            msgspec.structs.force_setattr(self, "account_number", f"{digest} *{self.account_number[-4:]}")


# Each guess at a number costs as much as this: a number of ten digits is not found by trying them all in an evening.
_ROUNDS = 1_000
_FINGERPRINT = re.compile(r"[0-9a-f]{16} \*.{0,4}")


class PaidTo(PaymentInformation, frozen=True, kw_only=True):
    """How the vendor is paid, and where to, as BILL shows it."""

    bank_account: BankAccount | None = None


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
    payment_information: PaidTo | None = None
    additional_info: AdditionalInfo | None = None
    bill_currency: str | None = None
    rpps_id: str | None = None
    bank_account_status: str | None = None
    network_status: str | None = None
    recurring_payments: bool | None = None
    balance: Balance | None = None

    @property
    def hides_where_it_is_paid(self) -> bool:
        """Whether a row of a list leaves out the bank account that the vendor may have."""
        if self.payment_information is None:
            return True
        has_one = self.bank_account_status not in (None, "NO_ACCOUNT", "UNDEFINED")
        return has_one and self.payment_information.bank_account is None


def with_bank_account(vendor: Vendor, account: BankAccount) -> Vendor:
    """The vendor with a bank account that was read elsewhere."""
    how = vendor.payment_information or PaidTo()
    return msgspec.structs.replace(vendor, payment_information=msgspec.structs.replace(how, bank_account=account))


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
