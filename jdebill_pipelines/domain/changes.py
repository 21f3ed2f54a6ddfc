"""What a document's change means for the bill that BILL already has.

Belongs here: the decision to create, update, archive, restore, leave or hold. Does not belong here: doing it.

BILL's rules for editing a bill that is approved, scheduled or paid are not published, and a bill that somebody has
approved or paid must not change under their hands. So a bill is changed only while it is unpaid and nobody has approved
it; everything else waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from jdebill_pipelines.domain.documents import BillDraft
from jdebill_pipelines.domain.verdicts import Failure

UNTOUCHED_APPROVAL = frozenset({"", "UNASSIGNED", "ASSIGNED"})
Operation = Literal["none", "create", "update", "archive", "restore", "hold"]


class BillState(msgspec.Struct, frozen=True):
    """How far a bill or vendor credit has gone in BILL."""

    id: str
    archived: bool
    payment_status: str
    approval_status: str
    used: Decimal  # paid, scheduled, credited or applied

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> BillState:
        """Read a bill or a vendor credit as the API sends it; members that BILL leaves out mean nothing happened."""
        amounts = (raw.get(k) for k in ("paidAmount", "scheduledAmount", "creditAmount", "appliedAmount"))
        used = sum((abs(Decimal(str(a))) for a in amounts if a is not None), Decimal(0))
        voted = any(a.get("status") in ("APPROVED", "DENIED") for a in raw.get("approvers") or ())
        return cls(
            id=str(raw["id"]),
            archived=bool(raw.get("archived")),
            payment_status=str(raw.get("paymentStatus") or raw.get("status") or ""),
            approval_status="APPROVING" if voted else str(raw.get("approvalStatus") or ""),
            used=used,
        )

    @property
    def untouched(self) -> bool:
        """Whether it may still be changed: unpaid, unapproved, no credit used."""
        unpaid = self.payment_status in ("", "UNPAID", "NOT_APPLIED") and self.used == 0
        return unpaid and self.approval_status in UNTOUCHED_APPROVAL

    @property
    def words(self) -> str:
        """The state for people."""
        parts = (self.payment_status, self.approval_status)
        return ", ".join(p.lower().replace("_", " ") for p in parts if p) or "open"


class Change(msgspec.Struct, frozen=True):
    """What to do. ``failure`` is set exactly when the operation is ``hold``."""

    operation: Operation
    reason: str = ""
    failure: Failure | None = None


def decide_change(
    draft: BillDraft | None, state: BillState | None, *, linked_hash: str | None, archived_by_us: bool = False
) -> Change:
    """Decide what a document's present draft means for its bill.

    Args:
        draft: the present draft, None when the document has disappeared from JDE.
        state: the bill as BILL shows it now, None when BILL does not show it.
        linked_hash: content hash of what was last written, None when the document was never written.
        archived_by_us: the link says that we archived the bill.
    """
    wanted = draft is not None and draft.status == "due"
    if linked_hash is None:
        return Change("create") if wanted else Change("none")
    if draft is not None and draft.status == "held":
        return Change("none", "the document is held; its bill stays as it is")
    if state is None:
        if not wanted and archived_by_us:
            return Change("none")
        return _hold(
            "bill",
            "missing",
            "The bill was written but BILL no longer shows it.",
            "Find the bill in BILL.",
            "bill_missing",
        )
    if wanted:
        assert draft is not None
        return _keep(draft, state, linked_hash, archived_by_us=archived_by_us)
    why = "it disappeared from JD Edwards" if draft is None else draft.reason
    if state.archived:
        return Change("none")
    if state.untouched:
        return Change("archive", why)
    return _hold(
        "status",
        state.words,
        f"The document is no longer due ({why}), but its bill in BILL is {state.words}.",
        "Decide in BILL whether the bill is to be paid; void its payment or archive it there, or restore the document.",
        "gone_after_use",
    )


def _keep(draft: BillDraft, state: BillState, linked_hash: str, *, archived_by_us: bool) -> Change:
    same = draft.content_hash == linked_hash
    if state.archived:
        if archived_by_us:
            return Change("restore", "the document is due again")
        return _hold(
            "archived",
            "true",
            "Somebody archived the bill in BILL, but the document is still due in JD Edwards.",
            "Restore the bill in BILL, or hold or void the document in JD Edwards.",
            "archived_in_bill",
        )
    if same:
        return Change("none")
    if state.untouched:
        return Change("update", "the document was changed in JD Edwards")
    return _hold(
        "status",
        state.words,
        f"The document was changed in JD Edwards, but its bill in BILL is already {state.words}.",
        "Undo the change in JD Edwards, or void the payment or approval in BILL and run the month again.",
        "changed_after_use",
    )


def _hold(field: str, value: str, reason: str, fix: str, rule: str) -> Change:
    return Change("hold", reason, Failure("", field, value, reason, fix, rule))
