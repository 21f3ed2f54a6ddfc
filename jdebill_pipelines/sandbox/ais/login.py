"""Logging in and out, validating a session, and the server's configuration.

Belongs here: the token services of both paths. Not here: how tokens live (``sessions``).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from jdebill_pipelines.sandbox.ais.answers import AisError, Answer
from jdebill_pipelines.sandbox.ais.codec import Json
from jdebill_pipelines.sandbox.ais.request import Request, flag
from jdebill_pipelines.sandbox.ais.sessions import Session, minutes
from jdebill_pipelines.sandbox.ais.world import AisWorld

_MEMBERS = {
    "username", "password", "deviceName", "environment", "role", "jasserver", "applicationName", "psToken", "token",
    "requiredCapabilities",
}  # fmt: skip
JAS = "http://jas01.example.test:8181"
_FORMATS = {"MM": "M", "dd": "D", "yyyy": "E", "yy": "R"}


def log_in(world: AisWorld, request: Request) -> Answer:
    """`tokenrequest` and `jde-login`.

    Raises:
        AisError: 400, 403, 405 or 415.
    """
    if request.method == "POST" and request.body.strip():
        request.check_content_type(charset_allowed=world.switches.content_type_charset)
    body = request.json
    unknown = set(body) - _MEMBERS
    if unknown:
        raise AisError(400, f"Invalid JSON: unrecognized field {sorted(unknown)[0]}")
    for member in _MEMBERS:
        request.text(member)
    session = _session(world, request, stateless=False)
    headers = {"Set-Cookie": "JSESSIONID=sandbox; Path=/jderest; HttpOnly"} if world.switches.session_cookie else {}
    return Answer(_logged_in(world, session), headers=headers)


def _session(world: AisWorld, request: Request, *, stateless: bool) -> Session:
    user = request.text("username") or request.parameter("$username")
    password = request.text("password") or request.parameter("$password")
    allowed = world.switches.allow_user_password
    if not user and request.basic is not None:
        user, password = request.basic
        allowed = world.switches.allow_basic
    if not user or not allowed:
        world.sessions.refused_logins += 1
        raise AisError(403, "Authorization Failure: no credentials, or this type of login is not allowed")
    header = request.headers.get
    return world.sessions.log_in(
        user,
        password,
        environment=request.text("environment")
        or header("jde-ais-auth-environment", "")
        or request.parameter("$environment"),
        role=request.text("role") or header("jde-ais-auth-role", "") or request.parameter("$role"),
        device=request.text("deviceName") or header("jde-ais-auth-device", "") or request.parameter("$device"),
        address=request.address,
        stateless=stateless,
    )


def authenticate(world: AisWorld, request: Request) -> Session:
    """The session of a protected request: by token, or for this request only by user and password.

    Raises:
        AisError: 444 for a bad token, 403 for bad credentials.
    """
    token, device = request.token()
    if token:
        return world.sessions.find(token, device, request.address)
    if request.basic is not None or request.text("username") or request.parameter("$username"):
        return _session(world, request, stateless=True)
    raise AisError(444, "Invalid Token")


def log_out(world: AisWorld, request: Request) -> Answer:
    """`tokenrequest/logout` and `jde-logout`.

    Raises:
        AisError: 400 without a token, 415, 444.
    """
    token, device = _given_token(world, request)
    world.sessions.find(token, device, request.address)
    world.sessions.end(token)
    world.sessions.logouts += 1
    return Answer(b"")


def validate(world: AisWorld, request: Request) -> Answer:
    """`tokenrequest/validate` and `jde-validate-session`.

    Raises:
        AisError: 400 without a token, 415, 444.
    """
    token, device = _given_token(world, request)
    touch = flag(request.json.get("touch"), "touch")
    world.sessions.find(token, device, request.address, touch=touch)
    return Answer({"isValidSession": True})


def _given_token(world: AisWorld, request: Request) -> tuple[str, str]:
    if request.method == "POST":
        request.check_content_type(charset_allowed=world.switches.content_type_charset)
    token, device = request.token()
    if not token:
        raise AisError(400, "A token is required")
    return token, device


def _logged_in(world: AisWorld, session: Session) -> Json:
    switches = world.switches
    pattern = switches.simple_date_format
    separator = next(letter for letter in pattern if not letter.isalpha())
    hours, rest = divmod(abs(switches.utc_offset_minutes), 60)
    sign = "-" if switches.utc_offset_minutes < 0 else "+"
    return {
        "username": session.user,
        "environment": session.environment,
        "role": session.role,
        "jasserver": JAS,
        "userInfo": {
            "token": session.token,
            "langPref": "  ",
            "locale": "en",
            "dateFormat": "".join(_FORMATS[part] for part in pattern.split(separator)),
            "dateSeperator": separator,
            "simpleDateFormat": pattern,
            "timeFormat": "HH:mm:ss",
            "decimalFormat": switches.decimal_format,
            "addressNumber": 70012,
            "alphaName": "AP Integration",
            "appsRelease": "E920",
            "country": "US",
            "username": session.user,
            "longUserId": session.user,
            "timeZoneOffset": f"UTC{sign}{hours:02d}:{rest:02d}",
            "dstRuleKey": "",
            "dstRule": {},
        },
        "userAuthorized": False,
        "version": None,
        "poStringJSON": None,
        "altPoStringJSON": None,
        "aisSessionCookie": "sandbox" if switches.session_cookie else None,
        "adminAuthorized": False,
    }


def default_config(world: AisWorld, request: Request) -> Answer:
    """`defaultconfig`: needs no authentication; times are minutes as text."""
    switches = world.switches
    jas = urlsplit(JAS)
    required = [name for name in request.parameter("requiredCapabilities").split(",") if name.strip()]
    missing = not set(required) <= set(switches.capabilities)
    return Answer(
        {
            "jasHost": jas.hostname,
            "jasPort": str(jas.port),
            "jasProtocol": jas.scheme,
            "defaultJasServer": JAS,
            "defaultEnvironment": switches.environments[0],
            "defaultRole": switches.roles[0],
            "displayEnvironment": True,
            "displayRole": True,
            "displayJasServer": False,
            "defaultCachingOn": False,
            "keepJasSessionOpen": True,
            "ssoAllowed": False,
            "allowSelfSignedSsl": False,
            "sessionTimeout": minutes(switches.idle_seconds),
            "timeToLive": minutes(switches.life_seconds),
            "allowBasicAuth": switches.allow_basic,
            "allowUserPassword": switches.allow_user_password,
            "aisVersion": f"EnterpriseOne {switches.tools_release}",
            "capabilityList": [
                {
                    "name": name,
                    "shortDescription": name,
                    "longDescription": name,
                    "asOfRelease": "9.2",
                    "sinceVersion": "",
                }
                for name in switches.capabilities
            ],
            "requiredCapabilityMissing": missing,
        }
    )
