"""The states of a payment, and what each does to the bills it pays.

Belongs here: BILL's `singleStatus` values and what goes with them. Not here: changing a payment (`payment_moves`).
"""

from __future__ import annotations

from jdebill_pipelines.sandbox.bill.settlement import PAID, PROCESSING, REVERSED, SCHEDULED

HAPPY_PATH = ("SCHEDULED", "READY_TO_FUND", "FUNDING_STARTED", "PROCESSED", "SENT", "DELIVERED", "CLEARED")
# singleStatus: (status, what the bill sees, disbursementStatus)
STATES: dict[str, tuple[str, str, str]] = {
    "SCHEDULED": ("SCHEDULED", SCHEDULED, ""),
    "READY_TO_FUND": ("SCHEDULED", PROCESSING, ""),
    "FUNDING_STARTED": ("SCHEDULED", PROCESSING, ""),
    "PROCESSED": ("PAID", PAID, ""),
    "SENT": ("PAID", PAID, ""),
    "DELIVERED": ("PAID", PAID, "DONE"),
    "CLEARED": ("PAID", PAID, "DONE"),
    "PARTIALLY_CLAIMED": ("PAID", PAID, ""),
    "EXPIRING": ("PAID", PAID, ""),
    "DISBURSEMENT_ON_HOLD": ("PAID", PAID, "HOLD"),
    "CANCELLATION_IN_PROGRESS": ("SCHEDULED", SCHEDULED, ""),
    "CANCELED": ("CANCELLED", REVERSED, ""),
    "VOID_PENDING": ("PAID", PAID, ""),
    "VOIDED": ("VOID", REVERSED, ""),
    "FUNDING_FAILED_ACTION_NEEDED": ("PAID", PAID, ""),
    "FUNDING_FAILED_VOIDED": ("VOID", REVERSED, ""),
    "DISBURSEMENT_FAILED_ACTION_NEEDED": ("PAID", PAID, "FAILED"),
    "DISBURSEMENT_FAILED_VENDOR_BANK_REJECTED": ("PAID", PAID, "FAILED"),
    "FUNDS_ESCHEATED": ("PAID", PAID, ""),
    "UNDEFINED": ("UNDEFINED", PAID, ""),
}
FINAL = frozenset({"CANCELED", "VOIDED", "FUNDING_FAILED_VOIDED", "FUNDS_ESCHEATED"})
FAILURES = {
    "funding": "FUNDING_FAILED_ACTION_NEEDED",
    "funding_voided": "FUNDING_FAILED_VOIDED",
    "disbursement": "DISBURSEMENT_FAILED_ACTION_NEEDED",
    "vendor_bank": "DISBURSEMENT_FAILED_VENDOR_BANK_REJECTED",
    "escheat": "FUNDS_ESCHEATED",
    "hold": "DISBURSEMENT_ON_HOLD",
    "partially_claimed": "PARTIALLY_CLAIMED",
    "expiring": "EXPIRING",
}
VOID_TYPES = "VOID_ONLY VOID_AND_CREDIT VOID_AND_REISSUE VOID_AND_REISSUE_VCARD"


def phase_of(single_status: str) -> str:
    """What the bills see of a payment; a status that nobody knows counts as paid."""
    return STATES[single_status][1] if single_status in STATES else PAID


def steps(now: str, to: str) -> list[str]:
    """The states on the way: the happy path is walked, everything else is one step.

    `CLEARED` follows `SENT` directly unless the payment was delivered: `DELIVERED` is optional on the way.
    """
    if now in HAPPY_PATH and to in HAPPY_PATH and HAPPY_PATH.index(now) < HAPPY_PATH.index(to):
        walked = HAPPY_PATH[HAPPY_PATH.index(now) + 1 : HAPPY_PATH.index(to) + 1]
        return [state for state in walked if state != "DELIVERED" or to == "DELIVERED"]
    return [to]
