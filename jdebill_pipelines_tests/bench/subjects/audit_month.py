"""The month-end report: every procedure over a month of books, computed and stored; then its pack."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import jdebill_pipelines
from jdebill_pipelines.audit.pack.pack import write_pack
from jdebill_pipelines.audit.runner import run_report
from jdebill_pipelines.config.connection import load_connection
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.bench.child import Watch, peak_mb, run
from jdebill_pipelines_tests.bench.subjects.backend import backend


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Compute the report and write the pack; what PostgreSQL's process for it used is read at the end."""
    engine = create_engine(spec["database_url"], pool_size=1, max_overflow=0)
    store, connection = Store(engine, spec["name"]), load_connection(Path(spec["connection"]))
    with tempfile.TemporaryDirectory() as folder:
        with watch.running():
            report = run_report(store, connection, spec["period"])
        reported, reported_mb = watch.seconds, peak_mb()
        with watch.running():
            pack = write_pack(
                report,
                Path(folder) / "pack",
                vault=Vault(os.urandom(32)),
                journal=store.journal.head(),
                packed_by=jdebill_pipelines.CODE_VERSION,
            )
        size = sum(path.stat().st_size for path in pack.folder.rglob("*") if path.is_file())
    with engine.connect() as open_connection:
        used = backend(open_connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
    engine.dispose()
    return {
        "outcomes": {r.procedure.key: r.outcome for r in report.results},
        "populations": {r.procedure.key: r.population for r in report.results},
        "rows": sum(r.rows for r in report.results),
        "report_seconds": reported,
        "report_mb": reported_mb,
        "pack_seconds": watch.seconds - reported,
        "pack_mb": size / 1024 / 1024,
        "backend_cpu": used.cpu,
        "backend_mb": used.peak_mb,
    }


if __name__ == "__main__":
    run(measured)
