"""A company that is paid in mixed ways over three months, and its reports held to the simulators' own tables.

Belongs here: the story and the comparison that every company shares. Does not belong here: any company.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from jdebill_pipelines.audit.model import Report
from jdebill_pipelines.audit.runner import run_report
from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines.orchestration.catalog import AUDIT_PATH, CATALOG, PAYMENT_PATHS
from jdebill_pipelines.orchestration.running import month_range
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.steps.ap_ledger import ap_ledger
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.audit.books import (
    Row,
    activity_of,
    bill_open_of,
    figures,
    outcome,
    own_open_of,
    rows_of,
    subledger_of,
    trade_account_of,
)
from jdebill_pipelines_tests.integration_payments.clerk import pay_everything, void_some
from jdebill_pipelines_tests.payments.loop import D, Loop
from jdebill_pipelines_tests.support.world import NAME, World

DOCUMENT_PATHS = tuple(row.path for row in CATALOG if row.path not in (*PAYMENT_PATHS, AUDIT_PATH))
AGREE = (
    "three_sided",
    "roll_forward",
    "missing_postings",
    "posted_twice",
    "wrong_amounts",
    "unbacked_postings",
    "voids",
)


@dataclass
class Data:
    """Both sides of a world, each table read once."""

    world: World
    tables: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def sandbox(self) -> SandboxProcess:
        """The simulators."""
        return self.world.sandbox

    @property
    def store(self) -> Store:
        """Ours."""
        return self.world.store

    def table(self, name: str) -> list[Row]:
        """Rows of a JDE table."""
        if name not in self.tables:
            self.tables[name] = self.world.jde(name)
        return self.tables[name]


def pay_in_three_months(world: World, days: Sequence[date]) -> tuple[Report, dict[str, Any]]:
    """Bring the documents to BILL and pay another part of them in each of three months, JDE's period following.

    In the later months some payments of the earlier ones are voided too, and half of them paid again.

    Returns:
        The report of the first month as it was made after it, and its figures.
    """
    with closing(world.runtime()) as runtime:
        loop = Loop(world.sandbox, runtime, date.fromisoformat(f"{world.months[0]}-01"))
        months = month_range(world.months[0], f"{days[-1]:%Y-%m}")
        loop.run(DOCUMENT_PATHS, periods=world.months)
        for part, day in enumerate(days):
            world.sandbox.control_bill("clock", {"set": f"{day}T09:00:00Z"})
            begins = f"{day:%Y}0101"
            period = {"DFYJ": begins, "PNC": day.month, "APFJ": begins, "APPN": day.month}
            world.change("F0010", {"CO": "00001", **period})
            loop.run(["jde/companies"])
            if part:
                voided, _ = void_some(world, seed=part)
                loop.run(PAYMENT_PATHS, periods=months)
                assert loop.results["jde/postings"].counts["reversed"] == voided
            done = pay_everything(world, seed=part, part=slice(part, None, len(days)))
            loop.run(PAYMENT_PATHS, periods=months)
            assert world.held("postings") == {}
            assert loop.results["jde/postings"].counts["posted"] >= done.bills - done.failed_bills
            if not part:
                world.step(ap_ledger)
                first = report(world, f"{day:%Y-%m}")
                before = figures(first)
    return first, before


def report(world: World, month: str) -> Report:
    """Report a month from the copies of the ledgers as they are."""
    return run_report(world.store, load_connections(world.settings.connections_dir)[NAME], month)


def compare(world: World, months: Sequence[str]) -> list[Row]:
    """Read the ledgers, report every month, hold each total to the sum over the simulators' tables; the tie-outs."""
    world.step(ap_ledger)
    data, ties = Data(world), []
    for month in months:
        found = report(world, month)
        first, last = found.period.first, found.period.last
        (tie,) = rows_of(found, "tie_out")
        assert tie["subledger"] == subledger_of(data, last)
        assert tie["gl_control"] == trade_account_of(data, last)
        names = ("opening", "vouchers", "adjustments", "payments", "voids", "closing")
        forward = {r["currency"]: tuple(D(r[name]) for name in names) for r in rows_of(found, "roll_forward")}
        assert forward == activity_of(data, first, last)
        sides = {r["currency"]: r for r in rows_of(found, "three_sided")}
        assert not_zero({c: r["jde_open_all"] for c, r in sides.items()}) == not_zero(own_open_of(data, last))
        bill_open = not_zero({c: r["bill_open"] + r["bill_only"] for c, r in sides.items()})
        assert bill_open == not_zero(bill_open_of(data, last))
        assert {key: outcome(found, key) for key in AGREE} == dict.fromkeys(AGREE, "passed")
        paid = next(r for r in found.results if r.procedure.key == "missing_postings")
        assert paid.population > 0, "nothing was paid in this month"
        print(f"{month}: {paid.population} payments by bill; subledger {tie['subledger']}, control {tie['gl_control']}")
        print(f"  BILL open {told(bill_open)}")
        for currency, sums in forward.items():
            print(f"  {currency} {told(dict(zip(names, sums, strict=True)))}")
        ties.append(tie)
    return ties


def not_zero(sums: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Without currencies of which nothing is open."""
    return {currency: total for currency, total in sums.items() if total}


def told(sums: Mapping[str, Decimal]) -> str:
    """In words, for the log of a test."""
    return ", ".join(f"{name} {total:,}" for name, total in sums.items())
