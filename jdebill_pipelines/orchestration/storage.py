"""How a run talks to Dagster's own storage.

Belongs here: keeping its connections. Does not belong here: our own database (``store``).
"""

from __future__ import annotations

import weakref
from typing import Any

import dagster as dg
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError

# None of Dagster's statements is stopped in a run; a kept connection is opened anew after an hour.
_NO_TIMEOUT, _RECYCLE_SECONDS, _MORE_CONNECTIONS = 0, 3600, 20
_kept: weakref.WeakSet[dg.DagsterInstance] = weakref.WeakSet()


def keep_connections(instance: dg.DagsterInstance) -> None:
    """Let an instance keep a connection per storage open instead of opening one for every statement.

    By default Dagster's PostgreSQL storage opens a connection for each statement (dagster-postgres 0.29,
    ``poolclass=NullPool``): some five hundred in a run of the main flow, a quarter of its time. Only its webserver asks
    for what this asks for. A kept connection is asked whether it still stands before each use, so that a PostgreSQL
    that was restarted costs no more than before. Asking twice for one instance is harmless.
    """
    storages: list[Any] = [instance.run_storage, instance.event_log_storage, instance.schedule_storage]
    # Private, and the only way to the pool: where another storage has none, everything stays as Dagster made it.
    if instance in _kept or not all(isinstance(getattr(storage, "_engine", None), Engine) for storage in storages):
        return
    instance.optimize_for_webserver(_NO_TIMEOUT, _RECYCLE_SECONDS, _MORE_CONNECTIONS)
    for storage in storages:
        _ask_before_use(storage._engine)
    _kept.add(instance)


def _ask_before_use(engine: Engine) -> None:
    def alive(connection: Any, _record: object, _proxy: object) -> None:
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("PostgreSQL has ended it; the pool opens another") from error

    sa.event.listen(engine, "checkout", alive)
