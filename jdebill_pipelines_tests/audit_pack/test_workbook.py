"""The workbook: live totals that agree with the rows, typed cells, and text that stays text."""

from __future__ import annotations

import re
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from jdebill_pipelines.audit.model import Column, Rule, Section, Shape
from jdebill_pipelines.audit.pack.pack import write_pack
from jdebill_pipelines.audit.pack.workbook import FIRST_ROW, HEADER_ROW
from jdebill_pipelines_tests.audit_pack import synthetic
from jdebill_pipelines_tests.audit_pack.conftest import HEAD, VAULT

ODD = synthetic.procedure(
    "odd",
    Section.DUPLICATES,
    Rule.EVIDENCE,
    (Column("text", "Text"), Column("amount", "Amount", Shape.AMOUNT), Column("at", "At", Shape.TIME)),
)


@pytest.fixture(scope="module")
def book(month_pack: Path) -> Any:
    """The workbook of the month, formulas as they are."""
    return openpyxl.load_workbook(month_pack / "report.xlsx")


def computed(book: Any, formula: str) -> Decimal:
    """Compute the few kinds of formula that we write, from the cells that they name."""
    found = re.fullmatch(
        r"=(SUBTOTAL\(109,|SUBTOTAL\(103,|SUM\(|COUNT\()(?:'(\w+)'!)?([A-Z]+)(\d+):[A-Z]+(\d+)\)", formula
    )
    assert found, formula
    cells = [book[found[2]][f"{found[3]}{row}"].value for row in range(int(found[4]), int(found[5]) + 1)]
    values = [value for value in cells if value is not None]
    if "103" in found[1] or "COUNT" in found[1]:
        return Decimal(len(values))
    return sum((Decimal(str(value)) for value in values), Decimal(0))


def test_one_sheet_per_procedure_with_frozen_filtered_header(book: Any) -> None:
    """Summary first; every procedure's sheet keeps its heading in sight and can be filtered over all its rows."""
    assert book.sheetnames == ["Summary", "tie_out", "roll_forward", "payment_trace", "missing_postings", "runs"]
    sheet = book["payment_trace"]
    assert sheet.freeze_panes == f"B{FIRST_ROW}"
    assert sheet.auto_filter.ref == f"A{HEADER_ROW}:K{FIRST_ROW + 299}"
    assert [cell.value for cell in sheet[HEADER_ROW]][:4] == ["No.", "BILL payment", "Vendor", "Process date"]
    assert sheet.max_row == FIRST_ROW + 299
    assert sheet.print_title_rows == f"${HEADER_ROW}:${HEADER_ROW}"


def test_summary_leads_to_each_sheet_and_back(book: Any) -> None:
    """Titles are readable without a spreadsheet that computes, and are links."""
    titles = [book["Summary"].cell(row, 2) for row in range(8, 13)]
    assert [cell.value for cell in titles][2] == "Payment trace: BILL to JD Edwards"
    assert [cell.hyperlink.location for cell in titles] == [f"'{name}'!A1" for name in book.sheetnames[1:]]
    assert [book[name]["A4"].hyperlink.location for name in book.sheetnames[1:]] == ["'Summary'!A1"] * 5


def test_live_totals_agree_with_the_rows(book: Any) -> None:
    """SUBTOTAL above the heading, COUNT and SUM on the summary, and SUMIFS per currency name exactly the data."""
    rows = list(synthetic.trace_rows(300, 3))
    sheet = book["payment_trace"]
    total = sheet.cell(HEADER_ROW - 1, 6).value.replace("(109,", "(109,'payment_trace'!")
    assert computed(book, total) == sum(row["amount"] for row in rows)
    count = sheet.cell(HEADER_ROW - 1, 1).value.replace("(103,", "(103,'payment_trace'!")
    assert computed(book, count) == 300
    summary = {row[1].value: row for row in book["Summary"].iter_rows(min_row=8, max_row=12)}
    line = next(row for title, row in summary.items() if "Payment trace" in str(title))
    assert [cell.value for cell in line[2:6]] == ["failed", 307, 300, 9]
    assert computed(book, line[6].value) == 300
    assert line[7].value == f"=COUNTIF('payment_trace'!K{FIRST_ROW}:K{FIRST_ROW + 299},\"?*\")"
    flagged = [sheet.cell(row, 11).value for row in range(FIRST_ROW, FIRST_ROW + 300)]
    assert sum(bool(value) for value in flagged) == 9
    sums = [cell.value for row in book["Summary"].iter_rows() for cell in row if str(cell.value).startswith("=SUMIFS")]
    where, what = f"'payment_trace'!E{FIRST_ROW}:E{FIRST_ROW + 299}", f"'payment_trace'!F{FIRST_ROW}:F{FIRST_ROW + 299}"
    assert f'=SUMIFS({what},{where},"USD")' in sums
    assert f'=SUMIFS({what},{where},"JPY")' in sums


def test_cells_have_types(book: Any) -> None:
    """Dates are dates, times are times in UTC, amounts and counts are numbers with a format."""
    sheet = book["payment_trace"]
    row = [sheet.cell(FIRST_ROW + 1, column) for column in range(1, 12)]
    assert row[3].value == datetime(2026, 10, 2)
    assert row[3].number_format == "yyyy-mm-dd"
    assert (row[5].value, row[5].data_type, row[5].number_format) == (79.19, "n", "#,##0.00##")
    assert row[9].value == datetime(2026, 10, 3, 0, 4, 1, 500_000)


def test_no_text_is_a_formula_and_no_digit_is_lost(tmp_path: Path) -> None:
    """Whatever a text begins with it is stored as text; amounts beyond Excel's digits are text too; the rest fits."""
    rows = [{"text": text, "amount": Decimal("1.5"), "at": None} for text in synthetic.NASTY]
    rows += [{"text": "x" * 40_000, "amount": Decimal("12345678901234567.89"), "at": "not a time"}]
    write_pack(
        synthetic.report({ODD: lambda: rows}), tmp_path / "p", vault=VAULT, journal=HEAD, packed_by="1"
    )  # fmt: skip
    book = openpyxl.load_workbook(tmp_path / "p" / "report.xlsx")
    sheet = book["odd"]
    for at, text in enumerate(synthetic.NASTY):
        cell = sheet.cell(FIRST_ROW + at, 2)
        assert cell.data_type == "s", text
        assert cell.value.replace("\r\n", "\n").replace("\r", "\n") == text.replace("\x07", "\ufffd").replace(
            "\r", "\n"
        )
        assert bool(cell.quotePrefix) == text.startswith(("=", "+", "-", "@", "\t")), text
    last = [sheet.cell(FIRST_ROW + len(synthetic.NASTY), column).value for column in (2, 3, 4)]
    assert last[0].endswith("(cut here; whole in the CSV)")
    assert last[1:] == ["12345678901234567.89", "not a time"]
    with zipfile.ZipFile(tmp_path / "p" / "report.xlsx") as archive:
        data = archive.read("xl/worksheets/sheet2.xml").decode()
    body = data[data.index(f'<row r="{FIRST_ROW}"') :]
    assert "<f>" not in body
    assert "<v>1.5</v>" in body


def test_amounts_of_two_currencies_in_one_row_are_added_up_each_in_its_own(tmp_path: Path) -> None:
    """An item in euros that the company values in dollars: no total mixes them, and a blank currency is a line too."""
    columns = (
        Column("currency", "Currency"), Column("open", "Open", Shape.AMOUNT),
        Column("own_currency", "Own currency"), Column("in_own_currency", "In own currency", Shape.AMOUNT),
    )  # fmt: skip
    items = synthetic.procedure("items", Section.TIE_OUT, Rule.EVIDENCE, columns)
    rows = [
        {"currency": code, "open": Decimal(10), "own_currency": "USD", "in_own_currency": Decimal(11)}
        for code in ("EUR", "EUR", "JPY", None)
    ]
    write_pack(synthetic.report({items: lambda: rows}), tmp_path / "p", vault=VAULT, journal=HEAD, packed_by="1")
    book = openpyxl.load_workbook(tmp_path / "p" / "report.xlsx")
    lines = [[cell.value for cell in row[1:4]] for row in book["Summary"].iter_rows(min_row=10) if row[3].value]
    own, open_ = (f"'items'!{column}7:{column}10" for column in "EC")
    names, owns = (f"'items'!{column}7:{column}10" for column in "BD")
    assert lines[1:] == [
        ["Open", "(blank)", f'=SUMIFS({open_},{names},"=")'],
        ["Open", "EUR", f'=SUMIFS({open_},{names},"EUR")'],
        ["Open", "JPY", f'=SUMIFS({open_},{names},"JPY")'],
        ["In own currency", "USD", f'=SUMIFS({own},{owns},"USD")'],
    ]
    page = (tmp_path / "p" / "report.html").read_text("utf-8")
    assert '<td>JPY</td><td class="r">10</td><td>USD</td><td class="r">11.00</td>' in page
