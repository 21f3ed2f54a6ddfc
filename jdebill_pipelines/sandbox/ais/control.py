"""The control endpoints of the AIS simulator: switches, clock, faults, tables, counters.

Belongs here: what stands under `/__control`, which AIS does not have. Not here: what any of it does to a request.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from jdebill_pipelines.sandbox.ais import clerk
from jdebill_pipelines.sandbox.ais.answers import AisError, iso_stamp
from jdebill_pipelines.sandbox.ais.books import posting
from jdebill_pipelines.sandbox.ais.books.base import Books
from jdebill_pipelines.sandbox.ais.codec import Json, decode
from jdebill_pipelines.sandbox.ais.columns import AUDIT_TIME, Row
from jdebill_pipelines.sandbox.ais.ordered_faults import KINDS
from jdebill_pipelines.sandbox.ais.tables import Table
from jdebill_pipelines.sandbox.ais.values import read_row, read_value
from jdebill_pipelines.sandbox.ais.world import AisWorld

Deed = Callable[[Any], Any]


class Control:
    """Answers `/__control/...`."""

    def __init__(self, world: AisWorld) -> None:
        self._world = world
        self._posts: dict[str, Deed] = {
            "switches": self._switch,
            "clock": self._clock,
            "reset": self._reset,
            "faults": self._add_faults,
            "post": self._post,
            "approve": self._approve,
            "sessions/expire": lambda _: {"expired": world.sessions.expire()},
            "cursors/expire": lambda _: {"expired": world.cursors.expire()},
        }

    def answer(self, method: str, path: str, query: bytes, body: bytes) -> tuple[int, Any]:
        """Status and JSON of one control call; what cannot be done is 400 or 404 with a text in `error`."""
        name = path.removeprefix("/__control/").strip("/")
        try:
            given = decode(body) if body.strip() else {}
            head, _, action = name.partition("/")
            if head == "tables" and action:
                return 200, self._table(method, self._world.tables[action], parse_qs(query.decode()), given)
            if head == "clerk" and method == "POST":
                return 200, clerk.do(self._world, action, _object(given))
            if method == "GET":
                return 200, self._read(name)
            if method == "DELETE" and name == "faults":
                return 200, {"withdrawn": self._world.faults.clear()}
            if method == "POST" and name in self._posts:
                return 200, self._posts[name](given)
            return 404, {"error": f"no control endpoint {method} {name}"}
        except KeyError as error:
            return 404, {"error": f"not known: {error}"}
        except (ValueError, msgspec.DecodeError) as error:
            return 400, {"error": str(error)}
        except AisError as error:
            return 400, {"error": str(error.message)}

    def _read(self, name: str) -> Any:
        world = self._world
        reads: dict[str, Callable[[], Any]] = {
            "state": lambda: state(world),
            "switches": world.switches.values,
            "clock": lambda: {"now": iso_stamp(world.clock.now())},
            "faults": world.faults.figures,
            "tables": world.tables.counts,
        }
        return reads[name]()

    def _table(self, method: str, table: Table, query: dict[str, list[str]], given: Any) -> Any:
        if method == "GET":
            return [shown(table, row) for row in _chosen(table, query)]
        if method == "POST":
            rows = given if isinstance(given, list) else given.get("rows", [given])
            return {"written": [self._upsert(table, row) for row in rows]}
        if method == "DELETE":
            found = _chosen(table, query)
            if isinstance(given, dict) and given:
                found = [
                    row
                    for row in found
                    if all(row.get(k, "") == v for k, v in read_row(table.definition, given).items())
                ]
            for row in list(found):
                table.remove(row)
            return {"deleted": len(found)}
        raise ValueError(f"tables take GET, POST and DELETE, not {method}")

    def _upsert(self, table: Table, given: Any) -> Json:
        """Change a row or insert it; date and time of the update are the sandbox's now unless they are given."""
        if not isinstance(given, dict):
            raise ValueError("a row must be a JSON object")
        definition = table.definition
        read = {item: read_value(definition, item, raw) for item, raw in given.items()}
        row: Row = {**(table.get(*table.key_of(read)) or {}), **read}
        day, time = self._world.stamp_row()
        if "UPMJ" in definition.kinds and "UPMJ" not in given:
            row["UPMJ"] = day
            row.update((item, time) for item in AUDIT_TIME if item in definition.kinds and item not in given)
        row = {item: value for item, value in row.items() if value not in ("", 0)}
        table.put(row)
        return shown(table, row)

    def _switch(self, body: Any) -> Json:
        self._world.switches.change(_object(body))
        return self._world.switches.values()

    def _reset(self, body: Any) -> Json:
        self._world.reset(keep_switches=bool(_object(body).get("keep_switches", False)))
        return {"reset": True}

    def _add_faults(self, body: Any) -> Any:
        orders = body if isinstance(body, list) else [body]
        return [self._world.faults.add(_object(order), KINDS).figures() for order in orders]

    def _post(self, body: Any) -> Any:
        """Post one batch `{"ICUT", "ICU"}`, or every approved one for an empty body."""
        given, books = _object(body), Books(self._world, "CONTROL")
        if not given:
            return posting.post_approved(books)
        return [posting.post(books, str(given["ICUT"]), int(given["ICU"]))]

    def _approve(self, body: Any) -> Any:
        """Approve every pending batch."""
        del body
        books = Books(self._world, "CONTROL")
        pending = [row for row in self._world.tables["F0011"].rows() if not row.get("IST", "")]
        return [books.write("F0011", row, {"IST": "A", "IAPP": "A"}) for row in pending]

    def _clock(self, body: Any) -> Json:
        clock, given = self._world.clock, _object(body)
        unknown = set(given) - {"set", "advance_seconds", "advance_days", "frozen", "real"}
        if unknown:
            raise ValueError(f"clock takes set, advance_seconds, advance_days, frozen, real; not {sorted(unknown)}")
        if given.get("real"):
            clock.real()
        if "set" in given:
            moment = dt.datetime.fromisoformat(str(given["set"]))
            if moment.tzinfo is None:
                raise ValueError("clock: set needs a zone")
            clock.set(moment, frozen=bool(given.get("frozen", False)))
        by = dt.timedelta(days=int(given.get("advance_days", 0)), seconds=float(given.get("advance_seconds", 0)))
        clock.advance(by)
        return {"now": iso_stamp(clock.now())}


def _object(body: Any) -> Json:
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


def _chosen(table: Table, query: dict[str, list[str]]) -> list[Row]:
    wanted = {item: {read_value(table.definition, item, text) for text in texts} for item, texts in query.items()}
    return [
        row
        for row in table.rows()
        if all(row.get(item, table.definition.blank(item)) in values for item, values in wanted.items())
    ]


def shown(table: Table, row: Row) -> Json:
    """A row as the control endpoint shows it: what is not blank, and the whole key."""
    key = {item: row.get(item, table.definition.blank(item)) for item in table.definition.key}
    return {**key, **row}


def state(world: AisWorld) -> Json:
    """Counters since the last reset."""
    sessions = world.sessions
    return {
        "now": iso_stamp(world.clock.now()),
        "calls": dict(world.calls),
        "statuses": {str(status): count for status, count in world.statuses.items()},
        "in_flight": world.in_flight,
        "max_in_flight": world.max_in_flight,
        "logins": sessions.logins,
        "stateless_logins": sessions.stateless_logins,
        "refused_logins": sessions.refused_logins,
        "logouts": sessions.logouts,
        "open_sessions": len(sessions.open),
        "expired_sessions": sessions.expired,
        "open_cursors": len(world.cursors.open),
        "expired_cursors": world.cursors.expired,
        "queries": dict(world.queries),
        "rows_sent": dict(world.rows_sent),
        "written": dict(world.written),
        "faults_fired": dict(world.faults.fired),
        "tables": world.tables.counts(),
    }
