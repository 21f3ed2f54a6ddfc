"""What every payload shape shares.

Belongs here: base classes and parts that several objects have. Does not belong here: the objects.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from jdebill_pipelines.bill.codec import money

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Received(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Base of what BILL sends. Unknown members are ignored."""


class Sent(msgspec.Struct, rename="camel", frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of what is sent to BILL. Members that are None are left out."""


class Identified(Received, frozen=True, kw_only=True):
    """An object with an id, a state and two times."""

    id: str
    archived: bool | None = None
    created_time: Moment | None = None
    updated_time: Moment | None = None

    @property
    def is_archived(self) -> bool:
        """Whether it is archived; an absent member means not."""
        return bool(self.archived)


class Address(Sent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A postal address. On create BILL demands line1, city, zip and country (ISO 3166 alpha-2)."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state_or_province: str | None = None
    zip_or_postal_code: str | None = None
    country: str | None = None
    country_name: str | None = None


class Classifications(Sent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """General-ledger dimensions of a document or a line."""

    chart_of_account_id: str | None = None
    accounting_class_id: str | None = None
    department_id: str | None = None
    location_id: str | None = None
    item_id: str | None = None
    employee_id: str | None = None
    job_id: str | None = None
    customer_id: str | None = None


class Invoice(Sent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The supplier's invoice. BILL's backend takes at most 21 characters as its number (``BDC_1143`` beyond)."""

    invoice_number: str | None = None
    invoice_date: date | None = None


class CreditUse(Sent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A vendor credit and how much of it is used."""

    id: str
    amount: Decimal

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "amount", money(self.amount, "amount"))
