"""Data versions: the same content has the same digest, whoever wrote it and in which order."""

from __future__ import annotations

from decimal import Decimal

import pytest

from jdebill_pipelines.orchestration.catalog import AUDIT_PATH, CATALOG, AssetRow
from jdebill_pipelines.store.contents import Stored
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.store.conftest import draft, judge

DRAFTS = (Stored("drafts", ("bill",)), Stored("verdicts", ("bill",)))


def test_a_version_is_of_the_content_alone(store: Store) -> None:
    """Written again by another run, in another order: the same version. One cent more: another one."""
    store.drafts.put("bills", [draft("A"), draft("B")], run_id="r1")
    judge(store, passed=True)
    first = store.contents.version(DRAFTS, ["2026-01"])
    store.drafts.put("bills", [draft("B"), draft("A")], run_id="r2", replace_periods=["2026-01"])
    assert store.contents.version(DRAFTS, ["2026-01"]) == first
    store.drafts.put("bills", [draft("A", "100.01"), draft("B")], run_id="r3")
    assert store.contents.version(DRAFTS, ["2026-01"]) != first


def test_a_verdict_is_part_of_the_version(store: Store) -> None:
    """The drafts are the same, one more fails the gate: another version."""
    store.drafts.put("bills", [draft("A")], run_id="r1")
    judge(store, passed=True)
    passed = store.contents.version(DRAFTS, ["2026-01"])
    judge(store, passed=False)
    assert store.contents.version(DRAFTS, ["2026-01"]) != passed


def test_other_months_kinds_and_connections_do_not_count(store: Store) -> None:
    """A month's version stays when documents of another month, kind or connection come."""
    store.drafts.put("bills", [draft("A")], run_id="r1")
    judge(store, passed=True)
    first = store.contents.version(DRAFTS, ["2026-01"])
    store.drafts.put("bills", [draft("B", period="2026-02"), draft("C", kind="vendor_credit")], run_id="r1")
    judge(store, passed=True)
    other = Store(store.engine, "other")
    other.drafts.put("bills", [draft("A", "7.00")], run_id="r1")
    assert store.contents.version(DRAFTS, ["2026-01"]) == first
    assert store.contents.version(DRAFTS) != first
    assert other.contents.version(DRAFTS, ["2026-01"]) != first


@pytest.mark.parametrize("row", [row for row in CATALOG if row.path != AUDIT_PATH], ids=lambda row: row.path)
def test_every_asset_has_a_version(store: Store, row: AssetRow) -> None:
    """What an asset of the catalog holds can be read, empty or not; the report has a version of its own."""
    stored = row.stored
    assert stored
    assert store.contents.version(stored, ["2026-01"]) == store.contents.version(stored, ["2026-01"])


def test_amounts_are_content(store: Store) -> None:
    """Two drafts whose amounts were swapped add up to the same sum and are another content."""
    store.drafts.put("bills", [draft("A", "1.00"), draft("B", "2.00")], run_id="r1")
    first = store.contents.version(DRAFTS[:1])
    store.drafts.put("bills", [draft("A", "2.00"), draft("B", "1.00")], run_id="r1")
    assert sum(d.amount or Decimal(0) for d in store.drafts.read("bills")) == Decimal("3.00")
    assert store.contents.version(DRAFTS[:1]) != first
