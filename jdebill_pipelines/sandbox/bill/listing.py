"""Lists: filters, sort and pages of BILL v3.

Belongs here: the query string of a list and the page it answers with. Not here: which fields a collection offers; each
kind's module says that in its `ListRules`.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from jdebill_pipelines.sandbox.bill.codec import decode, encode
from jdebill_pipelines.sandbox.bill.errors import invalid, refusal
from jdebill_pipelines.sandbox.bill.records import Collection, Record
from jdebill_pipelines.sandbox.bill.switches import Switches

TIME_OPERATORS = frozenset({"gt", "gte", "lt", "lte"})
Read = Callable[[Record], Any]
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::(\d{2})(?:\.(\d{3}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9.]*")


@dataclass(frozen=True)
class Filter:
    """A field that a list may be filtered by."""

    operators: frozenset[str]
    kind: str = "text"  # text, bool, date, time, money
    read: Read | None = None


@dataclass(frozen=True)
class ListRules:
    """What the list of one kind offers."""

    filters: Mapping[str, Filter]
    sorts: Mapping[str, Read | None]
    allowed: Callable[[str, Switches], bool] = field(default=lambda _name, _switches: True)


def on(operators: str, kind: str = "text", read: Read | None = None) -> Filter:
    """A filter with these operators, separated by spaces."""
    return Filter(frozenset(operators.split()), kind, read)


def sorts_by(names: str) -> dict[str, Read | None]:
    """Fields that a list may be sorted by, separated by spaces."""
    return dict.fromkeys(names.split())


TIMES = {"createdTime": Filter(TIME_OPERATORS, "time"), "updatedTime": Filter(TIME_OPERATORS, "time")}


def page_of(collection: Collection, rules: ListRules, query: Mapping[str, Sequence[str]], switches: Switches) -> bytes:
    """The encoded page that a list request asks for.

    Raises:
        Refusal: 400 for `max` outside 1..100, a page token of another query, or a filter or sort that is not offered.
    """
    extra = [name for name in query if name not in {"max", "page", "filters", "sort"}]
    if extra and switches.strict_members:
        raise refusal(400, "BDC_1129", f"Invalid list parameter: {extra[0]}.")
    filters, order = _last(query, "filters"), _last(query, "sort")
    limit = _limit(_last(query, "max"), switches)
    token = _last(query, "page")
    offset = 0
    snapshot: int | None = None
    if token:
        state = _open_token(token)
        if switches.paging_query == "carried":
            filters, order, limit = state["f"], state["s"], state["m"]
        elif (filters, order, limit) != (state["f"], state["s"], state["m"]):
            raise refusal(400, "BDC_1129", "Invalid list parameter: page belongs to another query.")
        offset, snapshot = state["offset"], state.get("v")
    if snapshot is None and switches.page_stability == "snapshot":
        snapshot = collection.version
    found = _found(collection, rules, filters, order, switches, snapshot)
    rows = found[offset : offset + limit]

    def link(at: int) -> str:
        return _token({"offset": at, "m": limit, "f": filters, "s": order, "v": snapshot})

    parts = []
    if offset + limit < len(found):
        parts.append(b'"nextPage":"' + link(offset + limit).encode() + b'"')
    if offset > 0:
        parts.append(b'"prevPage":"' + link(max(0, offset - limit)).encode() + b'"')
    parts.append(b'"results":[' + b",".join([collection.json(record, row=True) for record in rows]) + b"]")
    return b"{" + b",".join(parts) + b"}"


def _found(
    collection: Collection, rules: ListRules, filters: str, order: str, switches: Switches, snapshot: int | None
) -> list[Record]:
    key = (filters, order, snapshot)
    kept = collection.queries.get(key)
    if kept is None and snapshot is not None:
        kept = collection.snapshots.get(key)
    if kept is not None:
        return kept
    tests = [_test(name, op, value, rules, switches) for name, op, value in parse_filters(filters)]
    found = [record for record in collection if all(test(record) for test in tests)]
    _arrange(found, order, rules, switches)
    collection.remember(key, found)
    if snapshot is not None:
        collection.remember_snapshot(key, found)
    return found


def _last(query: Mapping[str, Sequence[str]], name: str) -> str:
    values = query.get(name) or [""]
    return values[-1]


def _limit(value: str, switches: Switches) -> int:
    if not value:
        return switches.default_max
    if not re.fullmatch(r"\d{1,6}", value) or not 1 <= int(value) <= 100:
        raise invalid(["max: must be between 1 and 100"])
    return min(int(value), switches.page_cap)


def _token(state: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(encode(state)).decode().rstrip("=")


def _open_token(token: str) -> dict[str, Any]:
    try:
        state = decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if isinstance(state, dict) and isinstance(state["offset"], int) and state["offset"] >= 0:
            return {"f": state["f"], "s": state["s"], "m": state["m"], "offset": state["offset"], "v": state.get("v")}
    except (binascii.Error, msgspec.DecodeError, UnicodeError, KeyError, ValueError):
        pass
    raise refusal(400, "BDC_1129", "Invalid list parameter: page.")


def parse_filters(text: str) -> list[tuple[str, str, str]]:
    """`field:op:value` triples; commas and colons inside double quotes belong to the value.

    Raises:
        Refusal: 400 `BDC_1129` when the text has another form.
    """
    if not text:
        return []
    found = []
    for clause in re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', text):
        name, _, rest = clause.partition(":")
        operator, colon, value = rest.partition(":")
        quoted = len(value) >= 2 and value[0] == value[-1] == '"'
        inner = value[1:-1] if quoted else value
        if not colon or not _KEY.fullmatch(name) or '"' in inner or (not quoted and ":" in value) or not inner:
            raise refusal(400, "BDC_1129", f"Invalid list parameter: filters ({clause}).")
        found.append((name, operator, inner))
    return found


def _test(name: str, operator: str, text: str, rules: ListRules, switches: Switches) -> Callable[[Record], bool]:
    rule = rules.filters.get(name)
    if rule is None or not rules.allowed(name, switches):
        raise refusal(400, "BDC_1130", f"Invalid filter field: {name}.")
    if operator not in rule.operators:
        raise refusal(400, "BDC_1131", f"Invalid filter operator: {name}:{operator}.")
    read = rule.read or reader(name)
    if operator in {"in", "nin"}:
        wanted = {_value(rule.kind, part.strip(), name) for part in text.split(",")}
        return (
            (lambda record: _any(read(record), wanted.__contains__))
            if operator == "in"
            else (lambda record: not _any(read(record), wanted.__contains__))
        )
    value = _value(rule.kind, text, name)
    compare = _COMPARE[operator]
    if operator == "ne":
        return lambda record: not _any(read(record), lambda found: found == value)
    return lambda record: _any(read(record), lambda found: found is not None and compare(found, value))


def _any(found: Any, test: Callable[[Any], bool]) -> bool:
    return any(test(item) for item in found) if isinstance(found, list) else test(found)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "sw": lambda a, b: str(a).startswith(b),
}


def _value(kind: str, text: str, name: str) -> Any:
    try:
        if kind == "bool":
            return {"true": True, "false": False}[text]
        if kind == "date":
            return dt.date.fromisoformat(text[:10]).isoformat()
        if kind == "money":
            return Decimal(text)
        if kind == "time":
            return parse_time(text)
    except (KeyError, ValueError, InvalidOperation):
        raise refusal(400, "BDC_1119", f"Invalid value for filter field {name}: {text}.") from None
    return text


def parse_time(text: str) -> dt.datetime:
    """A date-time in one of the forms that BILL's filters accept; no zone means UTC.

    Raises:
        ValueError: another form, for instance six digits of a second.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a date-time: {text}")
    day, minute, second, millis, zone = match.groups()
    moment = dt.datetime.fromisoformat(f"{day}T{minute or '00:00'}:{second or '00'}.{millis or '000'}+00:00")
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        shift = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        moment += -shift if zone[0] == "+" else shift
    return moment


def reader(name: str) -> Read:
    """Reads a member by its dotted name; the times come as moments."""
    if name == "createdTime":
        return lambda record: record.created
    if name == "updatedTime":
        return lambda record: record.updated
    parts = name.split(".")

    def read(record: Record) -> Any:
        value: Any = record.body
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    return read


def _arrange(found: list[Record], order: str, rules: ListRules, switches: Switches) -> None:
    if not order:
        _ARRANGE[switches.default_order](found)
        return
    keys: list[tuple[Read, bool]] = []
    for part in order.split(","):
        name, _, direction = part.partition(":")
        if name not in rules.sorts or direction not in {"asc", "desc"}:
            raise refusal(400, "BDC_1129", f"Invalid list parameter: sort ({part}).")
        keys.append((rules.sorts[name] or reader(name), direction == "desc"))
    found.sort(key=lambda record: record.id)
    for read, reverse in reversed(keys):
        found.sort(key=lambda record: _sortable(read(record)), reverse=reverse)


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


_ARRANGE: dict[str, Callable[[list[Record]], None]] = {
    "id": lambda found: found.sort(key=lambda r: r.id),
    "created": lambda found: found.sort(key=lambda r: (r.created, r.id)),
    "created_desc": lambda found: found.sort(key=lambda r: (r.created, r.id), reverse=True),
    "updated": lambda found: found.sort(key=lambda r: (r.updated, r.id)),
    "shuffled": lambda found: found.sort(key=lambda r: zlib.crc32(r.id.encode())),
}
