"""What an AIS answer that is not a success means.

Belongs here: statuses and bodies of AIS read into error classes. Does not belong here: orchestrations that ran and
failed (``results``), or what is done about it (``session``, ``paging``).
"""

from __future__ import annotations

from typing import Any

from jdebill_pipelines.jde.codec import NotJsonError, decode_object
from jdebill_pipelines.jde.messages import errors_in, text_of_message
from jdebill_pipelines.transport.errors import (
    ApiError,
    AuthenticationError,
    NotFound,
    PermanentError,
    RateLimited,
    Refused,
    TransientError,
)
from jdebill_pipelines.transport.http import Response

CURSOR_EXPIRED = "JAS_MSG347"
"""JDE AIS: the title of the system error when the result set of a cursor is gone begins so."""

_ALLOWED_HOSTS = (
    "JD Edwards answers so when its HTML Server does not accept this AIS Server: the CNC administrator must add the "
    "AIS host to Allowed Hosts of the HTML Server (Server Manager, web runtime) and restart it. Nothing is wrong "
    "with the method or the password."
)
_LOGIN_403 = (
    "Check user and password in the vault, that the user is neither locked nor expired, that environment and role are "
    "allowed for it, and that Server Manager allows user name and password login on AIS. It is not tried again, so "
    "that the user is not locked."
)
_DATA_403 = (
    "The token is fresh, so this is permission: the role needs Data Browser access to the table, and AIS must allow "
    "the login type."
)


class CursorExpired(TransientError):
    """The rest of a paged query is gone; the query must be asked again."""


class SessionExpired(TransientError):
    """The token was refused and a fresh one is there; what hung on the old session (cursors) is gone."""


class MalformedAnswer(PermanentError):
    """The answer is not what an AIS Server says: HTML, broken JSON, a value that fits no column."""


def body_of(response: Response) -> dict[str, Any]:
    """The decoded body, or {} when it is not a JSON object."""
    try:
        return decode_object(response.body) if response.looks_like_json else {}
    except NotJsonError:
        return {}


def describe(body: dict[str, Any], response: Response) -> tuple[str, str]:
    """What the server said (one line) and its code, both '' when it said nothing readable."""
    if not body:
        return (
            "" if response.looks_like_json or not response.body else "no JSON but a page of a proxy or container"
        ), ""
    found = errors_in(body)
    simple = body.get("jde__simpleMessage") or body.get("userDefinedErrorText") or body.get("errorText")
    said = str(simple).strip() if simple else "; ".join(str(m) for m in found) or text_of_message(body.get("message"))
    if not said and body.get("exception"):
        said = str(body["exception"])
    code = next((m.code for m in found if m.code), "")
    if CURSOR_EXPIRED in said:
        code = CURSOR_EXPIRED
    return " ".join(said.split())[:500], code


def is_expired_token(response: Response) -> bool:
    """Whether the token was refused: 444 (JDE AIS), or what a gateway makes of it.

    JDE AIS says "Invalid Token" with 444, and "Token is Invalid" with 403.
    """
    if response.status in (444, 401):
        return True
    said = str(body_of(response).get("message") or "").lower() if response.status in (403, 500) else ""
    return "invalid token" in said or "token is invalid" in said


def error_for(response: Response, method: str, url: str, *, what: str, login: bool = False) -> ApiError:
    """The error of an answer that is not a success, for calls that may be repeated (reads, login).

    Args:
        response: status 400 and above.
        method: of the call.
        url: of the call.
        what: what was tried, such as ``reading F0411``; leads the text.
        login: the call was a login.
    """
    body = body_of(response)
    said, code = describe(body, response)
    status = response.status
    kind: type[ApiError]
    fix = ""
    if code == CURSOR_EXPIRED or CURSOR_EXPIRED.encode() in response.body[:20000]:
        kind, code, fix = CursorExpired, CURSOR_EXPIRED, "The query must be asked again from its last complete row."
    elif login and status == 405:
        kind, fix = AuthenticationError, _ALLOWED_HOSTS
    elif login and status in (401, 403, 445, 446):
        kind, fix = AuthenticationError, _LOGIN_403
    elif status in (401, 403):
        kind, fix = AuthenticationError, _DATA_403
    elif status == 444:
        kind = AuthenticationError
        fix = (
            "AIS refuses a token that is minutes old at most: a token is bound to its device name, or to the "
            "address it was requested from. Check that the device name is set and that calls leave through one address."
        )
    elif status in (404, 410):
        kind, fix = (
            NotFound,
            "Check the AIS URL in the connection file: it ends with /jderest, behind any gateway prefix.",
        )
    elif status == 429:
        kind, fix = RateLimited, "A gateway limits the calls; fewer parallel calls may be needed."
    elif status == 408 or status >= 500:
        kind, fix = TransientError, "Try again later; if it stays, look at the logs of AIS and of its HTML Server."
    else:
        kind, fix = Refused, "The request itself was not accepted; the answer says why."
    return kind(
        f"{what} failed" + (f": {said}" if said else ""),
        method=method,
        url=url,
        status=status,
        code=code,
        request_id=response.request_id or str(body.get("exceptionId") or ""),
        body=response.body[:4000],
        fix=fix,
        retry_after=response.retry_after,
        not_executed=status in (400, 401, 403, 404, 405, 406, 415, 429, 444),
    )


def malformed(response: Response, method: str, url: str, *, what: str, why: str) -> ApiError:
    """The error of an answer with status 200 that is not what was asked for."""
    html = not response.looks_like_json
    return MalformedAnswer(
        f"{what} failed: {why}",
        method=method,
        url=url,
        status=response.status,
        request_id=response.request_id,
        body=response.body[:4000],
        fix=(
            "The URL probably leads to a proxy or a login page and not to AIS: check it in the connection file."
            if html
            else "The server answers in an unknown way; keep the answer and compare it with the release of AIS."
        ),
    )
