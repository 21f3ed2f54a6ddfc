"""`jdebill alerts`: a test alert through real sockets, and the list of what was sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from jdebill_pipelines.alerts.causes import Alert
from jdebill_pipelines.alerts.sending import deliver, offer
from jdebill_pipelines.config.connection import load_connection
from jdebill_pipelines.domain.alerts import AlertContent
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.alerts.conftest import VARIABLE
from jdebill_pipelines_tests.alerts.receivers import Endpoint, MailServer
from jdebill_pipelines_tests.support.commands import Command


@pytest.fixture(autouse=True)
def file(home: Path) -> Path:
    """The connection's file, with its channels named."""
    path = home / "connections" / "acme.yaml"
    path.write_text(f"{path.read_text('utf-8')}alerts: {{urls_env: {VARIABLE}}}\n", "utf-8")
    return path


def test_a_test_alert_goes_through_every_channel(
    jdebill: Command, endpoint: Endpoint, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both get it, exit code 0; it says who sent it and where the links lead, and no URL is printed. No database."""
    monkeypatch.setenv(VARIABLE, f"{endpoint.url}, {mail.url}")
    monkeypatch.setenv("JDEBILL_UI_URL", "https://dagster.example.com/")
    said = jdebill("alerts", "test", "acme")
    assert (said.code, said.out.count("yes")) == (0, 2)
    (post,), (message,) = endpoint.got, mail.got
    assert post["title"] == message["Subject"] == "[acme] test alert"
    for text in (post["message"], mail.texts()[0]):
        assert "This is a test: alerts of this connection arrive here." in text
        assert "Dagster: https://dagster.example.com" in text.splitlines()
    assert "token-abcdef" not in said.out + said.err


def test_a_channel_that_fails_is_named(
    jdebill: Command, endpoint: Endpoint, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint answers 500: the mail is sent all the same; exit code 3, and the problem without its secrets."""
    monkeypatch.setenv(VARIABLE, f"{endpoint.url} {mail.url}")
    endpoint.status = 500
    said = jdebill("alerts", "test", "acme", "--json")
    assert said.code == 3
    first, second = said.json
    assert (first["channel"], first["sent"], "500" in first["problem"]) == ("1 (json)", False, True)
    assert second == {"channel": "2 (mailto)", "sent": True, "problem": ""}
    assert len(mail.got) == 1
    assert "token-abcdef" not in said.out + said.err


def test_without_a_channel_it_says_what_to_set(jdebill: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable, no variable in the file: exit code 2 and the name of what is missing."""
    monkeypatch.delenv(VARIABLE, raising=False)
    said = jdebill("alerts", "test", "acme")
    assert (said.code, f"{VARIABLE} is empty" in said.err) == (2, True)
    file.write_text(file.read_text("utf-8").replace(f"alerts: {{urls_env: {VARIABLE}}}\n", ""), "utf-8")
    said = jdebill("alerts", "test", "acme")
    assert (said.code, "alerts.urls_env is not set" in said.err) == (2, True)


def test_the_list_tells_what_went_out_and_what_did_not(
    jdebill: Command, database: str, store: Store, file: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing yet; one sent; one that nobody could be reached with: exit code 1 and its problem."""
    assert jdebill("alerts", "list", "acme").code == 0
    connection, env = load_connection(file), {VARIABLE: endpoint.url}
    for n, (status, code) in enumerate(((200, 0), (500, 1))):
        endpoint.status = status
        offer(store, Alert(f"check:{n}", f"subject {n}", AlertContent(what="Look.")), window_minutes=60)
        deliver(store, connection, env=env)
        assert jdebill("alerts", "list", "acme").code == code
    said = jdebill("alerts", "list", "acme", "--json")
    failed, sent = said.json
    assert (sent["subject"], sent["state"], sent["attempts"], sent["last_error"]) == ("subject 0", "sent", 1, "")
    assert (failed["subject"], failed["state"], "500" in failed["last_error"]) == ("subject 1", "pending", True)
    assert "token-abcdef" not in said.out + jdebill("alerts", "list", "acme").out
