"""What can go wrong with a call, sorted by what the caller may do next.

Belongs here: the classes and the words they print. Does not belong here: which status or code means what (``jde``,
``bill``).

* ``TransientError``: it did not work now; trying later may help.
* ``PermanentError``: trying again will not help; somebody must change something.
* ``UnknownOutcome``: a write left and nobody knows whether it was executed; look it up before anything is sent again.
"""

from __future__ import annotations

from typing import Any

from jdebill_pipelines.transport.redact import redact_text, redact_url

BODY_LIMIT = 2000
"""Most characters of an answer that an error keeps."""


class ApiError(Exception):
    """A call that did not give an answer to work with.

    Everything it keeps is redacted: neither ``str()`` nor an attribute holds a token, a password or a bank number.

    Args:
        what: what failed, in one phrase; the text leads with it.
        method: HTTP method.
        url: redacted here.
        status: HTTP status, None when no answer came.
        code: the other side's own error code (``BDC_1322``, ``JAS_MSG347``, a JDE data dictionary number).
        request_id: the other side's id of the call, for its support.
        body: the answer (bounded and redacted here).
        fix: what to do about it, one or two sentences.
        retry_after: seconds the other side asked to wait, None when it did not say.
        not_executed: True when it is certain that the other side did not execute the request, so that even a write may
            be sent again.
    """

    def __init__(
        self,
        what: str,
        *,
        method: str = "",
        url: str = "",
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        body: str | bytes = "",
        fix: str = "",
        retry_after: float | None = None,
        not_executed: bool = False,
    ) -> None:
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        self.what = redact_text(what)
        self.method = method
        self.url = redact_url(url)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.body = redact_text(text[: BODY_LIMIT * 2])[:BODY_LIMIT]
        self.fix = redact_text(fix)
        self.retry_after = retry_after
        self.not_executed = not_executed
        super().__init__(self.what)

    def __str__(self) -> str:
        where = " ".join(part for part in (self.method, self.url) if part)
        answer = [f"HTTP {self.status}"] if self.status is not None else []
        answer += [f"code {self.code}"] if self.code else []
        answer += [f"request id {self.request_id}"] if self.request_id else []
        text = self.what
        if where or answer:
            text += f" [{'; '.join(part for part in (where, ', '.join(answer)) if part)}]"
        if self.fix:
            text += f". {self.fix}" if not text.endswith(".") else f" {self.fix}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(kind: type[ApiError], state: dict[str, Any]) -> ApiError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (state.get("what", ""),)
    return error


class TransientError(ApiError):
    """It did not work now; the same call may work later."""


class PermanentError(ApiError):
    """The same call will fail again until somebody changes something."""


class UnknownOutcome(ApiError):
    """A write left and its answer did not come: it may or may not have been executed. Never send it again blindly."""


class AuthenticationError(PermanentError):
    """The other side does not accept who calls."""


class RateLimited(TransientError):
    """The other side refuses for now because of its limits; nothing was executed."""


class NotFound(PermanentError):
    """The addressed thing does not exist on the other side."""


class Refused(PermanentError):
    """The other side understood the request and said no."""
