"""Inputs of an orchestration: from the two formats of a body, or a query string, to checked values.

Belongs here: names, types, lengths, dates. Not here: what the values mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from jdebill_pipelines.sandbox.ais.answers import AisError
from jdebill_pipelines.sandbox.ais.books.messages import FormError, FormMessage
from jdebill_pipelines.sandbox.ais.codec import Json
from jdebill_pipelines.sandbox.ais.literals import read_date
from jdebill_pipelines.sandbox.ais.orchestration_specs import Input, Spec
from jdebill_pipelines.sandbox.ais.request import Request
from jdebill_pipelines.sandbox.ais.switches import Switches
from jdebill_pipelines.sandbox.ais.values import from_date

_CREDENTIALS = {"token", "deviceName", "username", "password", "environment", "role", "jasserver", "psToken"}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def read_body(request: Request) -> Json:
    """The inputs by name: JDE Standard (`inputs` with names and values), Generic (plain), or the query string.

    Raises:
        AisError: 400 when the body is neither.
    """
    if request.method == "GET":
        return {name: value for name, value in request.query if not name.startswith("$")}
    body = {name: value for name, value in request.json.items() if name not in _CREDENTIALS}
    pairs = body.pop("inputs", None)
    if pairs is None:
        return body
    if not isinstance(pairs, list) or not all(isinstance(p, dict) and {"name", "value"} <= set(p) for p in pairs):
        raise AisError(400, "Invalid JSON: inputs must be an array of name and value")
    return {**body, **{str(pair["name"]): pair["value"] for pair in pairs}}


def read_inputs(spec: Spec, given: Json, switches: Switches) -> dict[str, Any]:
    """Checked values by name: text, Decimal or None, `YYYYMMDD` or blank, lists of the same for arrays.

    Raises:
        FormError: inputs that are missing, unknown or not of their type, all at once.
    """
    problems: list[str] = []
    found = _read(spec.inputs, given, "", switches, problems)
    if problems:
        raise FormError([FormMessage("0003", problem, "0") for problem in problems], [])
    return found


def _read(
    inputs: tuple[Input, ...], given: Mapping[str, Any], where: str, switches: Switches, problems: list[str]
) -> dict[str, Any]:
    names = {item.name for item in inputs}
    if switches.unknown_inputs == "refuse":
        problems += [f"Input {where}{name} is not known" for name in given if name not in names]
    return {item.name: _value(item, given.get(item.name), where, switches, problems) for item in inputs}


def _value(item: Input, value: Any, where: str, switches: Switches, problems: list[str]) -> Any:
    name = f"{where}{item.name}"
    blank = value is None or value == "" or value == []
    if blank:
        if item.required:
            problems.append(f"Input {name} is required")
        return {"Array": [], "Numeric": None}.get(item.kind, "")
    if item.kind == "Array":
        if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
            problems.append(f"Input {name} must be an array of objects")
            return []
        return [_read(item.members, part, f"{item.name}[{at}].", switches, problems) for at, part in enumerate(value)]
    if isinstance(value, bool | list | dict):
        problems.append(f"Input {name} cannot be {value!r}")
        return None if item.kind == "Numeric" else ""
    if item.kind == "Numeric":
        return _numeric(name, value, problems)
    text = str(value).strip()
    if item.kind == "Date":
        return _date(name, text, switches, problems)
    if len(text) > item.length:
        problems.append(f"Input {name} is longer than {item.length} characters")
    return text


def _numeric(name: str, value: Any, problems: list[str]) -> Decimal | None:
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        problems.append(f"Input {name} is not a number: {value}")
        return None
    return Decimal(value)


def _date(name: str, text: str, switches: Switches, problems: list[str]) -> str:
    way = switches.simple_date_format if switches.orchestration_dates == "user" else switches.orchestration_dates
    day = read_date(text, way)
    if day is None:
        problems.append(f"Input {name} is not a date: {text}")
        return ""
    return from_date(day)
