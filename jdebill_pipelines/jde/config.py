"""What an AIS client is given: where the server is, who logs in, how long it may take, where the token is shared.

Belongs here: the client's own parameters. Does not belong here: connection files or the vault, which fill them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

ORCHESTRATOR_PATHS = ("/v3/orchestrator", "/v2/orchestrator", "/orchestrator")


@dataclass(frozen=True, slots=True)
class AisConfig:
    """Where the AIS Server is and how it is called.

    Attributes:
        url: base URL including ``/jderest`` and whatever prefix a gateway adds.
        environment: JDE environment such as ``JPD920``; '' = the server's default.
        role: JDE role such as ``*ALL``; '' = the server's default.
        device_name: a token is bound to it; stable per connection.
        page_size: rows asked per page. Servers may give fewer.
        parallel_calls: most calls at once with one token; JDE AIS advice is 2 to 4.
        connect_timeout: seconds.
        read_timeout: seconds, for reads.
        orchestration_timeout: seconds, for orchestrations (they post and submit).
        accept_gzip: ask for compressed answers.
        read_attempts: how often a read is tried.
        orchestrator_paths: tried in this order; the next one only when a path does not exist (404).
        max_pages: paging that goes beyond it is an error, not a longer loop.
        list_chunk: most values of one LIST condition; JDE does not document its limit.
    """

    url: str
    environment: str
    role: str
    device_name: str
    page_size: int = 1000
    parallel_calls: int = 2
    connect_timeout: float = 10.0
    read_timeout: float = 120.0
    orchestration_timeout: float = 300.0
    accept_gzip: bool = True
    read_attempts: int = 4
    orchestrator_paths: tuple[str, ...] = ORCHESTRATOR_PATHS
    max_pages: int = 20_000
    list_chunk: int = 50

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise ValueError(f"the AIS URL must look like https://host:port/jderest, not {self.url!r}")
        if not self.device_name:
            raise ValueError("device_name must not be empty: a token is bound to it")
        for name in ("page_size", "parallel_calls", "read_attempts", "max_pages", "list_chunk"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")

    @property
    def base(self) -> str:
        """The URL without a trailing slash."""
        return self.url.rstrip("/")


@dataclass(frozen=True, slots=True)
class AisCredentials:
    """Who logs in."""

    username: str
    password: str = field(repr=False)


@runtime_checkable
class TokenCache(Protocol):
    """Keeps the login of one (server, environment, user, device) for everybody who uses it. The value is opaque."""

    def get(self) -> str | None:
        """What was put last, or None."""
        ...

    def put(self, session_id: str) -> None:
        """Remember a fresh login, replacing what was there."""
        ...

    def drop(self, session_id: str) -> None:
        """Forget it, but only if it is still this one: another caller may have logged in meanwhile."""
        ...


@runtime_checkable
class ExclusiveTokenCache(TokenCache, Protocol):
    """A cache that can also hold back the other processes while one logs in."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Held while one caller logs in, so that the others wait and then find its login."""
        ...


class InProcessTokenCache:
    """The login kept in memory, shared by the clients of one process."""

    def __init__(self) -> None:
        self._value: str | None = None
        self._lock = threading.Lock()
        self._login = threading.RLock()

    def get(self) -> str | None:
        """See :meth:`TokenCache.get`."""
        with self._lock:
            return self._value

    def put(self, session_id: str) -> None:
        """See :meth:`TokenCache.put`."""
        with self._lock:
            self._value = session_id

    def drop(self, session_id: str) -> None:
        """See :meth:`TokenCache.drop`."""
        with self._lock:
            if self._value == session_id:
                self._value = None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See :meth:`ExclusiveTokenCache.exclusive`."""
        with self._login:
            yield
