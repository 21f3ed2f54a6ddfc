"""One login to AIS and what it tells: token, the user's formats, when it ends.

Belongs here: the login request and answer, and their form in a shared cache. Does not belong here: when to log in
(``session``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from jdebill_pipelines.jde import codec
from jdebill_pipelines.jde.codec import NotJsonError
from jdebill_pipelines.jde.config import AisConfig, AisCredentials
from jdebill_pipelines.jde.errors import describe, error_for, malformed
from jdebill_pipelines.transport.errors import AuthenticationError, NotFound
from jdebill_pipelines.transport.http import HttpSession, Response

LOGIN_PATHS = ("/v2/tokenrequest", "/v2/orchestrator/jde-login", "/tokenrequest")
"""JDE AIS: the second lets a gateway expose nothing but the orchestrator path; the third is that of old releases."""


class Login(msgspec.Struct, frozen=True):
    """A login that works.

    Attributes:
        token: sent with every call; never shown.
        at: seconds since the epoch (this machine's clock) when it was made.
        identity: server, environment, role, user and device it belongs to; a cached login of another one is not used.
        date_format: the user's Java date pattern such as ``dd/MM/yyyy``, '' when the server does not say.
        decimal_mark: ``.`` or ``,``.
        environment, role, apps_release, time_zone: as the server says, '' when it does not.
        date_literal: the date pattern that conditions need, proven by a probe; '' = not proven yet.
    """

    token: str
    at: float
    identity: str
    date_format: str = ""
    decimal_mark: str = "."
    environment: str = ""
    role: str = ""
    apps_release: str = ""
    time_zone: str = ""
    date_literal: str = ""

    def __repr__(self) -> str:
        return f"Login(environment={self.environment!r}, role={self.role!r}, at={self.at:.0f})"

    def age(self, now: float) -> float:
        """Seconds since it was made."""
        return now - self.at


def identity_of(config: AisConfig, credentials: AisCredentials) -> str:
    """What a token is good for."""
    return "|".join((config.base, config.environment, config.role, credentials.username, config.device_name))


def to_cache(login: Login) -> str:
    """The login as the opaque text that a ``TokenCache`` keeps."""
    return msgspec.json.encode(login).decode()


def from_cache(value: str | None, identity: str) -> Login | None:
    """The login that a cache held, or None when it is unreadable or belongs to something else."""
    if not value:
        return None
    try:
        login = msgspec.json.decode(value, type=Login)
    except msgspec.MsgspecError:
        return None
    return login if login.identity == identity else None


def log_in(
    http: HttpSession, config: AisConfig, credentials: AisCredentials, *, clock: Callable[[], float] = time.time
) -> Login:
    """Log in once.

    Raises:
        AuthenticationError: refused (403), or Allowed Hosts (405).
        NotFound: no AIS at this URL.
        TransientError: the server does not answer as it should now.
        PermanentError: something else answers at this URL.
    """
    request: dict[str, Any] = {
        "username": credentials.username,
        "password": credentials.password,
        "deviceName": config.device_name,
    }
    if config.environment:
        request["environment"] = config.environment
    if config.role:
        request["role"] = config.role
    body = codec.encode(request)
    missing: NotFound | None = None
    for path in LOGIN_PATHS:
        url = config.base + path
        response = http.request("POST", url, json_body=body, headers={"jde-AIS-Auth-Device": config.device_name})
        if response.status == 200:
            return _read(response, url, identity_of(config, credentials), clock())
        error = error_for(response, "POST", url, what="the login to JD Edwards", login=True)
        if not isinstance(error, NotFound):
            raise error
        missing = missing or error
    assert missing is not None
    raise missing


def log_out(http: HttpSession, config: AisConfig, token: str) -> None:
    """End the session on the server (it is held on AIS and on the HTML Server until then).

    Raises:
        ApiError: it did not work; the session ends by itself later.
    """
    url = config.base + "/v2/tokenrequest/logout"
    headers = {"jde-AIS-Auth": token, "jde-AIS-Auth-Device": config.device_name}
    body = codec.encode({"token": token})
    response = http.request("POST", url, json_body=body, headers=headers, timeout=(5.0, 10.0))
    if response.status not in (200, 204, 444):
        raise error_for(response, "POST", url, what="the logout from JD Edwards")


def _read(response: Response, url: str, identity: str, now: float) -> Login:
    what = "the login to JD Edwards"
    try:
        body = codec.decode_object(response.body)
    except NotJsonError as error:
        raise malformed(response, "POST", url, what=what, why="no JSON was answered") from error
    raw_user = body.get("userInfo")
    user: dict[str, Any] = raw_user if isinstance(raw_user, dict) else {}
    token = user.get("token") or body.get("token")
    if not isinstance(token, str) or not token.strip():
        said, code = describe(body, response)
        raise AuthenticationError(
            what + " gave no token" + (f": {said}" if said else ""),
            method="POST",
            url=url,
            status=response.status,
            code=code,
            body=response.body,
            fix="Check user, password, environment and role.",
        )

    def text(source: dict[str, Any], name: str) -> str:
        value = source.get(name)
        return value.strip() if isinstance(value, str) else ""

    return Login(
        token=token,
        at=now,
        identity=identity,
        date_format=text(user, "simpleDateFormat") or _pattern(text(user, "dateFormat"), text(user, "dateSeperator")),
        decimal_mark="," if text(user, "decimalFormat") == "," else ".",
        environment=text(body, "environment"),
        role=text(body, "role"),
        apps_release=text(user, "appsRelease"),
        time_zone=text(user, "timeZoneOffset"),
    )


def _pattern(code: str, separator: str) -> str:
    """The Java pattern of a JDE date format code such as ``DME`` (E = year of four digits, Y = of two)."""
    parts = {"D": "dd", "M": "MM", "E": "yyyy", "Y": "yy"}
    if sorted(code.replace("E", "Y")) != ["D", "M", "Y"]:
        return ""
    return separator.join(parts[letter] for letter in code)
