"""What a data engineer sees in Dagster after a sync: the lineage, and a failed check with its rows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from jdebill_pipelines_tests.ui.conftest import shot

pytestmark = [pytest.mark.ui, pytest.mark.timeout(300)]


def test_lineage_reads_from_jde_over_sync_to_bill(page: Page) -> None:
    """The lineage page shows the groups of the connection, and every asset of a group when it is opened."""
    page.goto("/asset-groups")
    for group in ("jde", "sync", "bill", "payments"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("fetching statuses")).to_have_count(0, timeout=60_000)
    shot(page, "lineage-groups")
    page.goto("/locations/jdebill/asset-groups/sync/lineage")
    for name in ("gl_map", "vendor_map", "bill_drafts"):
        expect(page.get_by_text(name).first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Loading...")).to_have_count(0, timeout=60_000)
    shot(page, "lineage-sync")


def test_failed_gate_check_shows_the_failing_rows(page: Page) -> None:
    """The check of the drafts has failed as a warning; its table names document, reason and fix."""
    page.goto("/assets/demo/sync/bill_drafts?view=checks&checkDetail=rows_are_valid")
    expect(page.get_by_text("rows_are_valid").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("document(s) are held by").first).to_be_visible(timeout=30_000)
    for text in ("document", "reason", "fix", "Payments to supplier 60003 are on hold (hold code Y)."):
        expect(page.get_by_text(text).first).to_be_visible(timeout=30_000)
    shot(page, "check-rows")


def test_bills_tell_counts_and_totals(page: Page) -> None:
    """The materialization of the bills says how many were written and what they amount to per currency."""
    page.goto("/assets/demo/bill/bills?view=overview")
    expect(page.get_by_text("count/created").first).to_be_visible(timeout=60_000)
    shot(page, "bills")


def test_schedules_and_sensors_run_by_themselves(page: Page) -> None:
    """Poll, nightly sweep and due sensor are there and switched on, without anybody doing anything."""
    page.goto("/automation")
    for name in ("demo_poll_schedule", "demo_nightly_schedule", "demo_due"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=60_000)
    shot(page, "automation")
