"""Real receivers of alerts: an HTTP endpoint and a mail server on loopback ports."""

from __future__ import annotations

import email
import email.policy
import json
import socket
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy.engine import Engine

from jdebill_pipelines.config.connection import AlertConfig, Connection
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.receiver.conftest import connection as any_connection

VARIABLE = "ACME_ALERT_URLS"


class Endpoint:
    """Takes JSON posts; answers with ``status``."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.asked = 0
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.asked += 1
                if outer.status == 200:
                    outer.got.append(json.loads(body))
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_address[1]}/token-abcdef/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class MailServer:
    """A mail server that keeps what it is given."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=port)
        self._controller.start()
        self.url = f"mailto://127.0.0.1:{port}?from=jdebill@example.com&to=oncall@example.com&mode=insecure"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep a message."""
        assert isinstance(envelope.content, bytes)
        found = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        self.got.append(found)
        return "250 OK"

    def texts(self) -> list[str]:
        """The plain texts of the messages."""
        parts = (message.get_body(("plain", "html")) for message in self.got)
        return [part.get_content() for part in parts if part is not None]

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An HTTP endpoint."""
    made = Endpoint()
    yield made
    made.stop()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server."""
    made = MailServer()
    yield made
    made.stop()


@pytest.fixture
def store(engine: Engine) -> Store:
    """The database as the connection ``acme`` sees it."""
    return Store(engine, "acme")


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    """A connection whose channels are in ``ACME_ALERT_URLS``."""
    return any_connection(alerts=AlertConfig(urls_env=VARIABLE, window_minutes=60))
