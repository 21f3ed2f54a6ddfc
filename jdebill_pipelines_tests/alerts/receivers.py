"""Real receivers of alerts on loopback ports: an HTTP endpoint and a mail server."""

from __future__ import annotations

import email
import email.policy
import json
import socket
import threading
from collections.abc import Callable
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Endpoint:
    """Takes JSON posts; answers with ``status``, having done ``meanwhile``."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.asked = 0
        self.status = 200
        self.meanwhile: Callable[[], object] = lambda: None
        self._port = 0
        self.start()
        self.url = f"json://127.0.0.1:{self._port}/token-abcdef/"

    def start(self) -> None:
        """Listen, again on the same port."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.asked += 1
                outer.meanwhile()
                if outer.status == 200:
                    outer.got.append(json.loads(body))
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class MailServer:
    """A mail server that keeps what it is given; ``answer`` is what it says to that."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.answer = "250 OK"
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
        if self.answer.startswith("250"):
            self.got.append(found)
        return self.answer

    def texts(self) -> list[str]:
        """The plain texts of the messages."""
        parts = (message.get_body(("plain", "html")) for message in self.got)
        return [part.get_content() for part in parts if part is not None]

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()
