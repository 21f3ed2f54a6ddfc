"""A connection between the two simulators on a database of its own, and readers of both sides and of the ledger.

Belongs here: setting it up as a person would, running a sync, reading what came of it. Does not belong here: any
expectation.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.cli import dagster_home
from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import load_vault
from jdebill_pipelines.domain.keys import BadKeyError, OrderKey
from jdebill_pipelines.orchestration.runner import SyncSummary, run_sync
from jdebill_pipelines.orchestration.running import month_range
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.steps.context import Mode, StepContext
from jdebill_pipelines.steps.plan import Plan, make_plan
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.store.store import Store

NAME = "acme"
LOGINS = {
    "jde": {"username": "JDEBILL", "password": "sandbox-password"},
    "bill": {"username": "sync@example.com", "password": "sandbox-password", "dev_key": "sandbox-dev-key"},
}
CONNECTION = """
name: {name}
start_date: {start}-01
timezone: UTC
jde:
  ais_url: {ais}
  environment: JDV920
  role: "*ALL"
  companies: [{companies}]
  approved_next_status: {{OP: ["280", "380", "400", "440"]}}
{jde}bill:
  api_url: {bill}
  events_url: {events}
  organization_id: "00801SANDBOXORG00001"
sync:
  documents: [{documents}]
  create_missing: {{accounts: true, departments: true}}
  bank_account: "00000123"
{more}"""
KINDS = ("vendor", "bill", "vendor_credit", "account", "department")
COLLECTIONS = {
    "vendor": "vendors",
    "bill": "bills",
    "vendor_credit": "vendor-credits",
    "account": "accounts",
    "department": "departments",
}
COMMAND = "from jdebill_pipelines.cli.main import main; main()"


def quiet(_what: str, _done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


@dataclass
class World:
    """Both sides, our side, and the months that the documents lie in.

    Attributes:
        sandbox: the simulators.
        settings: with the database of this test.
        engine: on that database.
        months: first to last month of the documents.
    """

    sandbox: SandboxProcess
    settings: Settings
    engine: Engine
    months: tuple[str, ...]
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.engine, NAME)

    # -- running ------------------------------------------------------------------------------------------------

    def sync(self, *months: str) -> SyncSummary:
        """The full run of these months, by default of all."""
        chosen = months or self.months
        return run_sync(self.settings, NAME, month_range(chosen[0], chosen[-1]), actor="test", progress=quiet)

    def delta(self) -> SyncSummary:
        """The delta run that the schedule makes."""
        return run_sync(self.settings, NAME, None, actor="test", progress=quiet)

    def plan(self, *months: str) -> Plan:
        """The plan of these months, by default of all."""
        return make_plan(self.settings, NAME, months or self.months, progress=quiet)

    def start_sync(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`jdebill sync` in a process of its own; without arguments over all months."""
        chosen = arguments or ("--from", self.months[0], "--to", self.months[-1])
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "sync", NAME, "--json", *chosen],
            env=dagster_home.environment(self.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def step(self, do: Callable[[StepContext], Any], *, mode: Mode = Mode.FULL, months: Sequence[str] = ()) -> Any:
        """One step alone, outside Dagster."""
        runtime = self.runtime()
        try:
            ctx = runtime.context(
                NAME, run_id="test-step", asset_key="acme/test", mode=mode, periods=tuple(months or self.months)
            )
            return do(ctx)
        finally:
            runtime.close()

    def runtime(self) -> Runtime:
        """What the code location opens."""
        return Runtime(self.settings, load_connections(self.settings.connections_dir))

    def configure(self, **changes: str) -> None:
        """Rewrite the connection file with these parts changed (see CONNECTION)."""
        parts = {
            "name": NAME,
            "start": self.months[0],
            "ais": self.sandbox.ais_url,
            "bill": self.sandbox.bill_url,
            "events": self.sandbox.bill_events_url,
            "companies": '"00001"',
            "documents": "vouchers, purchase_orders",
            "jde": "",
            "more": "",
            **changes,
        }
        self.settings.connections_dir.mkdir(exist_ok=True)
        (self.settings.connections_dir / f"{NAME}.yaml").write_text(CONNECTION.format(**parts), "utf-8")

    def log_in(self, logins: Mapping[str, Mapping[str, str]] = LOGINS) -> None:
        """Store the logins."""
        vault = load_vault(self.settings, create=True)
        for system, login in logins.items():
            self.store.credentials.put(system, vault.encrypt(NAME, system, msgspec.json.encode(login)))

    # -- JDE ----------------------------------------------------------------------------------------------------

    def jde(self, table: str, where: str = "") -> list[dict[str, Any]]:
        """Rows of a JDE table, blanks left out."""
        rows: list[dict[str, Any]] = self.sandbox.control_ais(f"tables/{table}" + (f"?{where}" if where else ""))
        return rows

    def change(self, table: str, *rows: Mapping[str, Any]) -> None:
        """Insert rows or change those of the same key; JDE stamps them now."""
        self.sandbox.control_ais(f"tables/{table}", {"rows": [dict(row) for row in rows]})

    def delete(self, table: str, where: str) -> int:
        """Delete rows; returns how many."""
        return int(self.sandbox.control_ais(f"tables/{table}?{where}", method="DELETE")["deleted"])

    # -- BILL ---------------------------------------------------------------------------------------------------

    def bill(self, kind: str) -> list[dict[str, Any]]:
        """Everything of a kind at BILL, archived or not."""
        found: list[dict[str, Any]] = self.sandbox.control_bill(COLLECTIONS[kind])
        return found

    def writes(self) -> Counter[str]:
        """Successful writing calls of BILL so far, by method and collection: `POST bills`, `PUT bills`..."""
        found: Counter[str] = Counter()
        for call, n in self.sandbox.control_bill("state")["calls"].items():
            method, _, path = call.partition(" ")
            parts = [part for part in path.split("/") if part not in ("connect", "v3", "")]
            if method != "GET" and parts[0] not in ("login", "mfa"):
                found[f"{method} {'/'.join(parts)}"] += n
        return found

    def money(self, kind: str = "bill") -> dict[str, Decimal]:
        """What lies in BILL and is not archived, per currency in major units."""
        sums: dict[str, Decimal] = {}
        for one in self.bill(kind):
            if not one.get("archived"):
                currency = one.get("billCurrency") or one.get("vendorCurrency") or ""
                sums[currency] = sums.get(currency, Decimal(0)) + Decimal(one["amount"])
        return sums

    # -- ours ---------------------------------------------------------------------------------------------------

    def ledger(self) -> Counter[tuple[str, str, str]]:
        """Writes of the ledger by kind, operation and state."""
        with self.engine.connect() as tx:
            rows = tx.execute(sa.text("select kind, operation, state, count(*) from jdebill.writes group by 1, 2, 3"))
            return Counter({(kind, operation, state): n for kind, operation, state, n in rows})

    def links(self, kind: str) -> dict[str, str]:
        """Remote ids by natural key."""
        return {key: link.remote_id for key, link in self.store.links.all(kind).items()}

    def held(self, gate: str | None = None) -> dict[str, str]:
        """Held documents and the first rule that holds each."""
        return {row.natural_key: row.rule for row in reversed(self.store.quarantine.open(gate))}

    def drafts(self) -> dict[tuple[str, str], Any]:
        """Stored drafts of bills by kind and key."""
        return {(d.kind, d.natural_key): d for d in self.store.drafts.read("bills")}


def is_order(key: str) -> bool:
    """Whether a natural key names an order."""
    try:
        OrderKey.parse(key)
    except BadKeyError:
        return False
    return True


def settings_for(home: Path, database_url: str, dagster: Path) -> Settings:
    """Settings of a test: nothing of the developer's."""
    found = Settings.from_environment({"JDEBILL_HOME": str(home), "JDEBILL_DATABASE_URL": database_url})
    return replace(found, connections_dir=home / "connections", dagster_home=dagster)


def environment_without_ours() -> dict[str, str]:
    """The environment without what names an installation of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("JDEBILL_", "DAGSTER_"))}
