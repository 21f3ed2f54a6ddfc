"""A server of raw sockets that answers as a test scripts it, faults of the wire included.

Belongs here: reading requests and writing (or not writing) bytes. Does not belong here: what JD Edwards or BILL say.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What goes back.

    ``fault``: ``reset`` (no answer), ``hang`` (no answer until the server stops), ``cut`` (half of the body, then a
    reset), ``drip`` (the body byte by byte until the client leaves).
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None
    compress: bool = False
    chunked: bool = False
    close: bool = False

    @property
    def payload(self) -> bytes:
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return gzip.compress(raw) if self.compress else raw


def html(status: int, text: str = "Bad Gateway") -> Reply:
    """What a proxy or container answers in place of the application."""
    page = f"<html><body><h1>{text}</h1></body></html>".encode()
    return Reply(status, page, {"Content-Type": "text/html"})


class Wire:
    """The server; keeps every request."""

    def __init__(self, handler: Callable[[Request], Reply]) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.connections = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.failures: list[BaseException] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def calls(self, end: str, method: str | None = None) -> list[Request]:
        return [r for r in self.requests if r.path.endswith(end) and method in (None, r.method)]

    def stop(self) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self.lock:
            sockets = list(self._open)
        for item in sockets:
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        if self.failures:
            raise self.failures[0]

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client, number), daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with client, client.makefile("rb") as stream:
                while self._one(client, stream, number):
                    pass
        except (OSError, ValueError):
            pass  # the client left, or the test cut the connection
        finally:
            with self.lock:
                self._open.discard(client)

    def _one(self, client: socket.socket, stream: Any, number: int) -> bool:
        first = stream.readline()
        if not first.strip():
            return False
        method, target, _ = first.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        request = Request(method, target, headers, stream.read(int(headers.get("content-length", 0))), number)
        with self.lock:
            self.requests.append(request)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = self.handler(request)
        except BaseException as error:
            self.failures.append(error)
            raise OSError from error
        finally:
            with self.lock:
                self.in_flight -= 1
        return self._answer(client, reply)

    def _answer(self, client: socket.socket, reply: Reply) -> bool:
        if reply.fault == "hang":
            self.stopping.wait(30)
        if reply.fault in ("hang", "reset"):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        payload = reply.payload
        headers = {"Content-Type": "application/json"} | dict(reply.headers)
        if reply.compress:
            headers["Content-Encoding"] = "gzip"
        headers |= {"Transfer-Encoding": "chunked"} if reply.chunked else {"Content-Length": str(len(payload))}
        head = f"HTTP/1.1 {reply.status} Scripted\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n"
        if reply.fault == "cut":
            client.sendall(head.encode("latin-1") + payload[: len(payload) // 2])
            return False
        if reply.fault == "drip":
            client.sendall(head.encode("latin-1"))
            for byte in payload:
                client.sendall(bytes([byte]))
                if self.stopping.wait(0.02):
                    break
            return False
        if reply.chunked:
            half = len(payload) // 2
            chunks = [payload[:half], payload[half:]]
            payload = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks if c) + b"0\r\n\r\n"
        client.sendall(head.encode("latin-1") + payload)
        return not reply.close


@contextlib.contextmanager
def serving(handler: Callable[[Request], Reply]) -> Iterator[Wire]:
    """A server for the block; an exception in the handler fails the test."""
    wire = Wire(handler)
    try:
        yield wire
    finally:
        wire.stop()
