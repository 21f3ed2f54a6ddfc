"""The value objects of the write ledger.

Does not belong here: any statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from jdebill_pipelines.store.engine import decode_json
from jdebill_pipelines.store.links import Origin
from jdebill_pipelines.store.releases import Release

Outcome = Literal["confirmed", "refused", "unknown", "not_found", "unsent"]


class LostClaim(RuntimeError):
    """Another process took over a claim whose lease had run out; what we know must not overwrite what it finds.

    Attributes:
        claims: the claims that were lost.
    """

    claims: list[Claim]

    @classmethod
    def of(cls, claims: Sequence[Claim], when: str) -> LostClaim:
        """Build the error for these claims."""
        named = ", ".join(f"{claim.kind} {claim.natural_key}" for claim in claims[:5])
        error = cls(f"{len(claims)} claim(s) were taken over by another process {when}: {named}")
        error.claims = list(claims)
        return error


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The right, until the lease runs out, to send one document (or to look it up).

    Attributes:
        fence: grows with every claim of the row; a settle with an older one is refused.
        text: the content, as the database writes it.
        payload: exactly what is to be sent, UTF-8.
        remote_id: of the object that is changed, None for a create.
        recovering: it may have been sent before: look it up, send nothing.
    """

    write_id: int
    fence: int
    kind: str
    natural_key: str
    generation: int
    gate: str
    operation: str
    text: str
    content_hash: str
    payload: bytes
    remote_id: str | None
    period: str
    amount: Decimal | None
    currency: str
    party: str
    attempts: int
    recovering: bool = False

    @property
    def content(self) -> dict[str, Any]:
        """What is sent, as it was judged; decoded anew every time."""
        decoded: dict[str, Any] = decode_json(self.text)
        return decoded

    @classmethod
    def of(cls, row: Mapping[str, Any], *, recovering: bool = False) -> Claim:
        """Build a claim from its row in the ledger."""
        values = {name: row[name] for name in cls.__struct_fields__ if name in row}
        return cls(**{**values, "write_id": row["id"], "payload": row["payload"].encode(), "recovering": recovering})


class Intended(msgspec.Struct):
    """What became of a batch of releases.

    Attributes:
        claims: send these, and settle every one.
        skipped: confirmed with exactly this content: nothing to do.
        busy: somebody else is sending it now.
        unresolved: sent before with unknown outcome, or by a process that died: recover first.
        settling: looked up and not found; waits before it is sent again.
        refused: refused with exactly this content; backing off.
        withdrawn: not released any more: changed, judged otherwise or its gate closed since the release was read.
    """

    claims: list[Claim] = []
    skipped: list[Release] = []
    busy: list[Release] = []
    unresolved: list[Release] = []
    settling: list[Release] = []
    refused: list[Release] = []
    withdrawn: list[Release] = []


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """How one claim ended. Built by the class methods."""

    claim: Claim
    outcome: Outcome
    remote_id: str = ""
    origin: Origin = "created"
    errors: list[dict[str, Any]] = []
    response: bytes = b""
    fix: str = ""
    details: dict[str, Any] = {}

    @classmethod
    def confirmed(
        cls,
        claim: Claim,
        remote_id: str,
        *,
        response: bytes = b"",
        origin: Origin = "created",
        details: dict[str, Any] | None = None,
    ) -> Settlement:
        """It is there, under this id. ``details`` are kept on the link."""
        if not remote_id:
            raise ValueError(f"{claim.kind} {claim.natural_key} cannot be confirmed without a remote id")
        return cls(
            claim=claim,
            outcome="confirmed",
            remote_id=remote_id,
            response=response,
            origin=origin,
            details=details or {},
        )

    @classmethod
    def refused(
        cls, claim: Claim, errors: Sequence[Mapping[str, Any]], *, response: bytes = b"", fix: str = ""
    ) -> Settlement:
        """The other side refused it and did nothing: ``errors`` are its words, ``{"code", "message"}`` each."""
        if not errors:
            raise ValueError(f"{claim.kind} {claim.natural_key} cannot be refused without a reason")
        return cls(claim=claim, outcome="refused", errors=[dict(error) for error in errors], response=response, fix=fix)

    @classmethod
    def unknown(cls, claim: Claim, why: str, *, response: bytes = b"") -> Settlement:
        """It may or may not be there: a timeout, a reset, a server error after the request left."""
        return cls(claim=claim, outcome="unknown", errors=[{"code": "UNKNOWN", "message": why}], response=response)

    @classmethod
    def not_found(cls, claim: Claim) -> Settlement:
        """Looked up on the other side and not there. Sent again only after the settling delay."""
        return cls(claim=claim, outcome="not_found")

    @classmethod
    def release(cls, claim: Claim) -> Settlement:
        """Claimed, but certainly not sent: free for the next."""
        return cls(claim=claim, outcome="unsent")


class SettleResult(msgspec.Struct):
    """What settling did, by natural key.

    Attributes:
        returned: not there, or not sent: intended again.
        conflicts: confirmed under a remote id that is another document's; left unknown and held for a person.
    """

    confirmed: list[str] = []
    refused: list[str] = []
    unknown: list[str] = []
    returned: list[str] = []
    conflicts: list[str] = []


class WriteRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ledger, for people and the audit."""

    id: int
    kind: str
    natural_key: str
    generation: int
    gate: str
    operation: str
    state: str
    content_hash: str
    payload_digest: str
    response_digest: str
    remote_id: str | None
    period: str
    amount: Decimal | None
    currency: str
    party: str
    worker: str
    claimed_at: datetime
    lease_until: datetime
    uncertain_since: datetime | None
    not_before: datetime | None
    attempts: int
    errors: list[dict[str, Any]]
    run_id: str
    asset_key: str
    actor: str
    created_at: datetime
    settled_at: datetime | None
