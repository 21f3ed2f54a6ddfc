"""The control endpoints of the BILL simulator, and the clerk's deeds that other tests do not touch."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from jdebill_pipelines_tests.sandbox.bill.caller import Bill, bill, dumps, vendor


def refused(api: Bill, path: str, body: Any) -> str:
    """The text of a control call that must fail."""
    answer = api.http.post(f"{api.root}/__control/{path}", data=dumps(body), timeout=10)
    assert answer.status_code in (400, 404), answer.text
    return str(answer.json()["error"])


def test_switches_are_checked_by_name_and_value_and_reset_restores_them(api: Bill) -> None:
    """A typing error must not silently change nothing."""
    assert "no switch 'thin_row'" in refused(api, "switches", {"thin_row": True})
    assert "off, per_vendor, per_org" in refused(api, "switches", {"duplicate_bill_number": "on"})
    assert "thin_rows must be a bool" in refused(api, "switches", {"thin_rows": 1})
    assert "bumps_updated_time" in refused(api, "switches", {"bumps_updated_time": ["everything"]})
    refused(api, "switches", {"thin_rows": True, "hourly_quota": "x"})
    assert api.control("switches")["thin_rows"] is False
    api.switch(thin_rows=True, exchange_rates={"EUR": Decimal("1.25")})
    acme = api.ok("POST", "/vendors", vendor("Acme", billCurrency="EUR"))["id"]
    made = api.ok("POST", "/bills", bill(acme, "E", "10.01"))
    assert (made["fundingAmount"], made["exchangeRate"]) == (Decimal("12.51"), Decimal("1.25"))
    api.control("reset", {})
    assert api.control("switches")["thin_rows"] is False
    assert api.control("vendors") == []
    assert "no control endpoint" in refused(api, "nothing", {})


def test_seeded_objects_keep_their_ids_and_times_and_are_silent(api: Bill) -> None:
    """Ids and times are taken over; what BILL would refuse is refused; whole objects can be read and filtered."""
    given = {**vendor("Acme"), "id": "00901SEEDEDVENDOR001", "createdTime": "2025-01-01T00:00:00Z"}
    paper = {**bill("00901SEEDEDVENDOR001", "S-1"), "id": "00n01SEEDEDBILL00001", "updatedTime": "2025-02-01"}
    ids = api.control("seed", {"vendors": [given], "bills": [paper]})["ids"]
    assert ids == {"vendors": ["00901SEEDEDVENDOR001"], "bills": ["00n01SEEDEDBILL00001"]}
    found = api.ok("GET", "/bills/00n01SEEDEDBILL00001")
    assert found["updatedTime"] == "2025-02-01T00:00:00.000+00:00"
    assert api.control("bills", method="GET")[0] == found
    assert api.control("vendors/00901SEEDEDVENDOR001")["createdTime"] == "2025-01-01T00:00:00.000+00:00"
    assert len(api.control("bills?paymentStatus=UNPAID")) == 1
    assert api.control("bills?paymentStatus=PAID") == []
    assert api.control("clerk/pay", {"billId": ids["bills"][0]})["vendorName"] == "Acme"
    assert "vendorId" in refused(api, "seed", {"bills": [bill("00901NOBODY000000000")]})
    assert "seed takes" in refused(api, "seed", {"bill": []})
    assert api.control("state")["objects"]["bills"] == 1


def test_people_work_in_bill_too(api: Bill) -> None:
    """A vendor, a bill and a bank account by hand; a bill edited, archived and restored."""
    acme = api.control("clerk/create_vendor", vendor("By hand"))["id"]
    made = api.control("clerk/create_bill", bill(acme, "HAND-1"))
    assert api.control("clerk/change_vendor_bank", {"vendorId": acme})["paymentInformation"]["payByType"] == "ACH"
    paid = api.control(
        "clerk/pay", {"billId": made["id"], "amount": "10.00", "to": "SENT", "description": "first part"}
    )
    assert paid["disbursementType"] == "ACH"
    assert "achDisbursement" in paid["disbursementInfo"]
    assert api.control("clerk/record_offline", {"billId": made["id"], "syncReference": "1"})["amount"] == Decimal(
        "90.00"
    )
    edited = api.control("clerk/edit_bill", {"billId": made["id"], "changes": {"description": "note"}})
    assert edited["description"] == "note"
    other = api.control("clerk/create_bill", bill(acme, "HAND-2"))
    assert api.control("clerk/archive_bill", {"billId": other["id"]})["archived"] is True
    assert api.control("clerk/restore_bill", {"billId": other["id"]})["archived"] is False
    assert api.control("clerk/approve", {"all": True}) == {"bills": 2}
    assert api.ok("GET", f"/bills/{other['id']}")["approvalStatus"] == "APPROVED"
    assert "overpaid" in refused(api, "clerk/pay", {"billId": other["id"], "amount": "100.01"})
    assert "not an amount" in refused(api, "clerk/pay", {"billId": other["id"], "amount": "much"})
    assert "not known" in refused(api, "clerk/payy", {"billId": other["id"]})
    assert api.control("clerk/edit_vendor", {"vendorId": acme, "changes": {"phone": "1"}})["phone"] == "1"
    assert api.control("clerk/archive_vendor", {"vendorId": acme})["archived"] is True
    assert api.refused(422, "POST", "/bills", bill(acme))[0]["code"] == "BDC_1119"


def test_a_bill_shows_changes_of_payments_in_updated_time_only_with_the_switch(api: Bill) -> None:
    """Nobody knows whether BILL does; a client must find paid bills either way."""
    acme = api.ok("POST", "/vendors", vendor())["id"]
    made = api.ok("POST", "/bills", bill(acme, "U-1"))
    api.control("clock", {"advance_seconds": 60})
    api.control("clerk/pay", {"billId": made["id"], "amount": 1})
    assert api.ok("GET", f"/bills/{made['id']}")["updatedTime"] == made["updatedTime"]
    api.switch(bumps_updated_time=["payment"])
    api.control("clerk/pay", {"billId": made["id"], "amount": 1})
    assert api.ok("GET", f"/bills/{made['id']}")["updatedTime"] > made["updatedTime"]


def test_payments_advance_by_themselves_when_the_clock_does(api: Bill) -> None:
    """With the switch: processed on the business day after the process date, cleared after five."""
    api.control("clock", {"set": "2026-06-01T09:00:00", "frozen": True})
    api.login()
    acme = api.ok("POST", "/vendors", vendor())["id"]
    made = api.ok("POST", "/bills", bill(acme, "A-1"))
    payment = api.control("clerk/pay", {"billId": made["id"], "processDate": "2026-06-02"})

    def state_after(days: int) -> str:
        api.control("clock", {"advance_days": days})
        return str(api.control(f"payments/{payment['id']}")["singleStatus"])

    assert state_after(1) == "SCHEDULED"
    api.switch(auto_advance=True)
    assert state_after(0) == "FUNDING_STARTED"
    assert state_after(1) == "PROCESSED"
    assert state_after(7) == "CLEARED"
