"""Login, token, renewal and logout over real sockets."""

from __future__ import annotations

import threading

import pytest

from jdebill_pipelines.domain.tables import F0101
from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.config import AisConfig, AisCredentials, InProcessTokenCache
from jdebill_pipelines.transport.errors import AuthenticationError, NotFound, PermanentError, TransientError
from jdebill_pipelines_tests.jde.fake_ais import PASSWORD, FakeAis, error, running
from jdebill_pipelines_tests.transport.wire import Reply, html


def suppliers(ais: FakeAis, count: int = 3) -> None:
    ais.tables["F0101"] = [
        dict.fromkeys(F0101.columns, "") | {"AN8": 4242 + n, "UPMJ": None, "UPMT": 0} for n in range(count)
    ]


def read(client: AisClient) -> int:
    return sum(len(page) for page in client.browse(F0101))


def test_login_sends_device_environment_and_role_and_headers_follow(ais: FakeAis) -> None:
    """The body carries who and where; every later call carries token and device in headers, never in the URL."""
    suppliers(ais)
    client = ais.client()
    assert read(client) == 3
    (login,) = ais.wire.calls("/v2/tokenrequest")
    assert login.json == {
        "username": "APINT",
        "password": PASSWORD,
        "deviceName": "jdebill-test",
        "environment": "JPY920",
        "role": "*ALL",
    }
    (call,) = ais.wire.calls("/dataservice")
    assert call.headers["jde-ais-auth"] in ais.tokens
    assert call.headers["jde-ais-auth-device"] == "jdebill-test"
    assert call.headers["cookie"] == "JSESSIONID=n1"
    assert client.login().date_format == "dd/MM/yyyy"
    client.close()
    assert ais.tokens == {}
    assert ais.logouts == 1


def test_an_expired_token_is_renewed_once_and_the_read_repeated(ais: FakeAis) -> None:
    """444 in the middle: one login, the same request again."""
    suppliers(ais)
    client = ais.client()
    client.login()
    ais.tokens.clear()
    assert read(client) == 3
    assert ais.logins == 2


def test_a_token_refused_right_after_login_is_final_and_explained(ais: FakeAis) -> None:
    """A token bound to another address or device: no endless logins."""
    suppliers(ais)
    ais.fail("/dataservice", error(444, "Invalid Token"), times=9)
    client = ais.client()
    with pytest.raises(AuthenticationError, match="device name"):
        read(client)
    assert ais.logins == 3


def test_405_at_login_names_allowed_hosts(ais: FakeAis) -> None:
    """Not 'method not allowed', and not tried again."""
    ais.fail("/tokenrequest", Reply(405, b"<html>Method Not Allowed</html>"), times=9)
    with pytest.raises(AuthenticationError, match=r"Allowed Hosts.*CNC|CNC.*Allowed Hosts"):
        ais.client().login()
    assert len(ais.wire.calls("/tokenrequest")) == 1


def test_403_at_login_is_never_repeated(ais: FakeAis) -> None:
    """A wrong password tried again and again locks the user: one client asks once, whatever is called."""
    client = ais.client(password="wrong-password")
    for _ in range(3):
        with pytest.raises(AuthenticationError) as caught:
            read(client)
    assert len(ais.wire.calls("/tokenrequest")) == 1
    assert "wrong-password" not in str(caught.value) + caught.value.body
    assert "locked" in str(caught.value)


def test_403_from_the_data_service_renews_an_old_token_only(ais: FakeAis) -> None:
    """Docs list 403 alone for the data service: an old token gets one renewal, a fresh one means no permission."""
    suppliers(ais)
    now = [1_000_000.0]
    client = ais.client(clock=lambda: now[0])
    client.login()
    ais.fail("/dataservice", error(403, "Not authorized"))
    with pytest.raises(AuthenticationError, match="permission"):
        read(client)
    assert ais.logins == 1
    now[0] += 600
    ais.fail("/dataservice", error(403, "Not authorized"))
    assert read(client) == 3
    assert ais.logins == 2
    now[0] += 600
    ais.fail("/dataservice", error(403, "Not authorized"), times=2)
    with pytest.raises(AuthenticationError):
        read(client)
    assert ais.logins == 3


def test_the_token_is_renewed_before_its_time_to_live(ais: FakeAis) -> None:
    """A busy token dies too: a new login is made shortly before."""
    ais.config["timeToLive"] = "60"
    now = [1_000_000.0]
    client = ais.client(clock=lambda: now[0])
    client.login()
    now[0] += 50 * 60
    client.login()
    assert ais.logins == 1
    now[0] += 9 * 60
    client.login()
    assert ais.logins == 2


def test_threads_share_one_login_and_one_renewal(ais: FakeAis) -> None:
    """Eight threads at once, then an expired token under all of them."""
    suppliers(ais)
    client = ais.client(parallel_calls=4)
    for round_number in (1, 2):
        threads = [threading.Thread(target=read, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ais.logins == round_number
        ais.tokens.clear()
    assert ais.wire.most_in_flight <= 4


def test_a_cache_shares_the_login_between_clients(ais: FakeAis) -> None:
    """Two processes: one login; a token that died is renewed by one and found by the other; close does not end it."""
    suppliers(ais)
    cache = InProcessTokenCache()
    one, two = ais.client(token_cache=cache), ais.client(token_cache=cache)
    assert read(one) == read(two) == 3
    assert ais.logins == 1
    ais.tokens.clear()
    assert read(one) == 3
    assert read(two) == 3
    assert ais.logins == 2
    one.close()
    assert ais.logouts == 0
    other = ais.client(token_cache=cache, environment="JPD920")
    assert read(other) == 3
    assert ais.logins == 3  # a token of another environment is not used
    cache.put("rubbish")
    assert read(ais.client(token_cache=cache)) == 3
    assert ais.logins == 4


def test_a_login_through_the_orchestrator_path_only() -> None:
    """A gateway that exposes /orchestrator/* alone: the second path is tried after a 404."""
    with running() as ais:
        ais.fail("/v2/tokenrequest", Reply(404, b"<html/>"))
        ais.fail("/orchestrator/jde-login", lambda request: ais.login(request))
        assert ais.client().login().token in ais.tokens


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (html(200, "Company login"), PermanentError, "proxy or a login page"),
        (Reply(200, {"userInfo": {}}), AuthenticationError, "no token"),
        (Reply(400, {"message": "Invalid JSON"}), PermanentError, "Invalid JSON"),
        (Reply(415, b""), PermanentError, "login"),
        (Reply(302, b"", {"Location": "https://sso.example/login"}), PermanentError, "sso.example"),
    ],
)
def test_strange_answers_to_a_login(ais: FakeAis, reply: Reply, kind: type[Exception], words: str) -> None:
    """Each is one clear error, made once."""
    ais.fail("/tokenrequest", reply, times=5)
    with pytest.raises(kind, match=words):
        ais.client().login()
    assert len(ais.wire.calls("/tokenrequest")) == 1


def test_a_login_survives_a_restarting_server(ais: FakeAis) -> None:
    """502 as HTML, a reset, 500: tried again with growing waits."""
    waits: list[float] = []
    ais.fail("/tokenrequest", html(502))
    ais.fail("/tokenrequest", Reply(fault="reset"))
    ais.fail("/tokenrequest", error(500, "JAS down"))
    client = ais.client(sleep=waits.append)
    assert client.login().token in ais.tokens
    assert len(waits) == 3
    ais.fail("/tokenrequest", html(503), times=9)
    with pytest.raises(TransientError):
        ais.client().login()


def test_a_wrong_url_is_said_so() -> None:
    """Another path on the right host."""
    with running() as ais:
        client = AisClient(
            AisConfig(url=ais.wire.url + "/other", environment="", role="", device_name="d"), AisCredentials("u", "p")
        )
        with pytest.raises(NotFound, match="/jderest"):
            client.login()


def test_servers_without_the_needed_capabilities_are_refused(ais: FakeAis) -> None:
    """dataservice, outputType and version2services are needed; a server that lists nothing is trusted."""
    ais.config["capabilityList"] = [{"name": "grid"}, {"name": "dataservice"}]
    with pytest.raises(PermanentError, match="outputType, version2services"):
        ais.client().server_info()
    del ais.config["capabilityList"]
    info = ais.client().server_info()
    assert info.can("nextPage")
    assert (info.version, info.time_to_live, info.session_timeout) == ("EnterpriseOne 9.2.8.3", 720.0, 30.0)
    ais.fail("/defaultconfig", error(403, "no"), times=1)
    assert ais.client().server_info().can("nextPage")


def test_logout_failures_do_not_hide_the_work(ais: FakeAis) -> None:
    """Closing never raises, also when the server is gone or the token is dead."""
    client = ais.client()
    client.login()
    ais.tokens.clear()
    client.close()
    client = ais.client()
    client.login()
    ais.fail("/logout", Reply(fault="reset"))
    client.close()
    assert ais.logins == 2
