"""Logging in to BILL, sessions, and the multi-factor steps that make a session trusted.

Belongs here: who may call and whether it may pay. Not here: how many calls at once; `limits` says that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from jdebill_pipelines.sandbox.bill import ids
from jdebill_pipelines.sandbox.bill.clock import Clock
from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.errors import business, invalid, login_failed, refusal, session_invalid, untrusted
from jdebill_pipelines.sandbox.bill.schema import checked, obj, plain, text
from jdebill_pipelines.sandbox.bill.switches import Switches

MFA_CODE = "123456"  # the only code that the simulator's text messages would carry
REMEMBERED = dt.timedelta(days=30)
CODE_LIFE = dt.timedelta(minutes=5)
DEVICE_LIMIT = 20

LOGIN = obj(
    {
        "username": text(required=True),
        "password": text(required=True),
        "organizationId": text(required=True),
        "devKey": text(required=True),
        "rememberMeId": text(),
        "device": text(),
    }
)
CHALLENGE = obj({"useBackup": plain("any")})
VALIDATE = obj(
    {
        "challengeId": text(required=True),
        "token": text(required=True),
        "device": text(),
        "machineName": text(),
        "rememberMe": plain("bool"),
    }
)
STEP_UP = obj({"rememberMeId": text(required=True), "device": text(required=True)})


@dataclass
class Session:
    """One login: valid together with its dev key until it has been idle too long."""

    id: str
    user: str
    user_id: str
    dev_key: str
    organization_id: str
    trusted: bool
    used: dt.datetime


class Sessions:
    """All sessions of the organization."""

    def __init__(self, switches: Switches, clock: Clock, maker: ids.Ids) -> None:
        self._switches = switches
        self._clock = clock
        self._ids = maker
        self.open: dict[str, Session] = {}
        self.user_ids: dict[str, str] = {}
        self.remembered: dict[str, tuple[str, str, dt.datetime]] = {}
        self.challenges: dict[str, tuple[str, dt.datetime]] = {}
        self.logins = 0
        self.refused_logins = 0
        self.expired = 0

    def user_id(self, user: str) -> str:
        """The id `006...` of a user."""
        return self.user_ids.setdefault(user, self._ids.new(ids.USER))

    def login(self, body: object) -> Json:
        """Check all four fields and open a session.

        Raises:
            Refusal: 400 for a missing field, 401 with BILL's login code, 423 for a locked organization.
        """
        try:
            given = checked(body, LOGIN, strict=self._switches.strict_members)
            self._check_login(given)
        except Exception:
            self.refused_logins += 1
            raise
        user = given["username"]
        session = Session(
            id=self._ids.token(),
            user=user,
            user_id=self.user_id(user),
            dev_key=given["devKey"],
            organization_id=given["organizationId"],
            trusted=self._remembers(user, given),
            used=self._clock.now(),
        )
        self.open[session.id] = session
        self.logins += 1
        return {
            "sessionId": session.id,
            "organizationId": session.organization_id,
            "userId": session.user_id,
            "trusted": self.is_trusted(session),
        }

    def _check_login(self, given: Json) -> None:
        switches, user = self._switches, given["username"]
        if given["devKey"] in switches.inactive_dev_keys:
            raise login_failed("BDC_1103", "Developer key is inactive.")
        if given["devKey"] not in switches.dev_keys:
            raise login_failed("BDC_1102", "Developer key is invalid.")
        if switches.organization_locked:
            raise refusal(423, "BDC_1107", "Organization is locked out.")
        if user in switches.locked_users:
            raise login_failed("BDC_1110", "Login is locked.")
        if switches.users.get(user) != given["password"]:
            raise login_failed("BDC_1101", "User name and password do not match.")
        if given["organizationId"] != switches.organization_id:
            raise login_failed("BDC_1123", "Organization id is invalid.")

    def find(self, headers: Mapping[str, str]) -> Session:
        """The session that the headers name; the call slides its window.

        Raises:
            Refusal: 401 `BDC_1109`: expired, unknown, or used with another dev key.
        """
        session = self.open.get(headers.get("sessionid", ""))
        if session is None or session.dev_key != headers.get("devkey"):
            raise session_invalid()
        now = self._clock.now()
        if now - session.used > dt.timedelta(seconds=self._switches.session_ttl_seconds):
            del self.open[session.id]
            self.expired += 1
            if self._switches.expired_session_code == "BDC_1361":
                raise refusal(403, "BDC_1361", "Session has ended.")
            raise session_invalid()
        session.used = now
        return session

    def expire(self) -> int:
        """End every session now; answers how many there were."""
        count = len(self.open)
        self.expired += count
        self.open.clear()
        return count

    def logout(self, session: Session) -> None:
        """End one session."""
        self.open.pop(session.id, None)

    def is_trusted(self, session: Session) -> bool:
        """Whether the session may pay."""
        if session.user in self._switches.sync_token_users:
            return False
        return self._switches.mfa_disabled or session.trusted

    def require_trusted(self, session: Session) -> None:
        """Refuse an untrusted session.

        Raises:
            Refusal: 403 `BDC_1361`.
        """
        if not self.is_trusted(session):
            raise untrusted()

    def info(self, session: Session) -> Json:
        """What `GET /v3/login/session` shows."""
        disabled = self._switches.mfa_disabled
        status = "DISABLED" if disabled else ("COMPLETE" if self.is_trusted(session) else "CHALLENGE")
        return {
            "organizationId": session.organization_id,
            "userId": session.user_id,
            "mfaStatus": status,
            "mfaBypass": False,
        }

    def challenge(self, session: Session, body: object) -> Json:
        """Send a code (always the same one) and answer the id of the challenge."""
        checked(body, CHALLENGE, strict=self._switches.strict_members)
        self._human(session)
        challenge = self._ids.token(24)
        self.challenges[challenge] = (session.user, self._clock.now())
        return {"challengeId": challenge}

    def validate(self, session: Session, body: object) -> Json:
        """Check a code; the `rememberMeId` lives 30 days and belongs to the device."""
        given = checked(body, VALIDATE, strict=self._switches.strict_members)
        self._human(session)
        device = given.get("device", "")
        if len(device) > DEVICE_LIMIT:
            raise business("BDC_1143", "Invalid entity data. deviceId.", 400)
        user, asked = self.challenges.get(given["challengeId"], ("", self._clock.now()))
        if not user or given["token"] != MFA_CODE:
            raise invalid(["token: is not valid"])
        if self._clock.now() - asked > CODE_LIFE:
            raise business("BDC_1356", "Code has expired.", 400)
        del self.challenges[given["challengeId"]]
        remember = self._ids.token(32)
        self.remembered[remember] = (user, device, self._clock.now())
        return {"rememberMeId": remember}

    def step_up(self, session: Session, body: object) -> Json:
        """Make the current session trusted."""
        given = checked(body, STEP_UP, strict=self._switches.strict_members)
        self._human(session)
        if not self._remembers(session.user, given):
            raise business("BDC_1374", "Token has expired.", 400)
        session.trusted = True
        return {"trusted": True}

    def _human(self, session: Session) -> None:
        if session.user in self._switches.sync_token_users:
            raise business("BDC_1145", "Permission denied for this operation.", 403)

    def _remembers(self, user: str, given: Json) -> bool:
        known = self.remembered.get(given.get("rememberMeId", ""))
        if known is None:
            return False
        owner, device, since = known
        return owner == user and device == given.get("device", "") and self._clock.now() - since <= REMEMBERED
