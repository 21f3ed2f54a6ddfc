"""Quarantine: causes are kept, leave by themselves, and only a named person overrides one."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from jdebill_pipelines.store.quarantine import Held, QuarantineResult
from jdebill_pipelines.store.store import Store


def held(key: str, rule: str = "account_exists", period: str = "2026-01", **more: str) -> Held:
    return Held(
        kind="bill", natural_key=key, rule=rule, reason="no such account", fix="create it", period=period, **more
    )


def test_documents_leave_by_themselves_and_come_back(store: Store) -> None:
    """Fixed upstream: the next look at the month releases it; broken again: held again, its first sight remembered."""
    first = [held("A", line="1"), held("A", line="2"), held("B"), held("C", period="2026-02")]
    assert store.quarantine.hold("bills", first, run_id="r1", periods=["2026-01", "2026-02"]) == QuarantineResult(
        4, 0, 0
    )
    assert store.quarantine.hold("bills", [held("A", line="1")], run_id="r2", periods=["2026-01"]) == QuarantineResult(
        0, 1, 2
    )
    assert [(h.natural_key, h.line) for h in store.quarantine.open("bills")] == [("A", "1"), ("C", "")]
    assert store.quarantine.hold("vendors", [], run_id="r3", everything=True).released == 0
    assert store.quarantine.hold("bills", [], run_id="r3", keys=["C"]).released == 1
    assert store.quarantine.hold("bills", [held("B", value="X")], run_id="r4") == QuarantineResult(1, 0, 0)
    (again,) = store.quarantine.show("B")
    assert (again.times, again.value, again.run_id) == (2, "X", "r4")
    assert again.first_seen < again.last_seen
    assert store.quarantine.counts() == {"bills": 2}
    assert store.quarantine.counts(["2026-02"]) == {}
    assert [h.natural_key for h in store.quarantine.open(periods=["2026-01"], limit=1)] == ["A"]
    assert store.quarantine.release("bills", ["A", "B"], rule="other") == 0
    assert store.quarantine.release("bills", ["A", "B"]) == 2


def test_override_needs_a_person_and_a_reason_and_is_journaled(store: Store) -> None:
    """An override holds for the content it was given for, names its author, and is in the journal."""
    store.quarantine.hold(
        "bills", [held("A", content_hash="h1"), held("A", "duplicate", content_hash="h1")], run_id="r1"
    )
    for who, reason in (("", "checked"), ("Kim", "  ")):
        with pytest.raises(ValueError, match="name and a reason"):
            store.quarantine.override("A", who, reason)
    with pytest.raises(ValueError, match="nothing holds B"):
        store.quarantine.override("B", "Kim", "checked")
    assert store.quarantine.override("A", "Kim", "is no duplicate, see mail", rule="duplicate") == 1
    overrides = store.quarantine.overrides("bills")
    assert [(key, o.who) for key, o in overrides.items()] == [(("A", "duplicate", "h1"), "Kim")]
    (entry,) = store.journal.read(events=["override"])
    assert (entry.natural_key, entry.actor, entry.body["reason"]) == ("A", "Kim", "is no duplicate, see mail")
    with store.engine.connect() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.text("UPDATE jdebill.overrides SET who = ' '"))
