"""The write ledger: intend, send, settle, recover; nothing twice, nothing lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.store.ledger_types import Claim, Intended, LostClaim, Settlement
from jdebill_pipelines.store.releases import Release, TamperedContent
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.store.conftest import Releaser, draft, judge

CODES = [{"code": "BDC_1143", "message": "Invoice number too long"}]


def intend(store: Store, releases: list[Release], *, lease: int = 300, worker: str = "w1") -> Intended:
    return store.writes.intend(releases, worker=worker, run_id="r1", asset_key="acme/bill/bills", lease_seconds=lease)


def confirm(store: Store, claims: list[Claim], origin: str = "created") -> None:
    store.writes.settle(
        [
            Settlement.confirmed(claim, f"00n{claim.natural_key}", response=b"{}", origin=origin)  # type: ignore[arg-type]
            for claim in claims
        ],
        run_id="r1",
        asset_key="acme/bill/bills",
    )


def expire_leases(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE jdebill.writes SET lease_until = now() - interval '5 minutes'"))


def age(engine: Engine, seconds: int) -> None:
    """Let time pass for what is uncertain or waiting."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE jdebill.writes SET uncertain_since = uncertain_since - make_interval(secs => :s), "
                "not_before = not_before - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )


def test_confirmed_write_links_journals_and_is_never_sent_again(store: Store, released: Releaser) -> None:
    """The happy path: claimed once, confirmed with the id, linked, journaled; the same content is skipped after."""
    releases = released([draft("A", "12.50"), draft("B")])
    intended = intend(store, releases)
    assert [c.natural_key for c in intended.claims] == ["A", "B"]
    assert msgspec.json.decode(intended.claims[0].payload) == msgspec.json.decode(
        b'{"billLineItems":[{"amount":12.5}],"invoice":{"invoiceNumber":"A"},"vendorId":"009V"}'
    )
    store.writes.verify(intended.claims)
    confirm(store, intended.claims)
    link = store.links.all("bill")["A"]
    assert (link.remote_id, link.origin, link.content_hash) == ("00nA", "created", releases[0].content_hash)
    entry = store.journal.read(natural_keys=["A"])[0]
    assert (entry.event, entry.remote_id, entry.asset_key, entry.period) == (
        "confirmed",
        "00nA",
        "acme/bill/bills",
        "2026-01",
    )
    assert entry.body["amount"] == Decimal("12.50")
    assert len(entry.request_digest) == len(entry.response_digest) == 64
    assert store.releases.releasable("bills") == []
    assert [r.natural_key for r in intend(store, releases).skipped] == ["A", "B"]
    assert store.writes.counts("r1") == {"confirmed": 2}


def test_changed_content_is_an_update_of_the_same_object(store: Store, released: Releaser) -> None:
    """An amended voucher becomes a second generation that names the object it changes; archive and restore follow."""
    confirm(store, intend(store, released([draft("A")])).claims)
    for changed, operation in ((draft("A", "7.00"), "update"), (draft("A", "7.00", operation="archive"), "archive")):
        claims = intend(store, released([changed])).claims
        assert [(c.operation, c.remote_id) for c in claims] == [(operation, "00nA")]
        confirm(store, claims)
    assert store.links.all("bill")["A"].archived
    assert released([draft("A", "7.00", operation="archive")]) == []
    restored = intend(store, released([draft("A", "7.00")])).claims
    assert [c.operation for c in restored] == ["restore"]
    confirm(store, restored)
    assert not store.links.all("bill")["A"].archived
    assert released([draft("A", "7.00")]) == [], "restored with the content it was archived with"
    assert [r.operation for r in released([draft("A", "8.00")])] == ["update"]
    assert [w.generation for w in store.writes.history("bill", "A")] == [1, 2, 3, 4]


def test_release_that_is_no_longer_good_is_withdrawn(store: Store, released: Releaser) -> None:
    """After the release was read its gate closed, its verdict failed or its draft changed: it is not sent."""
    releases = released([draft("A"), draft("B")])
    store.verdicts.set_gate("bills", "2026-01", False, ["stale accounts"], run_id="r2")
    assert len(intend(store, releases).withdrawn) == 2
    judge(store, passed=False)
    assert len(intend(store, releases).withdrawn) == 2
    store.drafts.put("bills", [draft("A", "9.99"), draft("B")], run_id="r3")
    judge(store, passed=True)
    intended = intend(store, releases)
    assert ([r.natural_key for r in intended.withdrawn], [c.natural_key for c in intended.claims]) == (["A"], ["B"])


def test_content_changed_by_hand_is_never_sent(store: Store, released: Releaser) -> None:
    """A row edited after its verdict, a release edited in memory, a ledger row edited before sending: all stop."""
    releases = released([draft("A")])
    forged = msgspec.structs.replace(releases[0], content={**releases[0].content, "vendorId": "009X"})
    with pytest.raises(TamperedContent, match="changed after it was read"):
        intend(store, [forged])
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE jdebill.drafts SET content = jsonb_set(content, '{vendorId}', '\"009X\"')"))
    with pytest.raises(TamperedContent, match="changed by hand"):
        intend(store, releases)
    assert store.writes.open_writes() == []
    claims = intend(store, released([draft("A"), draft("B")])).claims
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE jdebill.writes SET payload = '{}' WHERE natural_key = 'B'"))
    store.writes.verify(claims[:1])
    with pytest.raises(TamperedContent, match="payload of bill B"):
        store.writes.verify(claims)
    with store.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE jdebill.writes SET content = content || '{\"x\": 1}' WHERE natural_key = 'A'")
        )
    with pytest.raises(TamperedContent, match="content of bill A"):
        store.writes.verify(claims[:1])


def test_an_amount_written_with_other_zeros_is_the_same_content(store: Store, released: Releaser) -> None:
    """Drafted anew between the reading and the sending, 12.50 became 12.5: it is sent, and nobody is accused."""
    releases = released([draft("A", "12.50")])
    store.drafts.put("bills", [draft("A", "12.5")], run_id="r2")
    claims = intend(store, releases).claims
    assert [claim.natural_key for claim in claims] == ["A"]
    store.writes.verify(claims)


def test_refused_document_is_quarantined_and_backs_off(store: Store, released: Releaser) -> None:
    """The other side's words go into the quarantine; the same content waits; a corrected one goes and releases it."""
    releases = released([draft("A"), draft("B")])
    claims = intend(store, releases).claims
    result = store.writes.settle(
        [
            Settlement.refused(claims[0], CODES, response=b"[]", fix="shorten it"),
            Settlement.confirmed(claims[1], "00nB"),
        ],
        run_id="r1",
    )
    assert (result.refused, result.confirmed) == (["A"], ["B"])
    held = store.quarantine.open("bills")
    assert [(h.natural_key, h.rule, h.reason, h.fix) for h in held] == [
        ("A", "refused", "BDC_1143: Invoice number too long", "shorten it")
    ]
    store.quarantine.hold("bills", [], run_id="r2", everything=True)
    assert len(store.quarantine.open("bills")) == 1, "no gate finds a refusal, so not finding it releases nothing"
    again = released([draft("A")])
    assert [r.natural_key for r in intend(store, again).refused] == ["A"]
    age(store.engine, 2 * 3600)
    retried = intend(store, again).claims
    assert [(c.attempts, c.generation) for c in retried] == [(2, 2)]
    store.writes.settle([Settlement.refused(retried[0], CODES)], run_id="r3")
    age(store.engine, 2 * 3600)
    assert intend(store, again).claims == [], "the second refusal backs off for longer"
    corrected = intend(store, released([draft("A", "1.00")])).claims
    assert [(c.attempts, c.generation) for c in corrected] == [(1, 3)]
    confirm(store, corrected)
    assert store.quarantine.open("bills") == []


def test_unknown_outcome_is_looked_up_before_anything_is_sent(store: Store, released: Releaser) -> None:
    """A timeout: never sent again blindly; found: adopted, not created twice; not found: only after the delay."""
    releases = released([draft("A"), draft("B")])
    claims = intend(store, releases).claims
    store.writes.settle([Settlement.unknown(claim, "timeout after 60 s") for claim in claims], run_id="r1")
    assert len(intend(store, releases).unresolved) == 2
    assert [w.natural_key for w in store.writes.pending_recovery()] == ["A", "B"]
    found, missing = store.writes.claim_recovery(worker="w2", run_id="r2")
    assert found.recovering
    assert missing.recovering
    assert store.writes.claim_recovery(worker="w3", run_id="r3") == []
    result = store.writes.settle(
        [Settlement.confirmed(found, "00nA", origin="adopted"), Settlement.not_found(missing)], run_id="r2"
    )
    assert (result.confirmed, result.unknown, result.returned) == (["A"], ["B"], [])
    assert store.links.all("bill")["A"].origin == "adopted"
    assert store.journal.read(natural_keys=["A"])[-1].event == "adopted"
    assert store.writes.claim_recovery(worker="w2", run_id="r2") == [], "the settling delay is not over"
    age(store.engine, 61)
    (again,) = store.writes.claim_recovery(worker="w2", run_id="r2")
    assert store.writes.settle([Settlement.not_found(again)], run_id="r2").returned == ["B"]
    resent = intend(store, releases[1:]).claims
    assert [(c.natural_key, c.generation, c.recovering) for c in resent] == [("B", 1, False)]
    confirm(store, resent)
    assert store.writes.pending_recovery() == []


def test_not_found_and_changed_meanwhile_sends_the_new_content(store: Store, released: Releaser) -> None:
    """What was not there is superseded when its draft has changed since: the old content is never sent."""
    (claim,) = intend(store, released([draft("A")])).claims
    store.writes.settle([Settlement.unknown(claim, "reset")], run_id="r1")
    age(store.engine, 61)
    store.writes.settle([Settlement.not_found(store.writes.claim_recovery(worker="w", run_id="r")[0])], run_id="r1")
    (fresh,) = intend(store, released([draft("A", "55.00")])).claims
    assert fresh.generation == 2
    assert b"55" in fresh.payload
    assert [w.state for w in store.writes.history("bill", "A")] == ["superseded", "claimed"]


def test_settle_after_a_takeover_is_refused_loudly(store: Store, released: Releaser) -> None:
    """A slow process settles after its lease was taken over: its word does not count, that of the others does."""
    slow = intend(store, released([draft("A"), draft("B")])).claims
    expire_leases(store.engine)
    with pytest.raises(LostClaim):
        store.writes.verify(slow)
    store.writes.renew(slow[1:])
    taken = store.writes.claim_recovery(worker="w2", run_id="r2")
    assert [c.natural_key for c in taken] == ["A"]
    with pytest.raises(LostClaim, match=r"1 claim.*bill A") as lost:
        store.writes.settle([Settlement.confirmed(c, f"00nold{c.natural_key}") for c in slow], run_id="r1")
    assert [c.natural_key for c in lost.value.claims] == ["A"]
    assert list(store.links.all("bill")) == ["B"], "the claim that was still held is settled"
    with pytest.raises(LostClaim):
        store.writes.renew(slow[:1])
    store.writes.settle([Settlement.confirmed(taken[0], "00nA", origin="adopted")], run_id="r2")
    assert store.links.all("bill")["A"].remote_id == "00nA"


def test_unsent_claims_are_free_at_once(store: Store, released: Releaser) -> None:
    """A batch that was never sent goes back; a recovery that could not look goes back to unknown, not to sending."""
    releases = released([draft("A")])
    (claim,) = intend(store, releases).claims
    assert store.writes.settle([Settlement.release(claim)], run_id="r1").returned == ["A"]
    assert store.journal.head().seq == 0
    (claim,) = intend(store, releases).claims
    store.writes.settle([Settlement.unknown(claim, "502")], run_id="r1")
    (looked,) = store.writes.claim_recovery(worker="w", run_id="r1")
    assert store.writes.settle([Settlement.release(looked)], run_id="r1").unknown == ["A"]
    assert intend(store, releases).claims == []


def test_answer_matched_to_the_wrong_document_is_held(store: Store, released: Releaser) -> None:
    """A bulk answer gives one id to two bills: the first is confirmed, the other stays unknown and is held."""
    claims = intend(store, released([draft("A"), draft("B"), draft("C")])).claims
    result = store.writes.settle(
        [
            Settlement.confirmed(claims[0], "00n1"),
            Settlement.confirmed(claims[1], "00n1"),
            Settlement.confirmed(claims[2], "00n3"),
        ],
        run_id="r1",
    )
    assert (result.confirmed, result.conflicts) == (["A", "C"], ["B"])
    assert "00n1 is linked to A" in store.quarantine.open("bills")[0].reason
    assert [w.natural_key for w in store.writes.pending_recovery()] == ["B"]
    assert [e.event for e in store.journal.read(natural_keys=["B"])] == ["conflict"]


def test_mistakes_of_a_caller_are_refused(store: Store, released: Releaser) -> None:
    """No id, no reason, the same document twice: errors before anything is stored."""
    releases = released([draft("A")])
    with pytest.raises(ValueError, match="twice"):
        intend(store, [*releases, *releases])
    (claim,) = intend(store, releases).claims
    with pytest.raises(ValueError, match="without a remote id"):
        Settlement.confirmed(claim, "")
    with pytest.raises(ValueError, match="without a reason"):
        Settlement.refused(claim, [])
    with pytest.raises(ValueError, match="two outcomes"):
        store.writes.settle([Settlement.not_found(claim), Settlement.unknown(claim, "x")], run_id="r1")
    assert intend(store, []).claims == []
    assert store.writes.settle([], run_id="r1").confirmed == []


def test_racing_threads_claim_each_document_once(store: Store, released: Releaser) -> None:
    """Six threads intend the same sixty documents in overlapping batches: every document is claimed exactly once."""
    releases = released([draft(f"K{n}") for n in range(60)])
    start = threading.Barrier(6)
    results: list[Intended] = []

    def work(offset: int) -> None:
        start.wait()
        rotated = releases[offset:] + releases[:offset]
        for first in range(0, 60, 20):
            results.append(intend(store, rotated[first : first + 20], worker=f"w{offset}"))

    threads = [threading.Thread(target=work, args=(offset,)) for offset in (0, 10, 20, 30, 40, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claimed = Counter(c.natural_key for result in results for c in result.claims)
    assert claimed == Counter(r.natural_key for r in releases)
    assert len({c.fence for result in results for c in result.claims}) == 60
    assert sum(len(result.busy) for result in results) == 300


CRASH = """
import os, sys
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.store import Store
store = Store(create_engine(sys.argv[1]), "acme")
claims = store.writes.intend(store.releases.releasable("bills"), worker="victim", run_id="r9", lease_seconds=1).claims
with open(sys.argv[2], "a") as sent:      # the other side: what it was sent
    for claim in claims[: len(claims) // 2]:
        sent.write(claim.natural_key + "\\n"); sent.flush(); os.fsync(sent.fileno())
os._exit(9)                                # dies before it settles anything
"""


def test_process_killed_between_send_and_settle_loses_and_doubles_nothing(
    store: Store, released: Releaser, database_url: str, tmp_path: Path
) -> None:
    """Half a batch was sent when the process died: its lease runs out, the sent half is adopted, the rest sent once."""
    released([draft(f"K{n}") for n in range(10)])
    sent = tmp_path / "sent"
    done = subprocess.run([sys.executable, "-c", CRASH, database_url, str(sent)], check=False)
    assert done.returncode == 9
    there = sent.read_text("utf-8").split()
    assert len(there) == 5
    releases = store.releases.releasable("bills")
    waiting = intend(store, releases)
    assert len(waiting.busy) + len(waiting.unresolved) == 10
    deadline = threading.Event()
    while len(store.writes.pending_recovery()) < 10:
        deadline.wait(0.05)
    claims = store.writes.claim_recovery(worker="heir", run_id="r10")
    store.writes.settle(
        [
            Settlement.confirmed(c, f"00n{c.natural_key}", origin="adopted")
            if c.natural_key in there
            else Settlement.not_found(c)
            for c in claims
        ],
        run_id="r10",
        settling_seconds=0,
    )
    rest = intend(store, store.releases.releasable("bills")).claims
    assert sorted(c.natural_key for c in rest) == sorted({f"K{n}" for n in range(10)} - set(there))
    confirm(store, rest)
    assert len(store.links.all("bill")) == 10
    assert store.writes.open_writes() == []
    assert store.journal.verify().ok


WORKER = """
import sys, uuid
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.ledger_types import Settlement
from jdebill_pipelines.store.store import Store
store = Store(create_engine(sys.argv[1]), "acme")
for _ in range(50):
    releases = store.releases.releasable("bills")
    if not releases: break
    for first in range(0, len(releases), 25):
        claims = store.writes.intend(releases[first:first+25], worker=sys.argv[2], run_id=sys.argv[2]).claims
        store.writes.verify(claims)
        store.writes.settle([Settlement.confirmed(c, uuid.uuid4().hex) for c in claims], run_id=sys.argv[2])
        for c in claims: print(c.natural_key)
"""


def test_two_processes_over_one_range_send_each_document_once(
    store: Store, released: Releaser, database_url: str
) -> None:
    """Two whole syncs at once over 300 documents: 300 sends, 300 links, one unbroken journal."""
    released([draft(f"K{n}") for n in range(300)])
    command = [sys.executable, "-W", "error", "-c", WORKER, database_url]
    both = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("one", "two")]
    printed = [process.communicate(timeout=60)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert Counter(printed[0] + printed[1]) == Counter(f"K{n}" for n in range(300))
    assert len(store.links.all("bill")) == 300
    assert store.journal.verify().entries == 300
    assert uuid.UUID(hex=store.links.all("bill")["K1"].remote_id)
