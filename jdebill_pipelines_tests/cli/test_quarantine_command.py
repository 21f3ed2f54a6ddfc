"""`jdebill quarantine`: what is held, why, and a person's override."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy.engine import Engine

from jdebill_pipelines.store.quarantine import Held
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.support.commands import Command

KEY = "00001-PV-700012"


@pytest.fixture
def held(database: str, engine: Engine) -> Store:
    """One voucher held for two causes in October, one supplier without a month."""
    store = Store(engine, "acme")
    causes = [
        Held(
            kind="bill",
            natural_key=KEY,
            period="2026-10",
            line=f"JELN {line}",
            field="F0901.PEC",
            value="I",
            rule="posts",
            reason="The account is inactive.",
            fix="Change the line.",
            content_hash="h1",
            amount=Decimal("12345678901.23"),
            currency="USD",
            party="60001",
        )
        for line in (1, 2)
    ]
    store.quarantine.hold("bills", causes, run_id="r1", everything=True)
    supplier = Held(kind="vendor", natural_key="60004", reason="No address.", rule="address", field="F0116")
    store.quarantine.hold("vendors", [supplier], run_id="r1", everything=True)
    return store


def test_list_shows_causes_with_their_fix_and_exits_with_1(jdebill: Command, held: Store) -> None:
    """Amounts keep all digits in JSON, and documents are counted once however many causes they have."""
    said = jdebill("quarantine", "list", "acme")
    assert said.code == 1
    assert "Change the line." in said.out
    assert "12,345,678,901.23" in said.out
    assert "2 documents held; 3 causes shown." in said.err
    found = jdebill("quarantine", "list", "acme", "--json", "--gate", "bills")
    assert found.code == 1
    assert '"amount": 12345678901.23' in found.out
    assert found.json["held"] == 1
    assert [c["line"] for c in found.json["causes"]] == ["JELN 1", "JELN 2"]


def test_list_of_months_in_which_nothing_is_held_exits_with_0(jdebill: Command, held: Store) -> None:
    """A range of months is a range of documents."""
    said = jdebill("quarantine", "list", "acme", "--from", "2026-08", "--to", "2026-09")
    assert (said.code, said.out) == (0, "Nothing is held.\n")


def test_show_tells_the_history_of_a_document(jdebill: Command, held: Store) -> None:
    """Also causes that are gone; an unknown document is wrong use."""
    held.quarantine.hold("bills", [], run_id="r2", keys=[KEY])
    said = jdebill("quarantine", "show", "acme", KEY, "--json")
    assert said.code == 0
    assert all(cause["released_at"] for cause in said.json)
    assert jdebill("quarantine", "show", "acme", "00001-PV-1").code == 2


def test_override_needs_a_reason_and_is_journaled_with_the_name(jdebill: Command, held: Store) -> None:
    """A hold may be let pass. Declined: nothing happens. Confirmed: it is overridden, the journal has who and why."""
    key = "00001-PV-700099"
    hold = Held(
        kind="bill",
        natural_key=key,
        rule="supplier_hold",
        reason="Payments are on hold.",
        field="F0401.HDPY",
        content_hash="h2",
    )
    held.quarantine.hold("bills", [hold], run_id="r2", keys=[key])
    assert jdebill("quarantine", "override", "acme", key).code == 2
    declined = jdebill("quarantine", "override", "acme", key, "--reason", "agreed", "--who", "A. Clerk", stdin="n\n")
    assert declined.code == 130
    assert held.quarantine.overrides("bills") == {}
    done = jdebill("quarantine", "override", "acme", key, "--reason", "agreed", "--who", "A. Clerk", stdin="y\n")
    assert done.code == 0, done.err
    assert "Payments are on hold." in done.err
    (override,) = held.quarantine.overrides("bills").values()
    assert (override.natural_key, override.who, override.reason) == (key, "A. Clerk", "agreed")
    assert jdebill("quarantine", "override", "acme", "60009", "--reason", "x", "--yes").code == 2


def test_a_fact_cannot_be_overridden(jdebill: Command, held: Store) -> None:
    """Nobody can decide that an inactive account takes postings: refused with the fix, and nothing is stored."""
    said = jdebill("quarantine", "override", "acme", KEY, "--reason", "please", "--yes")
    assert said.code == 2
    assert "The account is inactive. Change the line." in said.err
    assert held.quarantine.overrides("bills") == {}
