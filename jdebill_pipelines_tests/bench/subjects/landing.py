"""The product's way: F0411 from AIS into typed staging."""

from __future__ import annotations

import datetime as dt
from typing import Any

from jdebill_pipelines.domain.tables import F0411
from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.config import AisConfig, AisCredentials
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.bench.child import Watch, run


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Land the whole table; login, capabilities and connecting to the database are part of it."""
    config = AisConfig(spec["url"], spec["environment"], "*ALL", "bench", parallel_calls=spec["parallel_calls"])
    with watch.running():
        engine = create_engine(spec["database_url"])
        store = Store(engine, "bench")
        with AisClient(config, AisCredentials(spec["username"], spec["password"])) as client:
            load = store.staging.load_period(
                F0411,
                spec["periods"],
                client.browse(F0411, columns=spec["columns"]),
                run_id="bench",
                extracted_at=dt.datetime.now(dt.UTC),
                columns=spec["columns"],
            )
    rows = store.staging.read(F0411, columns=("AG",))
    engine.dispose()
    return {"read": load.read, "rows": load.written, "total": str(sum(row["AG"] for row in rows))}


if __name__ == "__main__":
    run(measured)
