"""One call: session, limits, failures, what is made again and what never is. Scripted servers on real sockets."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest

from jdebill_pipelines.bill.errors import DuplicateNumber, PermissionRefused, UntrustedSession
from jdebill_pipelines.bill.models import BillIn, BillLineIn, Invoice
from jdebill_pipelines.transport.errors import (
    AuthenticationError,
    NotFound,
    PermanentError,
    RateLimited,
    TransientError,
    UnknownOutcome,
)
from jdebill_pipelines_tests.bill.conftest import SESSION, Waits, open_client, scripted
from jdebill_pipelines_tests.bill.scripted import EXPIRED, Reply, Request, problem, serving

VENDOR = {"id": "009ABC", "name": "Acme Supplies"}
BILL = BillIn(
    vendor_id="009ABC",
    due_date=date(2026, 6, 15),
    invoice=Invoice(invoice_number="INV-1", invoice_date=date(2026, 5, 16)),
    bill_line_items=(BillLineIn(amount=Decimal("12.30")),),
)
MADE = {"id": "00nABC", "vendorId": "009ABC", "amount": 12.3, "invoice": {"invoiceNumber": "INV-1"}}
PAGE = Reply(502, b"<html><head><title>502 Bad Gateway</title></head></html>", {"Content-Type": "text/html"})


class Script:
    """Answers one after the other; the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def __call__(self, request: Request) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def test_silent_expiry_costs_one_login_and_nobody_notices(waits: Waits) -> None:
    """A 401 in the middle: one new login, the same call again with the new session; also for a create."""
    with scripted(Script(EXPIRED, Reply(200, VENDOR), EXPIRED, Reply(201, MADE)), waits) as (server, client):
        assert client.vendors.get("009ABC").name == "Acme Supplies"
        assert client.bills.create(BILL).id == "00nABC"
        assert len(server.calls("POST", "/login")) == 3
        assert len(server.calls("POST", "/v3/bills")) == 2
    assert waits.seconds == []


def test_session_that_is_dropped_right_after_the_login(waits: Waits) -> None:
    """The fresh session is dropped before the call arrives: the second one is used, nothing is waited for."""
    with scripted(Script(EXPIRED, EXPIRED, Reply(200, VENDOR)), waits) as (server, client):
        assert client.vendors.get("009ABC").id == "009ABC"
        assert len(server.calls("POST", "/login")) == 3
    assert waits.seconds == []


def test_session_that_is_refused_again_is_an_error(waits: Waits) -> None:
    """Fresh sessions refused as well: given up after the second, no loop of logins."""
    with scripted(Script(EXPIRED), waits) as (server, client):
        with pytest.raises(AuthenticationError, match="BDC_1109"):
            client.vendors.get("009ABC")
        assert len(server.calls("POST", "/login")) == 3


def test_refused_login_says_what_to_do_and_is_not_repeated(waits: Waits) -> None:
    """Wrong password: one login call, however often the client is used, so that the login is not locked."""
    with (
        serving(lambda _: problem("BDC_1101", "User name or password is wrong", 401)) as server,
        open_client(server.url, waits) as client,
    ):
        for _ in range(3):
            with pytest.raises(AuthenticationError, match="set the credentials again") as caught:
                client.vendors.get("009ABC")
            assert "sandbox-password" not in str(caught.value)
        assert len(server.requests) == 1


def test_login_and_calls_carry_what_bill_wants(waits: Waits) -> None:
    """The developer key is in the login's body and in the header of every call; the session is a header."""
    with scripted(lambda _: Reply(200, VENDOR), waits) as (server, client):
        client.vendors.get("009ABC")
        login, call = server.requests
        assert set(login.json) == {"username", "password", "organizationId", "devKey"}
        assert (call.path, call.headers["sessionid"]) == ("/connect/v3/vendors/009ABC", SESSION["sessionId"])
        assert call.headers["devkey"] == "sandbox-dev-key"


def test_concurrency_refusals_wait_shortly_also_for_creates(waits: Waits) -> None:
    """BDC_1322 was refused before execution: the create is sent again after short growing pauses."""
    limit = problem("BDC_1322", "max concurrent requests", 429)
    with scripted(Script(limit, limit, limit, Reply(201, MADE)), waits) as (server, client):
        assert client.bills.create(BILL).id == "00nABC"
        assert len(server.calls("POST", "/v3/bills")) == 4
    assert len(waits.seconds) == 3
    assert max(waits.seconds) < 2
    assert waits.seconds == sorted(waits.seconds)


def test_retry_after_is_honoured(waits: Waits) -> None:
    """A 429 without a code and with Retry-After: as long as it says."""
    throttled = Reply(429, [], {"Retry-After": "7"})
    with scripted(Script(throttled, Reply(200, VENDOR)), waits) as (_, client):
        client.vendors.get("009ABC")
    assert waits.seconds == [7]


def test_used_up_hour_waits_for_the_full_hour_and_stops_everybody(waits: Waits) -> None:
    """BDC_1144: the wait leads beyond the full hour; another call meanwhile is not even sent."""
    hour = problem("BDC_1144", "max requests per hour", 429)
    with scripted(Script(hour, Reply(200, VENDOR)), waits) as (server, client):
        to_the_hour = 3600 - waits.now % 3600
        assert client.patient(0).config is client.config
        with pytest.raises(RateLimited):
            client.patient(0).vendors.get("009ABC")
        sent = len(server.requests)
        with pytest.raises(RateLimited, match="next full hour"):
            client.patient(0).vendors.get("009ABC")
        assert len(server.requests) == sent
        assert client.vendors.get("009ABC").name == "Acme Supplies"
    assert to_the_hour < sum(waits.seconds) < to_the_hour + 30


def test_reads_are_repeated_within_bounds(waits: Waits) -> None:
    """500, a gateway's page and a reset: a read goes on; when it never ends, the error says what BILL said."""
    script = Script(problem("BDC_1001", "system", 500), PAGE, Reply(fault="reset"), Reply(200, VENDOR))
    with scripted(script, waits) as (_, client):
        assert client.vendors.get("009ABC").id == "009ABC"
    assert len(waits.seconds) == 3
    with scripted(Script(PAGE), waits, read_attempts=3) as (server, client):
        with pytest.raises(TransientError, match="a page, '502 Bad Gateway'"):
            client.vendors.get("009ABC")
        assert len(server.calls("GET", "/009ABC")) == 3


@pytest.mark.parametrize(
    "reply",
    [
        problem("BDC_1001", "system error", 500),
        PAGE,
        Reply(fault="reset"),
        Reply(200, b"<html>welcome</html>", {"Content-Type": "text/html"}),
        Reply(200, b'{"id": "00nABC", "vend'),
        Reply(504, b""),
    ],
    ids=["500", "502 page", "reset", "200 page", "cut off", "504 empty"],
)
def test_create_of_unknown_outcome_is_never_sent_again(reply: Reply, waits: Waits) -> None:
    """Whatever came in place of an answer: one call, and an error that says to look it up."""
    with scripted(Script(reply), waits) as (server, client):
        with pytest.raises(UnknownOutcome):
            client.bills.create(BILL)
        with pytest.raises(UnknownOutcome):
            client.bills.create_bulk([BILL])
        assert len(server.calls("POST", "/bills")) == len(server.calls("POST", "/bills/bulk")) == 1
    assert waits.seconds == []


def test_timeout_of_a_create_is_of_unknown_outcome(waits: Waits) -> None:
    """No answer within the read time-out: one call, never again."""
    with scripted(Script(Reply(fault="hang")), waits, read_timeout=0.3) as (server, client):
        with pytest.raises(UnknownOutcome):
            client.bills.create(BILL)
        assert len(server.calls("POST", "/bills")) == 1


def test_writes_that_leave_the_same_state_are_repeated(waits: Waits) -> None:
    """Archiving after a lost answer is sent again: an archived bill stays so."""
    with scripted(Script(Reply(fault="reset"), Reply(200, MADE | {"archived": True})), waits) as (server, client):
        assert client.bills.archive("00nABC").is_archived
        assert len(server.calls("POST", "/00nABC/archive")) == 2


def test_refusals_are_told_apart(waits: Waits) -> None:
    """Duplicate, permission, missing MFA, no such id: classes of their own, none made again."""
    for reply, kind, words in (
        (problem("BDC_1171", "exists"), DuplicateNumber, "look it up"),
        (problem("BDC_1145", "role", 403), PermissionRefused, "Give the integration's user"),
        (problem("BDC_1361", "untrusted session", 403), UntrustedSession, "MFA"),
        (problem("BDC_1205", "no such id", 404), NotFound, "no such object"),
    ):
        with scripted(Script(reply), waits) as (server, client):
            with pytest.raises(kind, match=words):
                client.bills.create(BILL)
            assert len(server.calls("POST", "/bills")) == 1
    assert waits.seconds == []


def test_secrets_are_in_no_error(waits: Waits) -> None:
    """A server that repeats the request in its error: developer key, password and session are blanked out."""

    def echo(request: Request) -> Reply:
        return problem("BDC_1151", f"bad {request.headers['devkey']} {request.headers['sessionid']}", 422)

    with scripted(echo, waits) as (_, client), pytest.raises(PermanentError) as caught:
        client.vendors.get("009ABC")
    error = caught.value
    assert "sandbox-dev-key" not in str(error) + error.body
    assert SESSION["sessionId"] not in str(error) + error.body


def test_eight_threads_share_one_login_and_three_slots(waits: Waits) -> None:
    """However many threads call, three calls are in flight and one login is made."""
    full = threading.Barrier(3)

    def slow(_: Request) -> Reply:
        full.wait(10)  # passes only with three at once
        return Reply(200, VENDOR)

    with scripted(slow, waits) as (server, client):
        with ThreadPoolExecutor(8) as pool:
            names = list(pool.map(lambda _: client.vendors.get("009ABC").name, range(24)))
        assert names == ["Acme Supplies"] * 24
        assert len(server.calls("POST", "/login")) == 1
        assert server.most_in_flight == 3
