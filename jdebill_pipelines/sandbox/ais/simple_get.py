"""The GET form of the data service: `$filter`, `$field`, `$sort`, `$limit`.

Belongs here: turning query parameters into a request of the POST form. Not here: running it. It has no cursor.
"""

from __future__ import annotations

from typing import Any

from jdebill_pipelines.sandbox.ais.answers import AisError
from jdebill_pipelines.sandbox.ais.codec import Json
from jdebill_pipelines.sandbox.ais.request import Request

_OPERATORS = {
    "EQ": "EQUAL",
    "NE": "NOT_EQUAL",
    "LT": "LESS",
    "LE": "LESS_EQUAL",
    "GT": "GREATER",
    "GE": "GREATER_EQUAL",
    "STARTSWITH": "STR_START_WITH",
    "ENDSWITH": "STR_END_WITH",
    "CONTAINS": "STR_CONTAIN",
}
_PARAMETERS = {
    "$filter", "$filterType", "$filtertype", "$field", "$limit", "$sort", "$outputtype", "$allowCache", "$environment",
    "$role", "$username", "$password", "$token", "$device",
}  # fmt: skip


def read_parameters(request: Request, table: str) -> Json:
    """The body that means the same.

    Raises:
        AisError: 400 for an unknown parameter, 500 for a filter or sort that cannot be read.
    """
    unknown = {name for name, _ in request.query} - _PARAMETERS
    if unknown:
        raise AisError(400, f"Unknown parameter {sorted(unknown)[0]}")
    body: Json = {
        "targetName": table,
        "targetType": "table",
        "dataServiceType": "BROWSE",
        "findOnEntry": "TRUE",
        "outputType": request.parameter("$outputtype") or "GRID_DATA",
        "returnControlIDs": "|".join(value for name, value in request.query if name == "$field"),
        "aggregation": {"orderBy": [_sort(value) for name, value in request.query if name == "$sort"]},
        "query": {
            "autoFind": True,
            "matchType": request.parameter("$filterType") or request.parameter("$filtertype") or "MATCH_ALL",
            "condition": [_filter(value) for name, value in request.query if name == "$filter"],
        },
    }
    if request.parameter("$limit"):
        body["maxPageSize"] = request.parameter("$limit")
    return body


def _filter(text: str) -> dict[str, Any]:
    column, _, rest = text.strip().partition(" ")
    operator, _, value = rest.strip().partition(" ")
    if operator not in _OPERATORS:
        raise AisError(500, f"Invalid $filter '{text}'")
    content, special = value, "LITERAL"
    first, _, second = value.strip().partition(" ")
    if value.strip() == "TODAY":
        content, special = "", "TODAY"
    elif second.startswith("TODAY_"):
        content, special = first, second
    return {
        "controlId": column,
        "operator": _OPERATORS[operator],
        "value": [{"content": content, "specialValueId": special}],
    }


def _sort(text: str) -> dict[str, str]:
    column, _, direction = text.strip().partition(" ")
    return {"column": column, "direction": direction.strip() or "ASC"}
