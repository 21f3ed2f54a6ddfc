"""Refusals as BILL writes them: always an array, one element per problem.

Belongs here: codes, texts and HTTP status of refusals. Not here: when one is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jdebill_pipelines.sandbox.bill.codec import Json


@dataclass(frozen=True)
class Element:
    """One element of the error array, without its time stamp."""

    code: str | None
    message: str
    category: str = "DOWNSTREAM"
    severity: str = "ERROR"

    def body(self, timestamp: str) -> Json:
        """The element as JSON; `params` is an empty object, as observed live."""
        return {
            "timestamp": timestamp,
            "code": self.code,
            "severity": self.severity,
            "category": self.category,
            "message": self.message,
            "params": {},
        }


@dataclass
class Refusal(Exception):
    """An answer that is a list of errors."""

    status: int
    elements: list[Element]
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, code: str | None, message: str, **headers: str) -> Refusal:
    """A refusal with one element."""
    return Refusal(status, [Element(code, message)], {key.replace("_", "-"): value for key, value in headers.items()})


def invalid(problems: Iterable[str]) -> Refusal:
    """400 with `code: null`: what bean validation answers, one element per field."""
    return Refusal(400, [Element(None, problem, "REQUEST") for problem in problems])


def business(code: str, message: str, status: int = 422) -> Refusal:
    """A refused business rule (mostly 422)."""
    return Refusal(status, [Element(code, message, "APPLICATION")])


def too_long(member: str, limit: int) -> Refusal:
    """400 `BDC_1143`: the field limits of BILL's older back end, which the schema does not print."""
    text = f"Invalid entity data. {member}: Maximum length cannot be greater than {limit} characters."
    return business("BDC_1143", text, 400)


def no_object(object_id: str) -> Refusal:
    """404 `BDC_1205`: no object with that id."""
    return business("BDC_1205", f"No data found for id {object_id}.", 404)


def no_path() -> Refusal:
    """404 `BDC_1121`: the path does not exist."""
    return refusal(404, "BDC_1121", "API not supported.")


def session_invalid() -> Refusal:
    """401 `BDC_1109`; the two spaces after the full stop are BILL's."""
    return refusal(401, "BDC_1109", "Session is invalid.  Please log in.")


def untrusted() -> Refusal:
    """403 `BDC_1361`: the session is valid but not MFA-trusted."""
    return refusal(403, "BDC_1361", "Untrusted session.")


def login_failed(code: str, message: str) -> Refusal:
    """401 with one of the login codes."""
    return refusal(401, code, message)
