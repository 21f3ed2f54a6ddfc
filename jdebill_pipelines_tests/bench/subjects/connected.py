"""A product that is connected to the simulated servers: connection, vault, logins, in a home of the bench's own.

Belongs here: what a person does once before the first run. Does not belong here: anything measured.
"""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from jdebill_pipelines.config.connection import BillConfig, Connection, CreateMissing, JdeConfig, SyncConfig
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import load_vault
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.store import Store

NAME = "bench"
ORGANIZATION = "00801SANDBOXORG00001"
# The logins of the simulated servers; they protect nothing.
JDE_LOGIN = {"username": "JDEBILL", "password": "sandbox-password"}
BILL_LOGIN = {"username": "sync@example.com", "password": "sandbox-password", "dev_key": "sandbox-dev-key"}


def settings(home: str, database_url: str) -> Settings:
    """Settings as the environment would give them."""
    return Settings.from_environment({"JDEBILL_HOME": home, "JDEBILL_DATABASE_URL": database_url})


def connect(home: str, database_url: str) -> None:
    """Make the key and store both logins."""
    Path(home).mkdir(parents=True, exist_ok=True)
    ours = settings(home, database_url)
    vault = load_vault(ours, create=True)
    engine = create_engine(database_url)
    try:
        credentials = Store(engine, NAME).credentials
        for system, login in (("jde", JDE_LOGIN), ("bill", BILL_LOGIN)):
            credentials.put(system, vault.encrypt(NAME, system, msgspec.json.encode(login)))
    finally:
        engine.dispose()


def connection(
    ais_url: str, bill_url: str, start: dt.date, *, documents: Sequence[str] = ("vouchers", "purchase_orders")
) -> Connection:
    """A connection that creates what is missing at BILL."""
    return Connection(
        name=NAME,
        start_date=start,
        timezone="UTC",
        jde=JdeConfig(
            ais_url=ais_url,
            environment="JDV920",
            role="*ALL",
            companies=["00001"],
            device_name="jdebill-bench",
            approved_next_status={"OP": ["280", "380", "400", "440"]},
        ),
        bill=BillConfig(api_url=bill_url, events_url=bill_url + "-events", organization_id=ORGANIZATION),
        sync=SyncConfig(documents=list(documents), create_missing=CreateMissing(accounts=True, departments=True)),
    )


def runtime(home: str, database_url: str, ours: Connection) -> Runtime:
    """What steps are opened by, as in a run."""
    return Runtime(settings(home, database_url), {NAME: ours})


def control(root: str, path: str, body: Mapping[str, Any]) -> Any:
    """A control call to a simulator that another process started."""
    request = urllib.request.Request(
        f"{root}/__control/{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())
