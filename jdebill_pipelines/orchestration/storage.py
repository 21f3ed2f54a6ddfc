"""How a run talks to Dagster's own storage.

Belongs here: keeping its connections. Does not belong here: our own database (``store``).
"""

from __future__ import annotations

import weakref

import dagster as dg

# None of Dagster's statements is stopped in a run; a kept connection is opened anew after an hour.
_NO_TIMEOUT, _RECYCLE_SECONDS, _MORE_CONNECTIONS = 0, 3600, 20
_kept: weakref.WeakSet[dg.DagsterInstance] = weakref.WeakSet()


def keep_connections(instance: dg.DagsterInstance) -> None:
    """Let an instance keep a connection per storage open instead of opening one for every statement.

    By default Dagster's PostgreSQL storage opens a connection for each statement (dagster-postgres 0.29,
    ``poolclass=NullPool``): some five hundred in a run of the main flow, a quarter of its time. Only its webserver asks
    for what this asks for. Asking twice for one instance is harmless.
    """
    if instance not in _kept:
        instance.optimize_for_webserver(_NO_TIMEOUT, _RECYCLE_SECONDS, _MORE_CONNECTIONS)
        _kept.add(instance)
