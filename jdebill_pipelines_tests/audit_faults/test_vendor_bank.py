"""Where a vendor is paid, and that it changed, is known whatever BILL's lists leave out; the number is not kept."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from jdebill_pipelines.bill.models import VendorPatch
from jdebill_pipelines.steps.bill_side import refresh_vendors
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines_tests.payments.loop import Loop

OLD, NEW, ROUTING = "1234567890", "5555567890", "021000021"
HABITS: dict[str, dict[str, Any]] = {
    "whole rows": {},
    "rows without payment information": {"thin_rows": True},
    "account in its own call only": {"vendor_shows_bank_account": False},
    "both": {"thin_rows": True, "vendor_shows_bank_account": False},
}


def account(number: str) -> dict[str, str]:
    return {"accountNumber": number, "routingNumber": ROUTING, "nameOnAccount": "Example", "type": "CHECKING"}


def vendor(name: str) -> dict[str, Any]:
    address = {"line1": f"{name} Street 1", "city": "Denver", "zipOrPostalCode": "80202", "country": "US"}
    return {"name": name, "address": address, "additionalInfo": {"taxId": "123456789"}}


@pytest.fixture
def bill(unread: Loop) -> Loop:
    """BILL without vendors; nothing of it is known."""
    unread.sandbox.control_bill("reset", {})
    with unread.store.engine.begin() as tx:
        tx.execute(sa.text("TRUNCATE jdebill.bill_vendors, jdebill.bill_vendor_changes"))
    return unread


def refresh(loop: Loop, mode: Mode) -> None:
    refresh_vendors(loop.context("bill/vendors", mode, "look"))


def changes(loop: Loop) -> list[tuple[str, str, str]]:
    query = "SELECT vendor_id, before, after FROM jdebill.bill_vendor_changes WHERE field = 'bank_account' ORDER BY seq"
    with loop.store.engine.connect() as tx:
        return [tuple(row) for row in tx.execute(sa.text(query))]


def single_reads(loop: Loop) -> int:
    calls = loop.sandbox.control_bill("state")["calls"]
    return sum(n for call, n in calls.items() if call.startswith("GET") and "{id}" in call and "vendors" in call)


@pytest.mark.parametrize("habit", HABITS)
def test_every_change_is_seen_once_and_nothing_else(bill: Loop, habit: str) -> None:
    """An account that was there is none; set, replaced by one with the same end, removed: one change each, masked."""
    ids = bill.sandbox.control_bill("seed", {"vendors": [vendor("Alder"), vendor("Birch")]})["ids"]["vendors"]
    has_none, has_one = ids
    bill.clerk("change_vendor_bank", vendorId=has_one, bankAccount=account(OLD))
    bill.sandbox.control_bill("switches", HABITS[habit])
    for mode in (Mode.FULL, Mode.FULL, Mode.DELTA):
        refresh(bill, mode)
    assert changes(bill) == []

    bill.clerk("change_vendor_bank", vendorId=has_none, bankAccount=account(OLD))
    bill.clerk("change_vendor_bank", vendorId=has_one, bankAccount=account(NEW))
    with bill.runtime.bill("acme") as client:
        patched = client.vendors.patch(has_one, VendorPatch(phone="5550100"))
    bill.store.mirror.put("vendors", [patched], run_id="sent", seen_at=bill.context("x", Mode.FULL, "x").now)
    for mode in (Mode.DELTA, Mode.FULL):
        refresh(bill, mode)
    assert sorted(changes(bill)) == sorted([(has_none, "", "*7890"), (has_one, "*7890", "*7890")])

    bill.clerk("change_vendor_bank", vendorId=has_one, bankAccount=None)
    refresh(bill, Mode.DELTA)
    assert changes(bill)[2:] == [(has_one, "*7890", "")]
    with bill.store.engine.connect() as tx:
        kept = tx.execute(sa.text("SELECT string_agg(raw::text, ' ') FROM jdebill.bill_vendors")).scalar_one()
    assert OLD not in kept
    assert NEW not in kept
    assert "*7890" in kept
