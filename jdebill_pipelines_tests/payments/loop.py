"""The whole loop over the two real simulators, step by step, without Dagster: what the tests of payments drive."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.orchestration.catalog import AUDIT_PATH, CATALOG, PAYMENT_PATHS
from jdebill_pipelines.orchestration.checks import CHECKS
from jdebill_pipelines.orchestration.running import month_range
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.steps import postings, webhook_events
from jdebill_pipelines.steps.context import CheckOutcome, Mode, StepContext, StepResult
from jdebill_pipelines.steps.payments import FLOW
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.store.store import Store

NAME = "acme"
BANK = "00000123"
D = Decimal


@dataclass
class Loop:
    """One connection between the simulators."""

    sandbox: SandboxProcess
    runtime: Runtime
    start: date
    settling_seconds: int = 900
    results: dict[str, StepResult] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return self.runtime.store(NAME)

    @property
    def months(self) -> tuple[str, ...]:
        """From the connection's start to next month: a payment may be processed on the first of it."""
        today = datetime.now(UTC).date()
        after = date(today.year + today.month // 12, today.month % 12 + 1, 1)
        return month_range(f"{self.start:%Y-%m}", f"{after:%Y-%m}")

    def context(self, path: str, mode: Mode, run_id: str, periods: tuple[str, ...] | None = None) -> StepContext:
        return self.runtime.context(
            NAME,
            run_id=run_id,
            asset_key=f"{NAME}/{path}",
            mode=mode,
            periods=self.months if periods is None else periods,
            actor="test",
        )

    def run(
        self,
        paths: Iterable[str],
        mode: Mode = Mode.FULL,
        periods: tuple[str, ...] | None = None,
        run_id: str | None = None,
    ) -> dict[str, StepResult]:
        """Make assets in the order of the catalog, as one run; a closed gate stops what follows."""
        wanted, run_id = set(paths), run_id or uuid.uuid4().hex
        for row in CATALOG:
            if row.path not in wanted:
                continue
            ctx = self.context(row.path, mode, run_id, periods)
            if row.path == "jde/postings":
                made = postings.write_postings(ctx, settling_seconds=self.settling_seconds, look_seconds=0.0)
            else:
                made = row.step(ctx)
            self.results[row.path] = made
            for check in CHECKS:
                if check.path == row.path and check.blocking:
                    outcome = check.ask(ctx)
                    assert outcome.passed, (row.path, outcome.summary)
        return self.results

    def documents(self) -> None:
        """JDE to BILL, everything."""
        self.run(row.path for row in CATALOG if row.path not in (*PAYMENT_PATHS, AUDIT_PATH))

    def payments(self, mode: Mode = Mode.DELTA) -> StepResult:
        """BILL's payments to JDE; returns what was posted."""
        self.run(PAYMENT_PATHS, mode, self.months[-2:] if mode is Mode.DELTA else None)
        return self.results["jde/postings"]

    def work_off(self) -> int:
        """Do what webhooks made due, run by run, as the sensor would; returns the number of runs."""
        runs = 0
        webhook_events.drain(self.store)
        while self.store.due.pending([FLOW]):
            run_id, request_id = uuid.uuid4().hex, uuid.uuid4().hex
            self.store.due.request(request_id, [FLOW])
            self.store.due.claim(run_id, [FLOW], request_id=request_id)
            self.run(PAYMENT_PATHS, Mode.DELTA, self.months[-2:], run_id)
            self.store.due.done(run_id)
            webhook_events.drain(self.store)
            runs += 1
        return runs

    def check(self, path: str, name: str) -> CheckOutcome:
        row = next(c for c in CHECKS if (c.path, c.name) == (path, name))
        return row.ask(self.context(path, Mode.FULL, "check"))

    def clerk(self, action: str, **body: Any) -> Any:
        return self.sandbox.control_bill(f"clerk/{action}", body)

    def pay(self, bill: dict[str, Any], to: str = "PROCESSED", **more: Any) -> dict[str, Any]:
        """Pay a bill today and bring the payment to a state."""
        paid: dict[str, Any] = self.clerk("pay", **{"billId": bill["id"], "processDate": today(), "to": to, **more})
        return paid

    def dollar_bills(self, n: int = 1) -> list[dict[str, Any]]:
        """Unpaid bills of vouchers in dollars, dearest first."""
        found = [b for b in self.open_bills() if b["currency"] == "USD"][:n]
        assert len(found) == n
        return found

    def alerts(self) -> list[str]:
        """Subjects in the outbox."""
        return [row["subject"] for row in self.store.alerts.outbox(100)]

    def choose(self, **sync: Any) -> None:
        """Change what the connection says under ``sync``."""
        now = self.runtime.connections[NAME]
        self.runtime.connections[NAME] = msgspec.structs.replace(now, sync=msgspec.structs.replace(now.sync, **sync))

    def drafted(self, payment: dict[str, Any], operation: str = "post") -> list[Any]:
        """The drafts of a payment's postings, of the payment itself first of all parts."""
        found = self.store.drafts.read("postings", kinds=["posting"])
        return [d for d in found if d.details["payment_id"] == payment["id"] and d.operation == operation]

    def table(self, name: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of a JDE table as it is now."""
        rows = self.sandbox.control_ais(f"tables/{name}")
        return [row for row in rows if all(_same(row.get(k), v) for k, v in where.items())]

    def open_bills(self, source: str = "F0411") -> list[dict[str, Any]]:
        """Bills that we wrote and nobody has paid, dearest first; with ``jde``, the key of their document."""
        found = []
        drafts = {d.natural_key: d for d in self.store.drafts.read("bills", kinds=["bill"])}
        links = self.store.links.by_remote("bill")
        for bill in self.sandbox.control_bill("bills"):
            link = links.get(bill["id"])
            if link is None or bill.get("archived") or bill["paymentStatus"] != "UNPAID":
                continue
            draft = drafts[link.natural_key]
            if draft.source == source:
                found.append({**bill, "jde": link.natural_key, "currency": draft.currency})
        return sorted(found, key=lambda b: -b["amount"])

    def voucher(self, key: str) -> list[dict[str, Any]]:
        """The pay items of a voucher."""
        company, kind, number = key.split("-")
        return self.table("F0411", KCO=company, DCT=kind, DOC=int(number))

    def open_amount(self, key: str, item: str = "AAP") -> Decimal:
        """What is open of a voucher."""
        return sum((D(row.get(item, 0)) for row in self.voucher(key)), D(0))

    def paid_rows(self, key: str) -> list[dict[str, Any]]:
        """F0414 rows of a voucher that are no voids."""
        company, kind, number = key.split("-")
        rows = self.table("F0414", KCO=company, DCT=kind, DOC=int(number))
        return [row for row in rows if row.get("DCTM") != "PO"]

    def ledger(self) -> dict[str, Decimal]:
        """Amounts of F0911 (AA) by account."""
        found: dict[str, Decimal] = {}
        for row in self.table("F0911"):
            if row.get("LT") == "AA":
                found[row["AID"]] = found.get(row["AID"], D(0)) + D(row.get("AA", 0))
        return found

    def moved(self, before: dict[str, Decimal]) -> dict[str, Decimal]:
        """By how much the accounts of F0911 moved since."""
        now = self.ledger()
        changes = {a: now.get(a, D(0)) - before.get(a, D(0)) for a in now.keys() | before.keys()}
        return {account: change for account, change in changes.items() if change}

    def drafted_bills(self, keys: Sequence[str]) -> list[Any]:
        """The drafts that bills were made of."""
        return self.store.drafts.read("bills", keys=keys, kinds=["bill"])

    def typed_bill(self, *amounts: str) -> dict[str, Any]:
        """A bill that a clerk types into BILL, on an account and a department that stand for one account of JDE."""
        (known,) = self.dollar_bills()
        classes = self.sandbox.control_bill(f"bills/{known['id']}")["billLineItems"][0]["classifications"]
        invoice = {"invoiceNumber": f"TYPED-{uuid.uuid4().hex[:8]}", "invoiceDate": today()}
        lines = [{"amount": D(amount), "description": "Typed", "classifications": classes} for amount in amounts]
        body = {"vendorId": known["vendorId"], "dueDate": today(), "invoice": invoice, "billLineItems": lines}
        typed: dict[str, Any] = self.clerk("create_bill", **body)
        return typed

    def postings(self, operation: str = "post", kind: str = "posting") -> list[Any]:
        return self.store.writes.confirmed(kind, operation=operation)

    def held(self, gate: str = "postings") -> list[tuple[str, str]]:
        return [(row.kind, row.rule) for row in self.store.quarantine.open(gate)]

    def calls(self, orchestration: str) -> int:
        """How often an orchestration has done its work."""
        return int(self.sandbox.control_ais("state")["written"].get(orchestration, 0))


def today() -> str:
    """The business date of the simulators and of the connection."""
    return datetime.now(UTC).date().isoformat()


def _same(found: Any, wanted: Any) -> bool:
    return found == wanted or (found is None and wanted == "") or str(found) == str(wanted)


def total(rows: Sequence[dict[str, Any]], item: str) -> Decimal:
    return sum((D(row.get(item, 0)) for row in rows), D(0))
