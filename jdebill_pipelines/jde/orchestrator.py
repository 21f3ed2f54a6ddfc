"""Calling orchestrations.

Belongs here: the call and what a lost one means. Does not belong here: reading answers (``results``) or deciding to
call.

JDE AIS: there is no idempotency key. A call is sent again only when it certainly was not executed: the connection never
stood, the token had expired (444), or the path does not exist (404).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from jdebill_pipelines.jde import codec
from jdebill_pipelines.jde.codec import NotJsonError
from jdebill_pipelines.jde.contracts import OrchestrationContract, read_discovery
from jdebill_pipelines.jde.errors import error_for, malformed
from jdebill_pipelines.jde.results import OrchestrationResult, read_result
from jdebill_pipelines.jde.session import AisSession, Call
from jdebill_pipelines.transport.errors import NotFound
from jdebill_pipelines.transport.http import Response
from jdebill_pipelines.transport.retry import Backoff, repeat_reads, repeat_refused_writes, retry

log = logging.getLogger(__name__)

_DISCOVERY_PATHS = ("/v3/discover", "/v2/discover", "/discover")


class Orchestrator:
    """Calls orchestrations of one AIS Server.

    Args:
        session: makes the calls.
    """

    def __init__(self, session: AisSession) -> None:
        self._session = session
        self._base: str | None = None

    def call(self, name: str, inputs: Mapping[str, Any], *, expects: Sequence[str] = ()) -> OrchestrationResult:
        """Call an orchestration; see :meth:`AisClient.orchestrate`."""
        payload = codec.encode(inputs)
        call = Call(f"the orchestration {name}", write=True)
        paths = [self._base] if self._base else list(self._session.config.orchestrator_paths)
        for number, base in enumerate(paths):
            path = f"{base}/{quote(name, safe='')}"
            response = self._send(call, path, payload)
            if response.status == 404 and number + 1 < len(paths):
                continue
            login = self._session.login()
            result = read_result(
                response,
                name=name,
                url=self._session.config.base + path,
                expects=expects,
                date_format=login.date_format,
                decimal_mark=login.decimal_mark,
            )
            self._base = base
            return result
        raise AssertionError("no orchestrator path is configured")

    def discover(self) -> dict[str, OrchestrationContract]:
        """The orchestrations that the server shows to this user, by name.

        Raises:
            ApiError: see ``transport.errors``.
        """
        call = Call("discovering orchestrations")
        error: NotFound | None = None
        for path in _DISCOVERY_PATHS:
            try:
                return read_discovery(self._read(call, path))
            except NotFound as missing:
                error = error or missing
        assert error is not None
        raise error

    def _read(self, call: Call, path: str) -> Any:
        url = self._session.config.base + path

        def once() -> Response:
            response = self._session.request(call, "GET", path)
            if response.status != 200:
                raise error_for(response, "GET", url, what=call.what)
            return response

        backoff = Backoff(attempts=self._session.config.read_attempts)
        response = retry(once, repeat_reads, backoff=backoff, sleep=self._session.sleep)
        try:
            return codec.decode(response.body)
        except NotJsonError as error:
            raise malformed(response, "GET", url, what=call.what, why="no JSON was answered") from error

    def _send(self, call: Call, path: str, payload: bytes) -> Response:
        timeout = self._session.config.orchestration_timeout
        return retry(
            lambda: self._session.request(call, "POST", path, payload, read_timeout=timeout),
            repeat_refused_writes,
            backoff=Backoff(attempts=self._session.config.read_attempts),
            sleep=self._session.sleep,
        )
