"""Bills and vendor credits in the BILL simulator."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from jdebill_pipelines_tests.sandbox.bill.caller import Bill, bill, vendor


@pytest.fixture
def acme(api: Bill) -> str:
    """The id of a vendor."""
    return str(api.ok("POST", "/vendors", vendor("Acme"))["id"])


def credit(vendor_id: str, amount: str) -> dict[str, Any]:
    """The body of a vendor credit."""
    lines = [{"amount": Decimal(amount), "description": "Returned"}]
    return {
        "vendorId": vendor_id,
        "referenceNumber": "CR-1",
        "creditDate": "2026-05-20",
        "vendorCreditLineItems": lines,
    }


def test_a_bill_is_the_exact_sum_of_its_lines(api: Bill, acme: str) -> None:
    """Amounts, or quantity times price; large amounts keep every digit; vendorName only when read."""
    body = bill(acme, "BW-20931", "1250.00", "99999999999.99")
    body["billLineItems"].append({"quantity": 3, "price": Decimal("41.50"), "description": "Valve kit"})
    body["billLineItems"].append({"quantity": 3, "price": 5, "amount": Decimal("0.01")})
    made = api.ok("POST", "/bills", body)
    assert made["amount"] == Decimal("100000001374.50") == made["dueAmount"] == made["fundingAmount"]
    assert [line["amount"] for line in made["billLineItems"]][2:] == [Decimal("124.50"), Decimal("0.01")]
    assert made["paymentStatus"] == "UNPAID"
    assert made["approvalStatus"] == "UNASSIGNED"
    assert "vendorName" not in made
    read = api.ok("GET", f"/bills/{made['id']}")
    assert read["vendorName"] == "Acme"
    assert read["payments"] == []
    assert api.ok("GET", f"/vendors/{acme}")["balance"]["amount"] == made["amount"]
    api.ok("PATCH", f"/vendors/{acme}", {"name": "Acme Ltd"})
    assert api.ok("GET", f"/bills/{made['id']}")["vendorName"] == "Acme Ltd"


def test_bills_with_a_wrong_form_are_refused_with_the_code_of_their_rule(api: Bill, acme: str) -> None:
    """Form: 400 without a code. Invoice number over 21: 400 BDC_1143. Business rules: 422."""
    for path, body in {
        "invoice.invoiceNumber": {**bill(acme), "invoice": {"invoiceDate": "2026-05-16"}},
        "dueDate": {**bill(acme), "dueDate": "2026-02-30"},
        "billLineItems": {**bill(acme), "billLineItems": []},
        "billLineItems[0].amount": {**bill(acme), "billLineItems": [{"description": "no amount"}]},
        "description": bill(acme, description="x" * 4001),
    }.items():
        errors = api.refused(400, "POST", "/bills", body)
        assert [(e["code"], e["message"].split(":")[0]) for e in errors] == [(None, path)]
    assert api.refused(400, "POST", "/bills", bill(acme, "I-1", "1.001"))[0]["code"] is None
    long = api.refused(400, "POST", "/bills", bill(acme, "x" * 22))[0]
    assert long["code"] == "BDC_1143"
    text = "Invalid entity data. invoiceNumber: Maximum length cannot be greater than 21 characters."
    assert long["message"] == text
    api.ok("POST", "/bills", bill(acme, "x" * 21))
    api.refused(422, "POST", "/bills", bill("00901NOSUCHVENDOR000"))
    api.refused(422, "POST", "/bills", bill(acme, "N", "-5.00"))
    api.refused(422, "POST", "/bills", bill(acme, "N", "5.00", "-5.00"))
    api.switch(negative_bill_total="accept", zero_bill_total="accept", max_bill_lines=2)
    api.ok("POST", "/bills", bill(acme, "N", "-5.00"))
    api.refused(400, "POST", "/bills", bill(acme, "N", "1", "2", "3"))


def test_a_bill_refers_to_classifications_that_exist_and_are_not_archived(api: Bill, acme: str) -> None:
    """An unknown department, an archived account, and the switch that accepts an archived one."""
    account = api.ok("POST", "/classifications/chart-of-accounts", {"name": "Repairs"})["id"]
    body = bill(acme)
    body["billLineItems"][0]["classifications"] = {"chartOfAccountId": account}
    api.ok("POST", "/bills", body)
    api.control("clerk/archive_account", {"accountId": account})
    assert api.refused(422, "POST", "/bills", body)[0]["code"] == "BDC_1119"
    api.switch(archived_reference="accept")
    api.ok("POST", "/bills", body)
    body["billLineItems"][0]["classifications"] = {"departmentId": "0de01NOSUCH000000000"}
    assert api.refused(422, "POST", "/bills", body)[0]["code"] == "BDC_1205"


@pytest.mark.parametrize("mode", ["off", "per_vendor", "per_org"])
def test_duplicate_bill_numbers_are_a_switch(api: Bill, acme: str, mode: str) -> None:
    """The same number again for the vendor, for another vendor, and twice in one bulk request."""
    api.switch(duplicate_bill_number=mode)
    other = api.ok("POST", "/vendors", vendor("Other"))["id"]
    first = api.ok("POST", "/bills", bill(acme, "D-1"))
    same = api.call("POST", "/bills", bill(acme, "D-1"))
    foreign = api.call("POST", "/bills", bill(other, "D-1"))
    twice = api.call("POST", "/bills/bulk", [bill(acme, "D-2"), bill(acme, "D-2")])
    expected = {"off": (201, 201, 201), "per_vendor": (422, 201, 422), "per_org": (422, 422, 422)}[mode]
    assert (same.status_code, foreign.status_code, twice.status_code) == expected
    if mode != "off":
        assert same.json()[0]["code"] == "BDC_1171"
        assert api.ok("PATCH", f"/bills/{first['id']}", {"description": "own number"})
        api.ok("POST", f"/bills/{first['id']}/archive")
        api.ok("POST", "/bills", bill(acme, "D-1"))


def test_bills_in_bulk_are_bare_arrays_all_or_nothing_and_at_most_a_hundred(api: Bill, acme: str) -> None:
    """The answer keeps the order unless shuffled; one bad bill undoes ninety-nine and is not pointed at."""
    made = api.ok("POST", "/bills/bulk", [bill(acme, f"B-{n}") for n in range(100)])
    assert [b["invoice"]["invoiceNumber"] for b in made] == [f"B-{n}" for n in range(100)]
    api.refused(400, "POST", "/bills/bulk", [bill(acme, f"C-{n}") for n in range(101)])
    wrong = [bill(acme, f"C-{n}") for n in range(4)]
    wrong[2]["invoice"]["invoiceNumber"] = "x" * 30
    errors = api.refused(400, "POST", "/bills/bulk", wrong)
    assert [e["code"] for e in errors] == ["BDC_1143", "BDC_1246", "BDC_1246", "BDC_1246"]
    api.switch(bulk_errors="plain")
    assert [e["code"] for e in api.refused(400, "POST", "/bills/bulk", wrong)] == ["BDC_1143"]
    api.switch(bulk_errors="indexed")
    assert api.refused(400, "POST", "/bills/bulk", wrong)[0]["message"].startswith("[2].")
    assert len(api.control("bills")) == 100


def test_put_deletes_lines_that_are_not_mentioned_and_patch_keeps_them(api: Bill, acme: str) -> None:
    """PATCH changes one line by id; PUT keeps one, adds one and deletes one, and empties what is not mentioned."""
    made = api.ok("POST", "/bills", bill(acme, "P-1", "10.00", "20.00", description="first"))
    one, two = (line["id"] for line in made["billLineItems"])
    patched = api.ok("PATCH", f"/bills/{made['id']}", {"billLineItems": [{"id": two, "amount": Decimal("25.00")}]})
    assert [line["id"] for line in patched["billLineItems"]] == [one, two]
    assert patched["billLineItems"][1]["description"] == "Line 20.00"
    assert patched["amount"] == Decimal("35.00")
    assert patched["description"] == "first"
    body = bill(acme, "P-1", "5.00")
    body["billLineItems"].append({"id": two, "amount": Decimal("7.00")})
    put = api.ok("PUT", f"/bills/{made['id']}", body)
    assert put["amount"] == Decimal("12.00")
    assert one not in [line["id"] for line in put["billLineItems"]]
    assert put["billLineItems"][1] == {"id": two, "amount": Decimal("7.00")}
    assert "description" not in put
    assert api.ok("GET", f"/vendors/{acme}")["balance"]["amount"] == Decimal("12.00")
    api.refused(400, "PATCH", f"/bills/{made['id']}", {"billLineItems": [{"amount": 1}]})
    api.refused(422, "PATCH", f"/bills/{made['id']}", {"billLineItems": [{"id": one, "amount": 1}]})
    api.refused(400, "PUT", f"/bills/{made['id']}", {"description": "x"})


def test_a_paid_bill_cannot_shrink_below_what_was_paid(api: Bill, acme: str) -> None:
    """Editing is allowed down to the paid amount, archiving is refused; both are switches."""
    made = api.ok("POST", "/bills", bill(acme, "E-1", "100.00"))
    api.control("clerk/pay", {"billId": made["id"], "amount": Decimal("60.00"), "to": "PROCESSED"})
    line = made["billLineItems"][0]["id"]

    def change(amount: str) -> dict[str, Any]:
        return {"billLineItems": [{"id": line, "amount": Decimal(amount)}]}

    assert api.refused(422, "PATCH", f"/bills/{made['id']}", change("59.99"))[0]["code"] == "BDC_1159"
    assert api.ok("PATCH", f"/bills/{made['id']}", change("60.00"))["paymentStatus"] == "PAID"
    api.refused(422, "POST", f"/bills/{made['id']}/archive")
    api.switch(edit_paid_bill="refuse", archive_paid_bill="allow")
    api.refused(422, "PATCH", f"/bills/{made['id']}", change("70.00"))
    assert api.ok("POST", f"/bills/{made['id']}/archive")["archived"] is True
    assert api.ok("GET", f"/vendors/{acme}")["balance"]["amount"] == 0


def test_vendor_credits_are_applied_to_bills_no_further_than_they_reach(api: Bill, acme: str) -> None:
    """Create, apply on a bill, apply too much, take back, archive only when free."""
    made = api.ok("POST", "/vendor-credits", credit(acme, "30.00"))
    assert made["status"] == "NOT_APPLIED"
    paper = api.ok("POST", "/bills", {**bill(acme, "V-1"), "vendorCredits": [{"id": made["id"], "amount": 20}]})
    assert (paper["creditAmount"], paper["dueAmount"]) == (Decimal("20.00"), Decimal("80.00"))
    used = api.ok("GET", f"/vendor-credits/{made['id']}")
    assert used["status"] == "PARTIALLY_APPLIED"
    assert used["usage"] == [{"billId": paper["id"], "amount": Decimal("20.00")}]
    again = {**bill(acme, "V-2"), "vendorCredits": [{"id": made["id"], "amount": Decimal("10.01")}]}
    assert api.refused(422, "POST", "/bills", again)[0]["code"] == "BDC_1159"
    api.refused(422, "POST", f"/vendor-credits/{made['id']}/archive")
    api.ok("PATCH", f"/bills/{paper['id']}", {"vendorCredits": []})
    assert api.ok("GET", f"/vendor-credits/{made['id']}")["appliedAmount"] == 0
    assert api.ok("POST", f"/vendor-credits/{made['id']}/archive")["archived"] is True
    many = api.ok("POST", "/vendor-credits/bulk", [credit(acme, "1.00") for _ in range(50)])
    assert len(many["vendorCredits"]) == 50
    api.refused(400, "POST", "/vendor-credits/bulk", [credit(acme, "1.00") for _ in range(51)])
    line = made["vendorCreditLineItems"][0]["id"]
    one = many["vendorCredits"][0]
    assert line != one["vendorCreditLineItems"][0]["id"]
    change = {"vendorCreditLineItems": [{"id": one["vendorCreditLineItems"][0]["id"], "amount": Decimal("2.50")}]}
    assert api.ok("PATCH", f"/vendor-credits/{one['id']}", change)["amount"] == Decimal("2.50")
    assert api.ok("PUT", f"/vendor-credits/{one['id']}", credit(acme, "9.00"))["amount"] == Decimal("9.00")


def test_an_approval_policy_holds_a_bill_until_it_is_approved(api: Bill, acme: str) -> None:
    """A policy for a thousand and more: assigned, not payable, approved, payable; another is denied."""
    user = api.ok("GET", "/login/session")["userId"]
    rules = [{"key": "BILL_AMOUNT", "op": "gte", "values": ["1000"]}]
    policy = {"policyName": "Large", "rules": rules, "approvers": [user]}
    assert api.ok("POST", "/bill-approvals/policies", policy)["status"] == "ACTIVE"
    small = api.ok("POST", "/bills", bill(acme, "S", "999.99"))
    large = api.ok("POST", "/bills", bill(acme, "L", "1000.00", billApprovals=True))
    assert small["approvalStatus"] == "UNASSIGNED"
    assert (large["approvalStatus"], large["approvers"][0]["status"]) == ("ASSIGNED", "WAITING")
    pending = api.ok("GET", "/bill-approvals/pending-user-approvals")["bills"]
    assert [b["billId"] for b in pending] == [large["id"]]
    refused = api.http.post(f"{api.root}/__control/clerk/pay", json={"billId": large["id"]}, timeout=5)
    assert refused.status_code == 400
    action = [{"billId": large["id"], "action": "APPROVE", "comment": ""}]
    assert api.ok("POST", "/bill-approvals/actions", action) == {"status": "SUCCESS"}
    assert api.ok("GET", f"/bills/{large['id']}")["approvalStatus"] == "APPROVED"
    api.control("clerk/pay", {"billId": large["id"]})
    api.control("clerk/deny", {"billIds": [small["id"]]})
    assert api.ok("GET", f"/bills/{small['id']}")["approvalStatus"] == "DENIED"
