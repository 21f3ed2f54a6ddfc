"""Orchestrations whose answer is lost, wrong or strange after JDE did the work, or did not: one posting, always."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.config import AisCredentials
from jdebill_pipelines.steps.context import StepResult
from jdebill_pipelines.steps.contracts import ContractMismatch
from jdebill_pipelines_tests.payments.loop import BANK, NAME, D, Loop, today, total

PAYMENT, VOUCHER, VOID, JOURNAL = "JDEBILL_AP_PAYMENT", "JDEBILL_AP_VOUCHER", "JDEBILL_AP_VOID", "JDEBILL_JOURNAL"
LOST: dict[str, dict[str, Any]] = {
    "reset": {"fault": "reset_after_commit"},
    "timeout": {"fault": "timeout_after_commit", "seconds": 3},
    "html": {"fault": "html_500_after_commit"},
    "gateway": {"fault": "html_504_after_commit"},
    "error": {"fault": "error_after_commit"},
    "half": {"fault": "truncate"},
    "empty": {"fault": "status_after_commit", "status": 200, "text": ""},
}
NOT_DONE: dict[str, dict[str, Any]] = {
    "reset": {"fault": "reset"},
    "html": {"fault": "html_500"},
    "gateway": {"fault": "html_502"},
}


def _of_voucher(loop: Loop) -> dict[str, Any]:
    return loop.dollar_bills()[0]


def _of_order(loop: Loop) -> dict[str, Any]:
    return next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")


def _typed(loop: Loop) -> dict[str, Any]:
    return loop.typed_bill("120.40", "79.61")


# Orchestration: a bill that needs it, and how often each orchestration works when all is well.
BILLS: dict[str, tuple[Callable[[Loop], dict[str, Any]], dict[str, int]]] = {
    PAYMENT: (_of_voucher, {PAYMENT: 1}),
    VOUCHER: (_of_order, {VOUCHER: 1, PAYMENT: 1}),
    JOURNAL: (_typed, {JOURNAL: 1}),
}
EVERYWHERE = ("reset", "timeout", "html")
CASES = [(o, h) for o in BILLS for h in LOST if o == PAYMENT or h in EVERYWHERE]


def impatient(loop: Loop, seconds: float) -> None:
    """Let the client give an orchestration up after so long."""
    config = dataclasses.replace(loop.runtime.jde(NAME).config, orchestration_timeout=seconds)
    login = loop.runtime.secrets(NAME, "jde")
    loop.runtime.jde(NAME).close()
    loop.runtime._jde[NAME] = AisClient(config, AisCredentials(login["username"], login["password"]))


def fault(loop: Loop, orchestration: str, order: dict[str, Any]) -> None:
    """Order a fault of the next call of an orchestration."""
    loop.sandbox.control_ais("faults", {"route": f"/orchestrator/{orchestration}$", "method": "POST", **order})


@pytest.mark.parametrize(("orchestration", "how"), CASES)
def test_a_posting_whose_answer_is_lost_is_found_and_adopted(loop: Loop, orchestration: str, how: str) -> None:
    """JDE booked it and the answer never came: it is looked up in the same run, adopted, and not sent again."""
    make, calls = BILLS[orchestration]
    bill = make(loop)
    before = loop.ledger()
    if how == "timeout":
        impatient(loop, 1)
    fault(loop, orchestration, LOST[how])
    payment = loop.pay(bill)
    made = loop.payments()
    assert (made.counts["posted"], made.counts["adopted"]) == (1, 1), made
    _once(loop, calls)
    _settled(loop, made, before, payment)


@pytest.mark.parametrize(("orchestration", "how"), [c for c in CASES if c[1] in EVERYWHERE])
def test_a_reversal_whose_answer_is_lost_is_found_and_adopted(loop: Loop, orchestration: str, how: str) -> None:
    """The same for the void of each route, of an order for the void of its voucher."""
    make, calls = BILLS[orchestration]
    bill = make(loop)
    before = loop.ledger()
    payment = loop.pay(bill)
    loop.payments()
    if how == "timeout":
        impatient(loop, 1)
    undone = JOURNAL if orchestration == JOURNAL else VOID
    fault(loop, undone, {**LOST[how], "body": "" if orchestration != VOUCHER else "Document Number"})
    loop.clerk("void", paymentId=payment["id"])
    made = loop.payments()
    assert (made.counts["reversed"], made.counts["adopted"]) == (1, 1), made
    _once(loop, {JOURNAL: 2} if orchestration == JOURNAL else {**calls, VOID: len(calls)})
    assert loop.moved(before) == {}
    assert loop.check("jde/postings", "nothing_uncertain").passed
    assert loop.check("jde/postings", "posting_matches_jde").passed
    assert loop.payments().counts["reversed"] == 0


@pytest.mark.parametrize(
    ("orchestration", "how"), [(o, h) for o in BILLS for h in NOT_DONE if o == PAYMENT or h == "reset"]
)
def test_what_jde_certainly_does_not_have_is_sent_again(loop: Loop, orchestration: str, how: str) -> None:
    """The call broke before JDE did anything: it waits while it might still arrive, and is posted once, in the end."""
    make, calls = BILLS[orchestration]
    bill = make(loop)
    before = loop.ledger()
    fault(loop, orchestration, NOT_DONE[how])
    payment = loop.pay(bill)
    made = loop.payments()
    # Unknown when it was sent, and at each of the three looks within the run.
    assert (made.counts["posted"], made.counts["of unknown outcome"]) == (0, 4), made
    assert any("wait for certainty" in text for text in made.needs_person)
    assert not loop.check("jde/postings", "nothing_uncertain").passed
    # Within the settling delay it is not sent again, whatever runs.
    assert loop.payments().counts["posted"] == 0
    assert loop.calls(orchestration) == 0
    loop.settling_seconds = 0
    loop.payments()
    made = loop.payments()
    _once(loop, calls)
    _settled(loop, loop.payments(), before, payment)


@pytest.mark.parametrize("shape", ["nested", "sub", "string"])
def test_an_error_of_jde_is_understood_and_told(loop: Loop, shape: str) -> None:
    """ERROR, with the message nested as deep as JDE nests it: refused in JDE's words, held, and not tried at once."""
    order = {"fault": "orchestration_error", "code": "4363", "title": "Null Exchange Rate", "message": shape}
    fault(loop, PAYMENT, {**order, "times": 0})
    bill = _of_voucher(loop)
    loop.pay(bill)
    made = loop.payments()
    assert (made.counts["posted"], made.counts["refused"]) == (0, 1)
    (row,) = [r for r in loop.store.quarantine.open() if r.kind == "posting"]
    assert "Null Exchange Rate" in row.reason
    assert loop.paid_rows(bill["jde"]) == []
    assert loop.payments().counts["refused before"] == 1
    assert loop.sandbox.control_ais("state")["faults_fired"] == {"orchestration_error": 1}


@pytest.mark.parametrize("kind", ["exception_200", "errors_200"])
@pytest.mark.parametrize("old_tools", [False, True])
def test_an_answer_with_http_200_and_errors_inside_is_an_error(loop: Loop, kind: str, old_tools: bool) -> None:
    """Nothing was booked although HTTP says 200; with and without ``jde__status``, it does not count as posted."""
    loop.sandbox.control_ais("switches", {"old_tools": old_tools})
    fault(loop, PAYMENT, {"fault": kind, "title": "Voucher on Hold"})
    bill = _of_voucher(loop)
    loop.pay(bill)
    made = loop.payments()
    assert (made.counts["posted"], made.counts["refused"]) == (0, 1), made
    assert any("Voucher on Hold" in r.reason for r in loop.store.quarantine.open())
    assert loop.paid_rows(bill["jde"]) == []


@pytest.mark.parametrize("kind", ["warn", "continued_on_error"])
def test_a_warning_is_kept_and_does_not_stop(loop: Loop, kind: str) -> None:
    """WARN: it was booked; the warning is with the posting, and nobody books it again."""
    fault(loop, PAYMENT, {"fault": kind, "code": "0027", "title": "Discount Date Passed"})
    bill = _of_voucher(loop)
    loop.pay(bill)
    made = loop.payments()
    assert (made.counts["posted"], made.counts.get("adopted", 0)) == (1, 0)
    (link,) = loop.store.links.all("posting").values()
    assert link.details["status"] == "WARN"
    assert any("Discount Date Passed" in text for text in link.details["warnings"])
    assert loop.open_amount(bill["jde"]) == 0


@pytest.mark.parametrize("orchestration", BILLS)
def test_servers_without_jde_status_are_understood(loop: Loop, orchestration: str) -> None:
    """Tools before 9.2.5.4, whose outputs are text: posted and reversed, on every route."""
    loop.sandbox.control_ais("switches", {"old_tools": True})
    make, calls = BILLS[orchestration]
    bill = make(loop)
    before = loop.ledger()
    payment = loop.pay(bill)
    made = loop.payments()
    assert (made.counts["posted"], made.counts.get("adopted", 0)) == (1, 0)
    _settled(loop, made, before, payment)
    loop.clerk("void", paymentId=payment["id"])
    assert loop.payments().counts["reversed"] == 1
    assert loop.moved(before) == {}
    _once(loop, {JOURNAL: 2} if orchestration == JOURNAL else {**calls, VOID: len(calls)})


@pytest.mark.parametrize(
    ("switches", "says"),
    [
        ({"missing_orchestrations": [PAYMENT]}, "not among the"),
        ({"orchestration_group": "Pending Approval"}, "publish it"),
        ({"orchestration_version": 2}, "version 3 is needed"),
        ({"expose_inputs": False}, "cannot be checked"),
    ],
)
def test_orchestrations_that_do_not_fit_are_never_called(loop: Loop, switches: dict[str, Any], says: str) -> None:
    """Discovery shows another contract than the delivered one: nothing is sent, and the next run tries again."""
    loop.sandbox.control_ais("switches", switches)
    bill = _of_voucher(loop)
    loop.pay(bill)
    with pytest.raises(ContractMismatch, match=says):
        loop.payments()
    assert loop.sandbox.control_ais("state")["calls"].get("orchestration", 0) == 0
    assert loop.store.writes.open_writes(("posting", "posting_voucher")) == []
    back = {"missing_orchestrations": [], "orchestration_group": "Shared", "orchestration_version": 3}
    loop.sandbox.control_ais("switches", {**back, "expose_inputs": True})
    assert loop.payments().counts["posted"] == 1


def test_a_posting_that_comes_late_is_found_in_the_same_run(loop: Loop) -> None:
    """The line is cut while JDE still works: not there at the first look, there later, and never sent twice."""
    bill = _of_voucher(loop)
    payment = loop.pay(bill)
    (row,) = loop.voucher(bill["jde"])
    fault(loop, PAYMENT, {"fault": "reset"})
    assert loop.payments().counts["posted"] == 0
    (waiting,) = loop.store.writes.pending_recovery(["posting"])
    (draft,) = loop.drafted(payment)
    # What JDE was still doing when the line was cut.
    item = {
        "Document Number": row["DOC"],
        "Document Type": "PV",
        "Document Company": row["KCO"],
        "Pay Item": row["SFX"],
    }
    inputs = {"Payee": row["AN8"], "Bank Account": BANK, "Payment Date": today(), "GL Date": today()}
    late = {**inputs, "Remark": draft.content["reference"], "Vouchers": [{**item, "Amount": bill["amount"]}]}
    loop.sandbox.control_ais("clerk/payment", late)
    loop.payments()
    (write,) = loop.store.writes.history("posting", waiting.natural_key)
    assert write.state == "confirmed"
    assert total(loop.paid_rows(bill["jde"]), "PAAP") == bill["amount"]
    assert loop.calls(PAYMENT) == 0
    assert loop.check("jde/postings", "posting_matches_jde").passed


def test_a_payment_that_a_clerk_made_is_not_adopted(loop: Loop) -> None:
    """An answer is lost before JDE did anything, and a clerk pays another amount of the voucher: that is not ours."""
    bill = _of_voucher(loop)
    loop.pay(bill, amount="100.00")
    fault(loop, PAYMENT, {"fault": "reset"})
    assert loop.payments().counts["posted"] == 0
    (row,) = loop.voucher(bill["jde"])
    item = {
        "Document Number": row["DOC"],
        "Document Type": "PV",
        "Document Company": row["KCO"],
        "Pay Item": row["SFX"],
    }
    inputs = {"Payee": row["AN8"], "Bank Account": BANK, "Payment Date": today(), "GL Date": today()}
    loop.sandbox.control_ais("clerk/payment", {**inputs, "Vouchers": [{**item, "Amount": D(50)}]})
    assert loop.payments().counts.get("adopted", 0) == 0
    loop.settling_seconds = 0
    loop.payments()
    loop.payments()
    assert total(loop.paid_rows(bill["jde"]), "PAAP") == 150
    assert loop.calls(PAYMENT) == 1


def _once(loop: Loop, calls: dict[str, int]) -> None:
    """Each orchestration has done its work so often and no more, and no document carries a reference twice."""
    assert {name: loop.calls(name) for name in (PAYMENT, VOUCHER, VOID, JOURNAL) if loop.calls(name)} == calls


def _settled(loop: Loop, made: StepResult, before: dict[str, Any], payment: dict[str, Any]) -> None:
    assert loop.check("jde/postings", "nothing_uncertain").passed
    assert loop.check("jde/postings", "posting_matches_jde").passed
    assert loop.moved(before)[BANK] == -payment["amount"]
    (write,) = loop.postings()
    if write.content["route"] == "payment":
        assert total(loop.paid_rows(loop.drafted(payment)[0].source), "PAAP") == payment["amount"]
    again = loop.payments()
    assert (again.counts["posted"], again.counts["reversed"]) == (0, 0)
