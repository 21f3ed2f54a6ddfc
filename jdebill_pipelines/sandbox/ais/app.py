"""The AIS simulator as an ASGI application.

Belongs here: HTTP in and out, latency, and carrying out the faults that tests order. Not here: any service.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from jdebill_pipelines.sandbox.ais import ordered_faults
from jdebill_pipelines.sandbox.ais.answers import AisError, Answer, RawError, html_page
from jdebill_pipelines.sandbox.ais.codec import encode
from jdebill_pipelines.sandbox.ais.control import Control
from jdebill_pipelines.sandbox.ais.request import Request
from jdebill_pipelines.sandbox.ais.routes import find
from jdebill_pipelines.sandbox.ais.world import AisWorld
from jdebill_pipelines.sandbox.connection import reset_connection

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ROOT = "/jderest"
CONTROL = "/__control/"


class AisApp:
    """One installation behind HTTP: `/jderest` and `/__control`."""

    def __init__(self, world: AisWorld) -> None:
        self.world = world
        self.control = Control(world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        body = await _read(receive)
        if scope["path"].startswith(CONTROL):
            status, answer = self.control.answer(scope["method"], scope["path"], scope["query_string"], body)
            await _send(send, Answer(answer, status))
            return
        await self._api(scope, body, receive, send)

    async def _api(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        world = self.world
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        request = Request(
            scope["method"],
            path.removeprefix(ROOT),
            scope["query_string"].decode("latin-1"),
            {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]},
            body,
            scope["client"][0] if scope.get("client") else "",
        )
        world.in_flight += 1
        world.max_in_flight = max(world.max_in_flight, world.in_flight)
        try:
            if world.switches.latency_ms:
                await asyncio.sleep(world.switches.latency_ms / 1000)
            fault = world.faults.hit(scope["method"], path, body)
            if fault is None:
                await _send(send, self._packed(request, self._handle(path, request)))
                return
            plan = ordered_faults.carry_out(world, request, fault)
            await asyncio.sleep(plan.before)
            answer = plan.answer
            if answer is None and plan.handled:
                answer = plan.change(self._handle(path, request))
            world.drop_rows = 0
            await _pause(receive, plan.after)
            if answer is None or plan.reset:
                await reset_connection(send)
            elif plan.cut is not None:
                await _send_part(send, answer, plan.cut)
            else:
                await _send(send, answer)
        finally:
            world.in_flight -= 1

    def _packed(self, request: Request, answer: Answer) -> Answer:
        """The answer compressed, when the server does so and the caller accepts it."""
        if not self.world.switches.gzip or "gzip" not in request.headers.get("accept-encoding", ""):
            return answer
        payload = gzip.compress(_payload(answer), compresslevel=1, mtime=0)
        return Answer(payload, answer.status, answer.content_type, {**answer.headers, "Content-Encoding": "gzip"})

    def _handle(self, path: str, request: Request) -> Answer:
        world = self.world
        try:
            if not path.startswith(f"{ROOT}/"):
                raise RawError(html_page(404, "Not Found"))
            route, found = find(request.method, request.path)
            world.calls[route.name] += 1
            answer = route.handler(world, request, found)
        except AisError as error:
            answer = Answer(error.body(world.clock.now()), error.status)
        except RawError as error:
            answer = error.answer
        world.statuses[answer.status] += 1
        return answer


def build_ais_app(world: AisWorld | None = None) -> AisApp:
    """The simulator of one installation (empty tables by default), to be served by uvicorn on a loopback address."""
    return AisApp(world or AisWorld())


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(parts)


async def _pause(receive: Receive, seconds: float) -> None:
    """Say nothing until the time is over or the caller has gone."""
    if not seconds:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass


def _start(answer: Answer, length: int) -> MutableMapping[str, Any]:
    headers = [(key.lower().encode(), value.encode()) for key, value in answer.headers.items()]
    if length:
        headers.append((b"content-type", answer.content_type.encode()))
    headers.append((b"content-length", str(length).encode()))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


def _payload(answer: Answer) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else encode(answer.body)


async def _send(send: Send, answer: Answer) -> None:
    payload = _payload(answer)
    await send(_start(answer, len(payload)))
    await send({"type": "http.response.body", "body": payload})


async def _send_part(send: Send, answer: Answer, part: int | None) -> None:
    """Promise the whole body, send the first bytes of it and break off the connection."""
    payload = _payload(answer)
    await send(_start(answer, len(payload)))
    await send({"type": "http.response.body", "body": payload[: part or len(payload) // 2], "more_body": True})
    await asyncio.sleep(0.05)  # lets the bytes leave before the connection ends
    await reset_connection(send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
