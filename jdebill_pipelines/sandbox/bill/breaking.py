"""Carrying out the faults that a test ordered: what goes wrong between BILL and its caller.

Belongs here: one function per kind of fault. Not here: which request is hit (`sandbox.faults`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from jdebill_pipelines.sandbox.bill.codec import decode, encode
from jdebill_pipelines.sandbox.bill.errors import refusal
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.routing import Answer
from jdebill_pipelines.sandbox.connection import reset_connection
from jdebill_pipelines.sandbox.faults import Fault

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

AFTER = "_after_commit"
# each of these may also happen after the call was carried out: its name then ends in "_after_commit"
EITHER = ("status", "html_500", "html_502", "html_503", "reset", "timeout")
KINDS = (
    *EITHER,
    *(kind + AFTER for kind in EITHER),
    "slow",
    "bdc_1001",
    "bdc_1144",
    "bdc_1322",
    "expire_session",
    "truncate",
    "empty",
    "drop_rows",
)
TITLES = {500: "500 Internal Server Error", 502: "502 Bad Gateway", 503: "503 Service Unavailable"}
HANGING = 60


class Hangup(Exception):
    """No answer: the connection is to be cut, after so many seconds of silence."""

    def __init__(self, seconds: float = 0) -> None:
        super().__init__("the connection is cut")
        self.seconds = seconds


async def before(world: Organization, fault: Fault) -> Answer | None:
    """What a fault does before the call is carried out; an answer means that it is not.

    Raises:
        Refusal: the fault is an error of BILL's.
        Hangup: there is no answer at all.
    """
    kind = fault.kind
    if kind == "slow":
        await asyncio.sleep(float(fault.options.get("seconds", 1)))
    elif kind == "expire_session":
        world.sessions.expire()
    elif kind == "bdc_1001":
        raise refusal(500, "BDC_1001", "System error.")
    elif kind == "bdc_1322":
        text = "Max number of concurrent requests per organization reached."
        raise refusal(world.switches.rate_limit_status, "BDC_1322", text)
    elif kind == "bdc_1144":
        text = f"Max number of allowed requests per hour reached: {world.switches.hourly_quota}."
        raise refusal(world.switches.rate_limit_status, "BDC_1144", text)
    elif kind in EITHER:
        return _instead(fault, kind)
    return None


def after(fault: Fault, answer: Answer) -> Answer:
    """What a fault makes of the answer of a call that was carried out.

    Raises:
        Refusal: the fault is an error of BILL's.
        Hangup: there is no answer at all.
    """
    if fault.kind.endswith(AFTER):
        return _instead(fault, fault.kind.removesuffix(AFTER))
    if fault.kind == "empty":
        return Answer(b"", answer.status)
    if fault.kind == "drop_rows":
        body = decode(answer.body) if isinstance(answer.body, bytes) else answer.body
        return Answer(_fewer(body, int(fault.options.get("rows", 1))), answer.status)
    return answer


def _instead(fault: Fault, kind: str) -> Answer:
    if kind == "reset":
        raise Hangup
    if kind == "timeout":
        raise Hangup(float(fault.options.get("seconds", HANGING)))
    if kind == "status":
        status = int(fault.options.get("status", 500))
        code, message = fault.options.get("code", "BDC_1001"), fault.options.get("message", "System error.")
        raise refusal(status, code, message)
    status = int(kind.removeprefix("html_"))
    title = TITLES[status]
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
    return Answer(page.encode(), status, {"Content-Type": "text/html"})


def _fewer(body: Any, count: int) -> Any:
    if isinstance(body, list):
        return body[: max(0, len(body) - count)]
    if isinstance(body, dict):
        return {key: _fewer(value, count) if isinstance(value, list) else value for key, value in body.items()}
    return body


async def hang_up(receive: Receive, send: Send, seconds: float) -> None:
    """Say nothing until the caller has gone or the time is over, then cut the connection."""
    if seconds:
        try:
            async with asyncio.timeout(seconds):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            pass
    await reset_connection(send)


def cut_short(body: bytes) -> bytes:
    """The first half of an answer; `truncate` sends it under the length of the whole."""
    return body[: len(body) // 2]


def encoded(answer: Answer) -> bytes:
    """The bytes of an answer's body."""
    if answer.body is None:
        return b""
    return answer.body if isinstance(answer.body, bytes) else encode(answer.body)
