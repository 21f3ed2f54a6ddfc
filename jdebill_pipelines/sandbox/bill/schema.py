"""A small bean validation: which members a request may have, of what type and length.

Belongs here: checking the form of a request and dropping what is unknown. Not here: rules that need other objects.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.errors import invalid

MONEY_DIGITS = 13


@dataclass(frozen=True)
class Rule:
    """What one member must be."""

    kind: str  # text, date, bool, int, money, number, object, array, any
    required: bool = False
    low: int | None = None
    high: int | None = None
    one_of: frozenset[str] | None = None
    pattern: re.Pattern[str] | None = None
    reason: str = ""
    members: Mapping[str, Rule] | None = None
    item: Rule | None = None

    @property
    def optional(self) -> Rule:
        """The same rule for PATCH: nothing is required, at no depth but inside arrays."""
        members = {k: r.optional for k, r in self.members.items()} if self.members is not None else None
        return replace(self, required=False, members=members)


def text(
    *,
    required: bool = False,
    low: int | None = None,
    high: int | None = None,
    one_of: str = "",
    pattern: str = "",
    reason: str = "",
) -> Rule:
    """A string; a required one must not be blank."""
    return Rule(
        "text",
        required,
        low,
        high,
        frozenset(one_of.split()) if one_of else None,
        re.compile(pattern) if pattern else None,
        reason,
    )


def obj(members: Mapping[str, Rule], *, required: bool = False) -> Rule:
    """An object with these members."""
    return Rule("object", required, members=members)


def arr(item: Rule, *, required: bool = False, low: int | None = None, high: int | None = None) -> Rule:
    """An array of such items."""
    return Rule("array", required, low, high, item=item)


def plain(kind: str, *, required: bool = False, low: int | None = None, high: int | None = None) -> Rule:
    """A member of another kind: date, bool, int, money, number, any."""
    return Rule(kind, required, low, high)


def check(value: Any, rule: Rule, *, strict: bool, prefix: str = "") -> tuple[Any, list[str]]:
    """The value with unknown members and nulls dropped, and one line `<field.path>: <reason>` per problem."""
    problems: list[str] = []
    return _check(value, rule, prefix, strict, problems), problems


def checked(value: Any, rule: Rule, *, strict: bool) -> Any:
    """The cleaned value.

    Raises:
        Refusal: 400 with `code: null`, one element per problem.
    """
    cleaned, problems = check(value, rule, strict=strict)
    if problems:
        raise invalid(problems)
    return cleaned


def _check(value: Any, rule: Rule, path: str, strict: bool, problems: list[str]) -> Any:
    kind = rule.kind
    if kind == "object":
        return _object(value, rule, path, strict, problems)
    if kind == "array":
        return _array(value, rule, path, strict, problems)
    wrong = _wrong(value, rule)
    if wrong:
        problems.append(f"{path}: {wrong}")
        return None
    if kind == "money":
        return Decimal(value)
    if kind == "number":
        return Decimal(value)
    return value


def _object(value: Any, rule: Rule, path: str, strict: bool, problems: list[str]) -> Json | None:
    if not isinstance(value, dict):
        problems.append(f"{path or 'body'}: Cannot construct instance of object from {_kind(value)}")
        return None
    found: Json = {}
    dot = f"{path}." if path else ""
    for name, member in (rule.members or {}).items():
        item = value.get(name)
        if item is None:
            if member.required:
                blank = "must not be blank" if member.kind == "text" else "must not be null"
                problems.append(f"{dot}{name}: {blank}")
            continue
        cleaned = _check(item, member, f"{dot}{name}", strict, problems)
        if cleaned is not None:
            found[name] = cleaned
    if strict and rule.members is not None:
        problems += [f"{dot}{name}: unknown member" for name in value if name not in rule.members]
    return found


def _array(value: Any, rule: Rule, path: str, strict: bool, problems: list[str]) -> list[Any] | None:
    if not isinstance(value, list):
        problems.append(f"{path or 'body'}: Cannot construct instance of array from {_kind(value)}")
        return None
    if (rule.low is not None and len(value) < rule.low) or (rule.high is not None and len(value) > rule.high):
        problems.append(f"{path}: size must be between {rule.low or 0} and {rule.high or 2147483647}")
    assert rule.item is not None
    return [_check(item, rule.item, f"{path}[{index}]", strict, problems) for index, item in enumerate(value)]


def _wrong(value: Any, rule: Rule) -> str:
    kind = rule.kind
    if kind == "text":
        return _wrong_text(value, rule)
    if kind == "date":
        return "" if _is_date(value) else "must be a date of the form yyyy-MM-dd"
    if kind == "bool":
        return "" if isinstance(value, bool) else f"Cannot deserialize value of type boolean from {_kind(value)}"
    if kind == "any":
        return ""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return f"Cannot deserialize value of type number from {_kind(value)}"
    if kind == "int":
        return "" if isinstance(value, int) else "must be a whole number"
    number = Decimal(value)
    places, digits = (2, MONEY_DIGITS) if kind == "money" else (6, MONEY_DIGITS)
    exponent = number.normalize().as_tuple().exponent
    if not number.is_finite() or (isinstance(exponent, int) and -exponent > places) or abs(number) >= 10**digits:
        return f"numeric value out of bounds (<{digits} digits>.<{places} digits> expected)"
    if rule.low is not None and number < rule.low:
        return f"must be greater than or equal to {rule.low}"
    return ""


def _wrong_text(value: Any, rule: Rule) -> str:
    if not isinstance(value, str):
        return f"Cannot deserialize value of type string from {_kind(value)}"
    if (rule.required or rule.low) and not value.strip():
        return "must not be blank"
    if (rule.low is not None and len(value) < rule.low) or (rule.high is not None and len(value) > rule.high):
        return f"size must be between {rule.low or 0} and {rule.high or 2147483647}"
    if rule.one_of is not None and value not in rule.one_of:
        return rule.reason or f"must be one of [{', '.join(sorted(rule.one_of))}]"
    if rule.pattern is not None and not rule.pattern.fullmatch(value):
        return rule.reason or f'must match "{rule.pattern.pattern}"'
    return ""


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return False
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", Decimal: "number"}
    return names.get(type(value), "null")
