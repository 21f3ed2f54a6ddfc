"""Tokens over a real socket: what they look like, how long they live, what they are bound to, what is refused."""

from __future__ import annotations

import pytest

from jdebill_pipelines_tests.sandbox.ais.conftest import LOGIN, Ais, browse

CONFIG = "/v2/defaultconfig"
F0010 = browse("F0010", columns="CO")


def test_login_tells_token_and_profile(ais: Ais) -> None:
    """The token has + / =, the profile has the date and decimal format of the user."""
    ais.switch(simple_date_format="dd/MM/yyyy", decimal_format=",", utc_offset_minutes=-300)
    answer = ais.log_in()
    user = answer["userInfo"]
    assert all(mark in user["token"] for mark in "+/=")
    assert (answer["username"], answer["environment"], answer["role"]) == ("JDEBILL", "JDV920", "*ALL")
    assert (user["dateFormat"], user["dateSeperator"], user["simpleDateFormat"]) == ("DME", "/", "dd/MM/yyyy")
    assert (user["decimalFormat"], user["timeZoneOffset"]) == (",", "UTC-05:00")
    assert len(ais.browse("F0010")) == 2


@pytest.mark.parametrize(
    "path", ["/tokenrequest", "/orchestrator/jde-login", "/v2/orchestrator/jde-login", "/v3/orchestrator/jde-login"]
)
def test_every_login_path_gives_a_token(ais: Ais, path: str) -> None:
    """Version 1 and the orchestrator paths log in as well; the v3 token path does not exist."""
    token = ais.ok("POST", path, LOGIN)["userInfo"]["token"]
    ais.headers["jde-AIS-Auth"] = token
    assert len(ais.browse("F0010")) == 2
    assert ais.call("POST", "/v3/tokenrequest", LOGIN).status_code == 404


def test_basic_login_by_headers_alone(ais: Ais) -> None:
    """A Basic header with the auth headers needs no body; it can be switched off."""
    headers = {"jde-AIS-Auth-Environment": "JPY920", "jde-AIS-Auth-Role": "APINT", "jde-AIS-Auth-Device": "dev-7"}
    ais.headers = {}
    auth = (LOGIN["username"], LOGIN["password"])
    answer = ais.ok("POST", "/v2/tokenrequest", headers=headers, auth=auth)
    assert (answer["environment"], answer["role"]) == ("JPY920", "APINT")
    assert ais.ok("GET", "/orchestrator/jde-login", headers=headers, auth=auth)["userInfo"]["token"]
    ais.switch(allow_basic=False)
    ais.refused(403, "POST", "/v2/tokenrequest", headers=headers, auth=auth)


def test_refused_logins(ais: Ais) -> None:
    """Wrong password, user, environment, role or lock is 403; Allowed Hosts is 405; form errors are 400 and 415."""
    for change in ({"password": "x"}, {"username": "NOBODY"}, {"environment": "XX"}, {"role": "CEO"}):
        assert ais.refused(403, "POST", "/v2/tokenrequest", {**LOGIN, **change})["exception"] == "Exception"
    ais.refused(400, "POST", "/v2/tokenrequest", b"{")
    ais.refused(400, "POST", "/v2/tokenrequest", {**LOGIN, "password": 5})
    ais.refused(415, "POST", "/v2/tokenrequest", LOGIN, headers={"Content-Type": "application/x-www-form-urlencoded"})
    ais.refused(415, "POST", "/v2/tokenrequest", LOGIN, headers={"Content-Type": "application/json; charset=utf-8"})
    ais.switch(content_type_charset=True)
    ais.ok("POST", "/v2/tokenrequest", LOGIN, headers={"Content-Type": "application/json; charset=utf-8"})
    ais.switch(locked_users=["JDEBILL"])
    ais.refused(403, "POST", "/v2/tokenrequest", LOGIN)
    ais.switch(locked_users=[], allowed_hosts=False)
    assert "Allowed Hosts" in ais.refused(405, "POST", "/v2/tokenrequest", LOGIN)["message"]


def test_a_token_is_idle_for_so_long_and_lives_for_so_long(ais: Ais) -> None:
    """Use renews the idle time but not the life; afterwards it is 444."""
    ais.switch(idle_seconds=600, life_seconds=1500)
    for _ in range(2):
        ais.control("clock", {"advance_seconds": 590})
        assert len(ais.browse("F0010")) == 2
    ais.control("clock", {"advance_seconds": 590})
    assert ais.refused(444, "POST", "/v2/dataservice", F0010)["message"] == "Invalid Token"
    ais.log_in()
    ais.control("clock", {"advance_seconds": 601})
    ais.refused(444, "POST", "/v2/dataservice", F0010)
    assert ais.control("state")["expired_sessions"] == 2


def test_a_token_is_bound_to_its_device(ais: Ais) -> None:
    """Another device name, or none, is refused; without a name at login the address counts."""
    ais.refused(444, "POST", "/v2/dataservice", F0010, headers={"jde-AIS-Auth-Device": "other"})
    ais.refused(444, "POST", "/v2/dataservice", F0010, headers={"jde-AIS-Auth-Device": ""})
    ais.headers = {}
    ais.log_in(deviceName="")
    assert len(ais.browse("F0010")) == 2


def test_the_token_may_come_in_body_or_query_and_the_data_service_may_say_403(ais: Ais) -> None:
    """Body members and $token work as well as headers; a switch makes the data service answer 403 as documented."""
    token = ais.headers["jde-AIS-Auth"]
    ais.headers = {}
    ais.ok("POST", "/v2/dataservice", {**F0010, "token": token, "deviceName": "test-01"})
    ais.ok("GET", "/v2/dataservice/table/F0010", params={"$token": token, "$device": "test-01"})
    ais.switch(dataservice_invalid_token=403)
    ais.refused(403, "POST", "/v2/dataservice", {**F0010, "token": "x", "deviceName": "test-01"})


def test_a_call_without_session_logs_in_for_itself_and_cannot_page(ais: Ais) -> None:
    """User and password per call make a temporary session that keeps no cursor."""
    ais.headers = {}
    body = browse("F0901", columns="AID", maxPageSize="10", enableNextPageProcessing=True)
    answer = ais.ok("POST", "/v2/dataservice", body, auth=(LOGIN["username"], LOGIN["password"]))
    assert "links" not in answer
    answer = ais.ok("POST", "/v2/dataservice", {**body, "username": "JDEBILL", "password": LOGIN["password"]})
    assert "links" not in answer
    assert ais.control("state")["stateless_logins"] == 2
    ais.refused(444, "POST", "/v2/dataservice", body)


def test_logout_and_validate(ais: Ais) -> None:
    """validate extends the idle time only with touch; after logout the token is 444."""
    token = {"token": ais.headers["jde-AIS-Auth"], "deviceName": "test-01"}
    ais.headers = {}
    ais.control("clock", {"advance_seconds": 1000})
    assert ais.ok("POST", "/v2/tokenrequest/validate", {**token, "touch": True}) == {"isValidSession": True}
    ais.control("clock", {"advance_seconds": 1000})
    assert ais.ok("POST", "/v3/orchestrator/jde-validate-session", token) == {"isValidSession": True}
    ais.control("clock", {"advance_seconds": 900})
    ais.refused(444, "POST", "/v2/tokenrequest/validate", token)
    ais.log_in()
    token["token"] = ais.headers.pop("jde-AIS-Auth")
    assert ais.call("POST", "/v2/tokenrequest/logout", token).status_code == 200
    ais.refused(444, "POST", "/v2/tokenrequest/logout", token)
    ais.refused(400, "POST", "/v2/tokenrequest/logout", {})


def test_default_config_needs_no_login(ais: Ais) -> None:
    """Minutes are text, capabilities are listed, missing ones are told."""
    ais.headers = {}
    config = ais.ok("GET", f"{CONFIG}?requiredCapabilities=dataservice,nextPage")
    assert (config["sessionTimeout"], config["timeToLive"]) == ("30", "720")
    assert config["aisVersion"].startswith("EnterpriseOne 9.2.")
    assert {"dataservice", "outputType", "version2services", "nextPage"} <= {
        c["name"] for c in config["capabilityList"]
    }
    assert config["requiredCapabilityMissing"] is False
    assert ais.ok("GET", f"{CONFIG}?requiredCapabilities=teleport")["requiredCapabilityMissing"] is True
