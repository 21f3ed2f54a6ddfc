"""What an orchestration answered, and whether that proves anything.

Belongs here: reading answers of orchestrations. Does not belong here: calling them (``orchestrator``) or what their
outputs mean.

JDE AIS: there is no rollback over the steps of an orchestration, so an ERROR does not prove that nothing was written;
an answer with HTTP 200 may hold form errors; releases before Tools 9.2.5.4 have no ``jde__status``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from jdebill_pipelines.jde.codec import NotJsonError, decode_object
from jdebill_pipelines.jde.errors import describe, error_for
from jdebill_pipelines.jde.literals import parse_date, parse_number
from jdebill_pipelines.jde.messages import JdeMessage, Severity, find_messages
from jdebill_pipelines.transport.errors import ApiError, Refused, UnknownOutcome
from jdebill_pipelines.transport.http import Response

_NOT_OUTPUTS = (
    "errors/warnings",
    "continuedonerror",
    "message",
    "exception",
    "exceptionid",
    "timestamp",
    "status",
    "type",
)
_BEFORE_EXECUTION = (400, 403, 404, 405, 406, 415, 429)
_LOOK_UP = "It may have been executed: look the document up in JD Edwards before anything is sent again."


class Outcome(StrEnum):
    """What a failed orchestration leaves behind."""

    REFUSED = "refused"  # refused before any step ran: nothing was written
    REFUSED_MAYBE_PARTIAL = "refused_maybe_partial"  # a step failed; steps before it may have written


class OrchestrationFailed(Refused):
    """JD Edwards said that the orchestration failed.

    Attributes:
        name: of the orchestration.
        outcome: :attr:`Outcome.REFUSED_MAYBE_PARTIAL` means that the caller looks in JD Edwards first.
        messages: what JD Edwards said, errors first.
        outputs: what it answered nevertheless.
        digest: SHA-256 of the answer.
    """

    name: str = ""
    outcome: Outcome = Outcome.REFUSED_MAYBE_PARTIAL
    messages: Sequence[JdeMessage] = ()
    outputs: Mapping[str, Any] = {}
    digest: str = ""

    @property
    def maybe_partial(self) -> bool:
        """Whether something may have been written all the same."""
        return self.outcome is Outcome.REFUSED_MAYBE_PARTIAL


@dataclass(frozen=True, slots=True)
class OrchestrationResult:
    """An orchestration that ran to its end.

    Attributes:
        name: of the orchestration.
        status: ``SUCCESS``, or ``WARN`` when JD Edwards had something to say, or a step failed and it went on.
        outputs: what the designer mapped, as JDE named it; numbers are exact.
        warnings: warnings, continued steps, and errors that did not keep the expected outputs from being there.
        digest: SHA-256 of the answer, hexadecimal.
        raw: the answer.
        seconds: on the server, as it says; else as measured here.
        date_format: the JDE user's, for outputs that are text.
        decimal_mark: the JDE user's.
    """

    name: str
    status: str
    outputs: Mapping[str, Any]
    warnings: Sequence[JdeMessage] = ()
    digest: str = ""
    raw: bytes = field(default=b"", repr=False)
    seconds: Decimal = Decimal(0)
    date_format: str = ""
    decimal_mark: str = "."

    def value(self, name: str) -> Any:
        """An output by its name (case and blanks do not matter); None when it is not there."""
        return lookup(self.outputs, name)

    def text(self, name: str) -> str:
        """An output as trimmed text, '' when blank or not there."""
        value = self.value(name)
        if isinstance(value, Decimal):
            return format(value.to_integral_value() if value == value.to_integral_value() else value, "f")
        return "" if value is None else str(value).strip()

    def number(self, name: str) -> Decimal:
        """An output as a number, 0 when blank or not there; old orchestrations give text.

        Raises:
            ValueError: it is not a number.
        """
        return parse_number(self.value(name), self.decimal_mark)

    def date(self, name: str) -> dt.date | None:
        """An output as a date: ISO, ``YYYYMMDD`` or the JDE user's format. None when blank or not there.

        Raises:
            ValueError: it is not a date.
        """
        return parse_date(self.value(name), self.date_format)


def lookup(outputs: Mapping[str, Any], name: str) -> Any:
    """An output by its name, whatever its case, blanks and underscores; found at the top or one level below."""
    if name in outputs:
        return outputs[name]
    wanted = _plain(name)
    for found, value in outputs.items():
        if _plain(found) == wanted:
            return value
    return None


def read_result(
    response: Response,
    *,
    name: str,
    url: str,
    expects: Sequence[str] = (),
    date_format: str = "",
    decimal_mark: str = ".",
) -> OrchestrationResult:
    """Read the answer of an orchestration.

    Args:
        response: the answer, whatever its status but an expired token.
        name: of the orchestration.
        url: of the call.
        expects: outputs without which it has not done its work, such as the document number.
        date_format, decimal_mark: of the JDE user.

    Raises:
        OrchestrationFailed: JD Edwards said so; its ``outcome`` says what that proves.
        UnknownOutcome: nobody can tell from this answer.
        ApiError: refused before it ran (no permission, no such orchestration, not valid).
    """
    what = f"the orchestration {name}"
    digest = hashlib.sha256(response.body).hexdigest()
    if response.status in _BEFORE_EXECUTION:
        raise _refused_before(response, name, url, digest)
    body = _body(response, what, url)
    messages = sorted(find_messages(body), key=lambda m: list(Severity).index(m.severity))
    errors = [m for m in messages if m.severity is Severity.ERROR]
    outputs = {k: v for k, v in body.items() if not k.startswith("jde__") and k.lower() not in _NOT_OUTPUTS}
    status = str(body.get("jde__status") or "").upper()
    missing = [output for output in expects if _is_blank(lookup(outputs, output))]
    failed = status == "ERROR" or bool(body.get("exception")) or str(body.get("status")).upper() == "ERROR"
    if response.status != 200 or failed:
        if not (failed or errors) or response.status in (502, 503, 504):
            raise _unknown(response, what, url, "the server failed without saying what happened")
        raise _failed(response, name, url, digest, messages, outputs, body)
    if errors and (missing or not expects):
        raise _failed(response, name, url, digest, messages, outputs, body)
    if missing:
        raise _unknown(response, what, url, f"the answer lacks {', '.join(missing)}")
    seconds = body.get("jde__serverExecutionSeconds")
    return OrchestrationResult(
        name=name,
        status="WARN" if status == "WARN" or messages else "SUCCESS",
        outputs=outputs,
        warnings=messages,
        digest=digest,
        raw=response.body,
        seconds=Decimal(seconds) if isinstance(seconds, int | Decimal) else Decimal(str(round(response.seconds, 3))),
        date_format=date_format,
        decimal_mark=decimal_mark,
    )


def _body(response: Response, what: str, url: str) -> dict[str, Any]:
    try:
        return decode_object(response.body)
    except NotJsonError as error:
        page = "a page of a proxy or container came in place of an answer"
        why = page if not response.looks_like_json else "the answer is no JSON object"
        raise _unknown(response, what, url, why) from error


def _refused_before(response: Response, name: str, url: str, digest: str) -> ApiError:
    error = error_for(response, "POST", url, what=f"the orchestration {name}")
    if response.status == 404:
        error.fix = (
            "No such orchestration for this user: it must be imported, shared (not personal or pending), spelled so, "
            "and visible by UDO view security for the integration role."
        )
    if response.status == 403:
        error.fix = "The integration role may not run it: UDO view security, or the security of the program it calls."
    if response.status not in (400, 406):
        return error
    failed = OrchestrationFailed(
        error.what, method="POST", url=url, status=error.status, code=error.code, request_id=error.request_id,
        body=error.body, fix="Its inputs do not fit: run the contract check of orchestrations.", not_executed=True,
    )  # fmt: skip
    failed.name, failed.outcome, failed.digest = name, Outcome.REFUSED, digest
    return failed


def _failed(
    response: Response,
    name: str,
    url: str,
    digest: str,
    messages: Sequence[JdeMessage],
    outputs: Mapping[str, Any],
    body: dict[str, Any],
) -> OrchestrationFailed:
    said, code = describe(body, response)
    failed = OrchestrationFailed(
        f"the orchestration {name} failed" + (f": {said}" if said else ""),
        method="POST",
        url=url,
        status=response.status,
        code=code,
        request_id=response.request_id or str(body.get("exceptionId") or ""),
        body=response.body[:4000],
        fix="Steps before the failing one may have written (JDE does not roll back): look in JD Edwards first.",
    )
    failed.name, failed.digest = name, digest
    failed.messages, failed.outputs = tuple(messages), dict(outputs)
    return failed


def _unknown(response: Response, what: str, url: str, why: str) -> UnknownOutcome:
    return UnknownOutcome(
        f"{what}: {why}",
        method="POST",
        url=url,
        status=response.status,
        request_id=response.request_id,
        body=response.body[:4000],
        fix=_LOOK_UP,
    )


def _plain(name: str) -> str:
    return "".join(name.split()).replace("_", "").lower()


def _is_blank(value: Any) -> bool:
    if value is None or value == [] or value == {}:
        return True
    return isinstance(value, str | int | Decimal) and str(value).strip() in ("", "0", "null")
