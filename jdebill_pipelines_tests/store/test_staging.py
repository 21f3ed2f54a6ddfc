"""Staging: a month is replaced whole, a delta touches its keys only, and neither can be seen half done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from jdebill_pipelines.domain.tables import F0006, F0116, F0411, F0911, F4301, F4311, TABLES, JdeTable, Kind
from jdebill_pipelines.store.copying import CopyReader, encode_page
from jdebill_pipelines.store.staging import StagingError
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.store.conftest import NOW

BLANK: dict[Kind, Any] = {Kind.TEXT: "", Kind.NUMBER: Decimal(0), Kind.DATE: None, Kind.TIME: 0}


def row(table: JdeTable, **values: Any) -> tuple[Any, ...]:
    assert set(values) <= set(table.columns)
    return tuple(values.get(item, BLANK[kind]) for item, kind in table.columns.items())


def voucher(number: int, day: date, amount: str = "1.00", **more: Any) -> tuple[Any, ...]:
    values = {
        "DOC": Decimal(number),
        "DCT": "PV",
        "KCO": "00001",
        "SFX": "001",
        "DGJ": day,
        "AG": Decimal(amount),
        **more,
    }
    return row(F0411, **values)


JAN, FEB = date(2026, 1, 15), date(2026, 2, 15)


def test_every_table_survives_the_round_trip_exactly(store: Store) -> None:
    """A row per JDE table with awkward values comes back as it went in: tabs in text, long decimals, blank dates."""
    text = "a\tb\\N\nc'\"; \u20ac \u65e5\u672c \\"
    amounts = [Decimal("12345678901.23"), Decimal("0.1") + Decimal("0.2"), Decimal("-0.00000001")]
    for table in TABLES.values():
        values: dict[str, Any] = {}
        for number, (item, kind) in enumerate(table.columns.items()):
            sample = {
                Kind.TEXT: text,
                Kind.NUMBER: amounts[number % 3],
                Kind.DATE: date(1999, 12, 31) if number % 2 else None,
                Kind.TIME: 235959,
            }
            values[item] = sample[kind]
        rows = [row(table, **values)]
        store.staging.merge(table, [rows], run_id="r1", extracted_at=NOW, periods_of=lambda _row: "2026-01")
        assert store.staging.rows(table) == rows
        assert store.staging.read(table, periods=["2026-01"]) == [values]


def test_full_load_replaces_the_month_and_nothing_else(store: Store) -> None:
    """Rows that disappeared leave, a voucher that moved to another month moves, other connections are untouched."""
    other = Store(store.engine, "other")
    for each in (store, other):
        each.staging.load_period(
            F0411,
            ["2026-01", "2026-02"],
            [[voucher(1, JAN), voucher(2, JAN)], [voucher(3, FEB)]],
            run_id="r1",
            extracted_at=NOW,
        )
    result = store.staging.load_period(
        F0411,
        ["2026-02"],
        [[voucher(2, FEB, "7.00")]],
        run_id="r2",
        extracted_at=NOW + timedelta(hours=1),
        watermark="w",
    )
    assert (result.read, result.written, result.removed) == (1, 1, 1)
    assert result.periods == ("2026-01", "2026-02")
    assert [(r["DOC"], r["AG"]) for r in store.staging.read(F0411)] == [(1, Decimal("1.00")), (2, Decimal("7.00"))]
    assert store.staging.count(F0411, ["2026-02"]) == 1
    assert other.staging.count(F0411) == 3
    last = store.staging.last_extraction(F0411, period="2026-02")
    assert last is not None
    assert (last.mode, last.periods, last.rows_removed, last.watermark) == ("full", ["2026-02"], 1, "w")
    january = store.staging.last_extraction(F0411, period="2026-01")
    assert january is not None
    assert january.run_id == "r1"


def test_row_of_another_month_stops_the_load(store: Store) -> None:
    """A row outside the months asked for would be lost by the next load of its own month: nothing is staged."""
    store.staging.load_period(F0411, ["2026-01"], [[voucher(1, JAN)]], run_id="r1", extracted_at=NOW)
    with pytest.raises(StagingError, match=r"'2026-02' among those for 2026-01"):
        store.staging.load_period(
            F0411, ["2026-01"], [[voucher(2, JAN)], [voucher(3, FEB)]], run_id="r2", extracted_at=NOW
        )
    assert [r["DOC"] for r in store.staging.read(F0411)] == [1]


def test_source_that_breaks_in_the_middle_changes_nothing(store: Store) -> None:
    """The third page raises: the month stays as it was, and the next load works."""
    store.staging.load_period(F0411, ["2026-01"], [[voucher(1, JAN)]], run_id="r1", extracted_at=NOW)

    def pages() -> Iterator[list[tuple[Any, ...]]]:
        yield [voucher(2, JAN)]
        raise ConnectionError("the cursor expired")

    with pytest.raises(ConnectionError, match="cursor expired"):
        store.staging.load_period(F0411, ["2026-01"], pages(), run_id="r2", extracted_at=NOW)
    assert [r["DOC"] for r in store.staging.read(F0411)] == [1]
    store.staging.load_period(F0411, ["2026-01"], [[voucher(3, JAN)]], run_id="r3", extracted_at=NOW)
    assert [r["DOC"] for r in store.staging.read(F0411)] == [3]


def test_key_read_twice_counts_once_with_its_later_state(store: Store) -> None:
    """JDE moved a row between pages while it was read: the load takes the later copy instead of failing."""
    result = store.staging.load_period(
        F0411, ["2026-01"], [[voucher(1, JAN, "1.00")], [voucher(1, JAN, "2.00")]], run_id="r1", extracted_at=NOW
    )
    assert (result.read, result.written) == (2, 1)
    assert store.staging.read(F0411, columns=["AG"]) == [{"AG": Decimal("2.00")}]


def test_delta_and_full_leave_the_same_rows(store: Store) -> None:
    """One changed, one moved, one new: merging the change equals reloading both months."""
    full = Store(store.engine, "full")
    before = [voucher(1, JAN), voucher(2, JAN), voucher(3, FEB)]
    change = [voucher(1, JAN, "9.00"), voucher(3, JAN), voucher(4, FEB)]
    for each in (store, full):
        each.staging.load_period(F0411, ["2026-01", "2026-02"], [before], run_id="r1", extracted_at=NOW)
    later = NOW + timedelta(minutes=5)
    result = store.staging.merge(F0411, [change], run_id="r2", extracted_at=later)
    assert (result.written, result.removed, result.periods) == (3, 0, ("2026-01", "2026-02"))
    after = [change[0], before[1], change[1], change[2]]
    full.staging.load_period(F0411, ["2026-01", "2026-02"], [after], run_id="r2", extracted_at=later)
    assert store.staging.rows(F0411) == full.staging.rows(F0411)
    assert store.staging.periods_by_key(F0411, ["DOC"], [(Decimal(3),), (Decimal(99),)]) == {(Decimal(3),): "2026-01"}


def test_children_of_changed_parents_are_replaced(store: Store) -> None:
    """An order lost a line: the line leaves; the lines of other orders stay; an order without lines loses all."""
    key = {"KCOO": "00001", "DCTO": "OP", "SFXO": "000"}

    def line(order: int, number: int) -> tuple[Any, ...]:
        return row(F4311, **key, DOCO=Decimal(order), LNID=Decimal(number))

    lines = [line(order, number) for order in (1, 2, 3) for number in (1, 2)]
    store.staging.load_period(
        F4311, ["2026-01"], [lines], run_id="r1", extracted_at=NOW, periods_of=lambda _row: "2026-01"
    )
    result = store.staging.merge_children(
        F4311,
        ["KCOO", "DOCO", "DCTO", "SFXO"],
        [("00001", Decimal(1), "OP", "000"), ("00001", Decimal(3), "OP", "000")],
        [[line(1, 2)]],
        run_id="r2",
        extracted_at=NOW,
        periods_of=lambda _row: "2026-01",
    )
    assert (result.written, result.removed) == (1, 3)
    assert [(r["DOCO"], r["LNID"]) for r in store.staging.read(F4311)] == [(1, 2), (2, 1), (2, 2)]
    found = store.staging.read_by_keys(
        F4311, ["DOCO", "DCTO"], [(Decimal(2), "OP"), (Decimal(3), "OP")], columns=["LNID"]
    )
    assert found == [{"LNID": Decimal(1)}, {"LNID": Decimal(2)}]
    assert store.staging.remove(F4311, [("00001", Decimal(2), "OP", "000", Decimal(1))]) == 1
    assert store.staging.count(F4311) == 2


def test_snapshot_with_blank_date_in_its_key_is_replaced(store: Store) -> None:
    """An address without effective date is one row, however often it is loaded; a removed one leaves."""
    addresses = [row(F0116, AN8=Decimal(1)), row(F0116, AN8=Decimal(1), EFTB=JAN), row(F0116, AN8=Decimal(2))]
    for _ in range(2):
        store.staging.replace_snapshot(F0116, [addresses], run_id="r1", extracted_at=NOW)
    assert store.staging.count(F0116) == 3
    result = store.staging.replace_snapshot(F0116, [addresses[:1]], run_id="r2", extracted_at=NOW)
    assert (result.removed, store.staging.rows(F0116)) == (2, addresses[:1])


def test_older_extraction_that_ends_later_does_not_win(store: Store) -> None:
    """Two runs over one month end in the other order: the rows of the later reading stay."""
    later = NOW + timedelta(minutes=1)
    store.staging.load_period(F0411, ["2026-01"], [[voucher(1, JAN, "2.00")]], run_id="new", extracted_at=later)
    result = store.staging.load_period(
        F0411, ["2026-01"], [[voucher(1, JAN, "1.00"), voucher(2, JAN)]], run_id="old", extracted_at=NOW
    )
    assert (result.written, result.newer, result.removed) == (1, 1, 0)
    assert [(r["DOC"], r["AG"]) for r in store.staging.read(F0411)] == [(1, Decimal("2.00")), (2, Decimal("1.00"))]


def test_readers_see_the_old_month_or_the_new_one(store: Store) -> None:
    """While a month of 2,000 rows is replaced again and again, a reader never sees a part or a mixture."""
    store.staging.load_period(
        F0411, ["2026-01"], [[voucher(n, JAN, "0") for n in range(2000)]], run_id="r0", extracted_at=NOW
    )
    stop = threading.Event()
    seen: list[tuple[int, int]] = []

    def read() -> None:
        while not stop.is_set():
            amounts = store.staging.rows(F0411, columns=["AG"])
            seen.append((len(amounts), len(set(amounts))))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for run in range(1, 6):
            pages = [[voucher(n, JAN, str(run)) for n in range(start, start + 500)] for start in range(0, 2000, 500)]
            store.staging.load_period(
                F0411, ["2026-01"], pages, run_id=f"r{run}", extracted_at=NOW + timedelta(minutes=run)
            )
    finally:
        stop.set()
        reader.join()
    assert len(seen) > 3
    assert set(seen) == {(2000, 1)}


def test_reading_by_value_struct_and_order(store: Store) -> None:
    """Filters take values, collections and blanks; structs are filled by their field names."""

    class PayItem(msgspec.Struct, frozen=True):
        doc: Decimal
        dgj: date | None
        ag: Decimal

    store.staging.load_period(
        F0411,
        ["2026-01"],
        [[voucher(1, JAN, "5.00", PST="A", DDJ=FEB), voucher(2, JAN, PST="H"), voucher(3, JAN, PST="P")]],
        run_id="r1",
        extracted_at=NOW,
    )
    assert [r["DOC"] for r in store.staging.read(F0411, where={"PST": ["A", "H"]}, order_by=["PST"])] == [1, 2]
    assert [r["DOC"] for r in store.staging.read(F0411, where={"DDJ": None, "KCO": "00001"})] == [2, 3]
    assert store.staging.read(F0411, where={"PST": []}) == []
    assert store.staging.structs(F0411, PayItem, where={"DOC": Decimal(1)}) == [
        PayItem(Decimal(1), JAN, Decimal("5.00"))
    ]


def test_some_columns_are_enough_and_wrong_ones_are_named(store: Store) -> None:
    """A load may leave columns blank, but neither invent any nor leave out the key; floats never pass."""
    columns = ["MCU", "STYL"]
    store.staging.replace_snapshot(F0006, [[("30", "BS")]], run_id="r1", extracted_at=NOW, columns=columns)
    assert store.staging.read(F0006)[0]["DL01"] == ""
    with pytest.raises(StagingError, match="NOPE"):
        store.staging.replace_snapshot(F0006, [], run_id="r1", extracted_at=NOW, columns=["MCU", "NOPE"])
    with pytest.raises(StagingError, match="key items"):
        store.staging.replace_snapshot(F0006, [], run_id="r1", extracted_at=NOW, columns=["STYL"])
    with pytest.raises(StagingError, match="periods_of"):
        store.staging.load_period(F4311, ["2026-01"], [], run_id="r1", extracted_at=NOW)
    with pytest.raises(TypeError, match="float"):
        store.staging.merge(F0411, [[(*voucher(1, JAN)[:-1], 0.5)]], run_id="r1", extracted_at=NOW)
    with pytest.raises(TypeError, match="column 1 "):
        store.staging.replace_snapshot(F0006, [[("30", None)]], run_id="r2", extracted_at=NOW, columns=columns)
    with pytest.raises(ValueError, match="2 values"):
        store.staging.replace_snapshot(F0006, [[("30",)]], run_id="r2", extracted_at=NOW, columns=columns)
    assert store.staging.count(F0006) == 1
    assert store.staging.last_extraction(F4301) is None
    assert [e.table for e in store.staging.extractions()] == ["F0006"]


def test_copy_reader_gives_every_byte_in_any_chunk_size() -> None:
    """Pages come out whole whatever size is asked for."""
    pages = [encode_page([("x" * 10, Decimal(n))], [Kind.TEXT, Kind.NUMBER]) for n in range(20)]
    for size in (1, 7, 1000, -1):
        reader = CopyReader(iter([pages[0], b"", *pages[1:]]))
        assert b"".join(iter(lambda: reader.read(size), b"")) == b"".join(pages)  # noqa: B023
    assert F0911.period_date == "DGJ"
