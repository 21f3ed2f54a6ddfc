"""Pages, filters and sort of the BILL simulator's lists."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jdebill_pipelines_tests.sandbox.bill.caller import Bill, bill, vendor


def ids_of(api: Bill, path: str, **query: Any) -> list[str]:
    """The ids of a whole list, page by page."""
    found: list[str] = []
    page: str | None = None
    while True:
        answer = api.ok("GET", path, params={**query, **({"page": page} if page else {})})
        found += [row["id"] for row in answer["results"]]
        assert ("prevPage" in answer) == (page is not None)
        page = answer.get("nextPage")
        if page is None:
            return found


def test_pages_cover_a_list_exactly_once_and_max_is_1_to_100(api: Bill) -> None:
    """Twenty by default, the last page has no nextPage, max 0 and 101 are refused, a token keeps its query."""
    made = api.control("seed", {"generate": {"vendors": 45}})["ids"]["vendors"]
    assert len(api.ok("GET", "/vendors")["results"]) == 20
    assert sorted(ids_of(api, "/vendors", max=7)) == sorted(made)
    assert ids_of(api, "/vendors", max=100, sort="name:asc") == ids_of(api, "/vendors", max=13, sort="name:asc")
    for wrong in ("0", "101", "x", "-1"):
        assert api.refused(400, "GET", "/vendors", params={"max": wrong})[0]["code"] is None
    token = api.ok("GET", "/vendors", params={"max": 10})["nextPage"]
    assert api.refused(400, "GET", "/vendors", params={"max": 20, "page": token})[0]["code"] == "BDC_1129"
    assert api.refused(400, "GET", "/vendors", params={"page": "rubbish"})[0]["code"] == "BDC_1129"
    api.switch(paging_query="carried", page_cap=30)
    assert len(api.ok("GET", "/vendors", params={"page": token})["results"]) == 10
    assert len(api.ok("GET", "/vendors", params={"max": 100})["results"]) == 30


def test_a_change_between_two_pages_shifts_a_live_list_but_not_a_snapshot(api: Bill) -> None:
    """One row leaves the filtered list after the first page."""
    api.control("seed", {"generate": {"vendors": 6}})
    query = {"max": 2, "sort": "name:asc", "filters": "archived:eq:false"}
    for stability, rest in (("live", 3), ("snapshot", 4)):
        api.switch(page_stability=stability)
        first = api.ok("GET", "/vendors", params=query)
        gone = first["results"][0]["id"]
        api.ok("POST", f"/vendors/{gone}/archive")
        token, seen = first["nextPage"], 0
        while token:
            answer = api.ok("GET", "/vendors", params={**query, "page": token})
            seen += len(answer["results"])
            token = answer.get("nextPage")
        assert seen == rest
        api.ok("POST", f"/vendors/{gone}/restore")


def test_filters_of_the_contract_work_and_others_are_refused(api: Bill) -> None:
    """Equality, ranges of times, starts-with, in, and header or line classifications."""
    seeded = api.control(
        "seed",
        {
            "accounts": [{"name": "Repairs", "account": {"type": "EXPENSE", "number": "6140"}}],
            "vendors": [vendor("Alpha"), vendor("Beta", billCurrency="EUR"), vendor("Gamma: north, south")],
        },
    )["ids"]
    alpha, beta, gamma = seeded["vendors"]
    account = seeded["accounts"][0]
    line = bill(alpha, "A-1")
    line["billLineItems"][0]["classifications"] = {"chartOfAccountId": account}
    first = api.control("seed", {"bills": [{**line, "createdTime": "2026-05-01T10:00:00.000Z"}]})["ids"]["bills"][0]
    later = {**bill(beta, "B-1"), "createdTime": "2026-05-02T10:00:00.000Z", "dueDate": "2026-07-01"}
    second = api.control("seed", {"bills": [later]})["ids"]["bills"][0]

    def vendors(filters: str) -> list[str]:
        return sorted(ids_of(api, "/vendors", filters=filters))

    def bills(filters: str) -> list[str]:
        return sorted(ids_of(api, "/bills", filters=filters))

    assert vendors("name:sw:Al") == [alpha]
    assert vendors('name:eq:"Gamma: north, south"') == [gamma]
    assert vendors(f'id:in:"{alpha},{beta}"') == sorted([alpha, beta])
    assert vendors("billCurrency:nin:USD") == [beta]
    assert vendors("archived:eq:false,billCurrency:eq:USD") == sorted([alpha, gamma])
    assert bills(f"vendorId:eq:{alpha}") == [first]
    assert bills("invoice.invoiceNumber:eq:B-1") == [second]
    assert bills("dueDate:gte:2026-07-01") == [second]
    assert bills(f"classifications.chartOfAccountId:eq:{account}") == [first]
    assert bills('createdTime:gte:"2026-05-02T10:00:00.000+00:00"') == [second]
    assert bills('createdTime:gt:"2026-05-02T12:00:00.000+02:00"') == []
    assert bills("createdTime:lt:2026-05-02") == [first]
    assert ids_of(api, "/bills", sort="dueDate:desc") == [second, first]
    for path, filters, code in (
        ("/bills", "amount:eq:1", "BDC_1130"),
        ("/bills", f"vendorId:ne:{alpha}", "BDC_1131"),
        ("/bills", "createdTime:gte:2026-05-02T10:00:00.000Z", "BDC_1129"),
        ("/bills", 'createdTime:gte:"2026-05-02T10:00:00.123456Z"', "BDC_1119"),
        ("/vendors", "name:like:Al", "BDC_1131"),
        ("/vendors", "name", "BDC_1129"),
        ("/payments", "billId:eq:x", "BDC_1130"),
        ("/vendors", "archived:eq:no", "BDC_1119"),
    ):
        assert api.refused(400, "GET", path, params={"filters": filters})[0]["code"] == code, filters
    for order in ("amount:asc", "name", "name:up"):
        assert api.refused(400, "GET", "/bills", params={"sort": order})[0]["code"] == "BDC_1129"
    api.switch(invoice_number_filter=False, classification_filters="id_only")
    api.refused(400, "GET", "/bills", params={"filters": "invoice.invoiceNumber:eq:B-1"})
    departments = "/classifications/departments"
    assert api.refused(400, "GET", departments, params={"filters": "name:eq:x"})[0]["code"] == "BDC_1130"


def test_list_rows_may_be_thinner_than_the_object(api: Bill) -> None:
    """With the switch, rows lack lines, short names and additional info, while a GET has them."""
    made = api.ok("POST", "/vendors", vendor(shortName="ACME", additionalInfo={"taxId": "123456789"}))
    paper = api.ok("POST", "/bills", bill(made["id"]))
    assert "shortName" in api.ok("GET", "/vendors")["results"][0]
    api.switch(thin_rows=True)
    row = api.ok("GET", "/vendors")["results"][0]
    assert "shortName" not in row
    assert "additionalInfo" not in row
    assert "billLineItems" not in api.ok("GET", "/bills")["results"][0]
    assert api.ok("GET", f"/vendors/{made['id']}")["additionalInfo"]["taxId"] == "123456789"
    assert api.ok("GET", f"/bills/{paper['id']}")["billLineItems"]
    api.switch(tax_id_masked=True, amounts_as_text=True)
    assert api.ok("GET", f"/vendors/{made['id']}")["additionalInfo"]["taxId"] == "*****6789"
    assert api.ok("GET", f"/bills/{paper['id']}")["amount"] == "100.00"


@pytest.mark.parametrize("order", ["created", "created_desc", "updated", "shuffled", "id"])
def test_the_default_order_is_a_switch(api: Bill, order: str) -> None:
    """Whatever the order, pages cover the list exactly once."""
    wanted = [{**vendor(f"V{n}"), "createdTime": f"2026-05-{n:02d}"} for n in range(1, 10)]
    made = api.control("seed", {"vendors": wanted})["ids"]["vendors"]
    api.switch(default_order=order)
    found = ids_of(api, "/vendors", max=4)
    assert sorted(found) == sorted(made)
    assert (found == sorted(made)) == (order == "id")
    assert (found == made) == (order in {"created", "updated"})


def test_twenty_thousand_bills_are_listed_in_little_time(api: Bill) -> None:
    """A bench must measure its client: two hundred pages in under two seconds of CPU, the caller's included."""
    api.control("seed", {"generate": {"vendors": 20, "bills": 20000}})
    started = time.process_time()
    found = 0
    page: str | None = None
    while True:
        answer = api.call("GET", "/bills", params={"max": 100, **({"page": page} if page else {})})
        head, _, rest = answer.content.partition(b'"results"')
        found += rest.count(b'"vendorName"')
        if b"nextPage" not in head:
            break
        page = head.split(b'"nextPage":"')[1].split(b'"')[0].decode()
    assert found == 20000
    assert time.process_time() - started < 2
