"""The product's way: the first load of a company, step by step as runs do; the writing of bills is measured."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jdebill_pipelines.bill.ports import CallGate
from jdebill_pipelines.steps import bill_drafts, bills, extract, gl, vendors
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines_tests.bench.child import Watch, run
from jdebill_pipelines_tests.bench.subjects import connected

BEFORE = (
    extract.companies, extract.accounts, extract.business_units, extract.suppliers, extract.vouchers, gl.accounts,
    gl.departments, gl.gl_map, vendors.vendor_map, vendors.write_vendors,
)  # fmt: skip


class TimedGate:
    """A call gate that adds up how long its slots are held: from before a call leaves to after its answer is in."""

    def __init__(self, inner: CallGate) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self.calls = 0
        self.seconds = 0.0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """See CallGate."""
        with self._inner.slot():
            began = time.perf_counter()
            try:
                yield
            finally:
                with self._lock:
                    self.calls += 1
                    self.seconds += time.perf_counter() - began

    def spend(self, n: int = 1) -> float:
        """See CallGate."""
        return self._inner.spend(n)

    def exhaust(self) -> None:
        """See CallGate."""
        self._inner.exhaust()


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Load everything that comes before at full speed, then write the bills at the latency asked for."""
    start = dt.date.fromisoformat(spec["periods"][0] + "-01")
    ours = connected.connection(spec["ais_url"], spec["bill_url"], start, documents=["vouchers"])
    runtime = connected.runtime(spec["home"], spec["database_url"], ours)

    def context(path: str) -> Any:
        return runtime.context(
            connected.NAME,
            run_id="bench",
            asset_key=path,
            mode=Mode.FULL,
            periods=tuple(spec["periods"]),
            actor="bench",
        )

    for step in BEFORE:
        step(context(step.__name__))
    began = time.perf_counter()
    bill_drafts.bill_drafts(context("sync/bill_drafts"))
    drafting = time.perf_counter() - began
    client = runtime.bill(connected.NAME)
    timed = TimedGate(client._caller._gate)
    client._caller._gate = timed
    connected.control(spec["bill_root"], "switches", {"latency_ms": spec["latency_ms"]})
    with watch.running():
        result = bills.write_bills(context("bill/bills"))
    connected.control(spec["bill_root"], "switches", {"latency_ms": 0})
    runtime.close()
    return {
        "rows": result.counts["created"],
        "calls": timed.calls,
        "call_seconds": timed.seconds,
        "drafting_seconds": drafting,
        "counts": result.counts,
    }


if __name__ == "__main__":
    run(measured)
