"""Both simulators as processes, once per test process, and a connection between them per test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from jdebill_pipelines.config.connection import Connection, load_connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import load_vault
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines_tests.payments.loop import NAME, Loop

MONTHS = 2

CONNECTION = """
name: acme
start_date: {start}
timezone: UTC
jde:
  ais_url: {ais}
  environment: JDV920
  role: "*ALL"
  companies: ["00001"]
  approved_next_status: {{OP: ["280", "380", "400", "440"]}}
bill:
  api_url: {bill}
  events_url: {events}
  organization_id: 00801SANDBOXORG00001
sync:
  create_missing: {{accounts: true, departments: true}}
  bank_account: "00000123"
"""


@pytest.fixture(scope="session")
def servers() -> Iterator[SandboxProcess]:
    """AIS over the tiny company, and BILL."""
    with SandboxProcess.start(company="tiny", months=MONTHS, max_lifetime_seconds=1800) as running:
        yield running


@pytest.fixture
def connection(servers: SandboxProcess, tmp_path: Path) -> Connection:
    """The connection between the two, read from a file."""
    today = datetime.now(UTC).date()
    start = date(today.year - (today.month == 1), (today.month - 2) % 12 + 1, 1)
    path = tmp_path / "acme.yaml"
    path.write_text(
        CONNECTION.format(
            start=start.isoformat(), ais=servers.ais_url, bill=servers.bill_url, events=servers.bill_events_url
        ),
        "utf-8",
    )
    return load_connection(path)


@pytest.fixture
def loop(servers: SandboxProcess, connection: Connection, database_url: str, tmp_path: Path) -> Iterator[Loop]:
    """Both sides as they were at the start, and all documents of JDE in BILL."""
    servers.control_ais("reset", {})
    servers.control_bill("reset", {})
    settings = Settings.from_environment({"JDEBILL_HOME": str(tmp_path), "JDEBILL_DATABASE_URL": database_url})
    vault = load_vault(settings, create=True)
    runtime = Runtime(settings, {NAME: connection})
    logins = {
        "jde": {"username": "JDEBILL", "password": "sandbox-password"},
        "bill": {"username": "sync@example.com", "password": "sandbox-password", "dev_key": "sandbox-dev-key"},
    }
    for system, login in logins.items():
        runtime.store(NAME).credentials.put(system, vault.encrypt(NAME, system, msgspec.json.encode(login)))
    made = Loop(servers, runtime, connection.start_date)
    try:
        made.documents()
        yield made
    finally:
        runtime.close()
