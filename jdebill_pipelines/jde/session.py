"""The AIS session: logged in once, shared by threads (and processes), renewed once, ended at the close.

Belongs here: tokens, and the calls that need one. Does not belong here: what is called.

JDE AIS: 444 is an expired token, 403 bad credentials or no permission; a token is bound to its device name, dies after
``timeToLive`` however busy, and keeps a session on two servers until its logout.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec

from jdebill_pipelines.jde import codec
from jdebill_pipelines.jde.config import AisConfig, AisCredentials, ExclusiveTokenCache, TokenCache
from jdebill_pipelines.jde.errors import SessionExpired, error_for, is_expired_token
from jdebill_pipelines.jde.login import Login, from_cache, identity_of, log_in, log_out, to_cache
from jdebill_pipelines.jde.server import ServerInfo, read_server_info
from jdebill_pipelines.transport.errors import ApiError, AuthenticationError
from jdebill_pipelines.transport.http import HttpConfig, HttpSession, Response
from jdebill_pipelines.transport.retry import Backoff, repeat_reads, retry

log = logging.getLogger(__name__)

_FRESH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call that needs a token.

    Attributes:
        what: what it does, for messages: ``reading F0411``.
        write: executing it twice would be harmful.
        bound_to_session: it needs the session that began the query (next page): after a renewal it is not repeated.
        renew_on_403: a 403 may come from a stale token (data service of some releases).
    """

    what: str
    write: bool = False
    bound_to_session: bool = False
    renew_on_403: bool = False


class AisSession:
    """Makes calls with a token.

    Args:
        config: see :class:`AisConfig`.
        credentials: see :class:`AisCredentials`.
        cache: shares the login with other clients; None = this client's own, ended by ``close``.
        sleep, clock: injectable; clock gives seconds since the epoch.
    """

    def __init__(
        self,
        config: AisConfig,
        credentials: AisCredentials,
        *,
        cache: TokenCache | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.sleep = sleep
        self._credentials = credentials
        self._identity = identity_of(config, credentials)
        self._cache = cache
        self._clock = clock
        self._login: Login | None = None
        self._refused: AuthenticationError | None = None
        self._info: ServerInfo | None = None
        self._lock = threading.RLock()
        self._slots = threading.BoundedSemaphore(config.parallel_calls)
        self._http = HttpSession(
            HttpConfig(
                connect_timeout=config.connect_timeout,
                read_timeout=config.read_timeout,
                accept_gzip=config.accept_gzip,
                pool_size=config.parallel_calls + 1,
            )
        )

    def login(self) -> Login:
        """The login in use; makes one when there is none, or when the present one is near the end of its life.

        Raises:
            AuthenticationError: refused; it is not tried again by this client.
            ApiError: the server did not answer as it should.
        """
        login = self._login
        if login is not None and not self._near_its_end(login):
            return login
        return self._renew(login)

    def server_info(self) -> ServerInfo:
        """What the server says about itself, asked once.

        Raises:
            PermanentError: a needed capability is missing.
        """
        with self._lock:
            if self._info is None:
                self._info = read_server_info(self._http, self.config, sleep=self.sleep)
            return self._info

    def remember_date_literal(self, pattern: str) -> None:
        """Keep the proven date pattern with the login, also for those who share it."""
        with self._lock:
            if self._login is None or self._login.date_literal == pattern:
                return
            before = to_cache(self._login)
            self._login = msgspec.structs.replace(self._login, date_literal=pattern)
            if self._cache is not None and self._cache.get() == before:
                self._cache.put(to_cache(self._login))

    def request(
        self,
        call: Call,
        method: str,
        path: str,
        body: dict[str, Any] | bytes | None = None,
        *,
        read_timeout: float | None = None,
    ) -> Response:
        """Make one call; renew the token once, for a read twice (a token may be ended as soon as it is given).

        Args:
            call: what it is.
            method: HTTP method.
            path: below the base URL, query included.
            body: encoded here when it is an object.
            read_timeout: seconds in place of the configured ones.

        Returns:
            The answer, whatever its status but 444.

        Raises:
            AuthenticationError: the token is refused right after a login.
            SessionExpired: the token was renewed, and the call hung on the old session.
            ApiError: the connection failed (``transport.http``).
        """
        login = self.login()
        payload = codec.encode(body) if isinstance(body, dict) else body
        response = self._send(call, method, path, payload, login, read_timeout)
        if not self._is_stale(call, response, login):
            return response
        log.info("AIS refused the token (HTTP %d); logging in again", response.status)
        fresh = self._renew(login)
        if call.bound_to_session:
            raise SessionExpired(
                f"{call.what} failed: the session ended",
                method=method,
                url=self.config.base + path,
                status=response.status,
                fix="The query is asked again in a new session.",
            )
        response = self._send(call, method, path, payload, fresh, read_timeout)
        if is_expired_token(response) and not call.write:
            fresh = self._renew(fresh)
            response = self._send(call, method, path, payload, fresh, read_timeout)
        if is_expired_token(response):
            raise error_for(response, method, self.config.base + path, what=call.what)
        return response

    def logout(self) -> None:
        """End the session on the server, for everybody who shares it. Failures are logged: it ends by itself later."""
        with self._lock:
            login, self._login = self._login, None
            if login is None and self._cache is not None:
                login = from_cache(self._cache.get(), self._identity)
            if login is None:
                return
            if self._cache is not None:
                self._cache.drop(to_cache(login))
        try:
            log_out(self._http, self.config, login.token)
        except ApiError as error:
            log.warning("the logout did not work, the session ends by itself: %s", error)

    def close(self) -> None:
        """Log out (unless the login is shared by a cache) and close the connections."""
        if self._cache is None:
            self.logout()
        self._http.close()

    def _send(
        self, call: Call, method: str, path: str, payload: bytes | None, login: Login, read_timeout: float | None
    ) -> Response:
        headers = {"jde-AIS-Auth": login.token, "jde-AIS-Auth-Device": self.config.device_name}
        timeout = (self.config.connect_timeout, read_timeout or self.config.read_timeout)
        with self._slots:
            return self._http.request(
                method,
                self.config.base + path,
                headers=headers,
                json_body=payload,
                timeout=timeout,
                write=call.write,
            )

    def _is_stale(self, call: Call, response: Response, login: Login) -> bool:
        if call.write:
            return response.status in (444, 401)
        if is_expired_token(response):
            return True
        # JDE documents only 403 for the data service, so it may mean an expired token; never one that was just given.
        return response.status == 403 and call.renew_on_403 and login.age(self._clock()) > _FRESH_SECONDS

    def _near_its_end(self, login: Login) -> bool:
        life = self.server_info().time_to_live * 60.0
        return login.age(self._clock()) > life - min(120.0, life * 0.1)

    def _renew(self, stale: Login | None) -> Login:
        """The login after ``stale`` (None = none yet): another caller's newer one, or a new one."""
        with self._lock, self._exclusive():
            if self._login is not None and (stale is None or self._login.token != stale.token):
                return self._login
            if self._cache is not None:
                shared = from_cache(self._cache.get(), self._identity)
                if (
                    shared is not None
                    and (stale is None or shared.token != stale.token)
                    and not self._near_its_end(shared)
                ):
                    self._login = shared
                    return shared
                if shared is not None:
                    self._cache.drop(to_cache(shared))
            return self._new_login(stale)

    def _new_login(self, stale: Login | None) -> Login:
        if self._refused is not None:
            # The credentials of this client do not change: asking again only helps to lock the user.
            raise self._refused
        self.server_info()
        self._http.forget_cookies()
        try:
            login = retry(
                lambda: log_in(self._http, self.config, self._credentials, clock=self._clock),
                repeat_reads,
                backoff=Backoff(attempts=self.config.read_attempts),
                sleep=self.sleep,
            )
        except AuthenticationError as error:
            self._refused = error
            self._login = None
            raise
        if self.config.environment and login.environment and login.environment != self.config.environment:
            log.warning("asked for environment %s, AIS answers %s", self.config.environment, login.environment)
        if stale is not None and stale.date_format == login.date_format:
            login = msgspec.structs.replace(login, date_literal=stale.date_literal)
        self._login = login
        if self._cache is not None:
            self._cache.put(to_cache(login))
        return login

    def _exclusive(self) -> AbstractContextManager[None]:
        return self._cache.exclusive() if isinstance(self._cache, ExclusiveTokenCache) else nullcontext()
