"""The outbox through real channels: once each, retried alone, never raising, never showing a URL."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import apprise
import pytest
import sqlalchemy as sa

from jdebill_pipelines.alerts.causes import Alert
from jdebill_pipelines.alerts.rendering import Message
from jdebill_pipelines.alerts.sending import Delivered, channels_of, deliver, offer, send
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain.alerts import AlertContent
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.alerts.conftest import VARIABLE
from jdebill_pipelines_tests.alerts.receivers import Endpoint, MailServer
from jdebill_pipelines_tests.receiver.conftest import connection as any_connection


def raise_alert(store: Store, subject: str = "something is wrong", cause: str = "check:a:b") -> bool:
    """Offer an alert."""
    rows = ({"document": "00001-PV-7", "amount": "12.30"},)
    return offer(store, Alert(cause, subject, AlertContent(what="Look.", rows=rows, total=1)), window_minutes=60)


def later(store: Store) -> None:
    """Let the backoff pass."""
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE jdebill.alert_outbox SET not_before = now() WHERE state = 'pending'"))


def test_alert_reaches_an_http_endpoint_and_a_mailbox_once(
    store: Store, connection: Connection, endpoint: Endpoint, mail: MailServer
) -> None:
    """Both channels get subject, sentence and rows; the window opens; what comes within it is counted, not sent."""
    env = {VARIABLE: f"{endpoint.url}, {mail.url}"}
    assert raise_alert(store)
    assert deliver(store, connection, env=env) == Delivered(sent=1)
    assert deliver(store, connection, env=env) == Delivered()
    (post,) = endpoint.got
    assert post["title"] == "[acme] something is wrong"
    assert "document: 00001-PV-7; amount: 12.30" in post["message"]
    (message,) = mail.got
    assert (message["Subject"], message["To"]) == ("[acme] something is wrong", "oncall@example.com")
    assert "document: 00001-PV-7; amount: 12.30" in mail.texts()[0]
    assert not raise_alert(store)
    assert not raise_alert(store)
    assert deliver(store, connection, env=env) == Delivered()
    with store.engine.begin() as tx:
        tx.execute(sa.text("UPDATE jdebill.alert_windows SET until = now()"))
    assert raise_alert(store)
    deliver(store, connection, env=env)
    assert "happened 2 times more" in endpoint.got[1]["message"]
    assert len(endpoint.got) == len(mail.got) == 2


def test_failing_channel_is_tried_again_alone(
    store: Store, connection: Connection, endpoint: Endpoint, mail: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The endpoint answers 500: the mailbox has its alert once, the endpoint gets it when it is back."""
    env = {VARIABLE: f"{endpoint.url} {mail.url}"}
    endpoint.status = 500
    raise_alert(store)
    assert deliver(store, connection, env=env, limit=1) == Delivered(sent=1, failed=1)
    assert (len(mail.got), endpoint.asked) == (1, 1)
    assert deliver(store, connection, env=env) == Delivered(failed=1), "its own retry fails as well, and backs off"
    assert deliver(store, connection, env=env) == Delivered()
    endpoint.status = 200
    later(store)
    assert deliver(store, connection, env=env) == Delivered(sent=1)
    assert (len(mail.got), len(endpoint.got)) == (1, 1)
    assert endpoint.got[0]["title"] == "[acme] something is wrong"
    assert not raise_alert(store), "the window was opened by the channel that worked"
    assert "token-abcdef" not in caplog.text
    assert "token-abcdef" not in str(store.alerts.outbox())


def test_no_window_opens_before_somebody_was_told(store: Store, connection: Connection, endpoint: Endpoint) -> None:
    """With every channel down the alert waits, what comes on top is counted on it, and it is told when one is back."""
    env = {VARIABLE: endpoint.url}
    endpoint.status = 503
    raise_alert(store)
    assert deliver(store, connection, env=env) == Delivered(failed=1)
    assert store.alerts.windows() == []
    assert not raise_alert(store)
    endpoint.status = 200
    later(store)
    assert deliver(store, connection, env=env) == Delivered(sent=1)
    assert "happened once more" in endpoint.got[0]["message"]


def test_what_happens_while_an_alert_is_sent_is_counted(
    store: Store, connection: Connection, endpoint: Endpoint
) -> None:
    """The same cause comes up again between taking an alert and its answer: it is told with the next one."""
    env = {VARIABLE: endpoint.url}
    raise_alert(store)
    raise_alert(store)
    endpoint.meanwhile = lambda: raise_alert(store)
    assert deliver(store, connection, env=env) == Delivered(sent=1)
    assert "happened once more" in endpoint.got[0]["message"]
    assert [window.suppressed for window in store.alerts.windows()] == [1]


def test_mail_server_that_refuses_a_message_is_tried_again_alone(
    store: Store, connection: Connection, endpoint: Endpoint, mail: MailServer
) -> None:
    """The endpoint has its alert once; the mail comes when the server takes it."""
    env = {VARIABLE: f"{endpoint.url} {mail.url}"}
    mail.answer = "451 try again later"
    raise_alert(store)
    assert deliver(store, connection, env=env, limit=1) == Delivered(sent=1, failed=1)
    mail.answer = "250 OK"
    assert deliver(store, connection, env=env) == Delivered(sent=1)
    assert (len(endpoint.got), len(mail.got)) == (1, 1)


def test_long_alert_arrives_whole_where_a_service_takes_less_at_once(
    store: Store, connection: Connection, endpoint: Endpoint
) -> None:
    """Mattermost takes 4000 characters: it comes in pieces, or cut off where the URL says so; named twice it is one."""
    rows = tuple({"document": f"00001-PV-{n}", "reason": f"{n} ".ljust(590, "x")} for n in range(10))
    content = AlertContent(what="Look.", rows=rows, total=10, fix="The last words.", run_id="r1")
    address = endpoint.url.removeprefix("json://").partition("/")[0]
    url = f"mmost://{address}/aaaaaaaaaaaaaaaaaaaaaaaaaa"
    for n, channel in enumerate((f"{url} {url}", f"{url}?overflow=truncate")):
        assert offer(store, Alert(f"x:{n}", "long", content), window_minutes=60)
        assert deliver(store, connection, env={VARIABLE: channel}) == Delivered(sent=1)
    *pieces, cut = [post["text"] for post in endpoint.got]
    assert len(pieces) == 2
    assert "The last words." in pieces[1]
    assert all(sum(f"00001-PV-{n};" in piece for piece in pieces) == 1 for n in range(10))
    assert "The last words." not in cut


def test_alert_is_given_up_loudly(
    store: Store, connection: Connection, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """After its last attempt it is in the list as given up, and in the log."""
    endpoint.status = 500
    raise_alert(store)
    with store.engine.begin() as tx:
        tx.execute(sa.text("UPDATE jdebill.alert_outbox SET attempts = 19"))
    with caplog.at_level(logging.ERROR):
        assert deliver(store, connection, env={VARIABLE: endpoint.url}) == Delivered(failed=1, given_up=1)
    assert "is given up" in caplog.text
    assert store.alerts.outbox()[0]["state"] == "given_up"


def test_retry_for_a_channel_that_is_gone_ends(
    store: Store, connection: Connection, endpoint: Endpoint, mail: MailServer
) -> None:
    """The failing URL was taken out of the variable: its retry is given up, nobody else gets it."""
    endpoint.status = 500
    raise_alert(store)
    deliver(store, connection, env={VARIABLE: f"{endpoint.url} {mail.url}"}, limit=1)
    assert deliver(store, connection, env={VARIABLE: mail.url}) == Delivered(given_up=1)
    assert len(mail.got) == 1


def test_without_a_channel_alerts_wait(store: Store, connection: Connection, endpoint: Endpoint) -> None:
    """No variable, an empty one: nothing is taken and nothing lost."""
    raise_alert(store)
    assert deliver(store, connection, env={}) == Delivered()
    assert deliver(store, connection, env={VARIABLE: "  "}) == Delivered()
    assert channels_of(any_connection(), {}) == []
    assert deliver(store, connection, env={VARIABLE: endpoint.url}) == Delivered(sent=1)


def test_urls_of_the_page_are_channels() -> None:
    """Every kind of channel that docs/alerts.md shows is one that can be sent through."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "alerts.md").read_text("utf-8")
    urls = re.findall(r"\| `([a-z]+://[^`]+)`", page)
    assert len(urls) == 6
    assert [url for url in urls if apprise.Apprise.instantiate(url) is None] == []


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1:1/secret-token/", "nonsense", "foo://bar", "mailto://user:secret-token@127.0.0.1:1"]
)
def test_channel_that_cannot_work_says_why_without_its_secrets(
    url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused connection, no URL, an unknown kind: a reason, no exception, no secret in it or in any log."""
    (channel,) = channels_of(connection, {VARIABLE: url})
    problem = send(channel, Message("t", "x"))
    assert problem
    assert "secret-token" not in problem + caplog.text + repr(channel)
