"""The HTTP session over real sockets: connections, bounds, and what every broken one means."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from jdebill_pipelines.transport.errors import PermanentError, TransientError, UnknownOutcome
from jdebill_pipelines.transport.http import HttpConfig, HttpSession
from jdebill_pipelines_tests.transport.wire import Reply, Request, serving

QUICK = HttpConfig(connect_timeout=1, read_timeout=0.3, total_timeout=2)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_calls_share_one_connection_whatever_the_encoding() -> None:
    """Plain, chunked and compressed answers, also errors, leave the connection usable for the next call."""
    replies = iter(
        [
            Reply(200, {"a": 1}),
            Reply(200, {"a": 1}, chunked=True),
            Reply(200, {"a": "x" * 100_000}, compress=True),
            Reply(200, {"a": "x" * 100_000}, compress=True, chunked=True),
            Reply(500, {"a": 1}),
            Reply(204),
            Reply(200, {"a": 2}),
        ]
    )
    with serving(lambda _: next(replies)) as wire:
        session = HttpSession()
        sizes = [len(session.request("POST", wire.url + "/x", json_body=b"{}").body) for _ in range(7)]
        assert sizes == [8, 8, 100_009, 100_009, 8, 0, 8]
        assert wire.connections == 1
        session.close()


def test_json_goes_out_plain_and_compression_is_a_choice() -> None:
    """Content-Type has no charset, the body arrives as it was given, Accept-Encoding follows the configuration."""
    with serving(lambda _: Reply(200, {})) as wire:
        for gzip in (True, False):
            session = HttpSession(HttpConfig(accept_gzip=gzip))
            session.request("POST", wire.url, json_body='{"ü":1.10}'.encode(), headers={"jde-AIS-Auth": "t"})
            session.close()
        first, second = wire.requests
        assert first.body == '{"ü":1.10}'.encode()
        assert first.headers["content-type"] == "application/json"
        assert first.headers["jde-ais-auth"] == "t"
        assert (first.headers["accept-encoding"], second.headers["accept-encoding"]) == ("gzip", "identity")


@pytest.mark.parametrize("write", [False, True])
def test_what_never_left_may_be_sent_again(write: bool) -> None:
    """Nobody listens, or the name is unknown: certain that nothing was executed, even for a write."""
    session = HttpSession(QUICK)
    for url in (f"http://127.0.0.1:{free_port()}/x", "http://no-such-host.invalid/x"):
        with pytest.raises(TransientError) as caught:
            session.request("POST", url, json_body=b"{}", write=write)
        assert caught.value.not_executed
        assert caught.value.fix
        assert url in str(caught.value)


@pytest.mark.parametrize("fault", ["reset", "hang", "cut", "drip"])
def test_a_broken_answer_is_transient_for_reads_and_unknown_for_writes(fault: str) -> None:
    """Reset, time-out, half an answer, an answer that never ends: after a write nobody knows what happened."""
    config = HttpConfig(connect_timeout=1, read_timeout=0.3, total_timeout=0.5)
    with serving(lambda _: Reply(200, {"a": "x" * 5000}, fault=fault)) as wire:
        session = HttpSession(config)
        with pytest.raises(TransientError) as read:
            session.request("POST", wire.url + "/r?token=abc", json_body=b"{}")
        assert not read.value.not_executed
        with pytest.raises(UnknownOutcome) as write:
            session.request("POST", wire.url + "/w?token=abc", json_body=b"{}", write=True)
        assert "look it up" in str(write.value)
        assert "abc" not in str(read.value) + str(write.value)
        assert len(wire.requests) == 2


def test_damaged_compression_names_the_switch() -> None:
    """An answer that says gzip and is not: the message says what to turn off."""
    with serving(lambda _: Reply(200, {"a": 1}, {"Content-Encoding": "gzip"})) as wire:
        session = HttpSession(QUICK)
        with pytest.raises(TransientError, match="accept_gzip: false"):
            session.request("GET", wire.url)


def test_redirects_do_not_take_the_credentials_along() -> None:
    """A redirect is an error that names the target; the target is never called."""
    with serving(lambda _: Reply(200, {})) as other:
        location = {"Location": f"{other.url}/elsewhere?token=abc"}
        with serving(lambda _: Reply(302, b"", location)) as wire:
            session = HttpSession(QUICK)
            with pytest.raises(PermanentError, match="redirects") as caught:
                session.request("GET", wire.url, headers={"jde-AIS-Auth": "secret"})
            assert "elsewhere" in str(caught.value)
            assert "abc" not in str(caught.value)
        assert other.requests == []


def test_an_answer_beyond_the_bound_is_not_read_to_its_end() -> None:
    """A small compressed answer that grows without end is stopped."""
    with serving(lambda _: Reply(200, b"x" * 3_000_000, compress=True)) as wire:
        session = HttpSession(HttpConfig(max_bytes=100_000))
        with pytest.raises(PermanentError, match="larger than 100000 bytes"):
            session.request("GET", wire.url)


def test_a_write_does_not_use_an_idle_connection() -> None:
    """A connection that idled may be closing on the other side; reads use it, writes take a new one."""
    with serving(lambda _: Reply(200, {})) as wire:
        session = HttpSession(HttpConfig(idle_write_seconds=0.0))
        session.request("POST", wire.url, json_body=b"{}")
        session.request("POST", wire.url, json_body=b"{}")
        session.request("POST", wire.url, json_body=b"{}", write=True)
        assert [r.connection for r in wire.requests] == [1, 1, 2]


def test_cookies_come_back_and_netrc_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Load balancers need their cookie; credentials of the machine's user must not be added."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password other-password\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(lambda _: Reply(200, {}, {"Set-Cookie": "JSESSIONID=node1; Path=/"})) as wire:
        session = HttpSession()
        session.request("GET", wire.url)
        session.request("GET", wire.url)
        assert "cookie" not in wire.requests[0].headers
        assert wire.requests[1].headers["cookie"] == "JSESSIONID=node1"
        assert all("authorization" not in r.headers for r in wire.requests)
        session.forget_cookies()
        session.request("GET", wire.url)
        assert "cookie" not in wire.requests[2].headers


def test_threads_share_the_session() -> None:
    """Many threads, few connections, every answer with its own request."""

    def handler(request: Request) -> Reply:
        return Reply(200, request.body)

    with serving(handler) as wire:
        session = HttpSession(HttpConfig(pool_size=4))
        wrong: list[bytes] = []

        def work(n: int) -> None:
            for i in range(20):
                body = b"%d-%d" % (n, i)
                if session.request("POST", wire.url, json_body=body).body != body:
                    wrong.append(body)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(wire.requests) == 80
        assert wire.connections <= 8
