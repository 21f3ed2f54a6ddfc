"""The BILL session: logged in once, shared, renewed once.

Belongs here: when a login happens. Does not belong here: how a call is made (``calls``) or where the session is kept
(``ports``).

BILL API v3: a session dies after 35 minutes without a call (48 hours for a sync token), has no refresh, and at most 200
logins an hour are allowed per developer key; so the session is cached and everybody uses the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from jdebill_pipelines.bill.models import LoginAnswer
from jdebill_pipelines.bill.ports import SessionCache
from jdebill_pipelines.transport.errors import AuthenticationError


class BillSession:
    """Hands out the session id.

    Args:
        login: makes one login call.
        cache: where the session id is kept.
    """

    def __init__(self, login: Callable[[], LoginAnswer], cache: SessionCache) -> None:
        self._login = login
        self._cache = cache
        self._refused: AuthenticationError | None = None
        self._lock = threading.Lock()

    def current(self) -> str:
        """The session id; logs in when there is none.

        Raises:
            AuthenticationError: BILL refused the login.
        """
        return self._cache.get() or self._renew(None)

    def renew(self, expired: str) -> str:
        """The session id after BILL refused ``expired``: another caller's fresh one, or a new login.

        Raises:
            AuthenticationError: BILL refused the login.
        """
        return self._renew(expired)

    def forget(self) -> str | None:
        """Drop the session from the cache; returns what was there."""
        session_id = self._cache.get()
        if session_id is not None:
            self._cache.drop(session_id)
        return session_id

    def _renew(self, expired: str | None) -> str:
        with self._lock, self._cache.exclusive():
            found = self._cache.get()
            if found is not None and found != expired:
                return found
            if expired is not None:
                self._cache.drop(expired)
            if self._refused is not None:
                # The credentials of this client do not change: asking again only helps to lock the login (BDC_1110).
                raise self._refused
            try:
                answer = self._login()
            except AuthenticationError as error:
                self._refused = error
                raise
            self._cache.put(answer.session_id)
            return answer.session_id
