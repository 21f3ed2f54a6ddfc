"""Payments in the BILL simulator: by API, by the clerk, and every way they go wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from jdebill_pipelines.sandbox.bill.payment_states import STATES
from jdebill_pipelines_tests.sandbox.bill.caller import Bill, bill, vendor


@pytest.fixture
def paper(api: Bill) -> dict[str, Any]:
    """A bill over 100.00."""
    api.control("clock", {"set": "2026-06-01T09:00:00"})
    api.login()
    acme = api.ok("POST", "/vendors", vendor("Acme"))["id"]
    made: dict[str, Any] = api.ok("POST", "/bills", bill(acme, "B-1", "100.00"))
    return made


def request(api: Bill, paper: dict[str, Any], amount: str = "100.00", **more: Any) -> dict[str, Any]:
    """The body of a payment request."""
    bank = api.ok("GET", "/funding-accounts/banks")["results"][0]["id"]
    funding = {"type": "BANK_ACCOUNT", "id": bank}
    return {
        "billId": paper["id"],
        "amount": Decimal(amount),
        "fundingAccount": funding,
        "processingOptions": {},
        **more,
    }


def amounts(api: Bill, bill_id: str) -> tuple[str, Decimal, Decimal, Decimal]:
    """The payment state of a bill with its scheduled, paid and due amounts."""
    found = api.ok("GET", f"/bills/{bill_id}")
    return found["paymentStatus"], found["scheduledAmount"], found["paidAmount"], found["dueAmount"]


def test_a_payment_needs_a_trusted_session_and_a_bill_that_is_not_overpaid(api: Bill, paper: dict[str, Any]) -> None:
    """403 BDC_1361 first; then the refusals of the contract; then 201 and the amounts move."""
    assert api.refused(403, "POST", "/payments", request(api, paper))[0]["message"] == "Untrusted session."
    api.trust()
    assert api.refused(422, "POST", "/payments", request(api, paper, "100.01"))[0]["code"] == "BDC_1159"
    unknown = {**request(api, paper), "fundingAccount": {"type": "BANK_ACCOUNT", "id": "bac01NO"}}
    assert api.refused(422, "POST", "/payments", unknown)[0]["code"] == "BDC_1151"
    saturday = api.refused(422, "POST", "/payments", request(api, paper, processDate="2026-06-06"))
    assert [e["code"] for e in saturday] == ["BDC_1152", "BDC_1152"]
    assert "${paramName0}" in saturday[0]["message"]
    without = request(api, paper)
    del without["billId"]
    text = "billId must be provided if createBill is false"
    assert api.refused(400, "POST", "/payments", without)[0]["message"] == text
    api.refused(400, "POST", "/payments", {**request(api, paper), "processingOptions": None})
    made = api.ok("POST", "/payments", request(api, paper, "40.00", transactionNumber="AP1", billPayments=[{"x": 1}]))
    assert (made["status"], made["singleStatus"], made["onlinePayment"]) == ("SCHEDULED", "SCHEDULED", True)
    assert made["processDate"] == "2026-06-02"
    assert made["billId"] == paper["id"]
    assert [(p["billId"], p["amount"]) for p in made["billPayments"]] == [(paper["id"], Decimal("40.00"))]
    assert amounts(api, paper["id"]) == ("UNPAID", Decimal("40.00"), 0, Decimal("60.00"))
    api.ok("POST", "/payments", request(api, paper, "60.00"))
    assert amounts(api, paper["id"])[0] == "SCHEDULED"
    found = api.ok("GET", "/payments", params={"filters": "transactionNumber:eq:AP1"})["results"]
    assert [p["id"] for p in found] == [made["id"]]
    api.switch(transaction_number_reuse=False)
    api.refused(422, "POST", "/payments", request(api, paper, "1.00", transactionNumber="AP1"))


def test_the_happy_path_moves_the_bill_with_the_payment(api: Bill, paper: dict[str, Any]) -> None:
    """Each singleStatus in turn, with what the bill shows and whether it may still be canceled."""
    payment = api.control("clerk/pay", {"billId": paper["id"], "processDate": "2026-06-12"})
    seen = []
    for state in ("READY_TO_FUND", "FUNDING_STARTED", "PROCESSED", "SENT", "CLEARED"):
        moved = api.control("clerk/advance", {"paymentId": payment["id"]})
        assert moved["singleStatus"] == state
        seen.append((moved["status"], amounts(api, paper["id"])[0]))
    assert seen == [("SCHEDULED", "IN_PROCESS")] * 2 + [("PAID", "PAID")] * 3
    final = api.ok("GET", f"/payments/{payment['id']}")
    assert final["disbursementStatus"] == "DONE"
    assert final["disbursementInfo"]["checkDisbursement"]["checkNumber"] > 0
    assert final["updatedTime"] >= payment["updatedTime"]
    api.refused(422, "POST", f"/payments/{payment['id']}/cancel")


def test_cancel_and_void_give_the_amount_back(api: Bill, paper: dict[str, Any]) -> None:
    """Cancel while scheduled; void what was processed, pending first; reissue makes a new one."""
    first = api.control("clerk/pay", {"billId": paper["id"]})
    canceled = api.ok("POST", f"/payments/{first['id']}/cancel")
    assert (canceled["status"], canceled["singleStatus"]) == ("CANCELLED", "CANCELED")
    assert amounts(api, paper["id"]) == ("UNPAID", 0, 0, Decimal("100.00"))
    second = api.control("clerk/pay", {"billId": paper["id"], "to": "CLEARED"})
    api.refused(400, "POST", f"/payments/{second['id']}/void", {"type": "VOID_ONLY"})
    pending = api.ok("POST", f"/payments/{second['id']}/void", {"type": "VOID_AND_REISSUE", "reason": "lost"})
    assert (pending["singleStatus"], pending["voidInfo"][0]["status"]) == ("VOID_PENDING", "TO_BE_PROCESSED")
    assert amounts(api, paper["id"])[0] == "PAID"
    voided = api.control("clerk/advance", {"paymentId": second["id"]})
    assert (voided["status"], voided["voidInfo"][0]["status"]) == ("VOID", "ACCEPTED")
    assert amounts(api, paper["id"]) == ("SCHEDULED", Decimal("100.00"), 0, 0)
    assert len(api.control("payments")) == 3
    api.refused(422, "POST", f"/payments/{second['id']}/void", {"type": "VOID_ONLY", "reason": "again"})


@pytest.mark.parametrize(
    ("kind", "state", "bill_state"),
    [
        ("funding", "FUNDING_FAILED_ACTION_NEEDED", "PAID"),
        ("funding_voided", "FUNDING_FAILED_VOIDED", "UNPAID"),
        ("disbursement", "DISBURSEMENT_FAILED_ACTION_NEEDED", "PAID"),
        ("vendor_bank", "DISBURSEMENT_FAILED_VENDOR_BANK_REJECTED", "PAID"),
        ("escheat", "FUNDS_ESCHEATED", "PAID"),
        ("hold", "DISBURSEMENT_ON_HOLD", "PAID"),
    ],
)
def test_a_cleared_payment_may_still_fail(
    api: Bill, paper: dict[str, Any], kind: str, state: str, bill_state: str
) -> None:
    """CLEARED is not final: every failure comes after it here."""
    payment = api.control("clerk/pay", {"billId": paper["id"], "to": "CLEARED"})
    assert api.control("clerk/fail", {"paymentId": payment["id"], "kind": kind})["singleStatus"] == state
    assert amounts(api, paper["id"])[0] == bill_state


def test_every_single_status_can_be_reached_and_unknown_ones_only_by_force(api: Bill, paper: dict[str, Any]) -> None:
    """BILL's list is open-ended, so a test may invent a status, but not by a typing error."""
    payment = api.control("clerk/pay", {"billId": paper["id"], "amount": Decimal("1.00")})
    for state in [name for name in STATES if name not in {"CANCELED", "VOIDED", "FUNDING_FAILED_VOIDED"}]:
        moved = api.control("clerk/advance", {"paymentId": payment["id"], "to": state, "jump": True})
        assert moved["singleStatus"] == state
    wrong = {"paymentId": payment["id"], "to": "CLEERED"}
    assert api.http.post(f"{api.root}/__control/clerk/advance", json=wrong, timeout=5).status_code == 400
    assert api.control("clerk/advance", {**wrong, "force": True})["status"] == "UNDEFINED"


def test_one_payment_may_pay_several_bills_with_credits_on_top(api: Bill, paper: dict[str, Any]) -> None:
    """pay_many has no top-level billId; a credit in a payment reduces the bill and comes back with a void."""
    other = api.ok("POST", "/bills", bill(paper["vendorId"], "B-2", "50.00"))
    many = api.control("clerk/pay_many", {"billIds": [paper["id"], other["id"]], "to": "PROCESSED"})
    assert "billId" not in many
    assert many["amount"] == Decimal("150.00")
    assert {p["billId"]: p["amount"] for p in many["billPayments"]} == {paper["id"]: 100, other["id"]: 50}
    third = api.ok("POST", "/bills", bill(paper["vendorId"], "B-3", "80.00"))
    lines = [{"amount": Decimal("30.00")}]
    given = {"vendorId": paper["vendorId"], "referenceNumber": "C", "creditDate": "2026-06-01"}
    credit = api.control("clerk/create_credit", {**given, "vendorCreditLineItems": lines})
    part = {"id": credit["id"], "amount": Decimal("30.00")}
    paid = api.control("clerk/pay_with_credit", {"billId": third["id"], "credits": [part], "to": "CLEARED"})
    assert paid["amount"] == Decimal("50.00")
    assert paid["billPayments"][0]["vendorCredits"] == [part]
    assert api.ok("GET", f"/bills/{third['id']}")["creditAmount"] == Decimal("30.00")
    assert amounts(api, third["id"]) == ("PAID", 0, Decimal("50.00"), 0)
    assert api.ok("GET", f"/vendor-credits/{credit['id']}")["status"] == "FULLY_APPLIED"
    api.control("clerk/void", {"paymentId": paid["id"]})
    assert amounts(api, third["id"]) == ("UNPAID", 0, 0, Decimal("80.00"))
    assert api.ok("GET", f"/vendor-credits/{credit['id']}")["status"] == "NOT_APPLIED"


def test_bulk_payments_are_combined_only_for_vendors_that_want_it(api: Bill, paper: dict[str, Any]) -> None:
    """Forty bills of a combining vendor are 35 + 5, another's bill is alone; a bad one undoes all."""
    api.trust()
    combining = api.ok("POST", "/vendors", vendor("Combi", additionalInfo={"combinePayments": True}))["id"]
    made = api.ok("POST", "/bills/bulk", [bill(combining, f"C-{n}", "1.00") for n in range(40)])
    body = request(api, paper)
    payments = [{"billId": b["id"], "amount": 1} for b in made]
    bulk = {"fundingAccount": body["fundingAccount"], "payments": [*payments, {"billId": paper["id"], "amount": 1}]}
    found = api.ok("POST", "/payments/bulk", bulk)["payments"]
    assert [len(p["billPayments"]) for p in found] == [35, 5, 1]
    assert ["billId" in p for p in found] == [False, False, True]
    bad = {**bulk, "payments": [{"billId": paper["id"], "amount": 1}, {"billId": paper["id"], "amount": 99}]}
    assert {e["code"] for e in api.refused(422, "POST", "/payments/bulk", bad)} == {"BDC_1159", "BDC_1246"}
    api.refused(400, "POST", "/payments/bulk", {**bulk, "payments": [{"billId": "x", "amount": 1}] * 51})
    assert len(api.control("payments")) == 3


def test_a_recorded_payment_pays_at_once_and_needs_no_trust(api: Bill, paper: dict[str, Any]) -> None:
    """record-payment: PAID, offline; a payment too much is refused; void takes it back at once."""
    body = {"vendorId": paper["vendorId"], "processDate": "2026-05-30", "toPrintCheck": False, "syncReference": "4711"}
    part = {"billId": paper["id"], "amount": Decimal("30.00")}
    made = api.ok("POST", "/bills/record-payment", {**body, "payments": [part]})
    assert (made["status"], made["onlinePayment"], made["disbursementType"]) == ("PAID", False, "OFFLINE")
    assert made["syncReference"] == "4711"
    assert amounts(api, paper["id"]) == ("PARTIALLY_PAID", 0, Decimal("30.00"), Decimal("70.00"))
    api.refused(422, "POST", "/bills/record-payment", {**body, "payments": [{**part, "amount": Decimal("70.01")}]})
    found = api.ok("GET", "/payments", params={"filters": "onlinePayment:eq:false,processDate:gte:2026-05-30"})
    assert [p["id"] for p in found["results"]] == [made["id"]]
    voided = api.ok("POST", f"/payments/{made['id']}/void", {"type": "VOID_ONLY", "reason": "wrong bill"})
    assert voided["singleStatus"] == "VOIDED"
    assert amounts(api, paper["id"])[0] == "UNPAID"


def test_pay_mixed_pays_everything_open_in_parts_and_together_the_same_for_a_seed(api: Bill) -> None:
    """Large data: sums over payments equal sums over bills to the cent."""
    api.control("seed", {"generate": {"vendors": 5, "bills": 400, "accounts": 3, "seed": 3}})
    wish = {
        "partial": Decimal("0.3"),
        "combined": Decimal("0.1"),
        "seed": 5,
        "to": "CLEARED",
        "processDate": "2026-07-01",
    }
    found = api.control("clerk/pay_mixed", wish)
    assert found["bills"] == 400
    assert 80 < found["partial"] < 160
    assert 20 < found["combined"] < 70
    payments, bills = api.control("payments"), api.control("bills")
    assert len(payments) == found["payments"] < 400
    assert sum(p["amount"] for p in payments) == sum(b["paidAmount"] for b in bills)
    assert all(p["amount"] == sum(link["amount"] for link in p["billPayments"]) for p in payments)
    assert all(b["dueAmount"] == b["amount"] - b["paidAmount"] for b in bills)
    assert {b["paymentStatus"] for b in bills} == {"PAID", "PARTIALLY_PAID"}
    balances = {v["id"]: v["balance"]["amount"] for v in api.control("vendors")}
    for vendor_id, balance in balances.items():
        assert balance == sum(b["dueAmount"] for b in bills if b["vendorId"] == vendor_id)
