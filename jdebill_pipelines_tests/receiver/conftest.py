"""A receiver on a real socket over a real PostgreSQL, and a sender that signs as BILL does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
import requests
import uvicorn
from sqlalchemy.engine import Engine

from jdebill_pipelines.bill.webhook_keys import WebhookKeys
from jdebill_pipelines.config.connection import AlertConfig, BillConfig, Connection, JdeConfig
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.receiver.app import build_app
from jdebill_pipelines.receiver.server import open_engine
from jdebill_pipelines.store.store import Store

ORGANIZATION = "00801SANDBOXORG00001"
MASTER_KEY = bytes(range(32))
KEY = "key-one"


def connection(name: str = "acme", **changes: Any) -> Connection:
    """A connection of the receiver's tests."""
    values: dict[str, Any] = {
        "name": name,
        "start_date": date(2026, 1, 1),
        "timezone": "UTC",
        "jde": JdeConfig(ais_url="http://127.0.0.1:1/jderest", environment="JDV920", role="*ALL", companies=["00001"]),
        "bill": BillConfig(api_url="http://127.0.0.1:1/connect", organization_id=ORGANIZATION),
        "alerts": AlertConfig(urls_env="ACME_ALERT_URLS"),
    }
    return Connection(**{**values, **changes})


def event(event_id: str | None = None, entity_id: str = "stp1", **metadata: Any) -> dict[str, Any]:
    """A payment event in its envelope."""
    return {
        "metadata": {
            "eventId": event_id or str(uuid.uuid4()),
            "subscriptionId": "sub-1",
            "organizationId": ORGANIZATION,
            "eventType": "payment.updated",
            "version": "1",
            **metadata,
        },
        "payment": {"id": entity_id, "status": "PROCESSED", "updatedTime": "2026-06-12T14:00:03.000+00:00"},
    }


def signed(body: bytes, key: str = KEY) -> dict[str, str]:
    """The headers of a delivery, signed independently of the product."""
    digest = base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
    return {"content-type": "application/json", "x-bill-sha-signature": digest}


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something is true, at most so long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Receiver:
    """A running receiver as a sender sees it."""

    def __init__(self, url: str, store: Store, vault: Vault) -> None:
        self.url = url
        self.store = store
        self.vault = vault
        self.http = requests.Session()

    def keep_keys(self, keys: WebhookKeys) -> None:
        """Put the connection's keys into the vault."""
        self.store.credentials.put("webhook", self.vault.encrypt("acme", "webhook", keys.encode()))

    def post(
        self, body: bytes | dict[str, Any], *, key: str = KEY, name: str = "acme", headers: dict[str, str] | None = None
    ) -> requests.Response:
        """Post a delivery."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(
            f"{self.url}/webhooks/{name}",
            data=raw,
            headers=signed(raw, key) if headers is None else headers,
            timeout=20,
        )

    def refused(self, reason: str, *, connection: str = "acme") -> int:
        """How many posts were refused for a reason, waiting until one is counted."""
        store = Store(self.store.engine, connection)
        wait_until(lambda: reason in store.inbox.refusals())
        return store.inbox.refusals()[reason]

    def metrics(self) -> dict[str, int]:
        """The metrics by line."""
        text = self.http.get(f"{self.url}/metrics", timeout=20).text
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: int(float(value)) for name, value in lines}


@pytest.fixture
def store(engine: Engine) -> Store:
    """The database as the connection ``acme`` sees it."""
    return Store(engine, "acme")


@pytest.fixture
def receiver(database_url: str, store: Store) -> Iterator[Receiver]:
    """A receiver for ``acme`` with one key in the vault."""
    vault = Vault(MASTER_KEY)
    store.credentials.put("webhook", vault.encrypt("acme", "webhook", WebhookKeys(security_key=KEY).encode()))
    engine = open_engine(database_url)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = build_app(engine, vault, {"acme": connection()})
    server = uvicorn.Server(
        uvicorn.Config(app, http="httptools", lifespan="on", access_log=False, log_config=None, server_header=False)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    caller = Receiver(f"http://127.0.0.1:{listener.getsockname()[1]}", store, vault)
    try:
        yield caller
    finally:
        caller.http.close()
        server.should_exit = True
        thread.join(20)
        listener.close()
        engine.dispose()
        assert not thread.is_alive()
