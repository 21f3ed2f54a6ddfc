"""The BILL simulator as an ASGI application.

Belongs here: HTTP in and out, in the order that BILL checks a call. Not here: rules of any object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from jdebill_pipelines.sandbox.bill import breaking
from jdebill_pipelines.sandbox.bill.clock import stamp
from jdebill_pipelines.sandbox.bill.codec import decode, encode
from jdebill_pipelines.sandbox.bill.control import Control
from jdebill_pipelines.sandbox.bill.errors import Refusal, refusal
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.routes import CONNECT, build_router
from jdebill_pipelines.sandbox.bill.routing import Answer, Call, Route
from jdebill_pipelines.sandbox.bill.webhooks import Webhooks
from jdebill_pipelines.sandbox.connection import reset_connection
from jdebill_pipelines.sandbox.faults import Fault

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LOGIN = f"POST {CONNECT}/login"
CONTROL = "/__control/"


class BillApp:
    """One organization behind HTTP: `/connect/v3`, `/connect-events/v3` and `/__control`."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.router = build_router()
        self.control = Control(organization)
        organization.webhooks = organization.webhooks or Webhooks(organization)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        if scope["path"].startswith(CONTROL):
            body = await _read(receive)
            status, answer = await self.control.answer(scope["method"], scope["path"], scope["query_string"], body)
            await _send(send, status, encode(answer), {})
            return
        await self._api(scope, receive, send)

    async def _api(self, scope: Scope, receive: Receive, send: Send) -> None:
        world = self.organization
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        limits = world.limits  # a reset in between puts new ones in their place
        entered: tuple[str, str] | None = None
        body: bytes | None = None
        fault: Fault | None = None
        try:
            try:
                route, found = self.router.find(scope["method"], scope["path"])
                world.calls[route.name] += 1
                if route.name == LOGIN:
                    body = await _read(receive)
                key = _key(world, route, headers, body)
                if not route.open or route.name == LOGIN:
                    limits.enter(key)
                    entered = key
                    if world.switches.latency_ms:
                        await asyncio.sleep(world.switches.latency_ms / 1000)
                if body is None:
                    body = await _read(receive)
                fault = world.faults.hit(scope["method"], scope["path"], body)
                answer = await self._answer(route, found, scope, headers, body, key[0], fault)
            except Refusal as problem:
                answer = self._refused(problem)
                if body is None:
                    await _read(receive)
            world.statuses[answer.status] += 1
            payload = breaking.encoded(answer)
            if fault is not None and fault.kind == "truncate":
                await _send_half(send, answer.status, payload)
            else:
                await _send(send, answer.status, payload, answer.headers)
        except breaking.Hangup as silence:
            await breaking.hang_up(receive, send, silence.seconds)
        finally:
            if entered is not None:
                limits.leave(entered)

    async def _answer(
        self,
        route: Route,
        found: Mapping[str, str],
        scope: Scope,
        headers: Mapping[str, str],
        body: bytes,
        dev_key: str,
        fault: Fault | None,
    ) -> Answer:
        if fault is not None:
            instead = await breaking.before(self.organization, fault)
            if instead is not None:
                return instead
        answer = self._handle(route, found, scope, headers, body, dev_key)
        return answer if fault is None else breaking.after(fault, answer)

    def _handle(
        self,
        route: Route,
        found: Mapping[str, str],
        scope: Scope,
        headers: Mapping[str, str],
        body: bytes,
        dev_key: str,
    ) -> Answer:
        world = self.organization
        session = None
        if route.open:
            if route.name == LOGIN:
                world.limits.spend(dev_key)
                world.limits.spend_login(dev_key)
        else:
            session = world.sessions.find(headers)
            world.limits.spend(dev_key)
            if route.trusted:
                world.sessions.require_trusted(session)
            if route.permission in world.switches.denied:
                raise refusal(403, "BDC_1145", "Permission denied for this operation.")
        call = Call(
            world,
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            headers,
            body,
            found,
            session,
        )
        return route.handler(call)

    def _refused(self, problem: Refusal) -> Answer:
        world = self.organization
        at = stamp(world.clock.now())
        for element in problem.elements:
            world.codes[element.code or "null"] += 1
        bodies = [element.body(at) for element in problem.elements]
        shaped = {"array": bodies, "object": bodies[0], "wrapped": {"errors": bodies}}[world.switches.error_shape]
        return Answer(shaped, problem.status, problem.headers)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self.organization.webhooks is not None:
                    await self.organization.webhooks.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def build_bill_app(organization: Organization | None = None) -> BillApp:
    """The simulator of one organization (a fresh one by default), to be served by uvicorn on a loopback address."""
    return BillApp(organization or Organization())


def _key(world: Organization, route: Route, headers: Mapping[str, str], body: bytes | None) -> tuple[str, str]:
    if route.name == LOGIN:
        try:
            given = decode(body or b"")
        except msgspec.DecodeError:
            given = None
        given = given if isinstance(given, dict) else {}
        return str(given.get("devKey", "")), str(given.get("organizationId", ""))
    session = world.sessions.open.get(headers.get("sessionid", ""))
    return headers.get("devkey", ""), session.organization_id if session else ""


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


async def _send(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    sent = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
    if body and "Content-Type" not in headers:
        sent.append((b"content-type", b"application/json"))
    if status != 204:
        sent.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


async def _send_half(send: Send, status: int, body: bytes) -> None:
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": breaking.cut_short(body), "more_body": True})
    await asyncio.sleep(0.05)  # let the half reach the socket before the connection is cut
    await reset_connection(send)
