"""Whatever is changed in whichever column of whichever entry, both verifications name the entry."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jdebill_pipelines.audit.procedures.operations import JOURNAL
from jdebill_pipelines.domain.canonical import written_json
from jdebill_pipelines.store.engine import encode_json
from jdebill_pipelines.store.journal import Entry
from jdebill_pipelines.store.schema.ledger import journal
from jdebill_pipelines.store.store import Store

COLUMNS = sorted(column.name for column in journal.columns)
# What PostgreSQL can store as text.
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=6)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.decimals(-9, 9, places=2), TEXT)


@pytest.fixture
def written(store: Store) -> Store:
    """Nine entries, with every column filled and with none, and a copy of them to put back."""
    full = {
        "kind": "bill", "remote_id": "00n01", "run_id": "run", "asset_key": "acme/bill/bills", "period": "2026-10",
        "actor": "Zo\u00eb", "request_digest": "ab" * 32, "response_digest": "cd" * 32,
    }  # fmt: skip
    body = {"amount": Decimal("10.50"), "lines": [{"a": 1, "b": None}, "x", []], "ok": True, "why": ""}
    for n in range(3):
        store.journal.append(
            [
                Entry(event="confirmed", natural_key=f"00001-PV-{n}", body=body, **full),
                Entry(event="empty"),
                Entry(
                    event="override", natural_key='a "b" \\', actor="\u4e2d", body={"note": "\n", "nested": {"x": {}}}
                ),
            ]
        )
    with store.engine.begin() as tx:
        tx.execute(sa.text("CREATE TABLE kept AS TABLE jdebill.journal"))
    return store


@pytest.mark.parametrize("column", COLUMNS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_a_column_names_the_entry(written: Store, column: str, data: st.DataObject) -> None:
    """Any entry, any other value: a character in, out or another, a microsecond, anything in a body, another number.

    `jdebill audit verify` walks the chain outside the database, the report's procedure inside it.
    """
    seq = data.draw(st.integers(1, 9), "entry")
    with written.engine.connect() as tx:
        was = tx.execute(sa.text(f"SELECT {column} FROM kept WHERE seq = :seq"), {"seq": seq}).scalar_one()
    value = data.draw(_other(column, was), "becomes")
    kind = {"body": "jsonb", "seq": "bigint", "at": "timestamptz"}.get(column, "text")
    _past_the_trigger(
        written,
        f"UPDATE jdebill.journal SET {column} = CAST(:value AS {kind}) WHERE connection = 'acme' AND seq = :seq",
        value=encode_json(value) if column == "body" else value,
        seq=seq,
    )
    try:
        result = written.journal.verify()
        assert (result.ok, result.first_broken, result.entries) == (False, seq, seq - 1), result.reason
        with written.engine.connect() as tx:
            named = [row.entry for row in tx.execute(sa.text(JOURNAL.query), {"connection": "acme"})]
        # An entry that is not there any more is told of by the one after it, or by the end of the chain.
        assert named[0] in ((seq + 1, 9) if column in ("seq", "connection") else (seq,))
    finally:
        _past_the_trigger(written, "DELETE FROM jdebill.journal")
        _past_the_trigger(written, "INSERT INTO jdebill.journal TABLE kept")
    assert written.journal.verify().ok


def _other(column: str, was: Any) -> st.SearchStrategy[Any]:
    if column == "seq":
        return st.integers(10, 2**63 - 1)
    if column == "at":
        assert isinstance(was, datetime)
        steps = st.integers(-(10**12), 10**12).filter(bool)
        return steps.map(lambda microseconds: was + timedelta(microseconds=microseconds))
    if column == "body":
        return _other_json(was).filter(lambda new: written_json(new) != written_json(was))
    return _other_text(str(was))


def _other_text(was: str) -> st.SearchStrategy[str]:
    """The text with up to two characters less and a few more, at any place."""
    places = st.tuples(st.integers(0, len(was)), st.integers(0, 2), TEXT)
    return places.map(lambda p: was[: p[0]] + p[2] + was[p[0] + p[1] :]).filter(lambda new: new != was)


def _other_json(was: Any) -> st.SearchStrategy[Any]:
    """The value with one of its parts changed, taken out or put in, or with something else in its place."""
    options: list[st.SearchStrategy[Any]] = [LEAVES, st.just([]), st.just({})]
    if isinstance(was, (int, Decimal)) and not isinstance(was, bool):
        zeros = st.integers(max(0, -int(Decimal(was).as_tuple().exponent)), 6)
        options.append(zeros.map(lambda places: Decimal(f"{was:.{places}f}")))
    if isinstance(was, str):
        options = [_other_text(was)]
    if isinstance(was, dict):
        options.append(st.tuples(TEXT, LEAVES).map(lambda member: {**was, member[0]: member[1]}))
        options += [st.just({k: v for k, v in was.items() if k != key}) for key in was]
        options += [_other_json(part).map(lambda new, key=key: {**was, key: new}) for key, part in was.items()]
    if isinstance(was, list):
        options += [
            _other_json(part).map(lambda new, n=n: [*was[:n], new, *was[n + 1 :]]) for n, part in enumerate(was)
        ]
        options.append(LEAVES.map(lambda new: [*was, new]))
    return st.one_of(options)


def _past_the_trigger(store: Store, statement: str, **values: Any) -> None:
    """Change the journal as somebody with all rights would."""
    with store.engine.begin() as tx:
        tx.execute(sa.text("ALTER TABLE jdebill.journal DISABLE TRIGGER USER"))
        tx.execute(sa.text(statement), values)
        tx.execute(sa.text("ALTER TABLE jdebill.journal ENABLE TRIGGER USER"))
