"""The workbook: a summary and one sheet per procedure, with totals that Excel computes itself.

Belongs here: sheets, styles, formulas. Does not belong here: what the rows are.

Written row by row: memory does not grow with the rows. No text is ever a formula: every text is stored as one, and one
that looks like a formula carries Excel's own mark for "text" besides, so that editing it does not make it one. Excel
counts with 15 digits: an amount with more is stored as text, whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.hyperlink import Hyperlink

from jdebill_pipelines.audit.model import Column, Report, Result, Rule, Shape
from jdebill_pipelines.audit.pack.values import FORMULA_STARTS, Value, currency_columns, exact_text, heading

HEADER_ROW = 6
FIRST_ROW = HEADER_ROW + 1
MOST_ROWS = 1_048_576 - HEADER_ROW  # a sheet's limit
_SUMMARY_FIRST = 8  # row of the first procedure on the summary
_MOST_TEXT = 32_767
_MOST_DIGITS = 15
_WIDTHS = {
    Shape.TEXT: 24,
    Shape.AMOUNT: 17,
    Shape.NUMBER: 11,
    Shape.DATE: 12,
    Shape.TIME: 20,
    Shape.KEY: 24,
}
_FORMATS = {Shape.DATE: "yyyy-mm-dd", Shape.TIME: "yyyy-mm-dd hh:mm:ss", Shape.NUMBER: "#,##0"}
_TOTALS_OF = {
    False: "rows, and sums, of what the filter shows",
    True: "rows, and sums, of what the filter shows: filter one currency",
}
_BOLD, _TITLE, _LINK = Font(bold=True), Font(bold=True, size=14), Font(color="0B5394", underline="single")
_HEAD_FILL = PatternFill("solid", fgColor="E7ECF2")
_EXCEPTION_FILL = PatternFill("solid", fgColor="FBE9E7")
_BELOW = Border(bottom=Side(style="thin", color="8A97A6"))
_WRAP = Alignment(wrap_text=True, vertical="top")


@dataclass
class _Sheet:
    """A procedure's sheet while it is written."""

    result: Result
    sheet: Any
    named: frozenset[int]  # positions of the columns that name currencies
    rows: int = 0
    currencies: dict[int, set[str]] = field(default_factory=dict)


class AuditWorkbook:
    """Writes the workbook of one report.

    Args:
        report: whose.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._book = Workbook(write_only=True)
        self._book.properties.title = f"Month-end audit {report.connection} {report.period.label}"
        self._book.properties.creator = "jdebill"
        self._book.properties.created = report.created_at.replace(tzinfo=None)
        self._book.calculation.fullCalcOnLoad = True  # the file has formulas and no values of theirs yet
        self._summary = self._book.create_sheet("Summary")
        self._sheets: list[_Sheet] = []
        self._cells: dict[tuple[Shape, bool, bool], list[Any]] = {}

    def begin(self, result: Result) -> None:
        """Begin the sheet of a procedure; rows are added to it until the next one begins."""
        procedure = result.procedure
        sheet = self._book.create_sheet(procedure.key)
        sheet.freeze_panes = f"B{FIRST_ROW}"
        sheet.column_dimensions["A"].width = 7
        for position, column in enumerate(procedure.columns, 2):
            sheet.column_dimensions[get_column_letter(position)].width = max(
                _WIDTHS[column.shape], min(len(heading(column)) + 3, 40)
            )
        sheet.print_title_rows = f"{HEADER_ROW}:{HEADER_ROW}"
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        end = FIRST_ROW + max(min(result.rows, MOST_ROWS), 1) - 1
        last_letter = get_column_letter(len(procedure.columns) + 1)
        sheet.auto_filter.ref = f"A{HEADER_ROW}:{last_letter}{end}"
        self._sheets.append(_Sheet(result, sheet, frozenset(currency_columns(procedure.columns).values())))
        self._line(sheet, self._text(procedure.title, font=_TITLE))
        self._line(sheet, self._text(procedure.objective))
        self._line(sheet, self._text(_outcome_line(result)))
        self._line(sheet, _link(sheet, 4, 1, "Back to the summary", "'Summary'!A1"))
        has_currency = bool(currency_columns(procedure.columns))
        totals = [self._formula(f"SUBTOTAL(103,A{FIRST_ROW}:A{end})", shape=Shape.NUMBER, font=_BOLD)]
        for position, column in enumerate(procedure.columns, 2):
            letter = get_column_letter(position)
            if column.shape is Shape.AMOUNT:
                formula = f"SUBTOTAL(109,{letter}{FIRST_ROW}:{letter}{end})"
                totals.append(self._formula(formula, shape=Shape.AMOUNT, font=_BOLD))
            else:
                totals.append(self._text(_TOTALS_OF[has_currency], font=_BOLD) if position == 2 else None)
        self._line(sheet, *totals)
        titles = ["No.", *(heading(column) for column in procedure.columns)]
        self._line(sheet, *(self._text(title, font=_BOLD, fill=_HEAD_FILL, border=_BELOW) for title in titles))

    def write(self, row: Sequence[Value], *, exception: bool) -> None:
        """Add the typed values of a row to the sheet that was begun; beyond a sheet's limit: in the CSV only."""
        current = self._sheets[-1]
        if current.rows >= MOST_ROWS:
            return
        current.rows += 1
        columns = current.result.procedure.columns
        for position in current.named:
            current.currencies.setdefault(position, set()).add(str(row[position] or ""))
        current.sheet.append(self._row_cells(current.rows, row, columns, exception))

    def save(self, path: Path) -> None:
        """Write the summary and the file."""
        self._write_summary()
        self._book.save(path)

    def discard(self) -> None:
        """Give up a workbook that is not to be saved, with its temporary files."""
        for sheet in self._book.worksheets:
            if not sheet.closed:
                sheet.close()
            # openpyxl leaves them until the process ends.
            sheet._writer.cleanup()

    def _row_cells(
        self, number: int, row: Sequence[Value], columns: Sequence[Column], exception: bool
    ) -> Iterator[Any]:
        # A generator: each cell is written before the next is asked for, so that cells can be used again.
        yield self._value(number, Shape.NUMBER, exception)
        for value, column in zip(row, columns, strict=True):
            yield self._value(value, column.shape, exception)

    def _value(self, value: Value, shape: Shape, exception: bool) -> Any:
        if value is None:
            return self._cell(shape, exception, False) if exception else None
        if isinstance(value, str) or (isinstance(value, Decimal | int) and _digits(value) > _MOST_DIGITS):
            text = _storable(exact_text(value))
            cell = self._cell(Shape.TEXT, exception, text.startswith(FORMULA_STARTS))
            cell.value = text
            cell.data_type = "s"
            return cell
        cell = self._cell(shape, exception, False)
        if isinstance(value, Decimal | int):
            cell.value = format(value, "f") if isinstance(value, Decimal) else str(value)
            cell.data_type = "n"  # the digits go into the file as they are, through no float
        else:
            cell.value = value.replace(tzinfo=None) if isinstance(value, datetime) else value
        return cell

    def _cell(self, shape: Shape, exception: bool, quoted: bool) -> Any:
        # Two cells take turns: openpyxl spoils the type of the cell before when it is given the same one twice running.
        key = (shape, exception, quoted)
        if key not in self._cells:
            self._cells[key] = [self._new_cell(*key), self._new_cell(*key)]
        pair = self._cells[key]
        pair.reverse()
        pair[0].value = None
        return pair[0]

    def _new_cell(self, shape: Shape, exception: bool, quoted: bool) -> Any:
        cell = WriteOnlyCell(self._summary)
        cell.number_format = _FORMATS.get(shape, "#,##0.00##" if shape is Shape.AMOUNT else "General")
        if exception:
            cell.fill = _EXCEPTION_FILL
        if quoted:
            cell.quotePrefix = True
        return cell

    def _write_summary(self) -> None:
        sheet, report = self._summary, self._report
        for letter, width in zip("ABCDEFGH", (34, 46, 12, 13, 13, 13, 14, 16), strict=True):
            sheet.column_dimensions[letter].width = width
        sheet.sheet_view.showGridLines = False
        period = report.period
        self._line(sheet, self._text(f"Month-end audit {report.connection} {period.label}", font=_TITLE))
        for name, value in (
            ("Period", f"{period.first} to {period.last} by G/L date ({period.timezone})"),
            ("Companies", ", ".join(period.companies)),
            ("Computed", f"{report.created_at:%Y-%m-%d %H:%M:%S} UTC by run {report.run_id or '-'}"),
            ("Code version", report.code_version),
        ):
            self._line(sheet, self._text(name, font=_BOLD), self._text(value))
        self._line(sheet)
        heads = (
            "Section",
            "Procedure",
            "Outcome",
            "Examined",
            "Rows",
            "Exceptions",
            "Rows in sheet",
            "Exceptions in sheet",
        )
        self._line(
            sheet, *(self._text(head, font=_BOLD, fill=_HEAD_FILL, border=_BELOW, alignment=_WRAP) for head in heads)
        )
        first = _SUMMARY_FIRST
        for entry in self._sheets:
            self._line(sheet, *self._summary_cells(entry))
        last = first + max(len(self._sheets), 1) - 1
        sums = [
            self._formula(f"SUM({letter}{first}:{letter}{last})", shape=Shape.NUMBER, font=_BOLD) for letter in "FGH"
        ]
        self._line(sheet, self._text("All procedures", font=_BOLD), None, None, None, None, *sums)
        self._line(sheet)
        self._line(sheet, self._text("Totals per currency, computed from the sheets", font=_BOLD))
        titles = ("Procedure", "Column", "Currency", "Total")
        self._line(sheet, *(self._text(head, font=_BOLD, fill=_HEAD_FILL, border=_BELOW) for head in titles))
        for entry in self._sheets:
            for cells in self._totals(entry):
                self._line(sheet, *cells)

    def _summary_cells(self, entry: _Sheet) -> list[Any]:
        procedure, result = entry.result.procedure, entry.result
        end = FIRST_ROW + max(entry.rows, 1) - 1
        numbers = f"'{procedure.key}'!A{FIRST_ROW}:A{end}"
        if procedure.rule is Rule.FLAGGED:
            names = [column.name for column in procedure.columns]
            letter = get_column_letter(names.index("exception") + 2) if "exception" in names else ""
            found = f"COUNTIF('{procedure.key}'!{letter}{FIRST_ROW}:{letter}{end},\"?*\")" if letter else "0"
        else:
            found = f"COUNT({numbers})" if procedure.rule is Rule.NO_ROWS else "0"
        row = _SUMMARY_FIRST + self._sheets.index(entry)
        return [
            self._text(procedure.section.value),
            _link(self._summary, row, 2, procedure.title, f"'{procedure.key}'!A1"),
            self._text(result.outcome, font=_BOLD if result.outcome == "failed" else None),
            *(self._number(count) for count in (result.population, result.rows, result.exceptions)),
            self._formula(f"COUNT({numbers})", shape=Shape.NUMBER),
            self._formula(found, shape=Shape.NUMBER),
        ]

    def _totals(self, entry: _Sheet) -> Iterator[list[Any]]:
        procedure = entry.result.procedure
        end = FIRST_ROW + max(entry.rows, 1) - 1
        for amount, named in currency_columns(procedure.columns).items():
            letters = get_column_letter(amount + 2), get_column_letter(named + 2)
            what, where = (f"'{procedure.key}'!{letter}{FIRST_ROW}:{letter}{end}" for letter in letters)
            for currency in sorted(entry.currencies.get(named, ())):
                code = currency.replace('"', '""') or "="  # which is how a criterion says blank
                yield [
                    self._text(procedure.title),
                    self._text(procedure.columns[amount].title),
                    self._text(currency or "(blank)"),
                    self._formula(f'SUMIFS({what},{where},"{code}")', shape=Shape.AMOUNT),
                ]

    def _text(self, text: str, **style: Any) -> Any:
        cell = _styled(WriteOnlyCell(self._summary), style)
        cell.value = _storable(text)
        cell.data_type = "s"
        cell.quotePrefix = text.startswith(FORMULA_STARTS)
        return cell

    def _number(self, value: int) -> Any:
        cell = WriteOnlyCell(self._summary, value)
        cell.number_format = _FORMATS[Shape.NUMBER]
        return cell

    def _formula(self, formula: str, *, shape: Shape = Shape.TEXT, **style: Any) -> Any:
        cell = _styled(WriteOnlyCell(self._summary, f"={formula}"), style)
        cell.number_format = _FORMATS.get(shape, "#,##0.00##" if shape is Shape.AMOUNT else "General")
        return cell

    @staticmethod
    def _line(sheet: Any, *cells: Any) -> None:
        sheet.append(list(cells))


def _link(sheet: Any, row: int, column: int, text: str, to: str) -> Any:
    """A cell that leads to another sheet; a link needs to know where its cell will be."""
    cell = WriteOnlyCell(sheet, text)
    cell.row, cell.column = row, column
    cell.hyperlink = Hyperlink(ref=cell.coordinate, location=to)
    cell.data_type = "s"
    cell.font = _LINK
    return cell


def _styled(cell: Any, style: dict[str, Any]) -> Any:
    for name, value in style.items():
        if value is not None:
            setattr(cell, name, value)
    return cell


def _outcome_line(result: Result) -> str:
    beyond = f"; the sheet holds the first {MOST_ROWS:,} of them, the CSV all" if result.rows > MOST_ROWS else ""
    return (
        f"{result.outcome}: {result.population:,} examined, {result.rows:,} rows{beyond}, "
        f"{result.exceptions:,} exception{'' if result.exceptions == 1 else 's'}"
    )


def _storable(text: str) -> str:
    text = ILLEGAL_CHARACTERS_RE.sub("\ufffd", text)
    if len(text) <= _MOST_TEXT:
        return text
    ending = " … (cut here; whole in the CSV)"
    return text[: _MOST_TEXT - len(ending)] + ending


def _digits(value: Decimal | int) -> int:
    return len(Decimal(value).normalize().as_tuple().digits)
