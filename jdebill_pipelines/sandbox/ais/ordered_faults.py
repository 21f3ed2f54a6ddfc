"""How each kind of fault is carried out in AIS.

Belongs here: from an order to what happens before, instead of and after handling. Not here: matching orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jdebill_pipelines.sandbox.ais import orchestration_faults
from jdebill_pipelines.sandbox.ais.answers import AisError, Answer, data_stamp, html_page
from jdebill_pipelines.sandbox.ais.request import Request
from jdebill_pipelines.sandbox.ais.world import AisWorld
from jdebill_pipelines.sandbox.faults import Fault

_PAGES = {"500": "Internal Server Error", "502": "Bad Gateway", "503": "Service Unavailable", "504": "Gateway Timeout"}
# Each also with `_after_commit`: the work is done, and then the answer goes wrong.
_BROKEN = (
    "status",  # status, and json, text or html
    *(f"html_{number}" for number in _PAGES),
    "reset",  # TCP reset
    "timeout",  # seconds of silence, then the end of the connection
)
KINDS = (
    *_BROKEN,
    *(f"{kind}_after_commit" for kind in _BROKEN),
    "444",
    "403",
    "sys_errors",  # title: HTTP 200 whose sysErrors say that nothing was read
    "slow",  # seconds before handling
    "slow_after",  # seconds after handling
    "truncate",  # bytes (half by default): the body breaks off
    "empty",  # HTTP 200 without a body
    "expire_session",  # the caller's token
    "expire_all",  # all tokens
    "expire_cursors",
    "drop_rows",  # rows that the page silently loses
    *orchestration_faults.INSTEAD,
    *orchestration_faults.AFTERWARDS,
)


def unchanged(answer: Answer) -> Answer:
    """The answer as it is."""
    return answer


@dataclass
class Plan:
    """What happens to a request: seconds of waiting before and after, the answer or how it is changed, the end."""

    before: float = 0
    answer: Answer | None = None
    handled: bool = True
    change: Callable[[Answer], Answer] = unchanged
    after: float = 0
    reset: bool = False
    cut: int | None = None


def carry_out(world: AisWorld, request: Request, fault: Fault) -> Plan:
    """Do what must be done to the server and say how the request goes on."""
    kind, options = fault.kind, fault.options
    seconds = float(options.get("seconds", 1))
    if kind.removesuffix("_after_commit") in _BROKEN:
        return _broken(kind.removesuffix("_after_commit"), options, done=kind.endswith("_after_commit"))
    if kind in ("444", "403"):
        message = "Invalid Token" if kind == "444" else "Authorization Failure"
        return Plan(answer=Answer(AisError(0, message).body(world.clock.now()), int(kind)))
    if kind in orchestration_faults.INSTEAD:
        return Plan(answer=orchestration_faults.instead(world, request, kind, options))
    if kind in orchestration_faults.AFTERWARDS:
        return Plan(change=orchestration_faults.afterwards(world, request, kind, options))
    if kind == "sys_errors":
        return Plan(answer=Answer(_sys_errors(world, options)))
    if kind == "slow":
        return Plan(before=seconds)
    if kind == "slow_after":
        return Plan(after=seconds)
    if kind == "truncate":
        return Plan(cut=int(options.get("bytes", 0)))
    if kind == "empty":
        return Plan(answer=Answer(b""))
    if kind == "expire_session":
        world.sessions.end(request.token()[0])
    elif kind == "expire_all":
        world.sessions.expire()
    elif kind == "expire_cursors":
        world.cursors.expire()
    elif kind == "drop_rows":
        world.drop_rows = int(options.get("rows", 1))
    return Plan()


def _broken(kind: str, options: dict[str, Any], *, done: bool) -> Plan:
    if kind in ("reset", "timeout"):
        silence = float(options.get("seconds", 600 if kind == "timeout" else 0))
        return Plan(handled=done, reset=True, after=silence)
    answer = _given(options) if kind == "status" else html_page(int(kind[5:]), _PAGES[kind[5:]])
    return Plan(change=lambda _: answer) if done else Plan(answer=answer)


def _given(options: dict[str, Any]) -> Answer:
    status = int(options.get("status", 500))
    if "json" in options:
        return Answer(options["json"], status)
    if "text" in options:
        return Answer(str(options["text"]).encode(), status, str(options.get("content_type", "text/plain")))
    return html_page(status, str(options.get("html", "Error")))


def _sys_errors(world: AisWorld, options: dict[str, Any]) -> dict[str, Any]:
    title = str(options.get("title", "JAS_MSG346: The query failed on the database."))
    return {
        "stackId": 0,
        "stateId": 0,
        "rid": "",
        "currentApp": "",
        "timeStamp": data_stamp(world.local()),
        "sysErrors": [{"TITLE": title, "DESC": "The request could not be completed."}],
    }
