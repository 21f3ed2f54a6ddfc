"""Reading payments: no run without a change, a delta run leaves what a full run leaves."""

from __future__ import annotations

from typing import Any

from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines.steps.payments import FLOW, poll_payments
from jdebill_pipelines_tests.payments.loop import Loop, today


def poll(loop: Loop) -> int:
    return poll_payments(loop.context("", Mode.DELTA, "poll", ()), source="test")


def test_only_what_changed_makes_a_run_due(loop: Loop) -> None:
    """No payment in BILL, one, the same again, and a state that changed within the coarseness of BILL's clock."""
    assert (poll(loop), poll(loop), loop.store.due.pending([FLOW])) == (0, 0, [])
    (bill,) = loop.dollar_bills()
    loop.sandbox.control_bill("clock", {"set": f"{today()}T12:00:00.000Z", "frozen": True})
    payment = loop.pay(bill, "SCHEDULED")
    assert poll(loop) == 1
    loop.payments()
    loop.store.due.done("poll")
    _forget_due(loop)
    assert (poll(loop), loop.store.due.pending([FLOW])) == (0, [])
    loop.clerk("advance", paymentId=payment["id"], to="PROCESSED")
    assert poll(loop) == 1
    (work,) = loop.store.due.pending([FLOW])
    assert work.entities == (payment["id"],)
    assert loop.payments().counts["posted"] == 1
    _forget_due(loop)
    assert (poll(loop), loop.store.due.pending([FLOW])) == (0, [])


def test_payments_before_the_connections_start_are_nobodys_work(loop: Loop) -> None:
    """BILL's older payments are listed and left alone, at every poll."""
    (bill,) = loop.dollar_bills()
    loop.pay(bill, processDate="2020-01-02", amount="10.00")
    assert (poll(loop), loop.store.due.pending([FLOW])) == (0, [])
    assert loop.payments(Mode.FULL).counts["posted"] == 0


def test_the_first_full_run_of_some_months_reads_all_payments(loop: Loop) -> None:
    """Loaded month by month, a payment of a later month that changes no more is not forgotten."""
    bill, other = loop.dollar_bills(2)
    loop.pay(bill, processDate=f"{loop.start:%Y-%m}-15")
    late = loop.pay(other)
    first = (f"{loop.start:%Y-%m}",)
    loop.run(["bill/payments"], Mode.FULL, first)
    assert {row["id"] for row in loop.store.mirror.payments()} >= {late["id"]}


def test_a_delta_run_leaves_what_a_full_run_leaves(loop: Loop) -> None:
    """The same deeds read bit by bit and at once: payments, drafts and verdicts are the same."""
    states: dict[str, Any] = {}
    bills = loop.dollar_bills(4)
    typed = loop.typed_bill("100.00")
    order = next(b for b in loop.open_bills("F4301") if b["currency"] == "USD")
    loop.choose(post_when="CLEARED")
    loop.payments()
    made = [loop.pay(bill, "SCHEDULED") for bill in (*bills, typed, order)]
    loop.payments()
    loop.clerk("advance", paymentId=made[0]["id"], to="SENT")
    loop.clerk("void", paymentId=made[1]["id"])
    loop.payments()
    loop.clerk("fail", paymentId=made[2]["id"], kind="hold")
    loop.clerk("advance", paymentId=made[4]["id"], to="PROCESSED")
    loop.payments()
    loop.choose(post_when="PROCESSED", bank_account=None)
    loop.run(["sync/posting_drafts"], Mode.DELTA, loop.months)
    states["delta"] = _state(loop)
    loop.run(["bill/payments", "sync/posting_drafts"], Mode.FULL)
    states["full"] = _state(loop)
    assert states["delta"] == states["full"]
    assert {d["status"] for d in states["full"]["drafts"].values()} == {"due", "not_due"}


def _forget_due(loop: Loop) -> None:
    """Settle what is due, as the end of a run does."""
    loop.store.due.claim("test-run", [FLOW])
    loop.store.due.done("test-run")


def _state(loop: Loop) -> dict[str, Any]:
    drafts = loop.store.drafts.read("postings")
    verdicts = loop.store.verdicts.read("postings")
    names = ("operation", "status", "reason", "period", "content_hash", "amount", "currency", "party", "source")
    return {
        "payments": {row["id"]: row["raw"] for row in loop.store.mirror.payments()},
        "drafts": {(d.kind, d.natural_key): {name: getattr(d, name) for name in names} for d in drafts},
        "passed": {key: verdict.passed for key, verdict in verdicts.items()},
        "held": sorted((r.kind, r.natural_key, r.rule) for r in loop.store.quarantine.open("postings")),
    }
