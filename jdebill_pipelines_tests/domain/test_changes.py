"""What a changed, cancelled or vanished document means for the bill in BILL."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from jdebill_pipelines.domain.changes import BillState, decide_change
from jdebill_pipelines.domain.vouchers import VoucherRules, build_voucher_drafts
from jdebill_pipelines_tests.domain.cases import context, ledger, pay_item

(DUE,) = build_voucher_drafts([pay_item("10")], [ledger("10")], context(), VoucherRules())
GONE = msgspec.structs.replace(DUE, status="not_due", reason="voided in JD Edwards")
HELD = msgspec.structs.replace(DUE, status="held")
HASH = DUE.content_hash


def bill(**changes: Any) -> BillState:
    """A bill as the API sends it, untouched unless told otherwise."""
    return BillState.of({"id": "00nA", "paymentStatus": "UNPAID", "approvalStatus": "UNASSIGNED", **changes})


TOUCHED = [
    {"paymentStatus": "PAID", "paidAmount": Decimal(10)},
    {"paymentStatus": "SCHEDULED", "scheduledAmount": Decimal(10)},
    {"paymentStatus": "PARTIALLY_PAID"},
    {"paymentStatus": "SOMETHING_NEW"},
    {"approvalStatus": "APPROVED"},
    {"approvalStatus": "APPROVING"},
    {"approvalStatus": "DENIED"},
    {"approvalStatus": "SOMETHING_NEW"},
    {"approvalStatus": "ASSIGNED", "approvers": [{"status": "APPROVED"}]},
    {"creditAmount": Decimal(1)},
]


def test_new_same_and_changed_documents() -> None:
    """Never written and due: create. Same content: nothing. Changed and untouched: update. Never sent: nothing."""
    assert decide_change(DUE, None, linked_hash=None).operation == "create"
    assert decide_change(GONE, None, linked_hash=None).operation == "none"
    assert decide_change(None, None, linked_hash=None).operation == "none"
    assert decide_change(DUE, bill(), linked_hash=HASH).operation == "none"
    assert decide_change(DUE, bill(), linked_hash="other").operation == "update"
    assert decide_change(DUE, bill(approvalStatus="ASSIGNED"), linked_hash="other").operation == "update"


@pytest.mark.parametrize("draft", [GONE, None], ids=["voided", "disappeared"])
def test_documents_that_are_gone(draft: Any) -> None:
    """Untouched: archive. Archived already: nothing more."""
    change = decide_change(draft, bill(), linked_hash=HASH)
    assert change.operation == "archive"
    assert change.reason in ("voided in JD Edwards", "it disappeared from JD Edwards")
    assert decide_change(draft, bill(archived=True), linked_hash=HASH).operation == "none"


@pytest.mark.parametrize("touched", TOUCHED, ids=lambda t: "-".join(map(str, t)))
def test_what_somebody_has_touched_waits_for_a_person(touched: dict[str, Any]) -> None:
    """Paid, scheduled, credited, approved, denied or unknown: no update and no archive, but a reason and a fix."""
    state = bill(**touched)
    assert not state.untouched
    for draft in (DUE, GONE, None):
        change = decide_change(draft, state, linked_hash="other")
        assert change.operation == "hold"
        assert change.failure is not None
        assert change.failure.reason
        assert change.failure.fix
    assert decide_change(DUE, state, linked_hash=HASH).operation == "none"


def test_archived_bills() -> None:
    """Archived by us and due again: restore. Archived by somebody else: a person decides."""
    archived = bill(archived=True)
    assert decide_change(DUE, archived, linked_hash=HASH, archived_by_us=True).operation == "restore"
    assert decide_change(DUE, archived, linked_hash=HASH).operation == "hold"


def test_a_held_document_leaves_its_bill_alone_and_a_lost_bill_is_reported() -> None:
    """The rules hold the document: its bill stays. BILL no longer shows a written bill: held, never written again."""
    assert decide_change(HELD, bill(), linked_hash=HASH).operation == "none"
    assert decide_change(DUE, None, linked_hash=HASH).operation == "hold"
    assert decide_change(None, None, linked_hash=HASH, archived_by_us=True).operation == "none"


def test_vendor_credits_have_their_own_words() -> None:
    """A credit that was applied is touched; one that was not is free."""
    assert BillState.of({"id": "vcr1", "status": "NOT_APPLIED"}).untouched
    assert not BillState.of({"id": "vcr1", "status": "PARTIALLY_APPLIED", "appliedAmount": Decimal(1)}).untouched
