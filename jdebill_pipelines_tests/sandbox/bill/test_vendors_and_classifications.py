"""Vendors, their bank accounts, and classifications in the BILL simulator."""

from __future__ import annotations

import pytest

from jdebill_pipelines_tests.sandbox.bill.caller import Bill, bill, vendor


def test_a_vendor_is_created_with_what_bill_adds_and_without_nulls(api: Bill) -> None:
    """201, an id of 20 characters, derived members; nothing unpopulated; read as it was answered."""
    made = api.ok("POST", "/vendors", vendor(email=None, accountType="BUSINESS", nonsense=1))
    assert made["id"].startswith("009")
    assert len(made["id"]) == 20
    assert made["address"]["countryName"] == "United States"
    assert made["paymentInformation"] == {"payByType": "CHECK", "payBySubType": "NONE"}
    assert made["billCurrency"] == "USD"
    assert made["balance"]["amount"] == 0
    assert not {"email", "phone", "shortName", "nonsense"} & set(made)
    assert made["createdTime"].endswith("+00:00")
    assert api.ok("GET", f"/vendors/{made['id']}") == made


def test_validation_names_every_field_by_its_dotted_path(api: Bill) -> None:
    """Missing name and address lines, a long name, a wrong country, enum and e-mail: 400 without a code."""
    errors = api.refused(400, "POST", "/vendors", {"address": {"country": "USA"}, "email": " ", "accountType": "FIRM"})
    assert all(e["code"] is None and e["category"] == "REQUEST" for e in errors)
    fields = {e["message"].split(":")[0] for e in errors}
    assert fields == {
        "name",
        "email",
        "accountType",
        "address.line1",
        "address.city",
        "address.zipOrPostalCode",
        "address.country",
    }
    assert "address: must not be null" in [e["message"] for e in api.refused(400, "POST", "/vendors", {"name": "A"})]
    for body in (vendor("x" * 101), vendor(shortName="x" * 41), vendor(billCurrency="US"), vendor(name=5)):
        assert api.refused(400, "POST", "/vendors", body)[0]["code"] is None
    api.ok("POST", "/vendors", vendor("x" * 100, shortName="x" * 40))
    api.switch(strict_members=True, backend_limits={"accountNumber": 5})
    assert "nonsense: unknown member" in api.refused(400, "POST", "/vendors", vendor(nonsense=1))[0]["message"]
    assert api.refused(400, "POST", "/vendors", vendor(accountNumber="123456"))[0]["code"] == "BDC_1143"


def test_vendors_in_bulk_are_all_or_nothing_and_at_most_twenty(api: Bill) -> None:
    """A bare array in, a wrapped object out; one bad element undoes all."""
    made = api.ok("POST", "/vendors/bulk", [vendor(f"V{n}") for n in range(20)])
    assert list(made) == ["vendors"]
    assert [v["name"] for v in made["vendors"]] == [f"V{n}" for n in range(20)]
    api.refused(400, "POST", "/vendors/bulk", [vendor(f"W{n}") for n in range(21)])
    api.refused(400, "POST", "/vendors/bulk", {"vendors": [vendor()]})
    errors = api.refused(400, "POST", "/vendors/bulk", [vendor("Good"), {"name": "Bad"}])
    assert [e["code"] for e in errors] == [None, "BDC_1246"]
    assert len(api.control("vendors")) == 20
    api.switch(bulk_order_shuffled=True)
    names = [f"S{n}" for n in range(10)]
    shuffled = [v["name"] for v in api.ok("POST", "/vendors/bulk", [vendor(n) for n in names])["vendors"]]
    assert shuffled != names
    assert sorted(shuffled) == names


def test_a_duplicate_vendor_name_is_refused_only_with_the_switch(api: Bill) -> None:
    """BILL documents no rule; by default two vendors may have one name."""
    api.ok("POST", "/vendors", vendor("Acme"))
    api.ok("POST", "/vendors", vendor("Acme"))
    api.switch(duplicate_vendor_name=False)
    assert api.refused(422, "POST", "/vendors", vendor("acme"))[0]["code"] == "BDC_1171"


def test_patch_merges_and_archive_is_idempotent(api: Bill) -> None:
    """One address line changes, the rest stays; archiving twice is fine; the currency is fixed once a bill exists."""
    made = api.ok("POST", "/vendors", vendor(phone="1"))
    api.control("clock", {"advance_seconds": 5})
    changed = api.ok("PATCH", f"/vendors/{made['id']}", {"address": {"line1": "2 New Street"}, "phone": "2"})
    assert changed["address"] == {**made["address"], "line1": "2 New Street"}
    assert changed["updatedTime"] > made["updatedTime"]
    api.ok("PATCH", f"/vendors/{made['id']}", {"billCurrency": "EUR"})
    api.ok("POST", "/bills", bill(made["id"]))
    api.refused(422, "PATCH", f"/vendors/{made['id']}", {"billCurrency": "USD"})
    for _ in range(2):
        assert api.ok("POST", f"/vendors/{made['id']}/archive")["archived"] is True
    assert api.ok("POST", f"/vendors/{made['id']}/restore")["archived"] is False
    assert api.refused(405, "DELETE", f"/vendors/{made['id']}")


def test_a_vendor_bank_account_is_replaced_by_delete_and_post(api: Bill) -> None:
    """PATCH cannot touch it, a second POST is refused, after DELETE there is none."""
    account = {"nameOnAccount": "Acme", "accountNumber": "123456", "routingNumber": "074000010"}
    made = api.ok("POST", "/vendors", vendor(paymentInformation={"bankAccount": account}))
    path = f"/vendors/{made['id']}/bank-account"
    assert made["paymentInformation"]["payByType"] == "ACH"
    api.ok("PATCH", f"/vendors/{made['id']}", {"paymentInformation": {"bankAccount": {"accountNumber": "9"}}})
    assert api.ok("GET", path) == account
    api.refused(422, "POST", path, account)
    assert api.call("DELETE", path).status_code == 204
    api.refused(404, "GET", path)
    assert api.ok("POST", path, {**account, "accountNumber": "654321"})["accountNumber"] == "654321"


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        ("departments", "departments"),
        ("chart-of-accounts", "chartOfAccounts"),
        ("accounting-classes", "accountingClasses"),
    ],
)
def test_classifications_have_the_same_calls_for_each_kind(api: Bill, kind: str, plural: str) -> None:
    """Create one, create many (at most 50), change, archive one and many, read back."""
    path = f"/classifications/{kind}"
    body = {"name": "Repairs", "description": "d"}
    if kind == "chart-of-accounts":
        body["account"] = {"type": "EXPENSE", "number": "6140"}  # type: ignore[assignment]
    one = api.ok("POST", path, body)
    assert one["name"] == "Repairs"
    assert one["archived"] is False
    many = api.ok("POST", f"{path}/bulk", [{"name": f"N{n}"} for n in range(50)])[plural]
    assert len(many) == 50
    api.refused(400, "POST", f"{path}/bulk", [{"name": f"N{n}"} for n in range(51)])
    assert api.refused(400, "POST", path, {})[0]["message"] == "name: must not be blank"
    assert api.ok("PATCH", f"{path}/{one['id']}", {"description": "e"})["description"] == "e"
    changed = api.ok("PATCH", f"{path}/bulk", [{"id": many[0]["id"], "name": "New"}])[plural]
    assert changed[0]["name"] == "New"
    assert api.ok("POST", f"{path}/{one['id']}/archive")["archived"] is True
    wanted = ",".join(item["id"] for item in many[:2])
    assert all(item["archived"] for item in api.ok("POST", f"{path}/bulk/archive", params={"ids": wanted})[plural])
    assert not any(item["archived"] for item in api.ok("POST", f"{path}/bulk/restore", params={"ids": wanted})[plural])
    rows = api.ok("GET", path, params={"max": 100, "filters": "archived:eq:true"})["results"]
    assert [row["id"] for row in rows] == [one["id"]]
    api.switch(duplicate_classification_name=False)
    assert api.refused(422, "POST", path, {"name": "New"})[0]["code"] == "BDC_1171"
