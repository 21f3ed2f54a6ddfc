"""The yardstick of the month-end report: every row that it is computed from, out by COPY and in again, once."""

from __future__ import annotations

import contextlib
import tempfile
from typing import Any

from jdebill_pipelines.domain.tables import AUDITED
from jdebill_pipelines.store.engine import create_engine
from jdebill_pipelines_tests.bench.child import Watch, run
from jdebill_pipelines_tests.bench.subjects.backend import backend

TABLES = (
    *(table.staging_name for table in AUDITED.values()), "bill_bills", "bill_payments", "bill_payment_lines",
    "bill_payment_status_history", "links", "writes", "verdicts", "drafts", "journal",
)  # fmt: skip


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Copy each table to a file and from there to a temporary table."""
    engine = create_engine(spec["database_url"], pool_size=1, max_overflow=0)
    raw, rows = engine.raw_connection().driver_connection, 0
    assert raw is not None
    with contextlib.closing(raw.cursor()) as cursor, watch.running():
        for table in TABLES:
            with tempfile.TemporaryFile() as file:
                cursor.copy_expert(f"COPY jdebill.{table} TO STDOUT", file)
                file.seek(0)
                cursor.execute(f"CREATE TEMP TABLE copied (LIKE jdebill.{table} INCLUDING GENERATED) ON COMMIT DROP")
                cursor.copy_expert("COPY copied FROM STDIN", file)
                rows += cursor.rowcount
                raw.commit()
    used = backend(raw.info.backend_pid)
    raw.close()
    engine.dispose()
    return {"rows": rows, "backend_cpu": used.cpu, "backend_mb": used.peak_mb}


if __name__ == "__main__":
    run(measured)
