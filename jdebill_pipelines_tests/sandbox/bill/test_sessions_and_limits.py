"""Who may call the BILL simulator, and how often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

from jdebill_pipelines_tests.sandbox.bill.caller import LOGIN, Bill, vendor


def test_login_answers_a_session_that_works_only_with_its_own_developer_key(anonymous: Bill) -> None:
    """Log in, use the session, use it with another developer key, log out, use it again."""
    assert anonymous.refused(401, "GET", "/bills")[0]["code"] == "BDC_1109"
    answer = anonymous.login()
    assert answer["trusted"] is False
    assert answer["organizationId"] == LOGIN["organizationId"]
    assert anonymous.ok("GET", "/login/session")["userId"] == answer["userId"]
    assert anonymous.refused(401, "GET", "/bills", headers={"devKey": "other"})[0]["code"] == "BDC_1109"
    message = "Session is invalid.  Please log in."
    assert anonymous.call("POST", "/logout").content == b""
    assert anonymous.refused(401, "GET", "/bills")[0]["message"] == message


def test_every_login_problem_has_its_own_code(anonymous: Bill) -> None:
    """A wrong password, key, organization, a locked user, an inactive key, a missing field."""
    assert anonymous.refused(401, "POST", "/login", {**LOGIN, "password": "x"})[0]["code"] == "BDC_1101"
    assert anonymous.refused(401, "POST", "/login", {**LOGIN, "devKey": "x"})[0]["code"] == "BDC_1102"
    assert anonymous.refused(401, "POST", "/login", {**LOGIN, "organizationId": "x"})[0]["code"] == "BDC_1123"
    missing = anonymous.refused(400, "POST", "/login", {k: v for k, v in LOGIN.items() if k != "devKey"})
    assert [(e["code"], e["message"]) for e in missing] == [(None, "devKey: must not be blank")]
    anonymous.switch(locked_users=[LOGIN["username"]])
    assert anonymous.refused(401, "POST", "/login", LOGIN)[0]["code"] == "BDC_1110"
    anonymous.switch(inactive_dev_keys=[LOGIN["devKey"]])
    assert anonymous.refused(401, "POST", "/login", LOGIN)[0]["code"] == "BDC_1103"
    assert anonymous.control("state")["refused_logins"] == 6


def test_a_session_dies_after_35_idle_minutes_and_each_call_slides_the_window(api: Bill) -> None:
    """34 minutes, a call, 34 minutes, a call, then 36 minutes."""
    for _ in range(2):
        api.control("clock", {"advance_seconds": 34 * 60})
        assert api.call("GET", "/bills").status_code == 200
    api.control("clock", {"advance_seconds": 36 * 60})
    assert api.refused(401, "GET", "/bills")[0]["code"] == "BDC_1109"
    api.login()
    api.switch(expired_session_code="BDC_1361", error_shape="wrapped")
    api.control("clock", {"advance_seconds": 36 * 60})
    ended = api.call("GET", "/bills")
    assert ended.status_code == 403
    assert ended.json()["errors"][0]["message"] == "Session has ended."


def test_the_fourth_call_in_flight_is_refused_and_counted(api: Bill) -> None:
    """Eight callers at once against a slow server; never more than three are let in."""
    api.switch(latency_ms=150)

    def one(_: int) -> requests.Response:
        return requests.get(f"{api.root}/connect/v3/bills", headers=api.headers, timeout=20)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    refused = [a for a in answers if a.status_code == 429]
    assert len(refused) >= 1
    assert all(a.json()[0]["code"] == "BDC_1322" for a in refused)
    assert all("Retry-After" not in a.headers for a in refused)
    state = api.control("state")
    assert state["max_in_flight"] == 3
    assert state["refused_concurrency"] == len(refused)
    assert state["in_flight"] == 0


def test_hourly_and_login_quota_renew_with_the_clock_hour(api: Bill) -> None:
    """The quota is used up, the status and Retry-After are switches, the next hour is free again."""
    api.control("clock", {"set": "2026-05-04T15:58:00"})
    api.login()
    api.switch(hourly_quota=3, rate_limit_status=403, retry_after=120)
    assert api.call("GET", "/bills").status_code == 200
    assert api.call("GET", "/bills").status_code == 200
    answer = api.call("GET", "/bills")
    assert answer.status_code == 403
    assert answer.headers["Retry-After"] == "120"
    assert answer.json()[0]["code"] == "BDC_1144"
    assert answer.json()[0]["message"] == "Max number of allowed requests per hour reached: 3."
    api.control("clock", {"advance_seconds": 180})
    assert api.call("GET", "/bills").status_code == 200
    api.switch(hourly_quota=100, login_quota=1)
    api.login()
    assert api.refused(403, "POST", "/login", LOGIN)[0]["code"] == "BDC_1144"


def test_what_does_not_exist_is_404_and_what_is_not_json_is_400(api: Bill) -> None:
    """An unknown path, an unknown id, a broken body, a call the user may not make."""
    assert api.refused(404, "GET", "/session")[0]["code"] == "BDC_1121"
    assert api.refused(404, "GET", "/bills/00n01NOSUCHBILL00000")[0]["code"] == "BDC_1205"
    assert api.refused(400, "POST", "/vendors", b"{")[0]["code"] == "BDC_1122"
    api.switch(denied=["vendors:write"])
    assert api.refused(403, "POST", "/vendors", vendor())[0]["code"] == "BDC_1145"
    assert api.call("GET", "/vendors").status_code == 200
    assert requests.get(f"{api.root}/connect/v3/health", timeout=5).status_code == 200


def test_a_session_becomes_trusted_by_code_or_by_remembered_device(api: Bill) -> None:
    """Wrong code, right code and step-up; the remembered id with its device for 30 days; never a sync token."""
    challenge = api.ok("POST", "/mfa/challenge", {})["challengeId"]
    proof = {"challengeId": challenge, "token": "000000", "device": "d1", "machineName": "m", "rememberMe": True}
    api.refused(400, "POST", "/mfa/challenge/validate", proof)
    assert api.refused(400, "POST", "/mfa/challenge/validate", {**proof, "device": "x" * 49})[0]["code"] == "BDC_1143"
    remember = api.ok("POST", "/mfa/challenge/validate", {**proof, "token": "123456"})["rememberMeId"]
    assert api.login(rememberMeId=remember, device="d2")["trusted"] is False
    assert api.login(rememberMeId=remember, device="d1")["trusted"] is True
    assert api.ok("GET", "/login/session")["mfaStatus"] == "COMPLETE"
    api.control("clock", {"advance_days": 31})
    assert api.login(rememberMeId=remember, device="d1")["trusted"] is False
    api.switch(sync_token_users=[LOGIN["username"]])
    assert api.refused(403, "POST", "/mfa/challenge", {})[0]["code"] == "BDC_1145"
