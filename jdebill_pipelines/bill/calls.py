"""One call to BILL: a slot, the session, the answer's meaning, and whether it is made again.

Belongs here: what is true of every call. Does not belong here: endpoints (``client``, ``events``), the reading of error
bodies (``problems``) or the mechanics of trying again (``transport.retry``).

What may be made again (BILL API v3 has no idempotency keys on vendors, bills and payments):

* refused before execution (401, ``BDC_1322``, ``BDC_1144``, 429): any call;
* time-outs, resets, 5xx, HTML in place of JSON: reads, and writes that leave the same state when repeated;
* the same for a create: never; nobody knows what happened, and the caller looks it up (``lookup``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from jdebill_pipelines.bill import codec
from jdebill_pipelines.bill.codec import MalformedAnswerError
from jdebill_pipelines.bill.config import BillApiConfig, BillCredentials
from jdebill_pipelines.bill.errors import LOOK_UP, error_for, hour_used_up, login_error
from jdebill_pipelines.bill.models import LoginAnswer
from jdebill_pipelines.bill.ports import HOUR, CallGate, SessionCache
from jdebill_pipelines.bill.problems import HOURLY, Kind, Refusal, read_refusal
from jdebill_pipelines.bill.session import BillSession
from jdebill_pipelines.transport.errors import (
    ApiError,
    AuthenticationError,
    PermanentError,
    RateLimited,
    TransientError,
    UnknownOutcome,
)
from jdebill_pipelines.transport.http import HttpConfig, HttpSession, Response
from jdebill_pipelines.transport.redact import redact_text
from jdebill_pipelines.transport.retry import Again, Backoff, Decision, retry

T = TypeVar("T")

_LIMIT_PAUSES = Backoff(first=0.25, longest=8.0, jitter=0.8)
_FAILURE_PAUSES = Backoff(first=0.5, longest=20.0, jitter=0.5)
_MOST_LIMIT_PAUSES = 25
_RENEWALS = 2
"""Logins for one call: a session may be dropped between login and call, by BILL or by another client's logout."""
_CLOCK_SKEW = 1.0
"""Seconds to wait beyond the full hour: BILL's clock is not ours."""


class Safety(StrEnum):
    """What executing a call twice would do."""

    READ = "read"  # nothing
    REPEATABLE = "repeatable"  # leave the same state
    CREATE = "create"  # perhaps make a second one


class BillCaller:
    """Makes calls for the endpoints; shared by threads.

    Args:
        config: where and how.
        credentials: who.
        sessions: where the session id is kept.
        gate: who may call now.
        sleep: how to wait, injectable.
        clock: seconds since the epoch, injectable.
        draw: a random number from 0 to 1, injectable.
        max_wait: in place of the configured one: most seconds that one call waits in all.
        http: connections to share with another caller.
        session: a session to share with another caller.
    """

    def __init__(
        self,
        config: BillApiConfig,
        credentials: BillCredentials,
        *,
        sessions: SessionCache,
        gate: CallGate,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
        max_wait: float | None = None,
        http: HttpSession | None = None,
        session: BillSession | None = None,
    ) -> None:
        self.config = config
        self._credentials = credentials
        self._sessions = sessions
        self._gate = gate
        self._sleep = sleep
        self._clock = clock
        self._draw = draw
        self._max_wait = config.max_wait if max_wait is None else max_wait
        timeouts = HttpConfig(connect_timeout=config.connect_timeout, read_timeout=config.read_timeout)
        self._http = http or HttpSession(timeouts)
        self.session = session or BillSession(self._log_in, sessions)

    def patient(self, max_wait: float) -> BillCaller:
        """The same caller with another bound on waiting, sharing connections, session and gate."""
        return BillCaller(
            self.config,
            self._credentials,
            sessions=self._sessions,
            gate=self._gate,
            sleep=self._sleep,
            clock=self._clock,
            draw=self._draw,
            max_wait=max_wait,
            http=self._http,
            session=self.session,
        )

    def close(self) -> None:
        """Close the connections; the session lives on in the cache."""
        self._http.close()

    def log_out(self) -> None:
        """End the session at BILL and forget it. A session that is gone already is as good."""
        session_id = self.session.forget()
        if session_id is None:
            return
        url = self.config.api_url.rstrip("/") + "/v3/logout"
        response = self._send("POST", url, None, None, self._signed({}, session_id), Safety.READ)
        if response.status >= 400 and self._refusal(response).kind is not Kind.SESSION:
            self._take(response, "POST", url, Safety.READ, bytes)

    def call(
        self,
        method: str,
        path: str,
        *,
        read: Callable[[bytes], T],
        safety: Safety = Safety.READ,
        params: Mapping[str, str] | None = None,
        payload: object = None,
        headers: Mapping[str, str] | None = None,
        events: bool = False,
        anonymous: bool = False,
    ) -> T:
        """Make one call and read its answer.

        Args:
            method: HTTP method.
            path: from ``/v3`` on, ids already quoted.
            read: reads the body of a success; raises ``MalformedAnswerError`` for what it cannot read.
            safety: what executing it twice would do.
            params: query parameters.
            payload: what is sent as JSON; None sends no body.
            headers: sent besides the session's.
            events: under the webhook management's base URL.
            anonymous: without a session.

        Raises:
            BillRefused: BILL said no; ``problems`` has all of its words.
            NotFound: no such object.
            AuthenticationError: the login was refused, or a fresh session is.
            RateLimited: a limit of BILL would keep the call waiting longer than ``max_wait``.
            TransientError: the other side failed, several times.
            UnknownOutcome: a create that may or may not have been executed.
            PermanentError: an answer that cannot be used.
        """
        base = self.config.events_url if events else self.config.api_url
        url = base.rstrip("/") + path
        body = None if payload is None else codec.encode(payload)

        def once() -> T:
            if anonymous:
                response = self._send(method, url, params, body, dict(headers or {}), safety)
            else:
                response = self._send_in_session(method, url, params, body, headers or {}, safety)
            return self._take(response, method, url, safety, read)

        return self._again_and_again(once, safety)

    def _send_in_session(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str],
        safety: Safety,
    ) -> Response:
        session_id = self.session.current()
        for renewals_left in reversed(range(_RENEWALS + 1)):
            response = self._send(method, url, params, body, self._signed(headers, session_id), safety)
            if response.status < 400:
                return response
            refusal = self._refusal(response)
            if refusal.kind is not Kind.SESSION:
                return response
            if renewals_left:
                session_id = self.session.renew(session_id)
        self._sessions.drop(session_id)
        raise AuthenticationError(
            f"BILL does not accept a session that it gave out just now: {refusal.summary}",
            **_call(method, url, response),
            code=refusal.code or "",
            body=refusal.text,
            fix="Check that the developer key belongs to the organization, and that the user may use the API.",
            not_executed=True,
        )

    def _signed(self, headers: Mapping[str, str], session_id: str) -> dict[str, str]:
        return {**headers, "sessionId": session_id, "devKey": self._credentials.dev_key}

    def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        headers: dict[str, str],
        safety: Safety,
    ) -> Response:
        left = self._gate.spend()
        if left > 0:
            raise hour_used_up(left, {"method": method, "url": url})
        with self._gate.slot():
            return self._http.request(
                method, url, headers=headers, json_body=body, params=params, write=safety is Safety.CREATE
            )

    def _take(self, response: Response, method: str, url: str, safety: Safety, read: Callable[[bytes], T]) -> T:
        call = _call(method, url, response)
        if response.status >= 400:
            refusal = self._refusal(response)
            if refusal.kind is Kind.HOURLY:
                self._gate.exhaust()
            raise error_for(
                refusal,
                repeatable=safety is not Safety.CREATE,
                retry_after=response.retry_after or (self._to_the_hour() if refusal.kind is Kind.HOURLY else None),
                call=call,
            )
        try:
            return read(response.body)
        except MalformedAnswerError as error:
            what = f"BILL's answer cannot be read ({error})"
            text = self._redacted(response.body)
            if safety is Safety.CREATE:
                raise UnknownOutcome(what, **call, body=text, fix=LOOK_UP) from None
            if not response.looks_like_json:
                raise TransientError(what, **call, body=text, fix="A gateway answered in place of BILL.") from None
            raise PermanentError(what, **call, body=text, fix="Report it with this text.") from None

    def _log_in(self) -> LoginAnswer:
        credentials = self._credentials
        url = self.config.api_url.rstrip("/") + "/v3/login"
        body = codec.encode(
            {
                "username": credentials.username,
                "password": credentials.password,
                "organizationId": self.config.organization_id,
                "devKey": credentials.dev_key,
            }
        )

        # One attempt only: the call that needs the session makes the whole of it again. It has not left yet.
        try:
            response = self._send("POST", url, None, body, {}, Safety.READ)
            if 400 <= response.status < 500:
                refusal = self._refusal(response)
                if refusal.kind not in (Kind.CONCURRENCY, Kind.HOURLY, Kind.THROTTLED, Kind.SERVER):
                    raise login_error(refusal, _call("POST", url, response))
            return self._take(response, "POST", url, Safety.READ, lambda b: codec.decode(b, LoginAnswer))
        except TransientError as error:
            error.not_executed = True
            raise

    def _again_and_again(self, once: Callable[[], T], safety: Safety) -> T:
        bounds = Backoff(attempts=_MOST_LIMIT_PAUSES + self.config.read_attempts, total=self._max_wait)
        return retry(once, self._rule(safety), backoff=bounds, sleep=self._sleep, draw=self._draw)

    def _rule(self, safety: Safety) -> Decision:
        limited = failed = 0

        def decide(error: ApiError, attempt: int) -> Again | None:
            nonlocal limited, failed
            del attempt
            if isinstance(error, RateLimited):
                if error.code == HOURLY and error.retry_after is not None:
                    return Again(error.retry_after + _CLOCK_SKEW + 4 * self._draw())
                limited += 1
                if limited > _MOST_LIMIT_PAUSES:
                    return None
                wait = error.retry_after
                return Again(_LIMIT_PAUSES.seconds(limited, self._draw()) if wait is None else wait)
            if isinstance(error, TransientError) and (safety is not Safety.CREATE or error.not_executed):
                failed += 1
                if failed >= self.config.read_attempts:
                    return None
                wait = error.retry_after
                return Again(_FAILURE_PAUSES.seconds(failed, self._draw()) if wait is None else wait)
            return None

        return decide

    def _refusal(self, response: Response) -> Refusal:
        return read_refusal(response.status, self._redacted(response.body).encode())

    def _redacted(self, body: bytes) -> str:
        known = [self._credentials.dev_key, self._credentials.password, self._sessions.get() or ""]
        return redact_text(body.decode("utf-8", "replace"), known)

    def _to_the_hour(self) -> float:
        return HOUR - self._clock() % HOUR


def _call(method: str, url: str, response: Response) -> dict[str, Any]:
    return {"method": method, "url": url, "status": response.status, "request_id": response.request_id}
