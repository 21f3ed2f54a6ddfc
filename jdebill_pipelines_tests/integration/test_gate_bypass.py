"""Whatever an operator clicks, and whoever edits the database: what the gate has not passed is never sent."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import dagster as dg
import sqlalchemy as sa

from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines.orchestration.assets import build_assets
from jdebill_pipelines.orchestration.catalog import CATALOG
from jdebill_pipelines.orchestration.keys import MODE_TAG, RANGE_END_TAG, RANGE_START_TAG, asset_key
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.store.canonical import content_hash
from jdebill_pipelines_tests.support.edits import simple_vouchers
from jdebill_pipelines_tests.support.world import NAME, World

UP_TO_DRAFTS = [row.path for row in CATALOG[: [r.path for r in CATALOG].index("sync/bill_drafts") + 1]]

_FAIL = """
UPDATE jdebill.verdicts SET passed = false, failures = jsonb_build_array(jsonb_build_object('line', '', 'field', 'x',
  'value', '', 'reason', 'turned by hand', 'fix', '', 'rule', 'test')) WHERE natural_key = :k
"""
_CLOSE = """
UPDATE jdebill.gate_states SET is_open = false, reasons = '["closed by hand"]' WHERE gate = 'bills' AND period = :p
"""


def materialize(world: World, paths: Iterable[str], *months: str) -> dg.ExecuteInProcessResult:
    """Materialize assets as the UI's button does, on assets that have no checks at all."""
    connections = load_connections(world.settings.connections_dir)
    runtime = Runtime(world.settings, connections)
    first, last = (months or world.months)[0], (months or world.months)[-1]
    os.environ["DAGSTER_HOME"] = str(world.settings.dagster_home)
    os.environ["JDEBILL_DATABASE_URL"] = str(world.settings.database_url)
    try:
        with dg.DagsterInstance.get() as instance:
            return dg.materialize(
                build_assets(connections[NAME], runtime),
                selection=[asset_key(NAME, path) for path in paths],
                instance=instance,
                tags={RANGE_START_TAG: first, RANGE_END_TAG: last, MODE_TAG: "full"},
                raise_on_error=False,
            )
    finally:
        runtime.close()


def run(world: World, statement: str, **values: Any) -> int:
    """Tamper with our own tables as somebody with a database client could; returns how many rows it hit."""
    with world.engine.begin() as tx:
        return int(tx.execute(sa.text(statement), values).rowcount)


def passing(world: World) -> dict[str, str]:
    """Natural keys, with their months, of the due drafts whose stored verdict passes for exactly their content."""
    verdicts = world.store.verdicts.read("bills")
    return {
        d.natural_key: d.period
        for d in world.store.drafts.read("bills", status="due")
        if (found := verdicts.get((d.natural_key, d.content_hash))) is not None and found.passed
    }


def sent(world: World) -> set[str]:
    """Natural keys in BILL; every bill and credit there belongs to one."""
    links = {**world.links("bill"), **world.links("vendor_credit")}
    assert sorted(links.values()) == sorted(one["id"] for kind in ("bill", "vendor_credit") for one in world.bill(kind))
    return set(links)


def test_the_write_asset_alone_sends_nothing_that_was_not_judged(world: World) -> None:
    """Nothing drafted: nothing sent. Drafted without checks: a document is sent only when its own verdict passes.

    One verdict is deleted, one turned into a failure, one moved to another content; one month's gate is closed.
    """
    assert materialize(world, ["bill/bills"]).success
    assert sent(world) == set()
    assert materialize(world, UP_TO_DRAFTS).success
    assert sent(world) == set()
    good = passing(world)
    due = {d.natural_key for d in world.store.drafts.read("bills", status="due")}
    assert due - set(good), "the company has documents that fail the gate"
    missing, failed, other, *_ = sorted(good)
    closed = good[max(good, key=lambda key: (good[key], key))]
    assert run(world, "DELETE FROM jdebill.verdicts WHERE natural_key = :k", k=missing) == 1
    assert run(world, _FAIL, k=failed) == 1
    assert run(world, "UPDATE jdebill.verdicts SET content_hash = repeat('0', 64) WHERE natural_key = :k", k=other) == 1
    assert run(world, _CLOSE, p=closed) == 1
    kept_back = {missing, failed, other} | {key for key, period in good.items() if period == closed}

    assert materialize(world, ["bill/bills"]).success
    assert sent(world) == set(good) - kept_back
    assert {key for kind, key in world.drafts()} >= kept_back
    ledger = {
        w.natural_key
        for key in kept_back
        for kind in ("bill", "vendor_credit")
        for w in world.store.writes.history(kind, key)
    }
    assert ledger == set(), "not even intended"

    # Judged again, all of them leave, once.
    assert materialize(world, UP_TO_DRAFTS).success
    assert materialize(world, ["bill/bills"]).success
    assert sent(world) == set(good)


def test_content_changed_by_hand_is_never_sent(world: World) -> None:
    """An amount edited in the stored draft no longer has the judged hash: the run fails and BILL gets nothing of it.

    The same when the editor also writes the new content's hash beside it: no verdict is about that content.
    """
    assert materialize(world, UP_TO_DRAFTS).success
    good = passing(world)
    simple = simple_vouchers(world)[0]
    key = f"{simple['KCO']}-PV-{simple['DOC']}"
    assert key in good
    edit = (
        "UPDATE jdebill.drafts SET content = jsonb_set(content, '{description}', '\"edited\"') WHERE natural_key = :k"
    )
    assert run(world, edit, k=key) == 1
    result = materialize(world, ["bill/bills"])
    assert not result.success
    failure = result.get_step_failure_events()[0].step_failure_data.error
    assert failure is not None
    assert "TamperedContent" in str(failure)
    assert sent(world) <= set(good) - {key}

    draft = next(d for d in world.store.drafts.read("bills", keys=[key]))
    rehash = "UPDATE jdebill.drafts SET content_hash = :h WHERE natural_key = :k"
    assert run(world, rehash, h=content_hash(draft.kind, draft.content), k=key) == 1
    assert materialize(world, ["bill/bills"]).success
    assert sent(world) == set(good) - {key}
    assert world.store.releases.blocked("bills", keys=[key]) == {"the verdict is on another content": 1}

    assert materialize(world, UP_TO_DRAFTS).success
    assert materialize(world, ["bill/bills"]).success
    assert sent(world) == set(good)
    assert all(bill.get("description") != "edited" for bill in world.bill("bill"))


def test_a_good_month_after_a_bad_one(world: World) -> None:
    """Strict gate: a bad month is blocked; a good one after it passes, and does not carry the bad one with it.

    Dagster's last check is green then. Materializing the bad month's bills, checks or no checks, still sends nothing.
    """
    assert materialize(world, UP_TO_DRAFTS).success
    good = passing(world)
    failing = {d.period for d in world.store.drafts.read("bills", status="due") if d.natural_key not in good}
    failing |= {row["period"] for row in world.store.verdicts.failing("bills")}
    bad = max(failing)
    fine = max(set(good.values()) - failing)
    world.configure(more="  gate: strict\n")
    first = world.sync(bad)
    assert (first.succeeded, sent(world)) == (False, set())
    assert ("sync/bill_drafts", "gate") in {(f.asset, f.check) for f in first.failed_checks}
    assert world.sync(fine).succeeded
    in_fine = {key for key, period in good.items() if period == fine}
    assert sent(world) == in_fine != set()
    assert materialize(world, ["bill/bills"], bad).success
    assert materialize(world, ["bill/bills"]).success
    assert not {key for key in sent(world) if good.get(key, bad) == bad}
