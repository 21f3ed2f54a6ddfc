"""The messages inside AIS answers: form errors, system errors, nested exceptions, steps that were continued.

Belongs here: finding them, whatever they are wrapped in. Does not belong here: deciding what they mean for a call.

JDE AIS: ``message`` is a string or an object nested to any depth
(``{"ServiceRequest: <step>": {"JAS Response": {}}}``); form errors are ``{CODE, TITLE, ERRORCONTROL, DESC, MOBILE}``;
an answer with HTTP 200 may hold them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

_DEEPEST = 40
_PREFIXES = ("Error:", "Warning:", "Fehler:", "Erreur:", "Error :", "Erreur :", "Errore:", "Aviso:")


class Severity(StrEnum):
    """How bad a message is."""

    ERROR = "error"
    WARNING = "warning"
    CONTINUED = "continued"  # a step failed and the orchestration went on


class JdeMessage(msgspec.Struct, frozen=True):
    """One message of JDE.

    Attributes:
        severity: see :class:`Severity`.
        code: data dictionary number of the error, such as ``0052``; '' when there is none.
        title: one line, in the language of the JDE user.
        description: cause and resolution as JDE explains them.
        control: id of the form control concerned.
        where: the step, form or application that said it.
    """

    severity: Severity
    title: str
    code: str = ""
    description: str = ""
    control: str = ""
    where: str = ""

    def __str__(self) -> str:
        code = f"{self.code} " if self.code else ""
        where = f" ({self.where})" if self.where else ""
        return f"{code}{self.title}{where}"


def find_messages(value: Any) -> list[JdeMessage]:
    """Every message inside a decoded answer, in order, each once."""
    found: dict[tuple[Severity, str, str], JdeMessage] = {}
    for message in _walk(value, "", 0):
        found.setdefault((message.severity, message.code, message.title), message)
    return list(found.values())


def errors_in(value: Any) -> list[JdeMessage]:
    """The messages of severity ERROR inside a decoded answer."""
    return [message for message in find_messages(value) if message.severity is Severity.ERROR]


def text_of_message(value: Any) -> str:
    """The readable text of a ``message`` member: itself, or the texts inside it, joined."""
    if isinstance(value, str):
        return value.strip()
    inner = [str(message) for message in find_messages(value)]
    return "; ".join(inner or list(_strings(value, 0)))


def _walk(value: Any, where: str, depth: int) -> Iterator[JdeMessage]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, where, depth + 1)
        return
    if not isinstance(value, dict):
        return
    here = _name_of(value) or where
    for name, item in value.items():
        key = name.lower()
        if key in ("errors", "syserrors", "error") and isinstance(item, list | dict):
            yield from _listed(item, Severity.ERROR, here, depth)
        elif key == "warnings" and isinstance(item, list | dict):
            yield from _listed(item, Severity.WARNING, here, depth)
        elif key == "continuedonerror" and item:
            yield from _continued(item)
        else:
            yield from _walk(item, _step_name(name) or here, depth + 1)


def _listed(items: Any, severity: Severity, where: str, depth: int) -> Iterator[JdeMessage]:
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, str) and item.strip():
            yield JdeMessage(severity, item.strip(), where=where)
        elif isinstance(item, dict):
            message = _message(item, severity, where)
            if message is not None:
                yield message
            else:
                yield from _walk(item, where, depth + 1)


def _message(item: dict[str, Any], severity: Severity, where: str) -> JdeMessage | None:
    lowered = {name.lower(): value for name, value in item.items()}
    title = _text(lowered.get("title") or lowered.get("message") or lowered.get("errortext"))
    code = _text(lowered.get("code"))
    if not title and not code:
        return None
    for prefix in _PREFIXES:
        if title.startswith(prefix):
            title = title[len(prefix) :].strip()
            break
    return JdeMessage(
        severity,
        title or f"error {code}",
        code=code,
        description=_text(lowered.get("desc")),
        control=_text(lowered.get("errorcontrol")),
        where=where,
    )


def _continued(items: Any) -> Iterator[JdeMessage]:
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, dict):
            step = _text(item.get("step"))
            own = _text(item.get("userDefinedErrorText"))
            inner = text_of_message(item.get("message"))
            yield JdeMessage(Severity.CONTINUED, own or inner or "the step failed", where=step)
        elif item:
            yield JdeMessage(Severity.CONTINUED, str(item))


def _name_of(value: dict[str, Any]) -> str:
    return _text(value.get("Application ID"))


def _step_name(name: str) -> str:
    if name.startswith("fs_"):
        return name[3:]
    head, colon, step = name.partition(": ")
    return step.strip() if colon and head in ("ServiceRequest", "Orchestration") else ""


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()


def _strings(value: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, str) and value.strip():
        yield value.strip()
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, depth + 1)
