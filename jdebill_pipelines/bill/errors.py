"""The exceptions of the BILL client, made from BILL's answers.

Belongs here: which refusal becomes which class, and what a person should do. Does not belong here: reading the body
(``problems``) or trying again (``calls``).
"""

from __future__ import annotations

from typing import Any

from jdebill_pipelines.bill.problems import HOURLY, LOGIN_ADVICE, Kind, Problem, Refusal
from jdebill_pipelines.transport.errors import (
    ApiError,
    AuthenticationError,
    NotFound,
    RateLimited,
    Refused,
    TransientError,
    UnknownOutcome,
)

LOOK_UP = "It may have been executed: look it up in BILL before anything is sent again."


class BillRefused(Refused):
    """BILL said no.

    Attributes:
        problems: every element of the answer. For a bulk call they are about the whole request: BILL executes all of it
            or nothing, and does not say reliably which element was at fault (``BDC_1246`` marks the innocent ones).
    """

    problems: tuple[Problem, ...] = ()

    @property
    def messages(self) -> list[str]:
        """BILL's words, one per element."""
        return [str(p) for p in self.problems]


class DuplicateNumber(BillRefused):
    """A document with this number exists already (``BDC_1171``): look it up and adopt it."""


class PermissionRefused(BillRefused):
    """The user may not do this in BILL; an administrator must change the role."""


class UntrustedSession(BillRefused):
    """The session is valid but not trusted (``BDC_1361``): a person must complete MFA. Never tried again."""


def error_for(refusal: Refusal, *, repeatable: bool, retry_after: float | None, call: dict[str, Any]) -> ApiError:
    """The exception for an error answer.

    Args:
        refusal: the answer, read.
        repeatable: whether executing the call twice does no harm.
        retry_after: what the answer's ``Retry-After`` said, seconds.
        call: method, url, status, request_id of the call.
    """
    where = {**call, "code": refusal.code or "", "body": refusal.text}
    words = refusal.summary
    kind = refusal.kind
    if kind in (Kind.CONCURRENCY, Kind.HOURLY, Kind.THROTTLED):
        return RateLimited(f"BILL's limit: {words}", **where, retry_after=retry_after, not_executed=True)
    if kind is Kind.SERVER:
        failed = f"BILL failed: {words}"
        if repeatable:
            return TransientError(failed, **where, retry_after=retry_after)
        return UnknownOutcome(failed, **where, fix=LOOK_UP)
    if kind in (Kind.SESSION, Kind.LOGIN):
        return login_error(refusal, call)
    if kind is Kind.NOT_FOUND:
        fix = "A gateway answered, not BILL: check api_url in the connection file." if refusal.html else ""
        return NotFound(f"BILL has no such object: {words}", **where, fix=fix)
    refused, fix = _REFUSALS.get(kind, (BillRefused, ""))
    if refusal.html:
        fix = "A gateway or proxy answered, not BILL: check api_url, and what stands between."
    error = refused(f"BILL refused: {words}", **where, fix=fix, not_executed=True)
    error.problems = refusal.problems
    return error


_REFUSALS: dict[Kind, tuple[type[BillRefused], str]] = {
    Kind.UNTRUSTED: (
        UntrustedSession,
        "The session is not trusted: a person must complete MFA for this user. Sync tokens never can.",
    ),
    Kind.PERMISSION: (
        PermissionRefused,
        "Give the integration's user read and write on vendors, bills, payments and accounting lists in BILL.",
    ),
    Kind.DUPLICATE: (DuplicateNumber, "It exists already: look it up and adopt it."),
}


def login_error(refusal: Refusal, call: dict[str, Any]) -> AuthenticationError:
    """The exception for a login that BILL refused, with what to do about its code."""
    advice = [LOGIN_ADVICE[p.code] for p in refusal.problems if p.code and p.code in LOGIN_ADVICE]
    fix = advice[0] if advice else "check user, password, developer key and organization id, and the environment"
    return AuthenticationError(
        f"BILL does not accept the login: {refusal.summary}",
        **call,
        code=refusal.code or "",
        body=refusal.text,
        fix=fix[0].upper() + fix[1:] + ".",
        not_executed=True,
    )


def hour_used_up(seconds: float, call: dict[str, Any]) -> RateLimited:
    """The exception for our own count of the hour's requests, before anything is sent."""
    return RateLimited(
        "the hourly request budget of the BILL developer key is used up",
        **call,
        code=HOURLY,
        retry_after=seconds,
        not_executed=True,
        fix="It renews at the next full hour (UTC).",
    )
