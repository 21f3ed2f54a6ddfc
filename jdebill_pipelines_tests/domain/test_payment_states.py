"""The table of payment states: every value, both spellings, unknown ones."""

from __future__ import annotations

import pytest

from jdebill_pipelines.domain.payment_states import PROGRESS, SINGLE_STATES, STATES, classify, state_table

# The published values of singleStatus, and what happens when postings are made from PROCESSED on.
EXPECTED = {
    "SCHEDULED": "nothing",
    "READY_TO_FUND": "nothing",
    "FUNDING_STARTED": "nothing",
    "PROCESSED": "post",
    "SENT": "post",
    "DELIVERED": "post",
    "CLEARED": "post",
    "PARTIALLY_CLAIMED": "post",
    "EXPIRING": "post",
    "DISBURSEMENT_ON_HOLD": "review",
    "CANCELLATION_IN_PROGRESS": "nothing",
    "CANCELED": "reverse",
    "CANCELLED": "reverse",
    "VOID_PENDING": "nothing",
    "VOIDED": "reverse",
    "FUNDING_FAILED_ACTION_NEEDED": "review",
    "FUNDING_FAILED_VOIDED": "reverse",
    "DISBURSEMENT_FAILED_ACTION_NEEDED": "review",
    "DISBURSEMENT_FAILED_VENDOR_BANK_REJECTED": "review",
    "FUNDS_ESCHEATED": "review",
    "UNDEFINED": "review",
}
BY_STATUS = {
    "APPROVING": "nothing",
    "SCHEDULED": "nothing",
    "PAID": "post",
    "VOID": "reverse",
    "CANCELLED": "reverse",
    "CANCELED": "reverse",
    "ESCHEATED": "review",
    "UNDEFINED": "review",
}


@pytest.mark.parametrize(("value", "action"), EXPECTED.items())
def test_every_single_status(value: str, action: str) -> None:
    """The single status decides, whatever the plain status says."""
    for status in (None, "PAID", "UNDEFINED", "SCHEDULED"):
        if value == "UNDEFINED" and status not in (None, "UNDEFINED"):
            continue
        assert classify(value, status).action == action


@pytest.mark.parametrize(("value", "action"), BY_STATUS.items())
def test_every_status_where_the_single_status_is_silent(value: str, action: str) -> None:
    """Left out or UNDEFINED: the plain status decides, in both spellings."""
    assert classify(None, value).action == action
    assert classify("UNDEFINED", value).action == action


@pytest.mark.parametrize("single", ["BRAND_NEW", "cleared_maybe"])
def test_unknown_values_are_reviewed_and_on_call_is_told(single: str) -> None:
    """A value that BILL adds posts nothing and wakes somebody, even beside a status that we know."""
    decision = classify(single, "PAID")
    assert (decision.action, decision.tell) == ("review", "on_call")
    assert decision.state.name == single.upper()
    assert classify(None, "BRAND_NEW").action == "review"
    assert classify(None, None).action == "review"


def test_post_when_moves_the_line() -> None:
    """A connection that posts on CLEARED waits until then, one that posts on SCHEDULED posts all the way."""
    for n, threshold in enumerate(PROGRESS):
        actions = [classify(value, None, post_when=threshold).action for value in PROGRESS]
        assert actions == ["nothing"] * n + ["post"] * (len(PROGRESS) - n)
    assert classify("PARTIALLY_CLAIMED", None, post_when="CLEARED").action == "nothing"
    assert classify(None, "PAID", post_when="CLEARED").action == "nothing"
    with pytest.raises(ValueError, match="allowed are SCHEDULED"):
        classify("SENT", None, post_when="VOIDED")


def test_payments_recorded_by_hand() -> None:
    """They are paid when recorded, whatever the threshold and the single status; a void is a void."""
    assert classify(None, "PAID", online=False, post_when="CLEARED").action == "post"
    assert classify("UNDEFINED", "PAID", online=False).action == "post"
    assert classify("CLEARED", "VOID", online=False).action == "reverse"
    assert classify("VOIDED", None, online=False).action == "reverse"


def test_the_published_table_is_the_table() -> None:
    """Docs are made of the same rows: every value once, with what it does now, and the unknown ones last."""
    table = state_table("SENT")
    assert [row["value"] for row in table] == [s.name for s in (*SINGLE_STATES, *STATES)] + ["(any other)"]
    assert {row["value"] for row in table if row["field"] == "singleStatus"} | {"CANCELLED"} == set(EXPECTED)
    by_value = {row["value"]: row for row in table if row["field"] == "singleStatus"}
    assert by_value["PROCESSED"]["in_jde"] == "nothing"
    assert by_value["SENT"]["in_jde"] == "post"
    assert all(row["meaning"] for row in table)
    # Whatever a person must act on reaches a person.
    assert all(row["told"] != "nobody" for row in table if row["in_jde"] == "review")
