"""Finding what a create of unknown outcome left behind.

Belongs here: the question "is it there?" for every kind that we create. Does not belong here: when it is asked and what
follows from the answer.

BILL API v3 has no idempotency key on these objects and no filter on an invoice number, so the vendor's bills are listed
and compared here. List rows may be thin: where the row hides what is compared, the object itself is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from typing import TypeVar

from jdebill_pipelines.bill import filters as f
from jdebill_pipelines.bill.bulk import text_key
from jdebill_pipelines.bill.client import BillClient
from jdebill_pipelines.bill.models import (
    Account,
    Bill,
    Department,
    Identified,
    Payment,
    RecordPaymentIn,
    Vendor,
    VendorCredit,
    VendorIn,
)

M = TypeVar("M", bound=Identified)
C = TypeVar("C", Account, Department)


class AmbiguousError(Exception):
    """Several objects could be the one; a person must say which. The text names them."""


def find_bill(client: BillClient, vendor_id: str, invoice_number: str, *, taken: Iterable[str] = ()) -> Bill | None:
    """The vendor's bill with an invoice number; an archived one only when no live one has it.

    Args:
        client: of the organization.
        vendor_id: whose bill.
        invoice_number: as it was sent.
        taken: ids of bills that are known to be other documents.

    Raises:
        AmbiguousError: several bills have it.
    """
    others = set(taken)
    found = []
    for row in client.bills.list([f.eq("vendorId", vendor_id)]):
        if row.id in others or row.vendor_id not in (None, vendor_id):
            continue
        thin = row.invoice_number is None
        if thin or text_key(row.invoice_number) == text_key(invoice_number):
            # Whoever adopts it compares its lines, which a row may not have.
            whole = row if row.bill_line_items and not thin else client.bills.get(row.id)
            if text_key(whole.invoice_number) == text_key(invoice_number):
                found.append(whole)
    return _one(found, lambda b: f"bill {b.id}", f"invoice number {invoice_number} of vendor {vendor_id}")


def find_vendor_credit(
    client: BillClient,
    vendor_id: str,
    reference_number: str,
    credit_date: date | None = None,
    amount: Decimal | None = None,
    *,
    taken: Iterable[str] = (),
) -> VendorCredit | None:
    """The vendor's credit with a reference number; an archived one only when no live one has it.

    Vendor credits have no documented filter but ``id``: all are listed.

    Raises:
        AmbiguousError: several credits have it.
    """
    others = set(taken)
    found = []
    for row in client.vendor_credits.list():
        if row.id in others or row.vendor_id not in (None, vendor_id):
            continue
        whole = row if row.reference_number and row.vendor_id else client.vendor_credits.get(row.id)
        if whole.vendor_id == vendor_id and text_key(whole.reference_number) == text_key(reference_number):
            found.append(whole)
    if len(found) > 1:
        found = [c for c in found if c.credit_date == credit_date and c.amount in (None, amount)] or found
    return _one(found, lambda c: f"credit {c.id}", f"reference number {reference_number} of vendor {vendor_id}")


def find_vendor(client: BillClient, wanted: VendorIn, *, taken: Iterable[str] = ()) -> Vendor | None:
    """The vendor with a name, and with the short name, tax id or address of the one that was sent.

    Raises:
        AmbiguousError: several vendors fit.
    """
    others = set(taken)
    rows: Iterable[Vendor]
    if f.can_carry(wanted.name):
        rows = client.vendors.list([f.eq("name", wanted.name)])
    else:
        # A quotation mark in the name: BILL documents no way to write it into a filter.
        rows = (row for batch in client.vendors.list_all_parallel() for row in batch)
    found = []
    for row in rows:
        if row.id in others or (row.name is not None and text_key(row.name) != text_key(wanted.name)):
            continue
        thin = None in (row.name, row.short_name, row.address, row.additional_info)
        whole = client.vendors.get(row.id) if thin else row
        if text_key(whole.name) == text_key(wanted.name) and _same_vendor(whole, wanted):
            found.append(whole)
    return _one(found, lambda v: f"vendor {v.id}", f"name {wanted.name}")


def find_account(client: BillClient, name: str, number: str | None) -> Account | None:
    """The account with a number, or with a name where none is given; live ones before archived ones."""
    found = [
        a
        for a in client.accounts.list()
        if (text_key(a.account.number if a.account else None) == text_key(number))
        and (number or text_key(a.name) == text_key(name))
    ]
    return _first_live(found)


def find_department(client: BillClient, name: str, short_name: str | None) -> Department | None:
    """The department with a short name, or with a name where none is given or shown."""
    found = []
    for row in client.departments.list():
        if short_name and row.short_name is None and text_key(row.name) == text_key(name):
            row = client.departments.get(row.id)
        same = text_key(row.short_name) == text_key(short_name) if short_name else text_key(row.name) == text_key(name)
        if same:
            found.append(row)
    return _first_live(found)


def _same_vendor(found: Vendor, wanted: VendorIn) -> bool:
    if wanted.short_name and found.short_name:
        return text_key(found.short_name) == text_key(wanted.short_name)
    ours = wanted.additional_info.tax_id if wanted.additional_info else None
    theirs = found.additional_info.tax_id if found.additional_info else None
    if ours and theirs:
        masked = re.sub(r"[^*xX•]", "", theirs)
        if not masked:
            return _plain(ours) == _plain(theirs)
        # BILL may mask all but the last digits: they can prove that it is another one, not that it is the one.
        if not _plain(ours).endswith(re.sub(r"[^0-9]", "", theirs)):
            return False
    home = found.address
    return home is not None and all(
        text_key(getattr(home, part)) == text_key(getattr(wanted.address, part))
        for part in ("line1", "city", "zip_or_postal_code")
    )


def find_recorded_payment(client: BillClient, sent: RecordPaymentIn, *, taken: Iterable[str] = ()) -> Payment | None:
    """The outside payment that a record made: same vendor, date, reference, bills and amounts.

    Args:
        client: of the organization.
        sent: what was recorded.
        taken: ids of payments that are known to be others.

    Raises:
        AmbiguousError: several payments are equal in all of it.
    """
    others = set(taken)
    ours = sorted((part.bill_id, part.amount) for part in sent.payments)
    found: list[Payment] = []
    for row in client.payments.list([f.eq("vendorId", sent.vendor_id)]):
        if row.id in others or row.online_payment or row.process_date not in (None, sent.process_date):
            continue
        whole = client.payments.get(row.id)
        theirs = sorted((link.bill_id or "", link.amount or Decimal(0)) for link in whole.links)
        told = text_key(whole.sync_reference) in ("", text_key(sent.sync_reference))
        if whole.process_date == sent.process_date and theirs == ours and told and not whole.void_info:
            found.append(whole)
    if len(found) > 1:
        names = ", ".join(f"payment {p.id}" for p in found)
        raise AmbiguousError(f"several payments of vendor {sent.vendor_id} are alike: {names}")
    return found[0] if found else None


def _plain(tax_id: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", tax_id).casefold()


def _one(found: list[M], name: Callable[[M], str], what: str) -> M | None:
    found = [x for x in found if not x.is_archived] or found
    if len(found) > 1:
        raise AmbiguousError(f"several objects have {what}: {', '.join(name(x) for x in found)}")
    return found[0] if found else None


def _first_live(found: list[C]) -> C | None:
    return next((x for x in found if not x.archived), found[0] if found else None)
