"""Drafts, verdicts and releases: nothing leaves without a passing verdict on exactly its content and an open gate."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from jdebill_pipelines.store.drafts import DraftResult
from jdebill_pipelines.store.links import Link, LinkConflict
from jdebill_pipelines.store.maps import GlMatch, VendorMatch
from jdebill_pipelines.store.releases import TamperedContent
from jdebill_pipelines.store.store import Store
from jdebill_pipelines.store.verdicts import Failure, Verdict
from jdebill_pipelines_tests.store.conftest import draft, judge


def keys(store: Store, **scope: Any) -> list[tuple[str, str]]:
    return [(r.natural_key, r.operation) for r in store.releases.releasable("bills", **scope)]


def test_drafts_replace_their_months_and_count_what_changed(store: Store) -> None:
    """A month is replaced whole, a delta only adds and changes; content comes back exactly, amounts as Decimal."""
    first = [draft("A"), draft("B"), draft("C", period="2026-02")]
    assert store.drafts.put("bills", first, run_id="r1") == DraftResult(3, 3, 0)
    again = [draft("A"), draft("B", "100.10", status="held", reason="no account")]
    result = store.drafts.put("bills", [*again, draft("D")], run_id="r2", replace_periods=["2026-01"])
    assert result == DraftResult(3, 2, 0)
    assert store.drafts.put("bills", again, run_id="r3", replace_periods=["2026-01"]) == DraftResult(2, 0, 1)
    stored = {d.natural_key: d for d in store.drafts.read("bills")}
    assert sorted(stored) == ["A", "B", "C"]
    assert stored["B"].content["billLineItems"][0]["amount"] == Decimal("100.10")
    assert isinstance(stored["B"].content["billLineItems"][0]["amount"], Decimal)
    assert [d.natural_key for d in store.drafts.read("bills", periods=["2026-01"], status="due")] == ["A"]
    assert {(t["status"], t["amount"]) for t in store.drafts.totals("bills")} == {
        ("due", Decimal("200.00")),
        ("held", Decimal("100.10")),
    }
    assert store.drafts.remove("bills", ["C"]) == 1
    assert store.drafts.put("bills", [], run_id="r4", replace_all=True).removed == 2


def test_draft_mistakes_are_refused(store: Store) -> None:
    """Two drafts of one key, a held one without a reason, a float amount: each is an error, and nothing is stored."""
    with pytest.raises(ValueError, match="two drafts of bill A"):
        store.drafts.put("bills", [draft("A"), draft("A")], run_id="r1")
    with pytest.raises(ValueError, match="held without a reason"):
        store.drafts.put("bills", [draft("A", status="held")], run_id="r1")
    with pytest.raises(TypeError, match="float"):
        store.drafts.put("bills", [draft("A", content={"amount": 0.3})], run_id="r1")
    assert store.drafts.read("bills") == []


def test_voucher_that_turns_into_a_credit_is_one_draft(store: Store) -> None:
    """A delta run makes a credit of what was a bill: the bill draft gives way, so only one of them is ever due."""
    store.drafts.put("bills", [draft("A")], run_id="r1")
    store.drafts.put("bills", [draft("A", kind="vendor_credit")], run_id="r2")
    assert [(d.kind, d.natural_key) for d in store.drafts.read("bills")] == [("vendor_credit", "A")]


def test_only_a_passing_verdict_on_this_content_and_an_open_gate_release(store: Store) -> None:
    """No verdict, a failed one, one on another content, a gate closed or never evaluated: each blocks, and says so."""
    store.drafts.put("bills", [draft("A"), draft("B", status="not_due", reason="not approved")], run_id="r1")
    assert keys(store) == []
    assert store.releases.blocked("bills") == {"no verdict": 1}
    content = store.drafts.read("bills", keys=["A"])[0]
    store.verdicts.put("bills", [Verdict("bill", "A", content.content_hash, True)], run_id="r1")
    assert store.releases.blocked("bills") == {"the gate of the period was never evaluated": 1}
    store.verdicts.set_gate("bills", "2026-01", False, ["no accounts were read"], run_id="r1")
    assert keys(store) == []
    assert store.releases.blocked("bills") == {"the gate of the period is closed": 1}
    store.verdicts.set_gate("bills", "2026-01", True, [], run_id="r1")
    assert keys(store) == [("A", "create")]
    store.drafts.put("bills", [draft("A", "100.01")], run_id="r2")
    assert keys(store) == []
    assert store.releases.blocked("bills") == {"the verdict is on another content": 1}
    judge(store, passed=False)
    assert keys(store) == []
    assert store.releases.blocked("bills") == {"failed the gate": 1}
    assert store.verdicts.failing("bills", ["2026-01"])[0]["reason"] == "no such account"
    assert store.verdicts.counts("bills") == {"passed": 0, "failed": 1, "unjudged": 0}
    store.drafts.put("bills", [draft("A")], run_id="r3")
    assert keys(store) == [("A", "create")], "back to the content that passed"


def test_rerun_of_an_old_good_month_does_not_release_a_bad_one(store: Store) -> None:
    """January is good, February is bad; January is judged again: February stays held back."""
    store.drafts.put("bills", [draft("A"), draft("B", period="2026-02")], run_id="r1")
    stored = {d.natural_key: d.content_hash for d in store.drafts.read("bills")}
    why = (Failure("", "AID", "", "bad", "fix", "rule"),)
    store.verdicts.put("bills", [Verdict("bill", "B", stored["B"], False, why)], run_id="r1")
    store.verdicts.set_gate("bills", "2026-02", True, [], run_id="r1")
    store.verdicts.put("bills", [Verdict("bill", "A", stored["A"], True)], run_id="r2")
    store.verdicts.set_gate("bills", "2026-01", True, [], run_id="r2")
    assert keys(store) == [("A", "create")]
    assert keys(store, periods=["2026-02"]) == []


def test_operation_follows_the_link(store: Store) -> None:
    """What is linked is updated when it differs, restored when archived, else skipped; a posting is never repeated."""
    drafts = [draft(key) for key in ("same", "other", "gone", "new")]
    drafts += [draft("cancelled", operation="archive"), draft("never sent", operation="archive")]
    drafts += [draft("paid", kind="posting", operation="post")]
    store.drafts.put("bills", drafts, run_id="r1")
    judge(store, passed=True)
    hashes = {d.natural_key: d.content_hash for d in store.drafts.read("bills")}

    def link(key: str, content_hash: str | None, *, archived: bool = False, kind: str = "bill") -> Link:
        return Link(kind=kind, natural_key=key, remote_id=f"00n{key}", content_hash=content_hash, archived=archived)

    links = [link("same", hashes["same"]), link("other", "old"), link("gone", hashes["gone"], archived=True)]
    store.links.put("bill", [*links, link("cancelled", "old")], run_id="r1")
    store.links.put("posting", [link("paid", "old", kind="posting")], run_id="r1")
    assert dict(keys(store)) == {"other": "update", "gone": "restore", "new": "create", "cancelled": "archive"}
    assert {r.remote_id for r in store.releases.releasable("bills", keys=["other"])} == {"00nother"}
    named = [key for key, _ in keys(store)]
    assert keys(store, keys=[*named, "unknown"], kinds=["bill", "vendor_credit"]) == keys(store), "a batch by its names"


def test_row_changed_by_hand_is_never_released(store: Store) -> None:
    """Somebody edits the amount in the database: the hash no longer names the content, and all stops loudly."""
    store.drafts.put("bills", [draft("A")], run_id="r1")
    judge(store, passed=True)
    with store.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE jdebill.drafts SET content = jsonb_set(content, '{billLineItems,0,amount}', '999')")
        )
    with pytest.raises(TamperedContent, match=r"bill A .*changed by hand"):
        store.releases.releasable("bills")


def test_verdicts_and_gates_must_say_why(store: Store) -> None:
    """A refusal without a reason helps nobody: it is an error, in the code and in the database."""
    with pytest.raises(ValueError, match="without a reason"):
        store.verdicts.put("bills", [Verdict("bill", "A", "h", False)], run_id="r1")
    with pytest.raises(ValueError, match="without a reason"):
        store.verdicts.set_gate("bills", "2026-01", False, [], run_id="r1")
    assert store.verdicts.gate("bills", "2026-01") is None


def test_two_documents_never_share_an_object(store: Store) -> None:
    """A second supplier on a linked vendor is refused, within one call too; nothing of the call is stored."""
    vendor = Link(kind="vendor", natural_key="1", remote_id="009A")
    store.links.put("vendor", [vendor], run_id="r1")
    with pytest.raises(LinkConflict, match="009A is linked to 1 already"):
        store.links.put("vendor", [Link(kind="vendor", natural_key="2", remote_id="009A")], run_id="r2")
    pair = [Link(kind="vendor", natural_key=key, remote_id="009B") for key in ("3", "4")]
    with pytest.raises(LinkConflict, match="009B"):
        store.links.put("vendor", pair, run_id="r2")
    assert store.links.by_remote("vendor") == store.links.by_remote("vendor", ["009A"])
    assert list(store.links.all("vendor")) == ["1"]
    assert store.links.get("vendor", ["1", "2"])["1"].origin == "matched"
    assert store.links.remove("vendor", ["1"]) == 1


def test_maps_keep_what_was_decided(store: Store) -> None:
    """Vendor and G/L matches come back by key; a whole replacement drops what is not in it."""
    store.maps.put_vendors(
        [VendorMatch(natural_key="1", state="matched", vendor_id="009A", method="tax_id")], run_id="r1"
    )
    store.maps.put_vendors([VendorMatch(natural_key="2", state="ambiguous", candidates=["009B", "009C"])], run_id="r1")
    assert store.maps.vendors(["1"])["1"].vendor_id == "009A"
    store.maps.put_vendors([VendorMatch(natural_key="2", state="new")], run_id="r2", replace_all=True)
    assert {key: match.state for key, match in store.maps.vendors().items()} == {"2": "new"}
    store.maps.put_gl([GlMatch(kind="account", jde_key="100", state="mapped", bill_id="0ca1")], run_id="r1")
    store.maps.put_gl([GlMatch(kind="department", jde_key="100", state="missing")], run_id="r1")
    assert store.maps.gl("account")["100"].bill_id == "0ca1"
    store.maps.put_gl([GlMatch(kind="department", jde_key="200", state="mapped")], run_id="r2", replace_all=True)
    assert (list(store.maps.gl("account")), list(store.maps.gl("department"))) == ([], ["200"])
