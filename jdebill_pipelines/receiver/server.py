"""The receiver's process: engine, socket, signals.

Belongs here: what surrounds the application. Does not belong here: the application (app.py). SIGTERM and Ctrl-C stop
accepting, answer what was accepted, store it, and end.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import uvicorn
from sqlalchemy.engine import Engine

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.receiver.app import THREADS, build_app
from jdebill_pipelines.store.engine import create_engine

# Beyond it uvicorn answers 503 by itself.
MOST_CONNECTIONS = 1000
GRACE_SECONDS = 15
_STATEMENT_TIMEOUT_MS = 8000
_CONNECT = {"connect_timeout": "5", "tcp_user_timeout": "10000", "keepalives_idle": "15"}


def open_engine(url: str) -> Engine:
    """The database with a bounded pool, commits that wait for the disk, and nothing that waits for ever."""
    engine = create_engine(
        sa.make_url(url).update_query_dict(_CONNECT).render_as_string(hide_password=False),
        pool_size=THREADS,
        max_overflow=0,
        pool_timeout=5,
        application_name="jdebill receiver",
    )

    @sa.event.listens_for(engine, "connect")
    def limit(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {_STATEMENT_TIMEOUT_MS}")
            # An answer promises that the event is kept; a stricter setting of the database's owner stays.
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
        connection.commit()

    return engine


def serve(url: str, vault: Vault, connections: Mapping[str, Connection], *, host: str, port: int) -> None:
    """Serve until a signal comes.

    Args:
        url: the database.
        vault: opens the security keys.
        connections: by name.
        host: where to listen.
        port: likewise.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    engine = open_engine(url)
    try:
        config = uvicorn.Config(
            build_app(engine, vault, connections),
            host=host,
            port=port,
            http="httptools",
            lifespan="on",
            access_log=False,
            server_header=False,
            log_config=None,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        # What is loaded by now stays to the end: walking through it again is a pause that posts would wait for.
        gc.collect()
        gc.freeze()
        uvicorn.Server(config).run()
    finally:
        engine.dispose()
