"""Reading BILL's refusals: every shape its error bodies come in, and what each code means for the caller.

Belongs here: parsing and classifying. Does not belong here: the exceptions (``errors``) or waiting and trying again
(``calls``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from jdebill_pipelines.bill.codec import MalformedAnswerError, decode_any

SESSION_INVALID = "BDC_1109"
UNTRUSTED = "BDC_1361"
CONCURRENCY = "BDC_1322"
HOURLY = "BDC_1144"
DUPLICATE_NUMBER = "BDC_1171"
ROLLED_BACK = "BDC_1246"
NO_SUCH_ID = "BDC_1205"

LOGIN_ADVICE: Mapping[str, str] = {
    "BDC_1101": "user name and password do not match: set the credentials again; for a sync token the token's name is "
    "the user name and its value the password",
    "BDC_1102": "the developer key is not valid here: check it, and that key, user and api_url belong to the same "
    "environment (sandbox or production)",
    "BDC_1103": "the developer key is inactive: renew it with BILL",
    "BDC_1104": "the API terms were not accepted: an administrator signs in to BILL and accepts them",
    "BDC_1106": "the organization belongs to another partner than the developer key: use a key of this organization",
    "BDC_1107": "the organization is locked out: its administrator contacts BILL",
    "BDC_1110": "the login is locked: reset the password in BILL, then set the credentials again",
    "BDC_1111": "no active user: an administrator of the organization activates or restores the user",
    "BDC_1113": "BILL could not log the user in: check the user in BILL's web app, then ask BILL's support",
    "BDC_1123": "the organization id is not valid: it begins with 008 and stands in the organization's settings",
}
"""BILL API v3, login failures: what to do about each."""

_MAX_TEXT = 2000


class Kind(StrEnum):
    """What a refusal means for the caller."""

    SESSION = "session"  # log in once more, then the same call again
    UNTRUSTED = "untrusted"  # a person must complete MFA; never tried again
    CONCURRENCY = "concurrency"  # refused before execution; short back-off
    HOURLY = "hourly"  # refused before execution; wait for the clock hour
    THROTTLED = "throttled"  # 429 without a code
    LOGIN = "login"  # credentials, keys, organization: a person
    PERMISSION = "permission"  # the user may not; a person
    NOT_FOUND = "not_found"
    DUPLICATE = "duplicate"  # exists already: look it up
    SERVER = "server"  # their side; for a write nobody knows
    REFUSED = "refused"  # the data


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One element of an error body.

    Attributes:
        code: ``BDC_nnnn``; None for request validation.
        message: BILL's words, bounded.
        severity: ``ERROR``, ``WARNING`` or ``INFORMATION``.
        category: ``REQUEST``, ``APPLICATION``, ``SERVER`` or ``DOWNSTREAM``.
        params: named values, whichever of its two shapes they came in.
    """

    code: str | None = None
    message: str = ""
    severity: str | None = None
    category: str | None = None
    params: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code else self.message


_TITLE = re.compile(r"<title[^>]*>([^<]+)</title>", re.IGNORECASE)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An error answer, read.

    Attributes:
        kind: what it means.
        problems: every element, in BILL's order, the same text only once.
        text: the raw body, bounded.
        html: whether the body is not JSON at all (a gateway or proxy answered).
    """

    kind: Kind
    problems: tuple[Problem, ...]
    text: str
    html: bool

    @property
    def code(self) -> str | None:
        """The first code that tells something: rolled-back siblings only when there is nothing else."""
        codes = [p.code for p in self.problems if p.code]
        return next((c for c in codes if c != ROLLED_BACK), codes[0] if codes else None)

    @property
    def summary(self) -> str:
        """BILL's words in one line; of a page its title, of anything else that is not JSON its beginning."""
        if self.problems:
            return "; ".join(str(p) for p in self.problems)[:_MAX_TEXT]
        title = _TITLE.search(self.text)
        if title:
            return f"no answer of BILL but a page, {' '.join(title[1].split())[:120]!r}"
        return " ".join(self.text.split())[:200] or "empty body"


def read_refusal(status: int, body: bytes) -> Refusal:
    """Read an error answer: array, single object, ``{"errors": [...]}``, plain text, HTML or nothing.

    Args:
        status: HTTP status.
        body: the raw body.
    """
    text = body.decode("utf-8", "replace").strip()
    problems, html = _problems(body, text)
    return Refusal(kind=classify(status, problems), problems=problems, text=text[:_MAX_TEXT], html=html and bool(text))


def classify(status: int, problems: Sequence[Problem]) -> Kind:
    """What a refusal means. Codes come before the HTTP status: BILL does not document the status of its limits."""
    codes = {p.code for p in problems}
    if UNTRUSTED in codes:
        words = " ".join(p.message for p in problems if p.code == UNTRUSTED).lower()
        return Kind.UNTRUSTED if "untrusted" in words else Kind.SESSION
    if SESSION_INVALID in codes:
        return Kind.SESSION
    if HOURLY in codes:
        return Kind.HOURLY
    if CONCURRENCY in codes:
        return Kind.CONCURRENCY
    if codes & LOGIN_ADVICE.keys():
        return Kind.LOGIN
    if status == 401:
        return Kind.SESSION
    if status == 429:
        return Kind.THROTTLED
    if status >= 500 or status == 408 or codes & {"BDC_1001", "BDC_1002"}:
        return Kind.SERVER
    if codes & {"BDC_1145", "BDC_1150"} or status == 403:
        return Kind.PERMISSION
    if DUPLICATE_NUMBER in codes:
        return Kind.DUPLICATE
    if status == 404 or codes & {NO_SUCH_ID, "BDC_1120"}:
        return Kind.NOT_FOUND
    return Kind.REFUSED


def _problems(body: bytes, text: str) -> tuple[tuple[Problem, ...], bool]:
    if not text:
        return (), False
    try:
        value = decode_any(body)
    except MalformedAnswerError:
        return (), True
    found = [_problem(v) for v in _elements(value)]
    # The same refusal arrives twice at times, once with the id of the bill in front.
    unique = {(p.code, p.message): p for p in found if p.code or p.message}
    return tuple(unique.values()), False


def _elements(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping):
        for member in ("errors", "error"):
            inner = value.get(member)
            if isinstance(inner, list):
                return inner
            if isinstance(inner, Mapping):
                return [inner]
    return [value]


def _problem(value: Any) -> Problem:
    if not isinstance(value, Mapping):
        return Problem(message="" if value is None else str(value)[:_MAX_TEXT])
    code = value.get("code") or value.get("errorCode")
    message = value.get("message") or value.get("detail") or value.get("error") or value.get("errorMessage") or ""
    return Problem(
        code=str(code) if code else None,
        message=str(message)[:_MAX_TEXT],
        severity=_text(value.get("severity")),
        category=_text(value.get("category")),
        params=_params(value.get("params")),
    )


def _params(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(k): str(v)[:200] for k, v in value.items()}
    if isinstance(value, list):
        return {str(v.get("name")): str(v.get("value"))[:200] for v in value if isinstance(v, Mapping)}
    return {}


def _text(value: Any) -> str | None:
    return str(value) if value else None
