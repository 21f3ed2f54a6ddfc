"""Plain values to typed structs, with every mistake found at once.

Belongs here: types, unknown and missing keys, the wording of a problem. Does not belong here: which keys a connection
file has (connection.py) and what a single value must look like (checks.py).
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import FieldInfo

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Check:
    """A rule for a single value, put on a field with ``Annotated``.

    Attributes:
        problem: given the value, says what is wrong and what is allowed, or None.
    """

    problem: Callable[[Any], str | None]


class _Wrong:
    """What a value that could not be decoded becomes."""


_WRONG = _Wrong()


@dataclass(slots=True)
class Decoder:
    """Decodes one file.

    Attributes:
        base: folder that relative paths are relative to.
        problems: (dotted key, what is wrong and what is allowed), in the order of the file's model.
    """

    base: Path
    problems: list[tuple[str, str]] = field(default_factory=list)

    def fault(self, key: str, text: str) -> _Wrong:
        """Note a mistake."""
        self.problems.append((key, text))
        return _WRONG

    def struct(self, raw: Any, type_: type[T], key: str) -> T | None:
        """Decode a mapping; None when it or anything in it is wrong."""
        found = self._struct(raw, type_, key)
        return None if isinstance(found, _Wrong) else found

    def values(self, raw: Any, type_: type[msgspec.Struct], key: str) -> dict[str, Any]:
        """Decode the fields of a mapping and return those that are right, so that more can be checked with them."""
        if not isinstance(raw, dict):
            self.fault(key, f"must be a mapping with the keys {_listed(f.name for f in _fields(type_))}")
            return {}
        fields = {f.name: f for f in _fields(type_)}
        for name in raw:
            if name not in fields:
                self.fault(_dotted(key, name), _unknown(str(name), fields))
        decoded: dict[str, Any] = {}
        for name, info in fields.items():
            where = _dotted(key, name)
            if name not in raw:
                if info.required:
                    self.fault(where, f"is missing; {describe(info.type)} is needed")
                continue
            value = self._value(raw[name], info.type, where)
            if value is not _WRONG:
                decoded[name] = value
        return decoded

    def _struct(self, raw: Any, type_: type[T], key: str) -> T | _Wrong:
        before = len(self.problems)
        values = self.values(raw, type_, key)
        return _WRONG if len(self.problems) > before else type_(**values)

    def _value(self, raw: Any, type_: Any, key: str) -> Any:
        origin = typing.get_origin(type_)
        if origin is typing.Annotated:
            base, *rules = typing.get_args(type_)
            value = self._value(raw, base, key)
            return value if value is _WRONG else self._checked(value, rules, key)
        if origin in (types.UnionType, typing.Union):
            if raw is None:
                return None
            return self._value(raw, next(a for a in typing.get_args(type_) if a is not type(None)), key)
        if origin is typing.Literal:
            allowed = typing.get_args(type_)
            if raw in allowed:
                return raw
            return self.fault(key, f"is {_shown(raw)}; allowed: {', '.join(map(str, allowed))}{_near(raw, allowed)}")
        if origin is list:
            return self._list(raw, typing.get_args(type_)[0], key)
        if origin is dict:
            return self._dict(raw, typing.get_args(type_)[1], key)
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            return self._struct(raw, type_, key)
        return self._scalar(raw, type_, key)

    def _checked(self, value: Any, rules: Iterable[Any], key: str) -> Any:
        for rule in rules:
            problem = rule.problem(value) if isinstance(rule, Check) and value is not None else None
            if problem:
                return self.fault(key, problem)
        return value

    def _list(self, raw: Any, item: Any, key: str) -> Any:
        if not isinstance(raw, list):
            return self.fault(key, f"is {_shown(raw)}; a list is needed, such as [a, b]")
        values = [self._value(entry, item, f"{key}[{index}]") for index, entry in enumerate(raw)]
        return _WRONG if any(v is _WRONG for v in values) else values

    def _dict(self, raw: Any, item: Any, key: str) -> Any:
        if not isinstance(raw, dict):
            return self.fault(key, f"is {_shown(raw)}; a mapping is needed")
        values = {}
        for name, entry in raw.items():
            if not isinstance(name, str):
                return self.fault(_dotted(key, name), "the key must be text: put it in quotes")
            values[name] = self._value(entry, item, _dotted(key, name))
        return _WRONG if any(v is _WRONG for v in values.values()) else values

    def _scalar(self, raw: Any, type_: Any, key: str) -> Any:
        if type_ is Path:
            if isinstance(raw, str) and raw.strip():
                path = (self.base / Path(raw).expanduser()).resolve()
                return path if path.is_file() else self.fault(key, f"no such file: {path}")
        elif type_ is Decimal:
            if isinstance(raw, int | Decimal) and not isinstance(raw, bool):
                return Decimal(raw)
        elif type_ is int:
            if isinstance(raw, int) and not isinstance(raw, bool):
                return raw
        elif type_ is bool:
            if isinstance(raw, bool):
                return raw
        elif type_ is date:
            return self._date(raw, key)
        elif type_ is str:
            if isinstance(raw, str):
                return raw
            if isinstance(raw, int | Decimal | date):
                return self.fault(key, f"is read as {_kind(raw)}; text is needed: put it in quotes")
        else:
            raise TypeError(f"{key}: no decoder for {type_}")
        return self.fault(key, f"is {_shown(raw)}; {describe(type_)} is needed")

    def _date(self, raw: Any, key: str) -> Any:
        if isinstance(raw, date) and not isinstance(raw, datetime):
            return raw
        try:
            return date.fromisoformat(raw)
        except (TypeError, ValueError):
            return self.fault(key, f"is {_shown(raw)}; a date is needed, such as 2026-01-01")


_WORDS = {
    str: "text",
    int: "a whole number",
    Decimal: "a number",
    bool: "true or false",
    date: "a date (YYYY-MM-DD)",
    Path: "a file",
}


def describe(type_: Any) -> str:
    """Say in words what a field takes."""
    origin = typing.get_origin(type_)
    if origin is typing.Annotated:
        return describe(typing.get_args(type_)[0])
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(type_)))
    if origin is list:
        return "a list"
    if origin is dict or (isinstance(type_, type) and issubclass(type_, msgspec.Struct)):
        return "a mapping"
    return _WORDS.get(type_, str(type_))


def _fields(type_: type[msgspec.Struct]) -> tuple[FieldInfo, ...]:
    return msgspec.structs.fields(type_)


def _dotted(key: str, name: Any) -> str:
    return f"{key}.{name}" if key else str(name)


def _unknown(name: str, known: Iterable[str]) -> str:
    names = list(known)
    return f"is not a key here{_near(name, names)}; allowed: {_listed(names)}"


def _near(value: Any, known: Iterable[Any]) -> str:
    close = difflib.get_close_matches(str(value).lower(), [str(k) for k in known], n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _kind(raw: Any) -> str:
    if isinstance(raw, bool):
        return f"the truth value {str(raw).lower()}"
    return f"the date {raw}" if isinstance(raw, date) else f"the number {raw}"


def _shown(raw: Any) -> str:
    if raw is None:
        return "empty"
    if isinstance(raw, dict):
        return "a mapping"
    if isinstance(raw, list):
        return "a list"
    text = repr(raw) if isinstance(raw, str) else str(raw)
    return text if len(text) <= 60 else text[:57] + "..."
