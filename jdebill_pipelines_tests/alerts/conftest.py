"""Receivers of alerts, a store with an outbox, and a connection whose runs are watched."""

from __future__ import annotations

import os
from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy.engine import Engine

from jdebill_pipelines.cli import dagster_home
from jdebill_pipelines.config.connection import AlertConfig, Connection
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.alerts.receivers import Endpoint, MailServer
from jdebill_pipelines_tests.alerts.watch import Watch
from jdebill_pipelines_tests.cli.conftest import database, home, jdebill
from jdebill_pipelines_tests.receiver.conftest import connection as any_connection
from jdebill_pipelines_tests.support.fixtures import (
    clean_environment,
    dagster_folder,
    dagster_template,
    loop_database,
    tiny_company,
    world,
)
from jdebill_pipelines_tests.support.world import World

__all__ = [
    "clean_environment",
    "dagster_folder",
    "dagster_template",
    "database",
    "home",
    "jdebill",
    "loop_database",
    "tiny_company",
    "world",
]
VARIABLE = "ACME_ALERT_URLS"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An HTTP endpoint."""
    made = Endpoint()
    yield made
    made.stop()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server."""
    made = MailServer()
    yield made
    made.stop()


@pytest.fixture
def store(engine: Engine) -> Store:
    """The database as the connection ``acme`` sees it."""
    return Store(engine, "acme")


@pytest.fixture
def connection() -> Connection:
    """A connection whose channels are in ``ACME_ALERT_URLS``."""
    return any_connection(alerts=AlertConfig(urls_env=VARIABLE, window_minutes=60))


@pytest.fixture
def watch(world: World, endpoint: Endpoint, mail: MailServer) -> Iterator[Watch]:
    """The tiny company's connection with both channels, and webhooks that nobody takes; its sensors look."""
    hooks = "\n  webhook_url: http://127.0.0.1:9/webhooks/acme"
    world.configure(
        events=world.sandbox.bill_events_url + hooks, more=f"alerts: {{urls_env: {VARIABLE}, window_minutes: 60}}\n"
    )
    dagster_home.enter(world.settings)
    os.environ[VARIABLE] = f"{endpoint.url} {mail.url}"
    runtime = world.runtime()
    with dg.DagsterInstance.get() as instance:
        watched = Watch(world, runtime, instance, endpoint, mail)
        watched.tick()
        yield watched
    runtime.close()
