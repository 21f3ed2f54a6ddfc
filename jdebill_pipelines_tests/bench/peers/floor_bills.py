"""The floor: three threads with requests and json, each over its window, decoded and thrown away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import requests

from jdebill_pipelines_tests.bench.child import Watch, run


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Read the list window by window; the windows of equal size are given, nothing is checked or stored."""

    def read(filters: str) -> tuple[int, Decimal]:
        session = requests.Session()
        session.headers.update(spec["headers"])
        rows, total, page = 0, Decimal(0), None
        while True:
            params = {"max": 100, "filters": filters, "sort": "createdTime:asc", "page": page}
            answer = session.get(f"{spec['url']}/v3/bills", params=params).json()
            rows += len(answer["results"])
            total += sum((Decimal(str(bill["amount"])) for bill in answer["results"]), Decimal(0))
            page = answer.get("nextPage")
            if not page:
                return rows, total

    with watch.running(), ThreadPoolExecutor(len(spec["windows"])) as pool:
        found = list(pool.map(read, spec["windows"]))
    return {"rows": sum(n for n, _ in found), "total": str(sum(t for _, t in found))}


if __name__ == "__main__":
    run(measured)
