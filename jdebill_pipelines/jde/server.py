"""What an AIS Server says about itself (``defaultconfig``).

Belongs here: reading it, and refusing servers that cannot do what is needed. Does not belong here: the calls that use
it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from jdebill_pipelines.jde.config import AisConfig
from jdebill_pipelines.jde.errors import body_of, error_for, malformed
from jdebill_pipelines.transport.errors import NotFound, PermanentError, TransientError
from jdebill_pipelines.transport.http import HttpSession, Response
from jdebill_pipelines.transport.retry import Backoff, repeat_reads, retry

log = logging.getLogger(__name__)

NEEDED = ("dataservice", "outputType", "version2services")
_TIME_TO_LIVE = 720.0
_SESSION_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the server is and can.

    Attributes:
        version: such as ``EnterpriseOne 9.2.8.3``, '' when unknown.
        capabilities: their names, or None when the server does not list them (then everything is assumed).
        session_timeout: idle minutes after which a token dies.
        time_to_live: minutes after which a token dies however busy it is.
        default_environment, default_role: used when a login names none.
    """

    version: str = ""
    capabilities: frozenset[str] | None = None
    session_timeout: float = _SESSION_TIMEOUT
    time_to_live: float = _TIME_TO_LIVE
    default_environment: str = ""
    default_role: str = ""

    def can(self, capability: str) -> bool:
        """Whether the server has a capability; True when it does not list any."""
        return self.capabilities is None or capability in self.capabilities

    @property
    def missing(self) -> list[str]:
        """Capabilities without which nothing works."""
        return [name for name in NEEDED if not self.can(name)]


def read_server_info(http: HttpSession, config: AisConfig, **retrying: Any) -> ServerInfo:
    """Ask the server what it is and can; no login needed.

    A server or gateway that does not show it (403, 404) is taken as able to do everything, with a warning.

    Raises:
        PermanentError: a needed capability is missing, or something else answers at this URL.
        TransientError: no answer now.
    """
    response = retry(
        lambda: _ask(http, config), repeat_reads, backoff=Backoff(attempts=config.read_attempts), **retrying
    )
    if response is None:
        log.warning("AIS does not show its configuration; assuming that it can everything that is needed")
        return ServerInfo()
    body = body_of(response)
    names = _names(body.get("capabilityList"))
    info = ServerInfo(
        version=str(body.get("aisVersion") or ""),
        capabilities=names or None,
        session_timeout=_minutes(body.get("sessionTimeout"), _SESSION_TIMEOUT),
        time_to_live=_minutes(body.get("timeToLive"), _TIME_TO_LIVE),
        default_environment=str(body.get("defaultEnvironment") or ""),
        default_role=str(body.get("defaultRole") or ""),
    )
    if info.missing:
        raise PermanentError(
            f"this AIS Server ({info.version or 'unknown release'}) lacks {', '.join(info.missing)}",
            method="GET",
            url=config.base + "/v2/defaultconfig",
            status=response.status,
            fix="AIS of Tools 9.2.1 or newer is needed, with its version 2 services switched on.",
        )
    log.info("AIS %s", info.version or "of unknown release")
    return info


def _ask(http: HttpSession, config: AisConfig) -> Response | None:
    for path in ("/v2/defaultconfig", "/defaultconfig"):
        url = config.base + path
        response = http.request("GET", url)
        if response.status == 405:
            response = http.request("POST", url, json_body=b"{}")
        if response.status == 200:
            if not body_of(response):
                raise malformed(response, "GET", url, what="asking AIS what it can", why="no JSON object was answered")
            return response
        error = error_for(response, "GET", url, what="asking AIS what it can")
        if isinstance(error, TransientError):
            raise error
        if not isinstance(error, NotFound):
            return None
    return None


def _names(value: Any) -> frozenset[str]:
    items = value if isinstance(value, list) else []
    return frozenset(str(i.get("name") if isinstance(i, dict) else i) for i in items if i)


def _minutes(value: Any, default: float) -> float:
    try:
        minutes = float(str(value).strip())
    except ValueError:
        return default
    return minutes if minutes > 0 else default
