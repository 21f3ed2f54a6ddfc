"""BILL driven through every state of a payment, and what JDE's tables say then.

What is expected is written down here a second time, so that the table in the code cannot agree with itself only.
"""

from __future__ import annotations

from typing import Any

import pytest

from jdebill_pipelines_tests.payments.loop import D, Loop, total

# singleStatus: how the clerk gets there, whether a payment seen there first is posted, what becomes of one that was
# posted before, and whether anybody is told: by an alert, or by a row in the quarantine.
STATES: dict[str, tuple[tuple[str, dict[str, Any]], bool, str, str]] = {
    "SCHEDULED": (("advance", {"to": "SCHEDULED", "jump": True}), False, "stays", "nobody"),
    "READY_TO_FUND": (("advance", {"to": "READY_TO_FUND", "jump": True}), False, "stays", "nobody"),
    "FUNDING_STARTED": (("advance", {"to": "FUNDING_STARTED", "jump": True}), False, "stays", "nobody"),
    "PROCESSED": (("advance", {"to": "PROCESSED"}), True, "stays", "nobody"),
    "SENT": (("advance", {"to": "SENT"}), True, "stays", "nobody"),
    "DELIVERED": (("advance", {"to": "DELIVERED"}), True, "stays", "nobody"),
    "CLEARED": (("clear", {}), True, "stays", "nobody"),
    "PARTIALLY_CLAIMED": (("fail", {"kind": "partially_claimed"}), True, "stays", "alert"),
    "EXPIRING": (("fail", {"kind": "expiring"}), True, "stays", "alert"),
    "DISBURSEMENT_ON_HOLD": (("fail", {"kind": "hold"}), False, "stays", "quarantine"),
    "CANCELLATION_IN_PROGRESS": (("advance", {"to": "CANCELLATION_IN_PROGRESS"}), False, "stays", "nobody"),
    "CANCELED": (("advance", {"to": "CANCELED"}), False, "voided", "nobody"),
    "VOID_PENDING": (("void", {"pending": True}), False, "stays", "alert"),
    "VOIDED": (("void", {}), False, "voided", "alert"),
    "FUNDING_FAILED_ACTION_NEEDED": (("fail", {"kind": "funding"}), False, "stays", "quarantine"),
    "FUNDING_FAILED_VOIDED": (("fail", {"kind": "funding_voided"}), False, "voided", "alert"),
    "DISBURSEMENT_FAILED_ACTION_NEEDED": (("fail", {"kind": "disbursement"}), False, "stays", "quarantine"),
    "DISBURSEMENT_FAILED_VENDOR_BANK_REJECTED": (("fail", {"kind": "vendor_bank"}), False, "stays", "quarantine"),
    "FUNDS_ESCHEATED": (("fail", {"kind": "escheat"}), False, "stays", "quarantine"),
    "UNDEFINED": (("advance", {"to": "UNDEFINED"}), False, "stays", "quarantine"),
    # Not in BILL's list: its other spelling, and a value that it may add tomorrow.
    "CANCELLED": (("advance", {"to": "CANCELLED", "force": True}), False, "voided", "nobody"),
    "REROUTED_BY_AIR": (("advance", {"to": "REROUTED_BY_AIR", "force": True}), False, "stays", "quarantine"),
}
# status, where singleStatus says nothing.
STATUSES = {
    "APPROVING": (False, "stays", "nobody"),
    "SCHEDULED": (False, "stays", "nobody"),
    "PAID": (True, "stays", "nobody"),
    "VOID": (False, "voided", "alert"),
    "CANCELLED": (False, "voided", "nobody"),
    "CANCELED": (False, "voided", "nobody"),
    "ESCHEATED": (False, "stays", "quarantine"),
    "UNDEFINED": (False, "stays", "quarantine"),
    "BY_PIGEON": (False, "stays", "quarantine"),
}


@pytest.mark.parametrize("state", STATES)
def test_every_single_status(loop: Loop, state: str) -> None:
    """One payment is seen in the state first, another was posted before it got there."""
    (action, body), posts, later, told = STATES[state]
    _drive(loop, action, body, posts, later, told, (state,))


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_where_the_single_status_is_silent(loop: Loop, status: str) -> None:
    """The same for ``status``, with a singleStatus of UNDEFINED, in both spellings."""
    posts, later, told = STATUSES[status]
    _drive(loop, "advance", {"to": "UNDEFINED", "status": status}, posts, later, told, ("UNDEFINED", status))


def test_every_published_value_is_driven(loop: Loop) -> None:
    """The simulator knows no state that is not tested here, and none is tested that it cannot reach by itself."""
    bill = loop.dollar_bills()[0]
    payment = loop.pay(bill)
    with pytest.raises(Exception, match="there are: ") as refused:
        loop.clerk("advance", paymentId=payment["id"], to="NO_SUCH_STATE")
    known = set(str(refused.value).split("there are: ")[1].strip("'\"} \n").split(", "))
    assert known == set(STATES) - {"CANCELLED", "REROUTED_BY_AIR"}


def _drive(
    loop: Loop, action: str, body: dict[str, Any], posts: bool, later: str, told: str, shown: tuple[str, ...]
) -> None:
    seen_first, posted_before = loop.dollar_bills(2)
    before = loop.ledger()
    early = loop.pay(posted_before)
    assert loop.payments().counts["posted"] == 1
    (header,) = loop.table("F0413", PYID=loop.paid_rows(posted_before["jde"])[0]["PYID"])
    fresh = loop.pay(seen_first, "SCHEDULED")
    for payment in (fresh, early):
        moved = loop.clerk(action, paymentId=payment["id"], **body)
        assert (moved["singleStatus"], moved["status"])[: len(shown)] == shown
    made = loop.payments()

    # What was seen there first.
    assert made.counts["posted"] == int(posts)
    rows = loop.paid_rows(seen_first["jde"])
    assert total(rows, "PAAP") == (seen_first["amount"] if posts else 0)
    assert loop.open_amount(seen_first["jde"]) == (0 if posts else seen_first["amount"])
    assert {r["PST"] for r in loop.voucher(seen_first["jde"])} == {"P" if posts else "A"}

    # What had been posted.
    assert made.counts["reversed"] == int(later == "voided")
    (after,) = loop.table("F0413", PYID=header["PYID"])
    rows = loop.table("F0414", PYID=header["PYID"])
    if later == "voided":
        assert loop.open_amount(posted_before["jde"]) == posted_before["amount"]
        assert {row["PST"] for row in loop.voucher(posted_before["jde"])} == {"A"}
        assert after["VDGJ"]
        assert total(rows, "PAAP") == 0
        assert "PO" in {row["DCTM"] for row in rows}
    else:
        assert loop.open_amount(posted_before["jde"]) == 0
        assert after == header
        assert total(rows, "PAAP") == posted_before["amount"]
    paid = (seen_first["amount"] if posts else D(0)) + (posted_before["amount"] if later == "stays" else D(0))
    assert loop.ledger().get("00000123", D(0)) - before.get("00000123", D(0)) == -paid

    # Who is told, and of both.
    waiting = {row.natural_key for row in loop.store.quarantine.open("postings") if row.kind == "payment"}
    assert waiting == ({fresh["id"], early["id"]} if told == "quarantine" else set())
    alerts = [subject for subject in loop.alerts() if subject.startswith("payments ")]
    assert alerts == ([f"payments {shown[-1]}"] if told == "alert" else [])
    assert loop.check("sync/posting_drafts", "payments_need_no_person").passed is (told != "quarantine")
    assert loop.check("jde/postings", "posting_matches_jde").passed

    # Nothing happens a second time.
    again = loop.payments()
    assert (again.counts["posted"], again.counts["reversed"]) == (0, 0)
    assert loop.calls("JDEBILL_AP_PAYMENT") == 1 + int(posts)
    assert loop.calls("JDEBILL_AP_VOID") == int(later == "voided")
