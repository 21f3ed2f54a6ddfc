"""The control endpoints of the BILL simulator: switches, clock, whole objects, seeds, counters.

Belongs here: what stands under `/__control`, which BILL does not have. Not here: the AP clerk's deeds (`clerk`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from jdebill_pipelines.sandbox.bill.breaking import KINDS
from jdebill_pipelines.sandbox.bill.clerk import DEEDS
from jdebill_pipelines.sandbox.bill.clock import stamp
from jdebill_pipelines.sandbox.bill.codec import Json, decode
from jdebill_pipelines.sandbox.bill.errors import Refusal
from jdebill_pipelines.sandbox.bill.listing import parse_time
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.passing import catch_up
from jdebill_pipelines.sandbox.bill.seed import seed

Deed = Callable[[Json], Any]


class Control:
    """Answers `/__control/...`."""

    def __init__(self, organization: Organization) -> None:
        self._world = organization
        self._posts: dict[str, Deed] = {
            "switches": self._switch,
            "faults": lambda body: organization.faults.add(body, KINDS).figures(),
            "clock": self._clock,
            "reset": self._reset,
            "seed": lambda body: seed(organization, body),
            "sessions/expire": lambda _: {"expired": organization.sessions.expire()},
        }

    async def answer(self, method: str, path: str, query: bytes, body: bytes) -> tuple[int, Any]:
        """Status and JSON of one control call; what cannot be done is 400 with a text in `error`."""
        name = path.removeprefix("/__control/").strip("/")
        try:
            if method == "GET":
                return 200, self._read(name, parse_qs(query.decode()))
            given = decode(body) if body.strip() else {}
            if not isinstance(given, dict):
                return 400, {"error": "the body must be a JSON object"}
            head, _, action = name.partition("/")
            if method == "POST" and head == "clerk":
                return 200, DEEDS[action](self._world, given)
            if method == "POST" and name == "webhooks/idle" and self._world.webhooks is not None:
                await self._world.webhooks.idle()
                return 200, self._world.webhooks.figures()
            if name == "faults" and method == "DELETE":
                return 200, {"withdrawn": self._world.faults.clear()}
            if method == "POST" and name in self._posts:
                return 200, self._posts[name](given)
            return 404, {"error": f"no control endpoint {method} {name}"}
        except KeyError as error:
            return 404, {"error": f"not known: {error}"}
        except (ValueError, msgspec.DecodeError) as error:
            return 400, {"error": str(error)}
        except Refusal as problem:
            return 400, {"error": "; ".join(f"{e.code}: {e.message}" for e in problem.elements)}

    def _read(self, name: str, query: dict[str, list[str]]) -> Any:
        if name == "state":
            return state(self._world)
        if name == "switches":
            return self._world.switches.values()
        if name == "faults":
            return self._world.faults.figures()
        if name == "clock":
            return {"now": stamp(self._world.clock.now())}
        head, _, object_id = name.partition("/")
        collection = self._world.collection(head)
        if object_id:
            return collection.shown(collection.records[object_id])
        rows = [collection.shown(record) for record in collection]
        for key, values in query.items():
            rows = [row for row in rows if str(row.get(key)) in values]
        return rows

    def _switch(self, body: Json) -> Json:
        self._world.change_switches(body)
        return self._world.switches.values()

    def _reset(self, body: Json) -> Json:
        self._world.reset(keep_switches=bool(body.get("keep_switches", False)))
        return {"reset": True}

    def _clock(self, body: Json) -> Json:
        clock = self._world.clock
        unknown = set(body) - {"set", "advance_seconds", "advance_days", "frozen", "real"}
        if unknown:
            raise ValueError(f"clock takes set, advance_seconds, advance_days, frozen, real; not {sorted(unknown)}")
        if body.get("real"):
            clock.real()
        if "set" in body:
            clock.set(parse_time(body["set"]), frozen=bool(body.get("frozen", False)))
        seconds = body.get("advance_seconds", 0)
        by = dt.timedelta(days=int(body.get("advance_days", 0)), milliseconds=int(seconds * 1000))
        clock.advance(by)
        return {"now": stamp(clock.now()), "advanced": catch_up(self._world)}


def state(world: Organization) -> Json:
    """Counters since the last reset."""
    return {
        "now": stamp(world.clock.now()),
        "calls": dict(world.calls),
        "statuses": {str(status): count for status, count in world.statuses.items()},
        "codes": dict(world.codes),
        "written": dict(world.written),
        "logins": world.sessions.logins,
        "refused_logins": world.sessions.refused_logins,
        "open_sessions": len(world.sessions.open),
        "expired_sessions": world.sessions.expired,
        **world.limits.figures(),
        "webhooks": world.webhooks.figures() if world.webhooks is not None else {},
        "faults": world.faults.fired,
        "objects": {
            name: len(world.collection(name))
            for name in ("vendors", "bills", "vendor-credits", "payments", "accounts", "departments")
        },
    }
