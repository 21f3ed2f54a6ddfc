"""CSVs: exact, the same every time, and no spreadsheet runs anything out of them."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jdebill_pipelines.audit.model import Column, Shape
from jdebill_pipelines.audit.pack.csv_files import CsvFile
from jdebill_pipelines.audit.pack.pack import write_pack
from jdebill_pipelines.audit.pack.values import FORMULA_STARTS, typed
from jdebill_pipelines_tests.audit_pack import synthetic
from jdebill_pipelines_tests.audit_pack.conftest import HEAD, VAULT

COLUMNS = (Column("text", "Text"), Column("amount", "Amount", Shape.AMOUNT), Column("day", "Day", Shape.DATE),
           Column("at", "At", Shape.TIME))  # fmt: skip


def written(path: Path, *rows: tuple[object, ...]) -> list[list[str]]:
    """Write rows and read them back as a program would."""
    path.unlink(missing_ok=True)
    with CsvFile(path, COLUMNS) as file:
        for row in rows:
            file.write([typed(value, column.shape) for value, column in zip(row, COLUMNS, strict=True)])
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_values_are_exact_and_typed(tmp_path: Path) -> None:
    """Decimals keep every digit, negative numbers are numbers, times are UTC, nothing is a local format."""
    rows = written(
        tmp_path / "a.csv",
        ("plain", Decimal("-12345678901234567.890"), "2026-10-31", "2026-10-31T23:30:00.5-06:00"),
        (None, None, date(2026, 2, 1), None),
        ("x", 7, "no date", "2026-10-31T10:00:00"),
    )
    assert rows[0] == ["text", "amount", "day", "at"]
    assert rows[1] == ["plain", "-12345678901234567.890", "2026-10-31", "2026-11-01T05:30:00.500000Z"]
    assert rows[2] == ["", "", "2026-02-01", ""]
    assert rows[3] == ["x", "7", "no date", "2026-10-31T10:00:00"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30))
def test_every_text_comes_back_and_none_is_a_formula(tmp_path_factory: object, text: str) -> None:
    """Taking one leading apostrophe away gives the text back; no field begins as a formula does."""
    path = Path(str(tmp_path_factory.getbasetemp())) / "b.csv"  # type: ignore[attr-defined]
    field = written(path, (text, None, None, None))[1][0]
    assert not field.startswith(FORMULA_STARTS)
    assert field.removeprefix("'") == text if field.startswith("'") else field == text


def test_two_packs_of_one_report_have_the_same_csvs(tmp_path: Path, month_pack: Path) -> None:
    """The same rows give the same bytes; nothing in them tells when they were written."""
    again = tmp_path / "again"
    write_pack(synthetic.month(), again, vault=VAULT, journal=HEAD, packed_by="1.2.3")
    names = sorted(path.name for path in (month_pack / "csv").iterdir())
    assert names == ["missing_postings.csv", "payment_trace.csv", "roll_forward.csv", "runs.csv", "tie_out.csv"]
    for name in names:
        assert (month_pack / "csv" / name).read_bytes() == (again / "csv" / name).read_bytes(), name
    body = (month_pack / "csv" / "payment_trace.csv").read_bytes()
    with (month_pack / "csv" / "payment_trace.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 300
    assert b"\r\n" not in body
    assert not body.startswith(b"\xef\xbb\xbf")
