"""Brings what BILL holds into the mirror.

Belongs here: listing vendors, classifications, bills and credits. Does not belong here: payments (``payments``) and
what is made of any of it.

Each list is as of the moment when its reading began, not when its run did: another run may create what this one lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from jdebill_pipelines.bill.client import BillClient
from jdebill_pipelines.bill.codec import convert
from jdebill_pipelines.bill.models import Account, Bill, Department, Vendor
from jdebill_pipelines.steps.context import Mode, StepContext
from jdebill_pipelines.store.store import Store

# BILL's updatedTime is its own clock's; what is written while a list is read may carry an earlier time.
OVERLAP = timedelta(minutes=5)


def refresh_vendors(ctx: StepContext) -> int:
    """Mirror the vendors, archived ones too: all of them in a full run, else what changed. Returns how many were read.

    A list row may be thinner than the vendor. Where no row shows an address or tax details, the vendors that no
    supplier holds yet are read one by one: matching must not take "not shown" for "has none". So are changed vendors
    whose row does not show where they are paid, before the mirror takes the row: a new bank account must be seen.
    """
    client, since, began = ctx.bill(), _since(ctx, "vendors"), datetime.now(UTC)
    if since is not None:
        rows = list(client.vendors.list_changed(since))
    else:
        rows = [row for batch in client.vendors.list_all_parallel() for row in batch]
    linked = {link.remote_id for link in ctx.store.links.all("vendor").values()}
    unknown = {row.id for row in _thin(rows) if row.id not in linked} | _perhaps_paid_elsewhere(ctx, rows)
    rows = [client.vendors.whole(row.id) if row.id in unknown else row for row in rows]
    if since is not None:
        ctx.store.mirror.put("vendors", rows, run_id=ctx.run_id, seen_at=began)
    else:
        ctx.store.mirror.replace("vendors", rows, run_id=ctx.run_id, seen_at=began)
    return len(rows)


def _perhaps_paid_elsewhere(ctx: StepContext, rows: list[Vendor]) -> set[str]:
    """Vendors that changed since they were mirrored and whose row leaves out how or where they are paid."""
    hidden = [row for row in rows if row.hides_where_it_is_paid]
    if not hidden:
        return set()
    mirrored = ctx.store.mirror.read("vendors", where={"id": [row.id for row in hidden]}, columns=("id", "raw"))
    known = {row["id"]: convert(row["raw"], Vendor) for row in mirrored}
    return {row.id for row in hidden if not _is_known(known.get(row.id), row)}


def _is_known(known: Vendor | None, row: Vendor) -> bool:
    # An account that no call shows (the vendor keeps it in BILL's network) is not asked for again and again.
    return known is not None and known.payment_information is not None and known.updated_time == row.updated_time


def refresh_classifications(ctx: StepContext, kind: str) -> int:
    """Mirror ``accounts`` or ``departments`` whole: BILL documents no filter on their times.

    Where no row of the list shows what they are found by (number, short name), each is read by itself; a whole one in
    the mirror that has not changed since is not read again.
    """
    service: Any = ctx.bill().accounts if kind == "accounts" else ctx.bill().departments
    began = datetime.now(UTC)
    rows = list(service.list())
    if not any(_distinguished(row) for row in rows):
        mirrored = (convert(row["raw"], type(rows[0])) for row in ctx.store.mirror.read(kind)) if rows else ()
        known = {(row.id, row.updated_time): row for row in mirrored if row.updated_time and _distinguished(row)}
        rows = [known.get((row.id, row.updated_time)) or service.get(row.id) for row in rows]
    ctx.store.mirror.replace(kind, rows, run_id=ctx.run_id, seen_at=began)
    return len(rows)


def _distinguished(row: Account | Department) -> bool:
    return bool(row.number if isinstance(row, Account) else row.short_name)


def refresh_bills(ctx: StepContext) -> int:
    """Mirror the bills and vendor credits that a changed document would have to change."""
    client, since, began = ctx.bill(), _since(ctx, "bills"), datetime.now(UTC)
    if since is not None:
        bills = list(client.bills.list_changed(since))
        ctx.store.mirror.put("bills", bills, run_id=ctx.run_id, seen_at=began)
        count = len(bills)
    else:
        count = mirror_all_bills(client, ctx.store, run_id=ctx.run_id, seen_at=began)
    began = datetime.now(UTC)
    credits_ = list(client.vendor_credits.list())
    ctx.store.mirror.replace("vendor_credits", credits_, run_id=ctx.run_id, seen_at=began)
    return count + len(credits_)


def mirror_all_bills(client: BillClient, store: Store, *, run_id: str, seen_at: datetime) -> int:
    """List every bill and put the whole list in the mirror's place, taking in pages while others are on their way.

    Returns how many bills were listed.
    """
    count = 0

    def listed() -> Iterator[Bill]:
        nonlocal count
        for batch in client.bills.list_all_parallel():
            count += len(batch)
            yield from batch

    store.mirror.replace("bills", listed(), run_id=run_id, seen_at=seen_at)
    return count


def _thin(rows: list[Vendor]) -> list[Vendor]:
    hides_tax = not any(row.additional_info is not None and row.additional_info.tax_id for row in rows)
    return [row for row in rows if row.address is None or hides_tax]


def _since(ctx: StepContext, kind: str) -> datetime | None:
    """From when changes are listed; None = everything (full run, or nothing is mirrored yet)."""
    latest = ctx.store.mirror.latest(kind)
    if ctx.mode is Mode.FULL or latest is None:
        return None
    return datetime.fromisoformat(latest.replace("Z", "+00:00")) - OVERLAP
