"""Queries of the data service: conditions, nesting, and which rows to look at first.

Belongs here: the query object of a request. Not here: literals (``literals``), columns and order of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jdebill_pipelines.sandbox.ais.answers import AisError
from jdebill_pipelines.sandbox.ais.columns import BUSINESS_UNITS, Kind, Row, TableDef, Value
from jdebill_pipelines.sandbox.ais.literals import Literals, NeverTrue
from jdebill_pipelines.sandbox.ais.tables import Table, comparable

Test = Callable[[Row], bool]
_VALUES = {
    **dict.fromkeys(("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"), 1),
    **dict.fromkeys(("STR_START_WITH", "STR_END_WITH", "STR_CONTAIN"), 1),
    **dict.fromkeys(("STR_BLANK", "STR_NOT_BLANK"), 0),
    "BETWEEN": 2,
    "LIST": -1,
}
_QUERY_MEMBERS = {"autoFind", "autoClear", "matchType", "condition", "complexQuery"}
Source = Callable[[Table], "Sequence[Row] | None"]


@dataclass(frozen=True)
class Span:
    """Values of a column from `low` to `high`, both included; None is open."""

    item: str
    low: Any
    high: Any

    def meet(self, other: Span) -> Span:
        """What both hold of the same column."""
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Span(self.item, max(lows, default=None), min(highs, default=None))


@dataclass(frozen=True)
class Filter:
    """A test of a row, and a way to find candidates by index (None: all rows must be looked at).

    Whatever passes the test is within `span`, where there is one.
    """

    test: Test
    source: Source
    span: Span | None = None


def no_index(_: Table) -> None:
    """All rows must be looked at."""
    return


NOTHING = Filter(lambda _: False, lambda _: [])


def resolve(definition: TableDef, control: Any) -> str:
    """The data item of a control id `F0411.AN8` or `AN8`.

    Raises:
        AisError: 400 when it is not text, 500 when the table has no such column.
    """
    if not isinstance(control, str):
        raise AisError(400, "Invalid JSON: a column must be a string")
    table, mark, item = control.rpartition(".")
    if (mark and table != definition.name) or item not in definition.kinds:
        raise AisError(500, f"Invalid column {control} for {definition.name}")
    return item


def read_query(definition: TableDef, query: Any, literals: Literals, list_limit: int | None) -> Filter | None:
    """The filter of a query object; None for no condition at all.

    Raises:
        AisError: 400 or 500, as `_Reader` finds it.
    """
    return None if query is None else _Reader(definition, literals, list_limit).group(query)


class _Reader:
    def __init__(self, definition: TableDef, literals: Literals, list_limit: int | None) -> None:
        self._definition = definition
        self._literals = literals
        self._list_limit = list_limit

    def group(self, query: Any) -> Filter | None:
        if not isinstance(query, dict):
            raise AisError(400, "Invalid JSON: query must be an object")
        unknown = set(query) - _QUERY_MEMBERS
        if unknown:
            raise AisError(400, f"Invalid JSON: unrecognized field {sorted(unknown)[0]} in query")
        match = query.get("matchType") or "MATCH_ALL"
        if match not in ("MATCH_ALL", "MATCH_ANY"):
            raise AisError(400, f"Invalid JSON: unknown matchType {match}")
        found = [self._condition(given) for given in _list(query.get("condition"), "condition")]
        whole = _join(found, every=match == "MATCH_ALL")
        for part in _list(query.get("complexQuery"), "complexQuery"):
            if not isinstance(part, dict) or part.get("andOr", "AND") not in ("AND", "OR"):
                raise AisError(400, "Invalid JSON: complexQuery needs andOr AND or OR, and a query")
            inner = self.group(part.get("query"))
            if inner is not None:
                every = part.get("andOr", "AND") == "AND"
                whole = inner if whole is None else _join([whole, inner], every=every)
        return whole

    def _condition(self, given: Any) -> Filter:
        if not isinstance(given, dict):
            raise AisError(400, "Invalid JSON: a condition must be an object")
        operator = given.get("operator")
        if operator not in _VALUES:
            raise AisError(400, f"Invalid JSON: unknown operator {operator}")
        item = resolve(self._definition, given.get("controlId"))
        values = _list(given.get("value"), "value")
        wanted = _VALUES[operator]
        if len(values) != wanted and not (wanted < 0 and values):
            raise AisError(
                500, f"{operator} on {item} takes {wanted if wanted >= 0 else 'some'} values, not {len(values)}"
            )
        if operator == "LIST" and self._list_limit is not None and len(values) > self._list_limit:
            raise AisError(500, f"LIST on {item} has {len(values)} values, the limit is {self._list_limit}")
        kind = self._definition.kinds[item]
        if operator.startswith("STR_"):
            if kind is not Kind.TEXT:
                raise AisError(500, f"{operator} is for string columns, {item} is not one")
            return _text_filter(item, operator, _contents(values))
        try:
            read = [self._literals.value(item, kind, *_value(value)) for value in values]
        except NeverTrue:
            return NOTHING
        return _compare_filter(item, operator, read, self._definition.blank(item))


def _list(value: Any, member: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise AisError(400, f"Invalid JSON: {member} must be an array")
    return value


def _value(given: Any) -> tuple[str, str]:
    if not isinstance(given, dict) or set(given) - {"content", "specialValueId"}:
        raise AisError(400, "Invalid JSON: a value must have content and specialValueId")
    content, special = given.get("content", ""), given.get("specialValueId", "LITERAL")
    if not isinstance(content, str) or not isinstance(special, str):
        raise AisError(400, "Invalid JSON: content and specialValueId must be strings")
    return content, special


def _contents(values: list[Any]) -> list[str]:
    return [_value(value)[0] for value in values]


def _text_filter(item: str, operator: str, contents: list[str]) -> Filter:
    if operator == "STR_BLANK":
        return Filter(lambda row: not row.get(item, ""), lambda table: table.with_value(item, ""))
    if operator == "STR_NOT_BLANK":
        return Filter(lambda row: bool(row.get(item, "")), no_index)
    text = contents[0].strip()
    tests: dict[str, Test] = {
        "STR_START_WITH": lambda row: str(row.get(item, "")).startswith(text),
        "STR_END_WITH": lambda row: str(row.get(item, "")).endswith(text),
        "STR_CONTAIN": lambda row: text in str(row.get(item, "")),
    }
    return Filter(tests[operator], no_index)


def _compare_filter(item: str, operator: str, values: list[Value], blank: Value) -> Filter:
    if operator in ("EQUAL", "LIST"):
        # A business unit is compared padded and kept trimmed.
        wanted = {str(v).strip() if item in BUSINESS_UNITS else v for v in values}
        return Filter(lambda row: row.get(item, blank) in wanted, lambda table: _of_values(table, item, wanted))
    first: Any = values[0]
    if operator == "NOT_EQUAL":
        return Filter(lambda row: comparable(item, row.get(item, blank)) != first, no_index)
    last: Any = values[-1]
    tests: dict[str, Callable[[Any], bool]] = {
        "BETWEEN": lambda v: first <= v <= last,
        "LESS": lambda v: v < first,
        "LESS_EQUAL": lambda v: v <= first,
        "GREATER": lambda v: v > first,
        "GREATER_EQUAL": lambda v: v >= first,
    }
    test = tests[operator]
    low = None if operator.startswith("LESS") else first
    high = None if operator.startswith("GREATER") else last
    return Filter(
        lambda row: test(comparable(item, row.get(item, blank))),
        lambda table: table.between(item, low, high),
        Span(item, low, high),
    )


def _of_values(table: Table, item: str, wanted: Iterable[Value]) -> list[Row]:
    return [row for value in wanted for row in table.with_value(item, value)]


def _join(filters: list[Filter], *, every: bool) -> Filter | None:
    if not filters:
        return None
    if len(filters) == 1:
        return filters[0]
    tests = [f.test for f in filters]
    sources = [f.source for f in filters]
    if every:
        spans: dict[str, Span] = {}
        for span in (f.span for f in filters if f.span is not None):
            spans[span.item] = span.meet(spans[span.item]) if span.item in spans else span
        ranges = [_within(span) for span in spans.values()]
        return Filter(
            lambda row: all(test(row) for test in tests),
            lambda table: _smallest(table, [*ranges, *sources]),
            next(iter(spans.values()), None),
        )
    return Filter(lambda row: any(test(row) for test in tests), lambda table: _union(table, sources))


def _within(span: Span) -> Source:
    return lambda table: table.between(span.item, span.low, span.high)


def _smallest(table: Table, sources: list[Source]) -> Sequence[Row] | None:
    found = [rows for rows in (source(table) for source in sources) if rows is not None]
    return min(found, key=len) if found else None


def _union(table: Table, sources: list[Source]) -> Sequence[Row] | None:
    found: dict[int, Row] = {}
    for source in sources:
        rows = source(table)
        if rows is None:
            return None
        found.update((id(row), row) for row in rows)
    return list(found.values())
