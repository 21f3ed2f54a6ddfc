"""Accounts and departments, BILL's general-ledger dimensions.

Belongs here: classification shapes only.
"""

from __future__ import annotations

from jdebill_pipelines.bill.models.base import Identified, Sent


class AccountDetail(Sent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Type (``EXPENSE``, ``ACCOUNTS_PAYABLE``...) and number of an account."""

    type: str | None = None
    number: str | None = None


class Account(Identified, frozen=True, kw_only=True):
    """An account of BILL's chart of accounts (``0ca...``)."""

    name: str | None = None
    description: str | None = None
    parent_id: str | None = None
    account: AccountDetail | None = None

    @property
    def number(self) -> str | None:
        """The account's number."""
        return self.account.number if self.account else None


class AccountIn(Sent, frozen=True, kw_only=True):
    """An account to create."""

    name: str
    account: AccountDetail | None = None
    description: str | None = None
    parent_id: str | None = None


class Department(Identified, frozen=True, kw_only=True):
    """A department (``0de...``)."""

    name: str | None = None
    short_name: str | None = None
    description: str | None = None
    parent_id: str | None = None


class DepartmentIn(Sent, frozen=True, kw_only=True):
    """A department to create."""

    name: str
    short_name: str | None = None
    description: str | None = None
    parent_id: str | None = None
