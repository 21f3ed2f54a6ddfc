"""Why a post is refused: the name it is counted under, its HTTP status, and who is told.

Belongs here: the table. Does not belong here: finding the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Posts to no connection are counted under this name, which no connection can have: one row, whatever is asked for.
UNKNOWN = "(unknown)"


class Reason(StrEnum):
    """Why a post is refused."""

    CONNECTION = "unknown connection"
    CONTENT_TYPE = "content type"
    TOO_LARGE = "too large"
    TOO_SLOW = "too slow"
    NO_KEY = "no key"
    NO_SIGNATURE = "no signature"
    SIGNATURE_FORM = "signature is not base64"
    BAD_SIGNATURE = "bad signature"
    MALFORMED = "malformed"
    ORGANIZATION = "other organization"
    CHANGING_KEY = "key is being changed"
    BUSY = "busy"
    DATABASE = "database"


# BILL API v3: everything but 200 is delivered again later. 503 asks for that; the others say what is wrong.
STATUS: dict[Reason, int] = {
    Reason.CONNECTION: 404,
    Reason.CONTENT_TYPE: 415,
    Reason.TOO_LARGE: 413,
    Reason.TOO_SLOW: 408,
    Reason.NO_KEY: 401,
    Reason.NO_SIGNATURE: 401,
    Reason.SIGNATURE_FORM: 401,
    Reason.BAD_SIGNATURE: 401,
    Reason.MALFORMED: 400,
    Reason.ORGANIZATION: 403,
    Reason.CHANGING_KEY: 503,
    Reason.BUSY: 503,
    Reason.DATABASE: 503,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What an alert says of a refusal; ``{connection}`` in the fix stands for the connection's name."""

    what: str
    fix: str


_FORGED = Told(
    "A webhook post was not signed with a key of ours: somebody forges events, or the key in the vault is not BILL's.",
    "Nothing of it was stored. If BILL's own events fail as well (jdebill webhooks status {connection}), run: "
    "jdebill webhooks rotate-key {connection}. Otherwise look for the sender in the proxy's log.",
)
ALERTS: dict[Reason, Told] = {
    Reason.NO_KEY: Told(
        "A webhook post arrived, but no security key is stored to verify it with.",
        "Run: jdebill webhooks subscribe {connection}",
    ),
    Reason.NO_SIGNATURE: _FORGED,
    Reason.SIGNATURE_FORM: _FORGED,
    Reason.BAD_SIGNATURE: _FORGED,
    Reason.MALFORMED: Told(
        "BILL sent a signed event that cannot be read.",
        "Payments are still found by the nightly sweep. Look at the event: jdebill webhooks status {connection}",
    ),
    Reason.ORGANIZATION: Told(
        "BILL sent a signed event of another organization than the connection's.",
        "Compare bill.organization_id of the connection file with BILL's: jdebill webhooks status {connection}",
    ),
}
