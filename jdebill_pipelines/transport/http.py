"""The HTTP session: bytes out, bytes in, and what a failed connection means.

Belongs here: connections, time-outs, bounds, cookies, and sorting connection failures into "never left" and "nobody
knows". Does not belong here: what a status means, or trying again (``retry``).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import urllib3.exceptions as u3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import get_environ_proxies

from jdebill_pipelines.transport.errors import ApiError, PermanentError, TransientError, UnknownOutcome
from jdebill_pipelines.transport.redact import redact_url
from jdebill_pipelines.transport.retry import parse_retry_after

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
_REQUEST_ID_HEADERS = (
    "x-request-id",
    "x-bdc-request-id",
    "x-correlation-id",
    "request-id",
    "x-oracle-dms-ecid",
    "x-amzn-trace-id",
)


def _ca_bundle() -> str | None:
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or None


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """How calls are made.

    Attributes:
        connect_timeout: seconds until a connection must stand.
        read_timeout: seconds between two packets of an answer (and until its first).
        total_timeout: seconds for a whole answer; a server that drips bytes does not hold a caller for ever.
        accept_gzip: ask for compressed answers. Off sends ``Accept-Encoding: identity`` (some AIS servers and proxies
            damage compressed answers).
        max_bytes: most bytes of an answer, decompressed.
        pool_size: connections kept per host.
        idle_write_seconds: a write does not use a connection that has been idle longer: the other side may be closing
            it at this very moment, and then nobody would know whether the write arrived.
        user_agent: sent as such.
        verify: True, or the path of a CA bundle (default: what REQUESTS_CA_BUNDLE or SSL_CERT_FILE names).
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    total_timeout: float = 600.0
    accept_gzip: bool = True
    max_bytes: int = 256 * 1024 * 1024
    pool_size: int = 8
    idle_write_seconds: float = 2.0
    user_agent: str = "jdebill-pipelines"
    verify: bool | str = field(default_factory=lambda: _ca_bundle() or True)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, complete.

    Attributes:
        status: HTTP status.
        headers: names compare without case.
        body: decompressed.
        seconds: from sending to the last byte.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0

    @property
    def request_id(self) -> str:
        """The other side's id of the call, or ''."""
        return next((self.headers[name] for name in _REQUEST_ID_HEADERS if name in self.headers), "")

    @property
    def retry_after(self) -> float | None:
        """Seconds the other side asks to wait, or None."""
        return parse_retry_after(self.headers.get("retry-after"))

    @property
    def looks_like_json(self) -> bool:
        """Whether the body begins as JSON does; proxies and containers answer with HTML."""
        return self.body.lstrip()[:1] in (b"{", b"[")

    @property
    def text(self) -> str:
        """The body as text, for messages."""
        return self.body.decode("utf-8", "replace")


class _NoAuth(AuthBase):
    """Keeps requests from adding credentials of its own (``~/.netrc``)."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        return r


class HttpSession:
    """Connections to one API, shared by threads. Cookies are kept (load balancers use them for affinity).

    Redirects are never followed: the credentials in the headers would go along.
    """

    def __init__(self, config: HttpConfig = HttpConfig()) -> None:
        self.config = config
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = _NoAuth()
        self._adapter = HTTPAdapter(pool_connections=4, pool_maxsize=config.pool_size, max_retries=0)
        self._session.mount("https://", self._adapter)
        self._session.mount("http://", self._adapter)
        self._session.headers.clear()
        self._session.headers["User-Agent"] = config.user_agent
        self._proxies: dict[str, dict[str, str]] = {}
        self._idle_since = time.monotonic()
        self._in_flight = 0
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json_body: bytes | None = None,
        params: Mapping[str, str] | list[tuple[str, str]] | None = None,
        timeout: tuple[float, float] | None = None,
        write: bool = False,
    ) -> Response:
        """Make one call; every HTTP status that is not a redirect is returned, not raised.

        Args:
            method: HTTP method.
            url: absolute.
            headers: sent besides User-Agent, Accept and Accept-Encoding.
            json_body: encoded JSON; sent as plain ``application/json`` (no charset: some servers answer 415 to one).
            params: query parameters.
            timeout: (connect, read) seconds in place of the configured ones.
            write: whether executing it twice would be harmful.

        Raises:
            TransientError: no answer, or not a whole one. ``not_executed`` when the request never left.
            UnknownOutcome: the same for a write whose request may have arrived.
            PermanentError: certificate refused, invalid URL, a redirect, an answer beyond ``max_bytes``.
        """
        sent: dict[str, str] = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip" if self.config.accept_gzip else "identity",
        }
        if json_body is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        connect, read = timeout or (self.config.connect_timeout, self.config.read_timeout)
        self._begin(write)
        started = time.monotonic()
        arriving = False
        try:
            answer = self._session.request(
                method,
                url,
                headers=sent,
                data=json_body,
                params=params,
                timeout=(connect, read),
                allow_redirects=False,
                stream=True,
                verify=self.config.verify,
                proxies=self._proxies_for(url),
            )
            arriving = True
            try:
                body = self._read(answer, started, method, url)
            finally:
                answer.close()
        except ApiError as error:
            raise (_unknown(error, method, url) if write else error) from error.__cause__
        except (requests.RequestException, u3.HTTPError, OSError) as error:
            _raise_for(error, method, url, write=write, arriving=arriving)
        finally:
            self._end()
        response = Response(answer.status_code, answer.headers, body, time.monotonic() - started)
        log.debug("%s %s -> %d in %.3f s", method, redact_url(url), response.status, response.seconds)
        if 300 <= response.status < 400 and response.status != 304:
            raise _redirected(response, method, url)
        return response

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def cookies(self) -> dict[str, str]:
        """The cookies held now, by name."""
        return {cookie.name: cookie.value or "" for cookie in self._session.cookies}

    def forget_cookies(self) -> None:
        """Drop all cookies, for a fresh login."""
        self._session.cookies.clear()

    def _begin(self, write: bool) -> None:
        with self._lock:
            idle = self._in_flight == 0 and time.monotonic() - self._idle_since > self.config.idle_write_seconds
            self._in_flight += 1
        if write and idle:
            self._adapter.poolmanager.clear()

    def _end(self) -> None:
        with self._lock:
            self._in_flight -= 1
            self._idle_since = time.monotonic()

    def _proxies_for(self, url: str) -> dict[str, str]:
        # Read once per host: the environment does not change, and reading it costs more than a call.
        host = urlsplit(url).netloc
        if host not in self._proxies:
            self._proxies[host] = dict(get_environ_proxies(url))
        return self._proxies[host]

    def _read(self, answer: requests.Response, started: float, method: str, url: str) -> bytes:
        deadline = started + self.config.total_timeout
        pieces: list[bytes] = []
        size = 0
        raw: Any = answer.raw
        while True:
            # One packet at a time: read() would wait for a whole chunk and miss the deadline.
            piece = raw.read1(_CHUNK, decode_content=True)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
            if size > self.config.max_bytes:
                raise PermanentError(
                    f"the answer is larger than {self.config.max_bytes} bytes",
                    method=method,
                    url=url,
                    status=answer.status_code,
                    fix="Ask for smaller pages or fewer columns.",
                )
            if time.monotonic() > deadline:
                raise TransientError(
                    f"the answer did not end within {self.config.total_timeout:g} seconds",
                    method=method,
                    url=url,
                    status=answer.status_code,
                    fix="Ask for smaller pages, or allow more time.",
                )


def _unknown(error: ApiError, method: str, url: str) -> UnknownOutcome:
    return UnknownOutcome(
        f"{error.what}, and the request had been sent",
        method=method,
        url=url,
        status=error.status,
        fix="It may have been executed: look it up on the other side before sending anything again.",
    )


def _causes(error: BaseException) -> list[BaseException]:
    """The error with everything it wraps (requests hides urllib3's reason in ``args``, urllib3 in ``reason``)."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        item = queue.pop(0)
        if not isinstance(item, BaseException) or any(item is known for known in found):
            continue
        found.append(item)
        queue += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return found


def _raise_for(error: BaseException, method: str, url: str, *, write: bool, arriving: bool) -> NoReturn:
    causes = _causes(error)

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    where: dict[str, Any] = {"method": method, "url": url}
    if isinstance(
        error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema | requests.exceptions.InvalidSchema
    ):
        raise PermanentError("the URL is not valid", **where, fix="Correct the URL in the connection file.") from error
    if has(u3.NameResolutionError):
        raise TransientError(
            "the server's name does not resolve",
            **where,
            not_executed=True,
            fix="Check the host name in the connection file and the DNS of this machine.",
        ) from error
    if has(u3.ConnectTimeoutError, requests.exceptions.ConnectTimeout):
        raise TransientError(
            "the server did not accept a connection in time",
            **where,
            not_executed=True,
            fix="Check that the server is up and that a firewall lets this machine through.",
        ) from error
    if has(u3.NewConnectionError):
        raise TransientError(
            "the server refused the connection",
            **where,
            not_executed=True,
            fix="Check that the server is up, and its host and port in the connection file.",
        ) from error
    if not arriving and has(u3.SSLError, requests.exceptions.SSLError) and not has(u3.ProtocolError, ConnectionError):
        raise PermanentError(
            "no secure connection: the server's certificate or TLS version was not accepted",
            **where,
            not_executed=True,
            fix="Check the scheme of the URL, and name the company's CA bundle in REQUESTS_CA_BUNDLE.",
        ) from error
    if has(u3.DecodeError, requests.exceptions.ContentDecodingError):
        broken = "the answer could not be decompressed"
        fix = "Turn compression off for this connection (accept_gzip: false)."
    elif has(u3.ReadTimeoutError, requests.exceptions.ReadTimeout, TimeoutError):
        broken = "the server did not answer in time"
        fix = "See whether the server is overloaded; a longer read timeout may be needed."
    elif arriving:
        broken = "the answer broke off"
        fix = "Try again; if it stays, look at the proxy or load balancer between."
    else:
        broken = "the connection was lost before an answer came"
        fix = "Try again; if it stays, look at the proxy or load balancer between."
    failed = TransientError(broken, **where, fix=fix)
    raise (_unknown(failed, method, url) if write else failed) from error


def _redirected(response: Response, method: str, url: str) -> PermanentError:
    target = redact_url(response.headers.get("location", ""))
    return PermanentError(
        "the server redirects, and redirects are not followed because the credentials would go along",
        method=method,
        url=url,
        status=response.status,
        request_id=response.request_id,
        not_executed=True,
        fix=f"Put the final address in the connection file; the server names {target!r}.",
    )
