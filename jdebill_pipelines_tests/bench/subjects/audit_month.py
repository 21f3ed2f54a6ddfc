"""The month-end report: every procedure over a month of books, computed and stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from jdebill_pipelines.audit.runner import run_report
from jdebill_pipelines.config.connection import load_connection
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.bench.child import Watch, run


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Compute the report; the memory of PostgreSQL's process for it is read at the end."""
    engine = create_engine(spec["database_url"], pool_size=1, max_overflow=0)
    store, connection = Store(engine, spec["name"]), load_connection(Path(spec["connection"]))
    with watch.running():
        report = run_report(store, connection, spec["period"])
    with engine.connect() as open_connection:
        backend = open_connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    status = Path(f"/proc/{backend}/status").read_text("ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    engine.dispose()
    return {
        "outcomes": {r.procedure.key: r.outcome for r in report.results},
        "populations": {r.procedure.key: r.population for r in report.results},
        "rows": sum(r.rows for r in report.results),
        "backend_mb": peak / 1024,
    }


if __name__ == "__main__":
    run(measured)
