"""The mirror of BILL: objects as they came, columns that cannot disagree with them, every status kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from jdebill_pipelines.store.mirror import MirrorResult
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.store.conftest import NOW


def payment(number: int, status: str = "PROCESSED", **more: Any) -> dict[str, Any]:
    return {
        "id": f"stp{number}",
        "vendorId": "009V",
        "processDate": "2026-01-12",
        "amount": Decimal("30.00"),
        "singleStatus": status,
        "status": "PAID",
        "updatedTime": f"2026-01-12T0{number}:00:00.000+00:00",
        **more,
    }


class Vendor(msgspec.Struct, rename="camel"):
    id: str
    name: str
    additional_info: dict[str, str]
    archived: bool = False


def test_objects_are_stored_as_they_came(store: Store) -> None:
    """Structs, mappings and raw JSON go in; amounts come out digit for digit; changes are counted."""
    vendors = [
        Vendor("0091", "Acme", {"taxId": "12-3"}),
        {"id": "0092", "name": "Bolt"},
        b'{"id":"0093","x":0.10,"archived":true}',
    ]
    assert store.mirror.put("vendors", vendors, run_id="r1", seen_at=NOW) == MirrorResult(3, 3)
    assert store.mirror.put("vendors", vendors[:2], run_id="r2", seen_at=NOW) == MirrorResult(2, 0)
    one, _, three = store.mirror.read("vendors")
    assert (one["name"], one["tax_id"], one["archived"]) == ("Acme", "12-3", False)
    assert (three["archived"], three["raw"]["x"]) == (True, Decimal("0.10"))
    assert [v["id"] for v in store.mirror.read("vendors", where={"name": ["Bolt", "Nut"], "archived": False})] == [
        "0092"
    ]
    with pytest.raises(ValueError, match="no mirror of 'orders'"):
        store.mirror.read("orders")
    with pytest.raises(KeyError):
        store.mirror.read("vendors", where={"no; drop": 1})


def test_complete_listing_removes_what_is_gone_but_not_what_is_newer(store: Store) -> None:
    """An archived-away vendor leaves; one created after the listing began stays; an older reading does not win."""
    store.mirror.put("vendors", [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}], run_id="r1", seen_at=NOW)
    store.mirror.put("vendors", [{"id": "3", "name": "new"}], run_id="r2", seen_at=NOW + timedelta(minutes=2))
    listing = [{"id": "1", "name": "old"}, {"id": "1", "name": "A"}, {"id": "3", "name": "stale"}]
    result = store.mirror.replace("vendors", listing, run_id="r3", seen_at=NOW + timedelta(minutes=1))
    assert (result.written, result.removed) == (1, 1)
    assert {v["id"]: v["name"] for v in store.mirror.read("vendors")} == {"1": "A", "3": "new"}
    assert store.mirror.count("vendors") == 2


def test_a_listing_that_breaks_off_removes_nothing(store: Store) -> None:
    """What BILL said before it failed is kept, what it had not come to stays; the next one tidies up."""
    store.mirror.put("bills", [{"id": "old"}], run_id="r1", seen_at=NOW)

    def listing() -> Iterator[dict[str, str]]:
        yield from ({"id": f"{n:04}"} for n in range(600))
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        store.mirror.replace("bills", listing(), run_id="r2", seen_at=NOW + timedelta(minutes=1))
    assert [row["id"] for row in store.mirror.read("bills", where={"id": ["0000", "0499", "0500", "old"]})] == [
        "0000", "0499", "old",
    ]  # fmt: skip
    whole = [{"id": f"{n:04}"} for n in range(600)]
    result = store.mirror.replace("bills", whole, run_id="r3", seen_at=NOW + timedelta(minutes=2))
    assert (result, store.mirror.count("bills")) == (MirrorResult(600, 100, 1), 600)


def test_payment_lines_and_status_history_follow_the_payment(store: Store) -> None:
    """Lines are replaced with their payment; each status seen is kept once, whoever saw it first."""
    combined = [
        {
            "id": "blp1",
            "billId": "00n1",
            "amount": Decimal("10.00"),
            "vendorCredits": [{"id": "vcr1", "amount": Decimal("2")}],
        },
        {"id": "blp2", "billId": "00n2", "amount": Decimal("20.00")},
    ]
    store.mirror.put(
        "payments",
        [payment(1, billPayments=combined), payment(2, billId="00n3", billPayments=[])],
        run_id="r1",
        seen_at=NOW,
    )
    lines = store.mirror.payment_lines(periods=["2026-01"])
    assert [(line["payment_id"], line["bill_id"], line["amount"]) for line in lines] == [
        ("stp1", "00n1", Decimal("10.00")),
        ("stp1", "00n2", Decimal("20.00")),
        ("stp2", "00n3", Decimal("30.00")),
    ]
    assert lines[0]["vendor_credits"] == [{"id": "vcr1", "amount": 2}]
    assert store.mirror.record_status("stp2", "SENT", updated_time="t", source="webhook", event_id="e1")
    assert not store.mirror.record_status("stp2", "SENT", updated_time="t", source="webhook", event_id="e2")
    store.mirror.put(
        "payments", [payment(1, "VOIDED", billPayments=combined[:1])], run_id="r2", seen_at=NOW, source="get"
    )
    store.mirror.put("payments", [payment(1, "VOIDED", billPayments=combined[:1])], run_id="r3", seen_at=NOW)
    history = [(h["payment_id"], h["single_status"], h["source"]) for h in store.mirror.status_history()]
    assert history == [
        ("stp1", "PROCESSED", "list"),
        ("stp2", "PROCESSED", "list"),
        ("stp2", "SENT", "webhook"),
        ("stp1", "VOIDED", "get"),
    ]
    assert [line["bill_id"] for line in store.mirror.payment_lines(payment_ids=["stp1"])] == ["00n1"]
    assert [line["payment_id"] for line in store.mirror.payment_lines(bill_ids=["00n3"])] == ["stp2"]
    assert [p["single_status"] for p in store.mirror.payments(["2026-01"], ids=["stp1"])] == ["VOIDED"]
    assert store.mirror.payments(["2026-02"]) == []
    assert len(store.mirror.status_history(["stp1"], periods=["2026-01"])) == 2
    assert store.mirror.latest("payments") == "2026-01-12T02:00:00.000+00:00"
    assert store.mirror.latest("bills") is None
