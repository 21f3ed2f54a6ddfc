"""The product's way: every bill of an organization, three calls at once, decoded and (if asked) mirrored."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from jdebill_pipelines.steps.bill_side import mirror_all_bills
from jdebill_pipelines_tests.bench.child import Watch, run
from jdebill_pipelines_tests.bench.subjects import connected


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """List; login, the shared call slots and the hourly budget in PostgreSQL are part of it."""
    ours = connected.connection("http://127.0.0.1:1/jderest", spec["url"], dt.date(2026, 1, 1))
    runtime = connected.runtime(spec["home"], spec["database_url"], ours)
    store = runtime.store(connected.NAME)
    with watch.running():
        client = runtime.bill(connected.NAME)
        if spec["mirror"]:
            mirror_all_bills(client, store, run_id="bench", seen_at=dt.datetime.now(dt.UTC))
        else:
            amounts = [row.amount for batch in client.bills.list_all_parallel() for row in batch]
    if spec["mirror"]:
        amounts = [row["amount"] for row in store.mirror.read("bills", columns=("amount",))]
    runtime.close()
    return {"rows": len(amounts), "total": str(sum((amount or Decimal(0) for amount in amounts), Decimal(0)))}


if __name__ == "__main__":
    run(measured)
