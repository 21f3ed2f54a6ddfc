"""What each state of a BILL payment means for JD Edwards, and who is told: the one table, for code and for docs.

Belongs here: the table and reading it. Does not belong here: making postings (``postings``) or sending alerts.

Sources: BILL API v3: ``singleStatus`` is the field to drive logic from, its list of values is open-ended, ``CLEARED``
of an ACH payment may still fall back to a failed disbursement. ``status`` alone does not tell whether the money moved;
it decides for payments recorded by hand (``onlinePayment`` false) and where ``singleStatus`` says nothing. BILL spells
CANCELED and CANCELLED.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Action = Literal["nothing", "post", "reverse", "review"]
Told = Literal["nobody", "ap", "controller", "on_call"]

# The way of a payment that goes well. A connection posts from one of these on (`sync.post_when`).
PROGRESS = ("SCHEDULED", "READY_TO_FUND", "FUNDING_STARTED", "PROCESSED", "SENT", "DELIVERED", "CLEARED")


class PaymentState(msgspec.Struct, frozen=True):
    """One row of the table.

    Attributes:
        name: value of ``singleStatus`` (or of ``status``).
        action: ``post`` (from the progress in ``as_far_as`` on), ``reverse`` what was posted, ``nothing`` (wait, and
            leave what was posted), ``review`` (a person decides; what was posted stays, nothing new is posted).
        as_far_as: the state of ``PROGRESS`` that it equals, for ``post``; '' otherwise.
        final: BILL does not change it any more.
        tell: who is told when a payment gets there.
        meaning: what it is, and why it has this action.
    """

    name: str
    action: Action
    as_far_as: str
    final: bool
    tell: Told
    meaning: str


def _on_the_way(name: str, meaning: str, *, as_far_as: str = "", tell: Told = "nobody") -> PaymentState:
    return PaymentState(name, "post", as_far_as or name, final=False, tell=tell, meaning=meaning)


def _other(name: str, action: Action, meaning: str, *, tell: Told = "nobody", final: bool = False) -> PaymentState:
    return PaymentState(name, action, "", final=final, tell=tell, meaning=meaning)


SINGLE_STATES: tuple[PaymentState, ...] = (
    _on_the_way("SCHEDULED", "Created, waits for its process date; can be cancelled."),
    _on_the_way("READY_TO_FUND", "BILL is about to debit the payer."),
    _on_the_way("FUNDING_STARTED", "The debit is in progress."),
    _on_the_way("PROCESSED", "The payer was debited."),
    _on_the_way("SENT", "The money is on its way to the vendor."),
    _on_the_way("DELIVERED", "It reached the vendor."),
    _on_the_way("CLEARED", "Settled at the vendor's bank; an ACH payment may still be returned."),
    _on_the_way(
        "PARTIALLY_CLAIMED", "A virtual card was charged with less than the amount.", as_far_as="SENT", tell="ap"
    ),
    _on_the_way("EXPIRING", "An unclaimed virtual card will expire soon.", as_far_as="SENT", tell="ap"),
    _other(
        "DISBURSEMENT_ON_HOLD",
        "review",
        "BILL holds the disbursement (risk); nobody knows whether it goes on.",
        tell="ap",
    ),
    _other("CANCELLATION_IN_PROGRESS", "nothing", "A cancellation was requested; the outcome is awaited."),
    _other("CANCELED", "reverse", "Cancelled before money moved.", final=True),
    _other("VOID_PENDING", "nothing", "A void was requested; the outcome is awaited.", tell="ap"),
    _other("VOIDED", "reverse", "Voided and credited to the payer.", final=True, tell="ap"),
    _other(
        "FUNDING_FAILED_ACTION_NEEDED",
        "review",
        "The debit failed although BILL has paid the vendor: the payer must wire the funds.",
        tell="controller",
    ),
    _other("FUNDING_FAILED_VOIDED", "reverse", "The debit failed and the payment was voided.", final=True, tell="ap"),
    _other(
        "DISBURSEMENT_FAILED_ACTION_NEEDED",
        "review",
        "The money came back and the payment is not voided yet: void it in BILL, or reissue it.",
        tell="ap",
    ),
    _other(
        "DISBURSEMENT_FAILED_VENDOR_BANK_REJECTED",
        "review",
        "The vendor's bank refused the money: the vendor must correct its account.",
        tell="ap",
    ),
    _other(
        "FUNDS_ESCHEATED",
        "review",
        "Unclaimed money was handed to the state and cannot be voided; the posting stays.",
        final=True,
        tell="controller",
    ),
    _other("UNDEFINED", "review", "BILL calls it none of the others.", tell="ap"),
)

# `status`, used for payments recorded by hand and where `singleStatus` says nothing.
STATES: tuple[PaymentState, ...] = (
    _other("APPROVING", "nothing", "The payment waits for its approval in BILL."),
    _on_the_way("SCHEDULED", "Waits for its process date."),
    _on_the_way("PAID", "Paid; for a payment recorded by hand this is all there is to know.", as_far_as="PROCESSED"),
    _other("VOID", "reverse", "Voided.", final=True, tell="ap"),
    _other("CANCELLED", "reverse", "Cancelled before money moved.", final=True),
    _other("ESCHEATED", "review", "Unclaimed money was handed to the state.", final=True, tell="controller"),
    _other("UNDEFINED", "review", "BILL calls it none of the others.", tell="ap"),
)

_SINGLE = {state.name: state for state in SINGLE_STATES}
_STATUS = {state.name: state for state in STATES}
_SPELLINGS = {"CANCELLED": "CANCELED"}
_STATUS_SPELLINGS = {"CANCELED": "CANCELLED"}


class Decision(msgspec.Struct, frozen=True):
    """What is done about a payment now.

    Attributes:
        action: ``post`` only when the connection posts this far.
        state: the row of the table that decided; its name is BILL's value.
        tell: who is told.
        why: one sentence.
    """

    action: Action
    state: PaymentState
    tell: Told
    why: str


def classify(
    single_status: str | None, status: str | None, *, online: bool = True, post_when: str = "PROCESSED"
) -> Decision:
    """Decide what a payment's state means in JDE.

    Args:
        single_status: ``singleStatus`` as BILL sends it, any spelling, None when it is left out.
        status: ``status``, likewise.
        online: False for a payment that was recorded in BILL but made elsewhere.
        post_when: the first state of ``PROGRESS`` that is posted.

    Raises:
        ValueError: ``post_when`` is no state of ``PROGRESS``.
    """
    if post_when not in PROGRESS:
        raise ValueError(f"post_when is {post_when!r}; allowed are {', '.join(PROGRESS)}")
    state = _state_of((single_status or "").upper(), (status or "").upper(), online=online)
    if state.action != "post":
        return Decision(state.action, state, state.tell, state.meaning)
    if not online and state.name == "PAID":
        return Decision("post", state, state.tell, "Paid outside BILL and recorded there.")
    if PROGRESS.index(state.as_far_as) < PROGRESS.index(post_when):
        return Decision("nothing", state, state.tell, f"{state.meaning} Postings are made from {post_when} on.")
    return Decision("post", state, state.tell, state.meaning)


def state_table(post_when: str = "PROCESSED") -> list[dict[str, str]]:
    """Return the table for people: every value of both fields, what happens and who is told."""
    rows = []
    for field, states in (("singleStatus", SINGLE_STATES), ("status", STATES)):
        for state in states:
            single, status = (state.name, None) if field == "singleStatus" else (None, state.name)
            decision = classify(single, status, post_when=post_when)
            rows.append(
                {
                    "field": field,
                    "value": state.name,
                    "in_jde": decision.action,
                    "told": decision.tell,
                    "final": "yes" if state.final else "no",
                    "meaning": state.meaning,
                }
            )
    rows.append(
        {
            "field": "either",
            "value": "(any other)",
            "in_jde": "review",
            "told": "on_call",
            "final": "no",
            "meaning": _unknown("").meaning,
        }
    )
    return rows


def _state_of(single: str, status: str, *, online: bool) -> PaymentState:
    single, status = _SPELLINGS.get(single, single), _STATUS_SPELLINGS.get(status, status)
    if not online and status in _STATUS and status != "UNDEFINED":
        return _STATUS[status]
    if single and single != "UNDEFINED":
        return _SINGLE.get(single) or _unknown(single)
    if status:
        return _STATUS.get(status) or _unknown(status)
    return _SINGLE["UNDEFINED"]


def _unknown(value: str) -> PaymentState:
    meaning = "A value that BILL has added since; treated as in progress until somebody has looked."
    return _other(value, "review", meaning, tell="on_call")
