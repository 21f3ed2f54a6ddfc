"""Conditions of a data service query, and their JSON.

Belongs here: building and rendering conditions. Does not belong here: which date format the server reads
(``literals``), or asking.

JDE AIS: a query has ``condition[]`` joined by ``matchType`` (MATCH_ALL, MATCH_ANY); nested groups go into
``complexQuery``, whose first ``andOr`` has no documented role and is sent as AND.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

Value = str | int | Decimal | dt.date
DateLiteral = Callable[[dt.date], str]


@dataclass(frozen=True, slots=True)
class Where:
    """A condition, or a group of them. Made by the functions of this module, joined with ``&`` and ``|``.

    Attributes:
        item: data item such as ``PST``; '' for a group.
        operator: of the condition, or ``AND`` / ``OR`` of the group.
        values: literals of the condition.
        special: ``specialValueId``, such as ``TODAY_MINUS_DAY``.
        parts: members of the group.
    """

    item: str = ""
    operator: str = "AND"
    values: tuple[Value, ...] = ()
    special: str = "LITERAL"
    parts: tuple[Where, ...] = ()

    def __and__(self, other: Where) -> Where:
        return all_of(self, other)

    def __or__(self, other: Where) -> Where:
        return or_(self, other)

    @property
    def is_group(self) -> bool:
        """Whether it joins other conditions."""
        return not self.item

    def conditions(self) -> Iterator[Where]:
        """Every single condition inside."""
        if self.is_group:
            for part in self.parts:
                yield from part.conditions()
        else:
            yield self

    @property
    def has_dates(self) -> bool:
        """Whether a literal is a date, so that the server's date format matters."""
        return any(isinstance(value, dt.date) for c in self.conditions() for value in c.values)

    @property
    def has_lists(self) -> bool:
        """Whether the LIST operator is used."""
        return any(c.operator == "LIST" for c in self.conditions())

    def without_lists(self) -> Where:
        """The same with every LIST as alternatives of EQUAL."""
        if self.is_group:
            return _group(self.operator, [part.without_lists() for part in self.parts])
        if self.operator != "LIST":
            return self
        return or_(*(replace(self, operator="EQUAL", values=(value,)) for value in self.values))


def _condition(item: str, operator: str, *values: Value) -> Where:
    for value in values:
        if isinstance(value, float | bool) or not isinstance(value, str | int | Decimal | dt.date):
            raise TypeError(f"{item}: {value!r} is not a literal; use str, int, Decimal or date")
    return Where(item.upper(), operator, values)


def eq(item: str, value: Value) -> Where:
    """Equal."""
    return _condition(item, "EQUAL", value)


def ne(item: str, value: Value) -> Where:
    """Not equal."""
    return _condition(item, "NOT_EQUAL", value)


def lt(item: str, value: Value) -> Where:
    """Less."""
    return _condition(item, "LESS", value)


def le(item: str, value: Value) -> Where:
    """Less or equal."""
    return _condition(item, "LESS_EQUAL", value)


def gt(item: str, value: Value) -> Where:
    """Greater."""
    return _condition(item, "GREATER", value)


def ge(item: str, value: Value) -> Where:
    """Greater or equal."""
    return _condition(item, "GREATER_EQUAL", value)


def between(item: str, low: Value, high: Value) -> Where:
    """From low to high, both included."""
    return _condition(item, "BETWEEN", low, high)


def any_of(item: str, values: Iterable[Value]) -> Where:
    """One of the values (one value: equal).

    Raises:
        ValueError: no value; a query that can find nothing is not asked.
    """
    unique = tuple(dict.fromkeys(values))
    if not unique:
        raise ValueError(f"{item}: a list of no values matches nothing")
    return eq(item, unique[0]) if len(unique) == 1 else _condition(item, "LIST", *unique)


def starts_with(item: str, text: str) -> Where:
    """Text that begins so."""
    return _condition(item, "STR_START_WITH", text)


def contains(item: str, text: str) -> Where:
    """Text that contains it."""
    return _condition(item, "STR_CONTAIN", text)


def blank(item: str) -> Where:
    """Blank text."""
    return _condition(item, "STR_BLANK")


def not_blank(item: str) -> Where:
    """Text that is not blank."""
    return _condition(item, "STR_NOT_BLANK")


def since_days_ago(item: str, days: int) -> Where:
    """A date on or after the JDE server's today minus so many days; needs no date literal."""
    if days < 0:
        raise ValueError("days must not be negative")
    return Where(item.upper(), "GREATER_EQUAL", (str(days),), "TODAY_MINUS_DAY")


def all_of(*parts: Where | None) -> Where:
    """All of them; None stands for no condition."""
    return _group("AND", [part for part in parts if part is not None])


def or_(*parts: Where) -> Where:
    """At least one of them.

    Raises:
        ValueError: no alternatives.
    """
    if not parts:
        raise ValueError("no alternative matches nothing")
    return _group("OR", list(parts))


def _group(operator: str, parts: list[Where]) -> Where:
    flat: list[Where] = []
    for part in parts:
        if part.is_group and (part.operator == operator or len(part.parts) <= 1):
            flat += part.parts
        else:
            flat.append(part)
    return flat[0] if len(flat) == 1 else Where(operator=operator, parts=tuple(flat))


def render(where: Where | None, table: str, date_literal: DateLiteral) -> dict[str, Any]:
    """The ``query`` member of a data service request.

    Args:
        where: None or an empty group = all rows.
        table: prefix of the control ids, such as ``F0411``.
        date_literal: how the server reads a date.
    """
    return {"autoFind": True, **_query(where or all_of(), table, date_literal)}


def _query(where: Where, table: str, date_literal: DateLiteral) -> dict[str, Any]:
    if not where.is_group:
        where = Where(parts=(where,))
    single = [part for part in where.parts if not part.is_group]
    groups = [part for part in where.parts if part.is_group]
    match = "MATCH_ALL" if where.operator == "AND" else "MATCH_ANY"
    if not groups:
        return {"matchType": match, "condition": [_render(part, table, date_literal) for part in single]}
    # Conditions and groups are not mixed on one level: how they combine there is not documented.
    if single:
        groups.insert(0, Where(operator=where.operator, parts=tuple(single)))
    complex_query = [
        {"andOr": where.operator if number else "AND", "query": _query(group, table, date_literal)}
        for number, group in enumerate(groups)
    ]
    return {"complexQuery": complex_query}


def _render(part: Where, table: str, date_literal: DateLiteral) -> dict[str, Any]:
    values = [{"content": _literal(v, date_literal), "specialValueId": part.special} for v in part.values]
    return {"controlId": f"{table}.{part.item}", "operator": part.operator, "value": values}


def _literal(value: Value, date_literal: DateLiteral) -> str:
    if isinstance(value, dt.date):
        return date_literal(value)
    if isinstance(value, Decimal):
        text = format(value, "f")
        return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
    return str(value)
