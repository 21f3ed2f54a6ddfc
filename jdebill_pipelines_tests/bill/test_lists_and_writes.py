"""Lists, changes, bulk creates and look-ups against the BILL simulator, with another caller acting meanwhile."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from jdebill_pipelines.bill import lookup
from jdebill_pipelines.bill.client import BillClient
from jdebill_pipelines.bill.codec import MalformedAnswerError
from jdebill_pipelines.bill.errors import BillRefused
from jdebill_pipelines.bill.filters import any_of, eq
from jdebill_pipelines.bill.listing import PagingError, decode_page
from jdebill_pipelines.bill.models import Address, BillIn, BillLineIn, BillPatch, Invoice, Vendor, VendorIn
from jdebill_pipelines.transport.errors import NotFound, PermanentError, UnknownOutcome
from jdebill_pipelines_tests.bill.conftest import Waits, scripted
from jdebill_pipelines_tests.bill.scripted import Reply
from jdebill_pipelines_tests.sandbox.bill.caller import Bill

HOME = Address(line1="1 Example Street", city="Denver", zip_or_postal_code="80202", country="US")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def new_vendor(name: str, number: str | None = None) -> VendorIn:
    """A vendor to create."""
    return VendorIn(name=name, address=HOME, account_number=number)


def new_bill(vendor_id: str, number: str, *amounts: str) -> BillIn:
    """A bill to create with a line for each amount."""
    return BillIn(
        vendor_id=vendor_id,
        due_date=date(2026, 6, 15),
        invoice=Invoice(invoice_number=number, invoice_date=date(2026, 5, 16)),
        bill_line_items=tuple(BillLineIn(amount=Decimal(a)) for a in amounts or ("100.00",)),
    )


def generate(api: Bill, bills: int) -> set[str]:
    """Bills that nobody has read yet; returns their ids."""
    api.control("seed", {"generate": {"vendors": 3, "bills": bills, "seed": 5, "first": "2025-01-01", "days": 30}})
    return {row["id"] for row in api.control("bills")}


@pytest.mark.parametrize(
    "switches",
    [{}, {"page_cap": 40}, {"thin_rows": True}, {"amounts_as_text": True}, {"default_order": "shuffled"}],
    ids=lambda s: next(iter(s), "plain"),
)
def test_every_row_comes_once_whatever_the_paging(client: BillClient, api: Bill, switches: dict[str, Any]) -> None:
    """Full lists and parallel lists have each id once, under every paging that the contract leaves open."""
    ids = generate(api, 330)
    api.switch(**switches)
    assert sorted(row.id for row in client.bills.list()) == sorted(ids)
    assert sorted(row.id for batch in client.bills.list_all_parallel() for row in batch) == sorted(ids)
    assert api.control("state")["max_in_flight"] <= 3


def test_parallel_list_of_bills_made_in_one_moment(client: BillClient, api: Bill) -> None:
    """All created in the same second: windows cannot be cut, and nothing is lost or doubled."""
    api.control("clock", {"set": "2026-05-01T00:00:00.000Z", "frozen": True})
    made = client.vendors.create(new_vendor("Acme Supplies"))
    for start in (0, 100, 200):
        client.bills.create_bulk([new_bill(made.id, f"INV-{start + n}") for n in range(100)])
    found = [row.id for batch in client.bills.list_all_parallel() for row in batch]
    assert len(found) == len(set(found)) == 300


def test_changes_come_again_when_they_change_meanwhile(client: BillClient, api: Bill) -> None:
    """Bills edited while the list of changes is walked: each comes, the edited ones in their new state."""
    made = client.vendors.create(new_vendor("Acme Supplies"))
    bills = [b for b in client.bills.create_bulk([new_bill(made.id, f"INV-{n}") for n in range(100)]).created if b]
    more = client.bills.create_bulk([new_bill(made.id, f"INV-{100 + n}") for n in range(100)])
    bills += [b for b in more.created if b]
    seen: dict[str, datetime | None] = {}
    for number, row in enumerate(client.bills.list_changed(LONG_AGO)):
        seen[row.id] = row.updated_time
        if number == 10:
            for bill in bills[:5]:
                api.control("clock", {"advance_seconds": 1})
                api.control("clerk/edit_bill", {"billId": bill.id, "changes": {"description": "edited"}})
    assert set(seen) == {bill.id for bill in bills}
    for bill in bills[:5]:
        assert seen[bill.id] == client.bills.get(bill.id).updated_time


def test_changes_since_leave_out_what_is_older(client: BillClient, api: Bill) -> None:
    """Only what changed since the watermark, oldest change first."""
    generate(api, 20)
    api.control("clock", {"advance_days": 1})
    made = client.vendors.create(new_vendor("Acme Supplies"))
    client.bills.create_bulk([new_bill(made.id, f"INV-{n}") for n in range(3)])
    newest = max(b.updated_time for b in client.bills.list([eq("vendorId", made.id)]) if b.updated_time)
    changed = list(client.bills.list_changed(newest - timedelta(minutes=5)))
    assert {b.invoice_number for b in changed} == {"INV-0", "INV-1", "INV-2"}
    times = [b.updated_time for b in changed if b.updated_time]
    assert times == sorted(times)


def test_page_tokens_that_go_in_circles_are_an_error(waits: Waits) -> None:
    """The same token twice would never end: an error in place of a loop."""
    page = Reply(200, {"results": [{"id": "00n1"}], "nextPage": "again"})
    with scripted(lambda _: page, waits) as (server, client):
        with pytest.raises(PagingError, match="same page token twice"):
            list(client.bills.list())
        assert len(server.calls("GET", "/bills")) == 2


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b'{"results": [{"id": "a"}], "nextPage": ""}', ["a"]),
        (b'{"vendors": [{"id": "a"}, {"id": "b"}]}', ["a", "b"]),
        (b'[{"id": "a"}]', ["a"]),
        (b"{}", []),
        (b'{"results": null}', []),
    ],
)
def test_pages_are_read_in_every_shape(body: bytes, ids: list[str]) -> None:
    """Named otherwise, bare, or without rows because there are none."""
    page = decode_page(body, Vendor)
    assert ([row.id for row in page.results], page.token) == (ids, None)


@pytest.mark.parametrize("body", [b'{"code": "BDC_1001"}', b'"text"', b"<html>", b'{"a": [], "b": []}'])
def test_an_error_with_status_200_is_no_empty_list(body: bytes) -> None:
    """What is no page must never look like the end of one."""
    with pytest.raises(MalformedAnswerError):
        decode_page(body, Vendor)


def test_bulk_answers_are_matched_by_what_they_are(client: BillClient, api: Bill) -> None:
    """BILL answers in another order: every bill gets its own id, also two of one number and different vendors."""
    api.switch(bulk_order_shuffled=True)
    first, second = client.vendors.create_bulk([new_vendor("Acme"), new_vendor("Acme West", "77")]).created
    assert first is not None
    assert second is not None
    assert (first.name, second.name, second.account_number) == ("Acme", "Acme West", "77")
    sent = [new_bill(v, f"INV-{n}", f"{n}.01") for n in range(1, 21) for v in (first.id, second.id)]
    answer = client.bills.create_bulk(sent)
    assert (len(answer.pairs), answer.missing, answer.extra) == (40, [], ())
    for wanted, made in answer.pairs:
        there = client.bills.get(made.id)
        assert (there.vendor_id, there.invoice_number) == (wanted.vendor_id, wanted.invoice.invoice_number)
        assert there.amount == wanted.bill_line_items[0].amount


def test_bulk_is_all_or_nothing(client: BillClient, api: Bill) -> None:
    """One bill of an unknown vendor: nothing is created, and the refusal has BILL's words."""
    made = client.vendors.create(new_vendor("Acme Supplies"))
    wrong = new_bill("00901NOSUCHVENDOR0000", "INV-9")
    with pytest.raises((BillRefused, NotFound), match="BDC_"):
        client.bills.create_bulk([new_bill(made.id, "INV-1"), wrong])
    assert api.control("bills") == []
    with pytest.raises(ValueError, match="1 to 100 elements, not 101"):
        client.bills.create_bulk([new_bill(made.id, f"I{n}") for n in range(101)])
    with pytest.raises(ValueError, match="1 to 20 elements, not 0"):
        client.vendors.create_bulk([])


def test_amounts_stay_exact(client: BillClient, api: Bill) -> None:
    """Amounts that a float cannot hold come back as they were sent, from both sides of the socket."""
    made = client.vendors.create(new_vendor("Acme Supplies"))
    bill = client.bills.create(new_bill(made.id, "INV-1", "12345678901.23", "0.1", "0.2"))
    assert client.bills.get(bill.id).amount == Decimal("12345678901.53")
    assert [line.amount for line in client.bills.get(bill.id).bill_line_items] == [
        Decimal("12345678901.23"),
        Decimal("0.1"),
        Decimal("0.2"),
    ]
    assert api.control(f"bills/{bill.id}")["amount"] == Decimal("12345678901.53")


def test_archive_restore_patch_and_put(client: BillClient, api: Bill) -> None:
    """Writes that leave the same state; a line without id is never patched; put drops the lines left out."""
    made = client.vendors.create(new_vendor("Acme Supplies"))
    bill = client.bills.create(new_bill(made.id, "INV-1", "1.00", "2.00"))
    assert client.bills.archive(bill.id).is_archived
    assert not client.bills.restore(bill.id).is_archived
    assert client.bills.patch(bill.id, BillPatch(due_date=date(2026, 7, 1))).due_date == date(2026, 7, 1)
    with pytest.raises(ValueError, match="use put"):
        client.bills.patch(bill.id, BillPatch(bill_line_items=(BillLineIn(amount=Decimal(1)),)))
    kept = bill.bill_line_items[0]
    whole = new_bill(made.id, "INV-1")
    line = BillLineIn(id=kept.id, amount=Decimal("5.00"))
    changed = client.bills.put(
        bill.id, BillIn(vendor_id=made.id, due_date=whole.due_date, invoice=whole.invoice, bill_line_items=(line,))
    )
    assert (changed.amount, len(changed.bill_line_items)) == (Decimal("5.00"), 1)
    assert api.control(f"bills/{bill.id}")["amount"] == Decimal("5.00")


def test_filters_find_by_id_and_vendor(client: BillClient, api: Bill) -> None:
    """Filters of lists: one vendor's bills, several ids at once."""
    ids = sorted(generate(api, 12))
    vendor_id = client.bills.get(ids[0]).vendor_id
    assert vendor_id is not None
    of_vendor = {row.id for row in client.bills.list([eq("vendorId", vendor_id)])}
    assert of_vendor == {row["id"] for row in api.control("bills") if row["vendorId"] == vendor_id}
    assert {row.id for row in client.bills.list([any_of("id", ids[:3])])} == set(ids[:3])


@pytest.mark.parametrize("fault", ["reset_after_commit", "html_502_after_commit", "timeout_after_commit"])
@pytest.mark.parametrize("thin", [False, True], ids=["whole rows", "thin rows"])
def test_lost_creates_are_found_and_only_then(client: BillClient, api: Bill, fault: str, thin: bool) -> None:
    """BILL created a vendor and a bill, and the answers were lost: the look-up finds exactly those, and no others."""
    api.switch(thin_rows=thin)
    wanted = new_vendor('Acme "Quick" Supplies, Inc.')
    assert lookup.find_vendor(client, wanted) is None
    options = {"seconds": 0.1} if fault.startswith("timeout") else {}
    api.control("faults", {"fault": fault, "route": "vendors", "method": "POST", "times": 1, **options})
    with pytest.raises(UnknownOutcome):
        client.vendors.create(wanted)
    found = lookup.find_vendor(client, wanted)
    assert found is not None
    assert [row["id"] for row in api.control("vendors")] == [found.id]
    sent = new_bill(found.id, "INV-1", "12.30")
    assert lookup.find_bill(client, found.id, "INV-1") is None
    api.control("faults", {"fault": fault, "route": "bills", "method": "POST", "times": 1, **options})
    with pytest.raises(UnknownOutcome):
        client.bills.create(sent)
    bill = lookup.find_bill(client, found.id, "inv-1 ")
    assert bill is not None
    assert [row["id"] for row in api.control("bills")] == [bill.id]
    assert lookup.find_bill(client, found.id, "INV-1", taken=[bill.id]) is None


def test_look_up_never_guesses(client: BillClient) -> None:
    """Two bills of one number: a person must say which. An archived one gives way to a live one."""
    made = client.vendors.create(new_vendor("Acme Supplies"))
    first = client.bills.create(new_bill(made.id, "INV-1"))
    second = client.bills.create(new_bill(made.id, "INV-1"))
    with pytest.raises(lookup.AmbiguousError, match=f"{first.id}.*{second.id}|{second.id}.*{first.id}"):
        lookup.find_bill(client, made.id, "INV-1")
    client.bills.archive(first.id)
    found = lookup.find_bill(client, made.id, "INV-1")
    assert found is not None
    assert found.id == second.id


def test_empty_id_never_addresses_the_list(client: BillClient) -> None:
    """A blank id is a mistake of ours, told before anything is sent; an unknown one is NotFound."""
    with pytest.raises(ValueError, match="empty id"):
        client.bills.archive("")
    with pytest.raises((NotFound, PermanentError)):
        client.bills.get("00n01NOSUCHBILL00000")
