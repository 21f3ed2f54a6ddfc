"""The journal: append-only, chained, and any change is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import psycopg2.errors
import pytest
import sqlalchemy as sa

from jdebill_pipelines.store.journal import Entry, Head
from jdebill_pipelines.store.store import Store


def fill(store: Store, count: int = 6) -> None:
    store.journal.append(
        [
            Entry(
                event="confirmed",
                kind="bill",
                natural_key=f"K{n}",
                remote_id=f"00n{n}",
                run_id="r1",
                body={"amount": Decimal("1.10") * n},
            )
            for n in range(1, count + 1)
        ]
    )


def test_chain_holds_over_batches_connections_and_odd_values(store: Store) -> None:
    """Batches continue one another, each connection has its own chain, and every JSON value hashes as it was stored."""
    fill(store)
    zone = timezone(timedelta(hours=-7))
    odd = {
        "decimals": [Decimal("10.00"), Decimal("1E+3"), Decimal("-0.00"), Decimal("12345678901.23")],
        "nested": {"b": [None, True, {}], "a": '\u20ac"\\\n', "list": []},
        "times": [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 5, 0, 0, 120, tzinfo=zone)],
        "day": datetime(2026, 1, 1, tzinfo=UTC).date(),
    }
    head = store.journal.append([Entry(event="odd", body=odd), Entry(event="empty")])
    Store(store.engine, "other").journal.append([Entry(event="x")])
    result = store.journal.verify(anchors=[head])
    assert (result.ok, result.entries, result.head) == (True, 8, head)
    assert store.journal.head() == head
    assert [e.seq for e in store.journal.read(events=["odd", "empty"])] == [7, 8]
    assert store.journal.read(natural_keys=["K2"])[0].body == {"amount": Decimal("2.20")}
    assert [e.seq for e in store.journal.read(remote_ids=["00n3"], run_id="r1")] == [3]
    assert store.journal.read(since=datetime.now(UTC) + timedelta(days=1)) == []
    assert store.journal.append([]) == head
    with pytest.raises(TypeError, match="float"):
        store.journal.append([Entry(event="x", body={"amount": 0.1})])
    assert store.journal.verify().ok


@pytest.mark.parametrize(
    "change", ["UPDATE jdebill.journal SET actor = 'x'", "DELETE FROM jdebill.journal", "TRUNCATE jdebill.journal"]
)
def test_database_refuses_changes(store: Store, change: str) -> None:
    """Updating, deleting and truncating the journal is refused by the database itself, whoever asks."""
    fill(store)
    with store.engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError) as refused:
        connection.execute(sa.text(change))
    assert isinstance(refused.value.orig, psycopg2.errors.InsufficientPrivilege)
    assert "append-only" in str(refused.value)


def tamper(store: Store, *statements: str) -> None:
    """Change the journal as somebody with all rights would: past the trigger."""
    with store.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE jdebill.journal DISABLE TRIGGER USER"))
        for statement in statements:
            connection.execute(sa.text(statement))
        connection.execute(sa.text("ALTER TABLE jdebill.journal ENABLE TRIGGER USER"))


@pytest.mark.parametrize(
    ("statement", "broken", "reason"),
    [
        ("DELETE FROM jdebill.journal WHERE seq = 3", 3, "missing"),
        ("DELETE FROM jdebill.journal WHERE seq = 1", 1, "missing"),
        ("DELETE FROM jdebill.journal WHERE seq >= 5", 5, "missing"),
        ("DELETE FROM jdebill.journal", 1, "missing"),
        ("UPDATE jdebill.journal_heads SET seq = 5", 6, "recorded end"),
        ("UPDATE jdebill.journal_heads SET hash = repeat('a', 64)", 6, "recorded end"),
        ("UPDATE jdebill.journal SET seq = CASE seq WHEN 2 THEN 20 ELSE seq END", 2, "missing"),
        (
            "UPDATE jdebill.journal SET seq = seq + 100 WHERE seq IN (2, 3); "
            "UPDATE jdebill.journal SET seq = 105 - seq WHERE seq > 100",
            2,
            "continue",
        ),
        (
            "CREATE TEMP TABLE x AS SELECT * FROM jdebill.journal WHERE seq = 6; UPDATE x SET seq = 7; "
            "INSERT INTO jdebill.journal TABLE x",
            7,
            "continue",
        ),
    ],
)
def test_removed_and_moved_entries_are_named(store: Store, statement: str, broken: int, reason: str) -> None:
    """Rows taken out at the start, in the middle or at the end, changed about or added, or a forged end: the first
    wrong number is named.
    """
    fill(store)
    tamper(store, statement)
    result = store.journal.verify()
    assert (result.ok, result.first_broken) == (False, broken)
    assert reason in result.reason


def test_rewritten_chain_is_caught_by_an_anchor_kept_elsewhere(store: Store) -> None:
    """Somebody cuts the end off and rewrites the recorded head too: a head kept in a signed report still tells."""
    fill(store, 4)
    kept = store.journal.head()
    fill(store, 2)
    tamper(
        store,
        "DELETE FROM jdebill.journal WHERE seq >= 4",
        "UPDATE jdebill.journal_heads h SET seq = 3, hash = (SELECT hash FROM jdebill.journal WHERE seq = 3)",
    )
    assert store.journal.verify().ok, "without an anchor this cannot be seen"
    assert store.journal.verify(anchors=[kept]).first_broken == 4
    fill(store, 3)
    result = store.journal.verify(anchors=[Head(0, "x"), kept])
    assert (result.ok, result.first_broken) == (False, 4)
    assert "recorded elsewhere" in result.reason


def test_failed_transaction_leaves_no_entry(store: Store) -> None:
    """The entry belongs to the caller's transaction: rolled back together."""
    fill(store, 1)

    def work(tx: sa.Connection) -> None:
        store.journal.append([Entry(event="x")], tx=tx)
        raise RuntimeError("later step failed")

    run: Callable[[sa.Connection], None] = work
    with pytest.raises(RuntimeError), store.transaction() as tx:
        run(tx)
    assert store.journal.verify().entries == 1


APPEND = """
import sys
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.journal import Entry
from jdebill_pipelines.store.store import Store
store = Store(create_engine(sys.argv[1]), "acme")
for n in range(40): store.journal.append([Entry(event="e", natural_key=f"{sys.argv[2]}-{n}-{m}") for m in range(3)])
"""


def test_processes_append_to_one_unbroken_chain(store: Store, database_url: str) -> None:
    """Three processes append 360 entries at once: none lost, chain whole."""
    command = [sys.executable, "-c", APPEND, database_url]
    assert [p.wait(60) for p in [subprocess.Popen([*command, str(n)]) for n in range(3)]] == [0, 0, 0]
    result = store.journal.verify()
    assert (result.ok, result.entries) == (True, 360)
