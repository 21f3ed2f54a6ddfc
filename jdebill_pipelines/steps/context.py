"""What a step is given and what it gives back.

Belongs here: the two value objects between a step and whoever runs it. Does not belong here: how clients are opened
(``runtime``) or what Dagster shows of a result (``orchestration``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from jdebill_pipelines.bill.client import BillClient
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.store.store import Store


class Mode(StrEnum):
    """How much of a partition a run reads."""

    FULL = "full"  # re-read the partition and replace its staging: finds rows that disappeared
    DELTA = "delta"  # read what changed since the watermark and merge it by natural key


@dataclass(frozen=True, slots=True)
class StepContext:
    """Everything a step may use.

    Attributes:
        connection: the configuration of the customer.
        store: the database, bound to the connection.
        jde: opens the AIS client on first use.
        bill: opens the BILL client on first use.
        mode: full or delta.
        periods: months ``YYYY-MM`` of the run, in order; empty for snapshots.
        run_id: the Dagster run, or an id of the caller's.
        asset_key: slash-separated key of the asset that is made, as it goes into the journal.
        actor: who asked for it: ``schedule``, ``webhook`` or a user's name.
        today: the business date in the connection's time zone.
        now: the moment of the run, aware, UTC.
        since: from when a delta run reads changes, aware; None in a full run.
        log: where to tell what happens; never given a secret.
        progress: called with (what, done, total) on long work.
    """

    connection: Connection
    store: Store
    jde: Callable[[], AisClient]
    bill: Callable[[], BillClient]
    mode: Mode
    periods: tuple[str, ...]
    run_id: str
    asset_key: str
    actor: str
    today: date
    now: datetime
    since: datetime | None
    log: logging.Logger
    progress: Callable[[str, int, int | None], None] = lambda _what, _done, _total: None

    @property
    def name(self) -> str:
        """The connection's name."""
        return self.connection.name


@dataclass(slots=True)
class StepResult:
    """What a step did, for people and for the run's summary.

    Attributes:
        counts: what was read, written, updated, held, skipped... by name, in display order.
        totals: amounts by name and currency, major units.
        tables: small tables for people: title -> rows.
        facts: single facts worth showing: name -> text.
        data_version: digest of what the asset now holds, or None.
        needs_person: why somebody has to look, one line each.
    """

    counts: dict[str, int] = field(default_factory=dict)
    totals: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    data_version: str | None = None
    needs_person: list[str] = field(default_factory=list)

    def add(self, count: str, n: int = 1) -> None:
        """Add to a count."""
        self.counts[count] = self.counts.get(count, 0) + n

    def add_total(self, name: str, currency: str, amount: Decimal) -> None:
        """Add an amount (major units of ``currency``) to a named total."""
        per_currency = self.totals.setdefault(name, {})
        per_currency[currency] = per_currency.get(currency, Decimal(0)) + amount


@dataclass(slots=True)
class CheckOutcome:
    """The outcome of a check on stored data.

    Attributes:
        passed: whether what was checked is as it must be.
        summary: one sentence for the UI and the alert.
        rows: the failing rows (document, line, field, value, reason, fix), first ones first.
        total: how many failing rows there are in all.
        warn_only: a failure that informs but must not stop what follows.
        facts: single facts worth showing.
    """

    passed: bool
    summary: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    warn_only: bool = False
    facts: dict[str, str] = field(default_factory=dict)
