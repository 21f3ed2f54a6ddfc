"""Login answers.

Belongs here: session shapes only.
"""

from __future__ import annotations

from jdebill_pipelines.bill.models.base import Received


class SessionInfo(Received, frozen=True, kw_only=True):
    """Who is logged in. ``mfa_status`` ``COMPLETE`` means trusted."""

    organization_id: str | None = None
    user_id: str | None = None
    mfa_status: str | None = None
    mfa_bypass: bool | None = None


class LoginAnswer(Received, frozen=True, kw_only=True):
    """What a login gives. ``trusted`` means that the session may create payments."""

    session_id: str
    organization_id: str | None = None
    user_id: str | None = None
    trusted: bool | None = None

    def __repr__(self) -> str:
        return (
            f"LoginAnswer(organization_id={self.organization_id!r}, user_id={self.user_id!r}, trusted={self.trusted})"
        )
