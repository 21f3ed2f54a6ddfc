"""Opens what steps need: the database, the vault and the two clients of a connection, each once per process.

Belongs here: wiring of settings and secrets to clients. Does not belong here: any step, anything of Dagster.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.engine import Engine

from jdebill_pipelines.bill.client import BillClient
from jdebill_pipelines.bill.config import BillApiConfig, BillCredentials
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import Vault, load_vault
from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.config import AisConfig, AisCredentials
from jdebill_pipelines.steps.context import Mode, StepContext, StepResult
from jdebill_pipelines.store.embedded import ensure_server
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.slots import PgCallGate, PgSessionCache
from jdebill_pipelines.store.store import Store


class MissingCredentials(Exception):
    """A connection has no login for a system; the text says which command stores one."""


class Runtime:
    """Everything that outlives one step. Nothing is opened before it is used.

    Args:
        settings: where the database, the files and the key are.
        connections: by name.
    """

    def __init__(self, settings: Settings, connections: dict[str, Connection]) -> None:
        self.settings = settings
        self.connections = connections
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._vault: Vault | None = None
        self._jde: dict[str, AisClient] = {}
        self._bill: dict[str, BillClient] = {}
        self._closers: list[Callable[[], None]] = []
        self.progress: Callable[[str, int, int | None], None] | None = None
        self.results: dict[tuple[str, str], StepResult] = {}

    def tell(self, name: str, path: str, result: StepResult) -> None:
        """Keep the last result of an asset, for whoever runs a job in this process and reports on it."""
        self.results[name, path] = result

    @property
    def engine(self) -> Engine:
        """The database; the embedded server is started when no URL is configured."""
        with self._lock:
            if self._engine is None:
                self._engine = create_engine(self.settings.database_url or ensure_server(self.settings.home))
            return self._engine

    @property
    def vault(self) -> Vault:
        """The vault.

        Raises:
            VaultError: there is no master key, or it cannot be read.
        """
        with self._lock:
            if self._vault is None:
                self._vault = load_vault(self.settings)
            return self._vault

    def store(self, name: str) -> Store:
        """The database bound to a connection."""
        return Store(self.engine, name)

    def secrets(self, name: str, system: str) -> dict[str, str]:
        """The stored login of a system.

        Raises:
            MissingCredentials: nothing is stored.
            VaultError: it cannot be decrypted.
        """
        blob = self.store(name).credentials.get(system)
        if blob is None:
            raise MissingCredentials(f"{name}: no {system} login is stored; run: jdebill credentials set {name}")
        return msgspec.json.decode(self.vault.decrypt(name, system, blob), type=dict[str, str])

    def jde(self, name: str) -> AisClient:
        """The AIS client of a connection; its token is shared over processes, encrypted."""
        with self._lock:
            if name not in self._jde:
                jde, login = self.connections[name].jde, self.secrets(name, "jde")
                config = AisConfig(
                    url=jde.ais_url,
                    environment=jde.environment,
                    role=jde.role,
                    device_name=jde.device_name or f"jdebill-{name}",
                    page_size=jde.page_size,
                    parallel_calls=jde.parallel_calls,
                    connect_timeout=jde.connect_timeout,
                    read_timeout=jde.read_timeout,
                    accept_gzip=jde.accept_gzip,
                )
                client = AisClient(config, AisCredentials(login["username"], login["password"]))
                self._closers.append(client.close)
                self._jde[name] = client
            return self._jde[name]

    def bill(self, name: str) -> BillClient:
        """The BILL client of a connection; session, call slots and budget are shared over all processes."""
        with self._lock:
            if name not in self._bill:
                bill, login = self.connections[name].bill, self.secrets(name, "bill")
                credentials = BillCredentials(login["username"], login["password"], login["dev_key"])
                identity = f"{credentials.dev_key}|{bill.organization_id}|{credentials.username}"
                gate = PgCallGate(
                    self.engine,
                    credentials.dev_key,
                    bill.organization_id,
                    max_in_flight=bill.max_in_flight,
                    hourly_budget=bill.hourly_budget,
                )
                client = BillClient(
                    BillApiConfig(
                        api_url=bill.api_url,
                        events_url=bill.events_url,
                        organization_id=bill.organization_id,
                        max_in_flight=bill.max_in_flight,
                        hourly_budget=bill.hourly_budget,
                    ),
                    credentials,
                    sessions=PgSessionCache(self.engine, self.vault, name, identity=identity),
                    gate=gate,
                )
                self._closers += [client.close, gate.close]
                self._bill[name] = client
            return self._bill[name]

    def context(
        self,
        name: str,
        *,
        run_id: str,
        asset_key: str,
        mode: Mode = Mode.FULL,
        periods: tuple[str, ...] = (),
        actor: str = "",
        since: datetime | None = None,
        log: logging.Logger | None = None,
        progress: Callable[[str, int, int | None], None] | None = None,
    ) -> StepContext:
        """What one step of a run is given."""
        connection = self.connections[name]
        now = datetime.now(UTC)
        quiet: Callable[[str, int, int | None], None] = lambda _what, _done, _total: None  # noqa: E731
        return StepContext(
            connection=connection,
            store=self.store(name),
            jde=lambda: self.jde(name),
            bill=lambda: self.bill(name),
            mode=mode,
            periods=periods,
            run_id=run_id,
            asset_key=asset_key,
            actor=actor,
            today=now.astimezone(ZoneInfo(connection.timezone)).date(),
            now=now,
            since=since,
            log=log or logging.getLogger("jdebill"),
            progress=progress or quiet,
        )

    def close(self) -> None:
        """Close the clients and the database's connections; the BILL session stays, other processes use it."""
        with self._lock:
            for close in self._closers:
                close()
            self._closers.clear()
            self._jde.clear()
            self._bill.clear()
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
