"""From a run to the people: real runs and sensor ticks, an HTTP endpoint and a mail server, each reached once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import dagster as dg
import msgspec
import pytest

from jdebill_pipelines.alerts.causes import FailedCheck
from jdebill_pipelines.orchestration.alerting import newly_held
from jdebill_pipelines.steps import webhooks
from jdebill_pipelines.store.quarantine import REFUSED, Held
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.alerts.watch import Watch
from jdebill_pipelines_tests.support.edits import simple_vouchers
from jdebill_pipelines_tests.support.world import LOGINS, NAME

UI = "https://dagster.example.com"
UNBALANCED = "check failed: jde/vouchers distribution_balances (1 row)"
CLERKS = "team:accounts-payable"
ADDRESS = {"line1": "1 Example Street", "city": "Denver", "zipOrPostalCode": "80202", "country": "US"}


@pytest.fixture(autouse=True)
def page(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where people find the Dagster UI."""
    monkeypatch.setenv("JDEBILL_UI_URL", UI)


def unbalance(watch: Watch) -> tuple[str, str]:
    """Give a voucher a distribution of another amount; returns its month and the alert's row."""
    voucher = simple_vouchers(watch.world)[0]
    (line,) = [x for x in watch.world.jde("F0911", f"DOC={voucher['DOC']}") if x["DCT"] == "PV"]
    keys = ("DCT", "DOC", "KCO", "DGJ", "JELN", "LT")
    watch.world.change("F0911", {k: line[k] for k in keys if k in line} | {"AA": Decimal("1.23")})
    day = str(voucher["DGJ"])
    key = f"{voucher['KCO']}-PV-{voucher['DOC']}"
    return f"{day[:4]}-{day[4:6]}", f"- document: {key}; gross: {voucher['AG']}; tax: 0; distribution: 1.23"


def typed(vendor_id: str, number: str, amount: str) -> dict[str, Any]:
    """A bill that somebody types into BILL; its line stands for no account of JDE."""
    return {
        "vendorId": vendor_id,
        "dueDate": "2025-06-20",
        "invoice": {"invoiceNumber": number, "invoiceDate": "2025-06-02"},
        "billLineItems": [{"amount": Decimal(amount), "description": "Typed"}],
    }


def test_each_cause_of_a_finished_run_is_told_once_with_its_rows(watch: Watch) -> None:
    """Held suppliers, held documents, a bill that BILL refuses: an alert each, none for what a check shows already.

    A second tick sends nothing; the same causes within the window are counted, and told with the count after it.
    """
    voucher = next(r for r in watch.world.jde("F0411", "DCT=PV") if str(r["DGJ"]).startswith("202505"))
    refused = {"fault": "status", "status": 422, "code": "BDC_1235", "message": "This bill is not liked.", "times": 0}
    where = {"route": "v3/bills", "method": "POST", "body": voucher["VINV"]}
    watch.world.sandbox.control_bill("faults", {**refused, **where})
    run = watch.run(months=["2025-05"])
    assert run.success
    watch.tick()
    assert watch.said == "sent 3, failed and tried again 0, given up 0"
    suppliers, documents, refusal = (
        "check failed: sync/vendor_map suppliers_are_complete (2 rows)",
        "check failed: sync/bill_drafts rows_are_valid (2 rows)",
        "1 document held: bills",
    )
    assert watch.posted() == watch.mailed() == [suppliers, documents, refusal]
    key = f"00001-PV-{voucher['DOC']}"
    assert watch.world.held("bills") == {
        "00001-OP-4004-000": "supplier_hold", "00001-OP-4005-000": "unit_open", key: REFUSED,
    }  # fmt: skip
    rows = {
        suppliers: ["document: 60004; field: F0116; reason: The supplier has no address.", "document: 60009; field: "],
        documents: [f"document: {held}; period: 2025-05; " for held in ("00001-OP-4004-000", "00001-OP-4005-000")],
        refusal: [f"document: {key}; party: {voucher['AN8']}; amount: {voucher['AG']}; currency: USD; "
                  "reason: BDC_1235: This bill is not liked."],
    }  # fmt: skip
    for subject, beginnings in rows.items():
        lines = watch.text(subject).splitlines()
        assert {f"Owner: {CLERKS}", f"Rows ({len(beginnings)}):", f"Run: {UI}/runs/{run.run_id}"} <= set(lines)
        shown = [line.partition("document")[1:] for line in lines if line.startswith("- ")]
        assert [b for b, row in zip(beginnings, map("".join, shown), strict=True) if not row.startswith(b)] == []

    watch.tick()
    assert watch.said == "sent 0, failed and tried again 0, given up 0"
    watch.run(assets=["sync/bill_drafts"], months=["2025-05"])
    watch.tick()
    assert watch.suppressed() == {
        "check:sync/vendor_map:suppliers_are_complete": 0,
        "check:sync/bill_drafts:rows_are_valid": 1,
        "quarantine:bills": 0,
    }
    assert len(watch.posted()) == len(watch.mailed()) == 3
    watch.pass_windows()
    watch.run(assets=["sync/bill_drafts"], months=["2025-05"])
    watch.tick()
    assert watch.posted()[3:] == watch.mailed()[3:] == [documents]
    last = "The same happened once more since the last alert of this cause."
    assert watch.endpoint.got[3]["message"].endswith(last)
    assert watch.mail.texts()[3].rstrip().endswith(last)


def test_a_failed_check_reaches_both_channels_although_its_run_succeeds(watch: Watch) -> None:
    """One voucher does not balance. The endpoint answers 500: the mail comes, the endpoint's is retried alone."""
    month, row = unbalance(watch)
    watch.endpoint.status = 500
    run = watch.run(assets=["jde/vouchers"], months=[month])
    assert run.success
    watch.tick()
    assert watch.said == "sent 1, failed and tried again 2, given up 0", "its own retry is tried at once"
    assert (watch.posted(), watch.mailed()) == ([], [UNBALANCED])
    assert watch.suppressed() == {"check:jde/vouchers:distribution_balances": 0}, "somebody was told"
    watch.tick()
    assert watch.said == "sent 0, failed and tried again 0, given up 0", "it backs off"
    watch.endpoint.status = 200
    watch.pass_backoff()
    watch.tick()
    assert watch.said == "sent 1, failed and tried again 0, given up 0"
    watch.tick()
    assert (watch.posted(), watch.mailed()) == ([UNBALANCED], [UNBALANCED])
    assert {
        "Where: acme: jde/vouchers, check distribution_balances, warn",
        "Owner: team:data-engineering",
        "Rows (1):",
        row,
        f"Run: {UI}/runs/{run.run_id}",
    } <= set(watch.text(UNBALANCED).splitlines())


def test_a_failed_run_is_told_once_when_a_channel_is_back(watch: Watch) -> None:
    """JDE refuses the login while nobody can be reached: no window opens, and each channel gets one alert later."""
    watch.world.log_in({**LOGINS, "jde": {"username": "JDEBILL", "password": "wrong"}})
    watch.endpoint.stop()
    watch.mail.answer = "451 try again later"
    first = watch.run(assets=["jde/vouchers"], months=["2025-05"])
    assert not first.success
    watch.tick()
    assert watch.said == "sent 0, failed and tried again 2, given up 0"
    assert watch.store.alerts.windows() == []
    watch.run(assets=["jde/vouchers"], months=["2025-05"])
    watch.tick()
    assert (watch.said, watch.store.alerts.windows()) == ("sent 0, failed and tried again 0, given up 0", [])
    watch.endpoint.start()
    watch.mail.answer = "250 OK"
    watch.pass_backoff()
    watch.tick()
    assert watch.said == "sent 1, failed and tried again 0, given up 0"
    subject = "run failed: acme_months, acme__jde__vouchers"
    assert watch.posted() == watch.mailed() == [subject]
    lines = watch.text(subject).splitlines()
    assert lines[0].startswith("AuthenticationError: ")
    assert lines[-1] == "The same happened once more since the last alert of this cause."
    assert {"Owner: team:data-engineering", "Rows (1):", f"Run: {UI}/runs/{first.run_id}"} <= set(lines)
    watch.run(assets=["jde/vouchers"], months=["2025-05"])
    watch.tick()
    assert len(watch.posted()) == len(watch.mailed()) == 1
    (window,) = watch.store.alerts.windows()
    assert (window.fingerprint.startswith("run:AuthenticationError:"), window.suppressed) == (True, 1)


def test_a_closed_gate_is_one_alert_and_not_a_failed_run_besides(watch: Watch) -> None:
    """JDE's suppliers are all gone: the blocking check fails and its run with it; people read of the check only."""
    watch.world.delete("F0401", "")
    run = watch.run(assets=["jde/suppliers", "sync/vendor_map", "bill/vendors"])
    assert not run.success
    watch.tick()
    subject = "check failed: sync/vendor_map gate (2 rows)"
    assert watch.posted() == watch.mailed() == [subject]
    lines = watch.text(subject).splitlines()
    assert lines[0].startswith("F0401 (suppliers) is empty; check the role's access to the table; F0101 ")
    assert "- reason: F0401 (suppliers) is empty; check the role's access to the table" in lines
    assert watch.world.writes() == {}


def test_a_run_whose_process_dies_is_told_besides_its_failed_check(watch: Watch) -> None:
    """A check fails, and then the process of the run is gone: there is no failed step, and both are told."""
    month, _ = unbalance(watch)
    last_attempt = {"dagster/max_retries": "0"}
    run = watch.run(assets=["jde/vouchers"], months=[month], tags=last_attempt)
    watch.instance.report_run_failed(run.dagster_run, "The process of the run is gone.")
    watch.tick()
    assert watch.posted() == watch.mailed() == [UNBALANCED, "run failed: acme_months"]
    assert "The process of the run is gone." in watch.text("run failed: acme_months")


def test_a_canceled_run_is_told(watch: Watch) -> None:
    """A run that waits is canceled in the UI."""
    job = watch.repository.get_job("acme_poll")
    run = watch.instance.create_run_for_job(job, tags={"jdebill/connection": NAME})
    watch.instance.report_run_canceled(run)
    watch.tick()
    watch.tick()
    assert watch.posted() == watch.mailed() == ["run canceled: acme_poll"]
    assert f"Run: {UI}/runs/{run.run_id}" in watch.text("run canceled: acme_poll")


def test_runs_of_others_and_attempts_that_are_repeated_are_not_told(watch: Watch) -> None:
    """Another connection's run, and a failed run that Dagster starts again by itself."""
    job = watch.repository.get_job("acme_poll")
    for tags in ({"jdebill/connection": "other"}, {"jdebill/connection": NAME, "dagster/will_retry": "true"}):
        watch.instance.report_run_failed(watch.instance.create_run_for_job(job, tags=tags), "it failed")
    watch.tick()
    assert (watch.posted(), watch.store.alerts.outbox()) == ([], [])


def test_work_that_is_given_up_is_told_once(watch: Watch) -> None:
    """Due work has failed as often as it may: one alert, none on the next tick."""
    watch.store.due.record("payments", source="webhook", entities=["stp1"], periods=["2025-06"])
    for run_id in ("r1", "r2"):
        watch.store.due.claim(run_id)
        watch.store.due.failed(run_id, "AIS did not answer", max_attempts=1)
    watch.tick()
    watch.tick()
    subject = "given up after 1 attempts: payments"
    assert watch.posted() == watch.mailed() == [subject]
    assert {"Rows (1):", "- id: stp1", "Months: 2025-06", "Last error: AIS did not answer"} <= set(
        watch.text(subject).splitlines()
    )
    assert watch.suppressed() == {"due:payments": 0}


def test_payments_that_need_a_person_are_told_once(watch: Watch) -> None:
    """One payment is on hold, a card was charged in part, its posting is held: an alert each, none of a quarantine.

    Both bills were typed into BILL, so that their lines stand for no account of JDE.
    """
    bill = watch.world.sandbox.control_bill
    vendor = bill("clerk/create_vendor", {"name": "Typed Supplies", "address": ADDRESS})
    ids = []
    for number, amount, kind in (("T-1", "100.00", "hold"), ("T-2", "64.00", "partially_claimed")):
        made = bill("clerk/create_bill", typed(vendor["id"], number, amount))
        paid = bill("clerk/pay", {"billId": made["id"], "processDate": "2025-06-20", "to": "PROCESSED"})
        bill("clerk/fail", {"paymentId": paid["id"], "kind": kind})
        ids.append(paid["id"])
    reference = ("jde/companies", "jde/accounts", "jde/business_units", "bill/accounts", "bill/departments")
    way = (*reference, "sync/gl_map", "bill/payments", "sync/posting_drafts")
    run = watch.run(assets=way, months=["2025-06"])
    assert run.success
    watch.tick()
    watch.tick()
    claimed = "payments PARTIALLY_CLAIMED"
    waiting = "check failed: sync/posting_drafts payments_need_no_person (1 row)"
    held = "check failed: sync/posting_drafts rows_are_valid (1 row)"
    assert watch.posted() == watch.mailed()
    assert sorted(watch.posted()) == [waiting, held, claimed]
    assert {row.rule for row in watch.store.quarantine.open("postings")} == {"payment_state", "reverse_mapping"}
    on_hold, in_part = ids
    rows = {
        claimed: f"- payment: {in_part}; vendor: Typed Supplies; amount: 64.00; process date: 2025-06-20; ",
        waiting: f"- document: {on_hold}; field: singleStatus; value: DISBURSEMENT_ON_HOLD; amount: 100.00; ",
        held: f"- kind: posting; document: {in_part}:",
    }
    for subject, beginning in rows.items():
        lines = watch.text(subject).splitlines()
        assert {f"Owner: {CLERKS}", "Rows (1):", f"Run: {UI}/runs/{run.run_id}"} <= set(lines)
        assert sum(line.startswith(beginning) for line in lines) == 1, subject


def test_trouble_with_webhooks_is_told_once_each(watch: Watch) -> None:
    """The hourly watch: no subscription; silence while BILL pays; a subscription that BILL disabled; silence again."""
    control = watch.world.sandbox.control_bill
    url = "http://127.0.0.1:9/webhooks/acme"
    control("switches", {"webhook_retry_seconds": []})
    control("clock", {"advance_seconds": -7200})

    def pay(number: str) -> str:
        bill = control("clerk/create_bill", typed(vendor["id"], number, "100.00"))
        paid = control("clerk/pay", {"billId": bill["id"], "processDate": "2025-06-20", "to": "PROCESSED"})
        control("webhooks/idle", {})
        return str(paid["id"])

    def look() -> str:
        assert watch.run("webhook_watch").success
        before = len(watch.posted())
        watch.tick()
        assert watch.posted() == watch.mailed()
        (subject,) = watch.posted()[before:]
        lines = watch.text(subject).splitlines()
        assert {"Owner: team:data-engineering", f"Where: acme: {url}", f"Dagster: {UI}"} <= set(lines)
        return watch.text(subject)

    vendor = control("clerk/create_vendor", {"name": "Typed Supplies", "address": ADDRESS})
    assert "What to do: Run: jdebill webhooks subscribe acme" in look()
    webhooks.subscribe(watch.runtime, NAME)
    control("switches", {"webhook_silent_percent": 100})
    silent = pay("W-1")
    text = look()
    assert text.startswith("Webhooks: no event although payments changed.")
    assert f"- payment: {silent}" in text
    control("switches", {"webhook_silent_percent": 0})
    lost = pay("W-2")
    text = look()
    assert text.startswith("Webhooks: subscription was disabled by BILL.")
    assert f"- payment: {lost}" in text
    control("switches", {"webhook_silent_percent": 100})
    pay("W-3")
    assert watch.run("webhook_watch").success
    watch.tick()
    assert len(watch.posted()) == len(watch.mailed()) == 3
    # What the watch fetched itself is no sign of life.
    assert watch.suppressed()["webhook:no event although payments changed"] == 1


@pytest.mark.parametrize(
    ("gate", "rule", "check"),
    [
        ("postings", "payment_state", ("sync/posting_drafts", "payments_need_no_person")),
        ("posting_readback", "amount", ("jde/postings", "posting_matches_jde")),
    ],
)
def test_what_a_failed_check_shows_is_not_told_again_as_held(
    store: Store, gate: str, rule: str, check: tuple[str, str]
) -> None:
    """A payment that waits for a person, a posting that JDE holds otherwise: told by their check, or else as held."""
    row = Held(kind="payment", natural_key="stp1", rule=rule, reason="r")
    store.quarantine.hold(gate, [row, msgspec.structs.replace(row, rule=REFUSED)], run_id="r1", everything=True)
    run, failed = dg.DagsterRun(job_name="acme_payments", run_id="r1"), FailedCheck(*check, "s", "WARN")
    assert [r.rule for r in newly_held(store, run, [failed])[gate]] == [REFUSED]
    assert {r.rule for r in newly_held(store, run, [])[gate]} == {REFUSED, rule}
    assert newly_held(store, dg.DagsterRun(job_name="acme_payments", run_id="r2"), []) == {}
