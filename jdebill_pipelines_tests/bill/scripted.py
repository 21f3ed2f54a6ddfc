"""A small HTTP server on a real socket that answers what a test scripts, independent of the sandbox.

Belongs here: the server. Does not belong here: what BILL would answer, which each test writes down itself.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Reply:
    """What goes back. ``fault`` is ``reset`` or ``hang`` (until the client gives up) in place of an answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None

    def raw(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


def problem(code: str | None, message: str, status: int = 422, **more: Any) -> Reply:
    """An error answer in BILL's usual shape."""
    element = {"timestamp": "2026-05-04T15:20:11.417+00:00", "code": code, "severity": "ERROR"}
    element |= {"category": "DOWNSTREAM", "message": message, "params": {}}
    return Reply(status, [element], **more)


EXPIRED = problem("BDC_1109", "Session is invalid.  Please log in.", 401)


class ScriptedServer:
    """Answers with ``handler``; keeps every request and the most calls in flight."""

    def __init__(self, handler: Callable[[Request], Reply]) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                url = urlsplit(self.path)
                query = {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
                headers = {k.lower(): v for k, v in self.headers.items()}
                request = Request(self.command, url.path, query, headers, self.rfile.read(length))
                with outer.lock:
                    outer.requests.append(request)
                    outer.in_flight += 1
                    outer.most_in_flight = max(outer.most_in_flight, outer.in_flight)
                try:
                    reply = outer.handler(request)
                finally:
                    with outer.lock:
                        outer.in_flight -= 1
                self.send(reply)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def send(self, reply: Reply) -> None:
                if reply.fault == "hang":
                    outer.closing.wait(30)
                if reply.fault:
                    self.close_connection = True
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()
                    return
                body = reply.raw()
                self.send_response(reply.status)
                headers = {"Content-Type": "application/json"} | dict(reply.headers)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 32

            def handle_error(self, request: Any, client_address: Any) -> None:
                return  # connections cut on purpose

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def calls(self, method: str, path_end: str) -> list[Request]:
        """The requests of one method to paths that end so."""
        return [r for r in self.requests if r.method == method and r.path.endswith(path_end)]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@contextmanager
def serving(handler: Callable[[Request], Reply]) -> Iterator[ScriptedServer]:
    """A server for the block."""
    server = ScriptedServer(handler)
    server.start()
    try:
        yield server
    finally:
        server.stop()
