"""Large tables: exact to the last row, and lanes that are really in flight together. Speed is measured in bench/."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

from jdebill_pipelines.domain.tables import F0411, Kind
from jdebill_pipelines.jde.grid import GridDecoder
from jdebill_pipelines_tests.jde.fake_ais import FakeAis
from jdebill_pipelines_tests.jde.test_browse import COLUMNS, fill, keys

TWENTY_ONE = (
    "DOC", "DCT", "KCO", "SFX", "SFXE", "CO", "AN8", "PYE", "VINV", "DIVJ", "DGJ", "DDJ", "PST", "AG", "AAP", "CRCD",
    "PO", "PDCT", "RMK", "UPMJ", "UPMT",
)  # fmt: skip


def page(start: int, count: int = 1000) -> bytes:
    def cell(item: str, n: int) -> Any:
        kind = F0411.columns[item]
        if item in ("AG", "AAP"):
            return n + 0.25  # the server's own rendering
        if kind is Kind.DATE:
            return f"2026{n % 12 + 1:02d}{n % 28 + 1:02d}"
        return f"T{n % 97} " if kind is Kind.TEXT else n % 235959

    rows = [{f"F0411_{i}": cell(i, n) for i in TWENTY_ONE} for n in range(start, start + count)]
    columns = {f"F0411_{i}": i for i in TWENTY_ONE}
    grid = {"columns": columns, "rowset": rows, "summary": {"records": count, "moreRecords": True}}
    return json.dumps({"fs_DATABROWSE_F0411": {"data": {"gridData": grid}, "errors": []}, "sysErrors": []}).encode()


def test_fifty_thousand_rows_are_exact() -> None:
    """50 pages of 1000 rows with 21 columns, typed and exact, none lost."""
    decoder = GridDecoder(F0411, TWENTY_ONE)
    rows = [row for n in range(50) for row in decoder.decode(page(n * 1000)).rows]
    assert len(rows) == 50_000
    assert [row[13] for row in rows] == [Decimal(n) + Decimal("0.25") for n in range(50_000)]


def test_lanes_are_in_flight_together(ais: FakeAis) -> None:
    """Every call takes its time: three lanes are on their way at once, few calls are wasted, the order is kept."""
    expected = fill(ais, 600, items=1)

    def slow(_: Any) -> None:
        time.sleep(0.04)

    ais.fail("/v2/dataservice", slow, times=500)
    client = ais.client(parallel_calls=3)
    client.login()
    assert keys(client.browse(F0411, columns=COLUMNS, page_size=20)) == expected
    assert ais.wire.most_in_flight == 3
    assert len(ais.queries("F0411")) <= 45
