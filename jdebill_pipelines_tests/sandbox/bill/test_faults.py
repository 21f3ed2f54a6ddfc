"""Faults between BILL and its caller, as a test orders them."""

from __future__ import annotations

from decimal import Decimal

import pytest
import requests

from jdebill_pipelines_tests.sandbox.bill.caller import Bill, bill, vendor, wait_until


@pytest.fixture
def acme(api: Bill) -> str:
    """The id of a vendor."""
    return str(api.ok("POST", "/vendors", vendor("Acme"))["id"])


@pytest.mark.parametrize("fault", ["reset", "timeout", "status", "html_502"])
@pytest.mark.parametrize("after_commit", [False, True])
def test_a_write_may_or_may_not_have_happened(api: Bill, acme: str, fault: str, after_commit: bool) -> None:
    """The same symptom with and without a bill behind it; the next call is fine and the slot is free."""
    name = fault + ("_after_commit" if after_commit else "")
    api.control("faults", {"fault": name, "route": "/bills$", "method": "POST", "status": 503})
    headers = {**api.headers, "Content-Type": "application/json"}
    url = f"{api.root}/connect/v3/bills"
    body = bill(acme, "F-1")
    body["billLineItems"] = [{"amount": 1}]
    if fault in {"status", "html_502"}:
        answer = requests.post(url, json=body, headers=headers, timeout=5)
        assert answer.status_code == (503 if fault == "status" else 502)
        assert answer.headers["Content-Type"].startswith("text/html" if fault == "html_502" else "application/json")
    else:
        with pytest.raises((requests.ConnectionError, requests.ReadTimeout)):
            requests.post(url, json=body, headers=headers, timeout=0.3)
    assert len(api.control("bills")) == after_commit
    wait_until(lambda: api.control("state")["in_flight"] == 0)
    assert api.call("POST", "/bills", bill(acme, "F-2")).status_code == 201
    assert api.control("state")["faults"] == {name: 1}


def test_faults_hit_the_requests_they_name_after_so_many_and_so_often(api: Bill, acme: str) -> None:
    """By route, by body, later and repeatedly; withdrawn faults hit nothing."""
    api.control("faults", {"fault": "bdc_1322", "route": "/bills$", "method": "GET", "after": 1, "times": 2})
    statuses = [api.call("GET", "/bills").status_code for _ in range(4)]
    assert statuses == [200, 429, 429, 200]
    api.control("faults", {"fault": "bdc_1001", "method": "POST", "body": "BAD-1", "times": 0})
    assert api.refused(500, "POST", "/bills", bill(acme, "BAD-1"))[0]["code"] == "BDC_1001"
    assert api.call("POST", "/bills", bill(acme, "GOOD-1")).status_code == 201
    assert api.control("faults", method="GET")[1]["hits"] == 1
    assert api.control("faults", method="DELETE") == {"withdrawn": 2}
    assert api.call("POST", "/bills", bill(acme, "BAD-1")).status_code == 201
    api.control("faults", {"fault": "expire_session", "route": "/vendors"})
    assert api.refused(401, "GET", "/vendors")[0]["code"] == "BDC_1109"
    answer = api.http.post(f"{api.root}/__control/faults", json={"fault": "rest"}, timeout=5)
    assert answer.status_code == 400


def test_answers_can_be_slow_short_empty_or_incomplete(api: Bill, acme: str) -> None:
    """Half a body, no body, a bulk answer that lacks an element, a late answer."""
    api.control("faults", {"fault": "truncate", "route": "/vendors$"})
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        api.call("GET", "/vendors")
    api.control("faults", {"fault": "empty", "route": "/vendors$"})
    assert api.call("GET", "/vendors").content == b""
    api.control("faults", {"fault": "drop_rows", "route": "/bills/bulk$", "rows": 1})
    assert len(api.ok("POST", "/bills/bulk", [bill(acme, f"D-{n}") for n in range(3)])) == 2
    assert len(api.control("bills")) == 3
    api.control("faults", {"fault": "slow", "route": "/vendors$", "seconds": Decimal("0.2")})
    answer = api.call("GET", "/vendors")
    assert (answer.status_code, answer.elapsed.total_seconds() >= 0.2) == (200, True)
