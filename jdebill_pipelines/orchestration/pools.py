"""The concurrency pools of a connection, made before its first run asks for them.

Belongs here: that they exist. Does not belong here: their limit (``dagster.yaml``) or what uses them (``catalog``).
"""

from __future__ import annotations

import dagster as dg

from jdebill_pipelines.orchestration.catalog import CATALOG
from jdebill_pipelines.orchestration.keys import pool_name
from jdebill_pipelines.store.locks import advisory_lock
from jdebill_pipelines.store.store import Store


def ensure_pools(instance: dg.DagsterInstance, store: Store, connection: str) -> None:
    """Make the pools of a connection where they are missing.

    Dagster makes a pool when a step first asks for it, and of two processes that ask at once one fails with its run
    (dagster 1.13, ``initialize_concurrency_limit_to_default``: the update after the refused insert runs in the
    transaction that the refusal has ended). So it is done before, one process at a time.

    Args:
        instance: where the pools are.
        store: of the connection; its database holds the lock.
        connection: its name.
    """
    wanted = {pool_name(connection, asset.system) for asset in CATALOG if asset.system}
    if instance.global_op_concurrency_default_limit is None or wanted <= _known(instance):
        return
    with advisory_lock(store.engine, "pools"):
        for pool in sorted(wanted - _known(instance)):
            instance.event_log_storage.initialize_concurrency_limit_to_default(pool)


def _known(instance: dg.DagsterInstance) -> set[str]:
    return {pool.name for pool in instance.event_log_storage.get_pool_limits()}
