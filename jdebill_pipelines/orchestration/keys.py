"""Names that several definitions share: asset keys, job names, tags, pools.

Belongs here: nothing but names. A connection's name is the first part of every key (one customer, one prefix).
"""

from __future__ import annotations

import dagster as dg

MODE_TAG = "jdebill/mode"
ACTOR_TAG = "jdebill/actor"
DUE_TAG = "jdebill/due"
SINCE_TAG = "jdebill/since"
CONNECTION_TAG = "jdebill/connection"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def asset_key(connection: str, path: str) -> dg.AssetKey:
    """Key of an asset: ``acme`` and ``jde/vouchers`` give ``[acme, jde, vouchers]``."""
    return dg.AssetKey([connection, *path.split("/")])


def safe_name(connection: str) -> str:
    """The connection's name as Dagster allows it in job, sensor and pool names."""
    return connection.replace("-", "_")


def months_job_name(connection: str) -> str:
    """The job that runs every asset of the main flow over a range of months."""
    return f"{safe_name(connection)}_months"


def audit_job_name(connection: str) -> str:
    """The job that reports months."""
    return f"{safe_name(connection)}_audit"


def payments_job_name(connection: str) -> str:
    """The job that brings payments back to JDE and nothing else, so that a webhook is answered in seconds."""
    return f"{safe_name(connection)}_payments"


def poll_job_name(connection: str) -> str:
    """The job that asks JDE what changed and records what is due."""
    return f"{safe_name(connection)}_poll"


def pool_name(connection: str, system: str) -> str:
    """The concurrency pool of one outside system of one connection."""
    return f"{system}_{safe_name(connection)}"
