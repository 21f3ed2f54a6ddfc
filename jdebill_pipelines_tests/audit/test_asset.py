"""The asset `audit/month_end` as Dagster runs it: a backfill of past months, its checks, fiscal periods."""

from __future__ import annotations

import dagster as dg
import pytest

from jdebill_pipelines.audit.period import UnknownPeriod, audit_period
from jdebill_pipelines.audit.runner import load_report
from jdebill_pipelines.build import build_defs
from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines.orchestration.keys import RANGE_END_TAG, RANGE_START_TAG, asset_key
from jdebill_pipelines_tests.audit.books import figures, outcome, rows_of
from jdebill_pipelines_tests.support.world import NAME, World

MONTHS = ("2025-03", "2025-05")


def run_audit(world: World, first: str, last: str) -> dg.ExecuteInProcessResult:
    """The audit's job over a range of months, as a backfill from the UI is."""
    runtime = world.runtime()
    try:
        defs = build_defs(load_connections(world.settings.connections_dir), runtime=runtime)
        with dg.DagsterInstance.get() as instance:
            return defs.resolve_job_def(f"{NAME}_audit").execute_in_process(
                instance=instance, tags={RANGE_START_TAG: first, RANGE_END_TAG: last}
            )
    finally:
        runtime.close()


@pytest.fixture
def synced(world: World) -> World:
    """The tiny company, brought to BILL and paid there in May, posted in JDE."""
    world.sync()
    for bill in [b for b in world.bill("bill") if b["paymentStatus"] == "UNPAID" and not b.get("archived")][:4]:
        world.sandbox.control_bill("clerk/pay", {"billId": bill["id"], "to": "PROCESSED", "processDate": "2025-06-20"})
    world.sync()
    world.sandbox.control_ais("post", {})
    return world


def test_a_backfill_reports_each_month_and_its_checks_ask_the_reports(synced: World) -> None:
    """Three past months in one run: three reports, tied out, and every check passes."""
    result = run_audit(synced, *MONTHS)
    assert result.success
    connection = load_connections(synced.settings.connections_dir)[NAME]
    for month in ("2025-03", "2025-04", "2025-05"):
        report = load_report(synced.store, connection, month)
        assert report is not None
        assert outcome(report, "tie_out") == outcome(report, "three_sided") == "passed"
        assert report.run_id == result.run_id
    checks = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert {name: e.passed for name, e in checks.items()} == {
        "sums_are_equal": True,
        "every_payment_posted_once": True,
        "no_posting_without_payment": True,
        "journal_verifies": True,
        "period_was_closed": True,
    }
    made = result.get_asset_materialization_events()
    assert {event.asset_key for event in made} == {asset_key(NAME, "audit/month_end")}
    assert [event.partition for event in made] == ["2025-03", "2025-04", "2025-05"]
    metadata = made[0].materialization.metadata
    assert metadata["fact/pack 2025-04"].value == f"jdebill audit report {NAME} --period 2025-04 --out DIR"
    assert {"2025-03", "2025-04", "2025-05", "2025-05 tie_out"} <= metadata.keys()
    entries = [e for e in synced.store.journal.read() if e.event == "reported"]
    assert [e.natural_key for e in entries] == ["2025-03", "2025-04", "2025-05"]


def test_a_past_month_is_reported_again_after_two_further_months(synced: World) -> None:
    """June is reported, two of its payments are voided, July and August are paid; June is backfilled: equal figures."""
    connection = load_connections(synced.settings.connections_dir)[NAME]
    assert run_audit(synced, "2025-06", "2025-06").success
    first = load_report(synced.store, connection, "2025-06")
    assert first is not None
    before, population = figures(first), rows_of(first, "payment_trace")
    assert len(population) >= 4
    for month in ("2025-07", "2025-08"):
        bill = next(b for b in synced.bill("bill") if b["paymentStatus"] == "UNPAID" and not b.get("archived"))
        earlier = next(p for p in synced.sandbox.control_bill("payments") if p["singleStatus"] == "PROCESSED")
        synced.sandbox.control_bill("clerk/void", {"paymentId": earlier["id"]})
        paid = {"billId": bill["id"], "to": "PROCESSED", "processDate": f"{month}-20"}
        synced.sandbox.control_bill("clerk/pay", paid)
        results = synced.sync("2025-06", month).results["jde/postings"].counts
        assert (results["posted"], results["reversed"]) == (1, 1)
    synced.sandbox.control_ais("post", {})
    assert run_audit(synced, "2025-06", "2025-08").success
    again, august = (load_report(synced.store, connection, month) for month in ("2025-06", "2025-08"))
    assert again is not None
    assert august is not None
    assert again.id > first.id
    assert figures(again) == before
    assert [row["compared"] for row in rows_of(august, "payment_trace")] == ["equal"]


def test_checks_fail_for_a_payment_that_jde_lost_and_an_open_period(synced: World) -> None:
    """A posted payment disappears in JDE, another loses its ledger lines: both are found, with rows; June is open."""
    lost, half = [r for r in synced.jde("F0413") if r["DMTJ"] >= "20250601" and r["DCTM"] == "PN"][:2]
    for table in ("F0413", "F0414", "F0911"):
        assert synced.delete(table, f"PYID={lost['PYID']}")
    assert synced.delete("F0911", f"PYID={half['PYID']}")
    result = run_audit(synced, "2025-06", "2025-06")
    failed = {e.check_name: e for e in result.get_asset_check_evaluations() if not e.passed}
    assert failed.keys() == {"every_payment_posted_once", "sums_are_equal", "period_was_closed"}
    assert failed["period_was_closed"].severity is dg.AssetCheckSeverity.WARN
    shown = failed["every_payment_posted_once"].metadata["failures"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert [record.data["procedure"] for record in shown.records] == ["missing_postings"]


def test_fiscal_periods_of_four_and_five_weeks(synced: World) -> None:
    """The company's calendar is 4-4-5: labels give its days, and a month reports the periods that end in it."""
    ends = ["20250125", "20250222", "20250329", "20250426", "20250524", "20250628", "20250726", "20250823", "20250927",
            "20251025", "20251122", "20251231"]  # fmt: skip
    row = next(r for r in synced.jde("F0008") if r["DFYJ"] == "20250101")
    synced.change("F0008", {**row, **{f"D{n:02d}J": end for n, end in enumerate((*ends, ends[-1], ends[-1]), start=1)}})
    synced.configure(more="audit: {periods: fiscal}\n")
    synced.sync("2025-05", "2025-05")
    connection = load_connections(synced.settings.connections_dir)[NAME]
    period = audit_period(synced.store, connection, "2025-p05")
    assert (period.label, period.first.isoformat(), period.last.isoformat()) == ("2025-P05", "2025-04-27", "2025-05-24")
    assert run_audit(synced, "2025-05", "2025-05").success
    report = load_report(synced.store, connection, "2025-P05")
    assert report is not None
    assert report.period == period
    assert outcome(report, "account_balances") in ("passed", "failed")
    assert rows_of(report, "tie_out")[0]["unexplained"] == 0
    assert load_report(synced.store, connection, "2025-05") is None
    for label, why in (("2025-P13", "has no 2025-P13"), ("2025-13", "is no period"), ("May", "is no period")):
        with pytest.raises(UnknownPeriod, match=why):
            audit_period(synced.store, connection, label)
