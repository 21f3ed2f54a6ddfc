"""Rows as the data service shows them.

Belongs here: GRID_DATA, VERSION1 and VERSION2 grids, and the switches for padding, blanks and hidden columns. Not here:
which rows are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jdebill_pipelines.sandbox.ais.codec import Json
from jdebill_pipelines.sandbox.ais.columns import (
    BUSINESS_UNITS,
    TEXT_LENGTHS,
    USUAL_LENGTH,
    Kind,
    Row,
    TableDef,
    Value,
)
from jdebill_pipelines.sandbox.ais.literals import write_date
from jdebill_pipelines.sandbox.ais.switches import Switches
from jdebill_pipelines.sandbox.ais.values import to_date

_BLANK_TEXT = {"empty": "", "space": " "}
# JDE does not document the sign of paid amounts in storage.
_SIGNED = {"F0413": ("PAAP",), "F0414": ("PAAP", "PFAP")}
_DATA_TYPES = {Kind.TEXT: 2, Kind.NUMBER: 9, Kind.DATE: 11}


def grid(
    definition: TableDef, items: Sequence[str], rows: Sequence[Row], switches: Switches, *, output: str, grid_id: int
) -> Json:
    """The `gridData` of an answer without its summary.

    Args:
        definition: the table.
        items: the columns, in order.
        rows: the rows of this page.
        switches: how this server shows values.
        output: GRID_DATA, VERSION1 or VERSION2.
        grid_id: id of the grid.
    """
    hidden = switches.column_security.get(definition.name, ())
    shown = [item for item in items if item not in hidden]
    names = {item: f"{definition.name}_{item}" for item in shown}
    titles = {names[item]: definition.column_title(item) for item in shown}
    head: Json = {"id": grid_id, "fullGridId": str(grid_id)}
    if output == "GRID_DATA":
        return {**head, "columns": titles, "rowset": _plain_rows(definition, names, rows, switches)}
    described = {names[item]: _described(definition, item, number) for number, item in enumerate(shown, start=19)}
    if output == "VERSION2":
        cells = [_cells(definition, names, row, switches, {}) for row in rows]
        return {**head, "titles": titles, "columnInfo": described, "rowset": _numbered(cells)}
    cells = [_cells(definition, names, row, switches, described) for row in rows]
    return {**head, "titles": titles, "columns": {name: number for number, name in enumerate(titles)},
            "rowset": _numbered(cells)}  # fmt: skip


def _plain_rows(definition: TableDef, names: dict[str, str], rows: Sequence[Row], switches: Switches) -> list[Json]:
    blanks: dict[str, Value | None] = {}
    for item in names:
        kind = definition.kinds[item]
        if kind is Kind.DATE:
            blanks[item] = None if switches.blank_dates != "empty" else ""
        else:
            blanks[item] = 0 if kind is Kind.NUMBER else _BLANK_TEXT.get(switches.blank_strings, "")
    if not (
        switches.padded_strings
        or switches.padded_mcu
        or switches.numbers_as_text
        or (switches.payment_sign == "negative" and definition.name in _SIGNED)
        or "missing" in (switches.blank_dates, switches.blank_strings)
    ):
        spec = [(name, item, blanks[item]) for item, name in names.items()]
        return [{name: row.get(item, blank) for name, item, blank in spec} for row in rows]
    return [_odd_row(definition, names, row, switches, blanks) for row in rows]


def _odd_row(
    definition: TableDef, names: dict[str, str], row: Row, switches: Switches, blanks: dict[str, Value | None]
) -> Json:
    found: Json = {}
    for item, name in names.items():
        kind = definition.kinds[item]
        value = row.get(item)
        if value is None:
            ways = {Kind.DATE: switches.blank_dates, Kind.TEXT: switches.blank_strings}
            if ways.get(kind) == "missing":
                continue
            if switches.padded_strings and kind is Kind.TEXT:
                found[name] = " " * TEXT_LENGTHS.get(item, USUAL_LENGTH)
                continue
            value = blanks[item]
        elif kind is Kind.TEXT:
            if item in BUSINESS_UNITS and (switches.padded_mcu or switches.padded_strings):
                value = str(value).rjust(12)
            elif switches.padded_strings:
                value = str(value).ljust(TEXT_LENGTHS.get(item, USUAL_LENGTH))
        if switches.payment_sign == "negative" and item in _SIGNED.get(definition.name, ()):
            value = -value  # type: ignore[operator]
        if kind is Kind.NUMBER and switches.numbers_as_text:
            value = str(value)
        found[name] = value
    return found


def _described(definition: TableDef, item: str, number: int) -> Json:
    return {
        "id": number,
        "title": definition.column_title(item),
        "dataType": _DATA_TYPES[definition.kinds[item]],
        "visible": True,
        "bsvw": True,
        "longName": f"{definition.name}_{item}",
        "editable": False,
    }


def _cells(definition: TableDef, names: dict[str, str], row: Row, switches: Switches, described: Json) -> Json:
    found: Json = {}
    for item, name in names.items():
        value = row.get(item, definition.blank(item))
        internal: Any = value if value != "" or definition.kinds[item] is Kind.TEXT else None
        found[name] = {
            **described.get(name, {}),
            "internalValue": internal,
            "value": formatted(definition.kinds[item], value, switches),
        }
    return found


def _numbered(rows: list[Json]) -> list[Json]:
    return [{"rowIndex": number, "MOExist": False, **row} for number, row in enumerate(rows)]


def formatted(kind: Kind, value: Value, switches: Switches) -> str:
    """A value as the user's profile shows it: date pattern, decimal mark and thousands marks."""
    if kind is Kind.DATE:
        day = to_date(value)
        return write_date(day, switches.simple_date_format) if day else ""
    if kind is Kind.NUMBER:
        text = f"{value:,}"
        return text.translate(str.maketrans(",.", ".,")) if switches.decimal_format == "," else text
    return str(value)
