"""The hashes that the database computes for the audit are the ones that the code wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.domain.canonical import canonical_json, content_hash, digest, written_json
from jdebill_pipelines.store.engine import encode_json
from jdebill_pipelines.store.journal import Entry
from jdebill_pipelines.store.store import Store

CONTENTS: list[dict[str, Any]] = [
    {},
    {"b": 1, "a": [], "B": {}, "é": None, "ä": True, "a.b": False},
    {"amount": Decimal("1.50"), "same": Decimal("150E-2"), "zero": Decimal("-0.00")},
    {"big": Decimal("12345678901234567890.12")},
    {"text": 'quote " back \\ slash / tab \t line \n return \r form \f back \b unit \x1f del \x7f 😀 \u2028 ünï'},
    {"list": [1, "2", [Decimal("3.0"), {"x": None}]], "": "empty name"},
]


@pytest.mark.parametrize("content", CONTENTS)
def test_canonical_form_is_the_same_in_both(engine: Engine, content: dict[str, Any]) -> None:
    """Member order, number notation and escapes: byte for byte as in Python."""
    with engine.connect() as tx:
        form, written, digest = tx.execute(
            sa.text(
                "SELECT jdebill.canonical(CAST(:c AS jsonb)), jdebill.written(CAST(:c AS jsonb)), "
                "jdebill.content_hash('bill', CAST(:c AS jsonb))"
            ),
            {"c": encode_json(content)},
        ).one()
    assert form.encode() == canonical_json(content)
    assert written.encode() == written_json(content)
    assert digest == content_hash("bill", content)


def test_entry_hash_is_the_one_in_the_chain(engine: Engine) -> None:
    """Every entry hashes to what was stored, and a changed one does not."""
    store = Store(engine, "acme")
    store.journal.append([Entry(event="confirmed", body=content) for content in CONTENTS])
    store.journal.append([Entry(event="refused", kind="bill", natural_key='a "b"', actor="Zoë", period="2026-10")])
    with engine.begin() as tx:
        assert tx.execute(sa.text("SELECT bool_and(jdebill.entry_hash(j) = hash) FROM jdebill.journal j")).scalar_one()
        tx.execute(sa.text("ALTER TABLE jdebill.journal DISABLE TRIGGER USER"))
        tx.execute(
            sa.text("UPDATE jdebill.journal SET at = :at WHERE seq = 2"), {"at": datetime(2026, 1, 1, tzinfo=UTC)}
        )
        tx.execute(sa.text("ALTER TABLE jdebill.journal ENABLE TRIGGER USER"))
        wrong = tx.execute(sa.text("SELECT seq FROM jdebill.journal j WHERE jdebill.entry_hash(j) <> hash")).scalars()
        assert list(wrong) == [2]


def test_a_time_without_microseconds_hashes_too(engine: Engine) -> None:
    """The journal writes a whole second without a fraction; so does the database."""
    with engine.connect() as tx:
        form = tx.execute(
            sa.text(
                "SELECT jdebill.entry_hash(CAST(ROW('c', 1, '2026-10-01 00:00:00+00', 'e', '', '', '', '', '', '', '', "
                "'', '', '{}', 'p', 'h') AS jdebill.journal))"
            )
        ).scalar_one()
    row: dict[str, Any] = dict.fromkeys(Entry.__struct_fields__, "")
    row |= {"event": "e", "body": {}, "seq": 1, "prev_hash": "p"}
    row |= {"connection": "c", "at": datetime(2026, 10, 1, tzinfo=UTC)}
    assert form == digest(written_json(row))


def test_vendor_changes_are_kept(engine: Engine) -> None:
    """A new bank account and a new address are noted once, masked; a thinner row says nothing and hides nothing."""
    store = Store(engine, "acme")

    def put(account: str | None, line1: str = "1 Main St", **more: Any) -> None:
        payment = {"paymentInformation": {"bankAccount": {"accountNumber": account}} if account else {}}
        raw = {"id": "009", "name": "Acme", "address": {"line1": line1}, **payment, **more}
        store.mirror.put("vendors", [raw], run_id="r", seen_at=datetime.now(UTC))

    put(None)
    put("123456789")
    put("123456789", "2 Main St")
    store.mirror.put("vendors", [{"id": "009", "name": "Acme"}], run_id="r", seen_at=datetime.now(UTC))
    put("987654321", "2 Main St")
    put("555554444", "2 Main St")
    with engine.connect() as tx:
        rows = tx.execute(sa.text("SELECT field, before, after FROM jdebill.bill_vendor_changes ORDER BY seq")).all()
    assert [tuple(row) for row in rows] == [
        ("bank_account", "", "*6789"),
        ("address", "1 Main St", "2 Main St"),
        ("bank_account", "*6789", "*4321"),
        ("bank_account", "*4321", "*4444"),
    ]
