"""AGGREGATION of the data service: sums, counts and extremes by group.

Belongs here: the aggregation object of a request. Not here: which rows take part. JDE AIS does not document the metric
keys of the answer; they are as client models have them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any

from jdebill_pipelines.sandbox.ais.answers import AisError
from jdebill_pipelines.sandbox.ais.codec import Json
from jdebill_pipelines.sandbox.ais.columns import Kind, Row, TableDef, Value
from jdebill_pipelines.sandbox.ais.conditions import resolve
from jdebill_pipelines.sandbox.ais.values import number, to_date

_METRICS: dict[str, Callable[[list[Any]], Any]] = {
    "SUM": sum,
    "MIN": min,
    "MAX": max,
    "AVG": lambda values: Decimal(sum(values)) / len(values),
    "COUNT": len,
    "COUNT_DISTINCT": lambda values: len(set(values)),
    "SUM_DISTINCT": lambda values: sum(set(values)),
    "AVG_DISTINCT": lambda values: Decimal(sum(set(values))) / len(set(values)),
}
_NUMERIC = {"SUM", "AVG", "SUM_DISTINCT", "AVG_DISTINCT"}


def aggregate(definition: TableDef, rows: Sequence[Row], body: Json) -> Json:
    """The answer of an AGGREGATION.

    Raises:
        AisError: 400 for a malformed object, 500 for what cannot be computed.
    """
    given = body.get("aggregation")
    if not isinstance(given, dict) or not given.get("aggregations"):
        raise AisError(400, "Invalid JSON: aggregation.aggregations is required")
    if body.get("having"):
        raise AisError(500, "having is not available on this server")
    metrics = [_metric(definition, part) for part in given["aggregations"]]
    groups = [resolve(definition, part.get("column")) for part in given.get("groupBy") or []]
    found: dict[tuple[Value, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row.get(item, definition.blank(item)) for item in groups), []).append(row)
    if not groups and not found:
        found[()] = []
    keys = list(found)
    for part in reversed(given.get("orderBy") or []):
        item = resolve(definition, part.get("column"))
        if item not in groups:
            raise AisError(500, f"orderBy {item} is not in groupBy")
        keys.sort(key=itemgetter(groups.index(item)), reverse=part.get("direction") == "DESC")
    output = []
    for key in keys:
        line: Json = {}
        if groups:
            line["groupBy"] = {
                f"{definition.name}.{item}": _group_value(definition, item, value)
                for item, value in zip(groups, key, strict=True)
            }
        line.update({name: compute(found[key]) for name, compute in metrics})
        output.append(line)
    return {f"ds_{definition.name}": {"output": output}, "sysErrors": []}


def _metric(definition: TableDef, part: Any) -> tuple[str, Callable[[list[Row]], Any]]:
    if not isinstance(part, dict) or part.get("aggregation") not in _METRICS:
        raise AisError(400, f"Invalid JSON: unknown aggregation {part}")
    kind, column = part["aggregation"], part.get("column")
    if column == "*":
        if kind != "COUNT":
            raise AisError(500, f"{kind} needs a column")
        return "COUNT", len
    item = resolve(definition, column)
    if kind in _NUMERIC and definition.kinds[item] is not Kind.NUMBER:
        raise AisError(500, f"{kind} needs a numeric column, {item} is not one")
    blank = definition.blank(item)

    def compute(rows: list[Row]) -> Any:
        values = [row.get(item, blank) for row in rows]
        if not values:
            return 0 if "COUNT" in kind else None
        result = _METRICS[kind](values)
        return number(result) if isinstance(result, Decimal) else result

    return f"{definition.name}.{item}_{kind}", compute


def _group_value(definition: TableDef, item: str, value: Value) -> Any:
    """JDE AIS: a grouped date is milliseconds since the epoch."""
    if definition.kinds[item] is not Kind.DATE:
        return value
    day = to_date(value)
    if day is None:
        return None
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * 1000
