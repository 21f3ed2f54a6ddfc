"""Fixtures of the store's tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from jdebill_pipelines.store.drafts import Draft
from jdebill_pipelines.store.releases import Release
from jdebill_pipelines.store.store import Store
from jdebill_pipelines.store.verdicts import Failure, Verdict

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def store(engine: Engine) -> Store:
    """The database as the connection ``acme`` sees it."""
    return Store(engine, "acme")


def draft(key: str, amount: str = "100.00", **changes: Any) -> Draft:
    """A due bill draft of January."""
    values: dict[str, Any] = {
        "kind": "bill",
        "natural_key": key,
        "status": "due",
        "period": "2026-01",
        "amount": Decimal(amount),
        "currency": "USD",
        "party": "4242",
        "content": {
            "vendorId": "009V",
            "invoice": {"invoiceNumber": key},
            "billLineItems": [{"amount": Decimal(amount)}],
        },
    }
    return Draft(**{**values, **changes})


Releaser = Callable[[Sequence[Draft]], list[Release]]


@pytest.fixture
def released(store: Store) -> Releaser:
    """Store drafts, pass them through an open gate and return their releases."""

    def release(drafts: Sequence[Draft]) -> list[Release]:
        store.drafts.put("bills", drafts, run_id="r1")
        judge(store, passed=True)
        return store.releases.releasable("bills", keys=[d.natural_key for d in drafts])

    return release


def judge(store: Store, *, passed: bool, gate: str = "bills") -> None:
    """Give every draft of the gate a verdict on its present content, and open the gates of their months."""
    stored = store.drafts.read(gate)
    why = () if passed else (Failure("line 1", "AID", "X", "no such account", "create it", "account_exists"),)
    store.verdicts.put(gate, [Verdict(d.kind, d.natural_key, d.content_hash, passed, why) for d in stored], run_id="r1")
    for period in {d.period for d in stored}:
        store.verdicts.set_gate(gate, period, True, [], run_id="r1")
