"""Rows out of a data service answer: fast when it is as expected, tolerant when it is not.

Belongs here: decoding GRID_DATA into tuples. Does not belong here: asking for it (``dataservice``) or paging.

The fast path decodes the JSON straight into a struct made for the table and converts column by column. Whatever does
not fit (numbers as text, other column names, control characters) takes the slow path, which understands more or says
which column and value it did not.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import astuple

from jdebill_pipelines.domain.tables import JdeTable, Kind
from jdebill_pipelines.jde import codec
from jdebill_pipelines.jde.codec import NotJsonError
from jdebill_pipelines.jde.literals import parse_date, parse_number

log = logging.getLogger(__name__)

Row = tuple[Any, ...]

_ZERO = Decimal(0)
_FAST_TYPES: dict[Kind, Any] = {
    Kind.TEXT: str | None,
    Kind.NUMBER: Decimal | None,
    Kind.DATE: str | int | None,
    Kind.TIME: int | None,
}


class UnreadableGridError(ValueError):
    """The answer cannot be read as rows of the table."""


@dataclass(frozen=True, slots=True)
class Grid:
    """One page.

    Attributes:
        rows: values in column order: TEXT trimmed, NUMBER ``Decimal``, DATE ``date`` or None, TIME ``int`` HHMMSS.
        more: ``summary.moreRecords``; None when the answer does not say.
        next_href: the link to the next page, None when there is none.
        problems: the members of the whole answer that tell of errors (``errors``, ``sysErrors``, ``exception``), {}
            when all is well.
    """

    rows: list[Row]
    more: bool | None
    next_href: str | None
    problems: dict[str, Any]


class _Summary(msgspec.Struct, gc=False):
    records: int | None = None
    more_records: bool | None = msgspec.field(default=None, name="moreRecords")


class _Link(msgspec.Struct, gc=False):
    rel: str | None = None
    href: str | None = None


class _DateMemo(dict[Any, "dt.date | None"]):
    """Dates repeat: each text is parsed once."""

    def __init__(self, user_pattern: str) -> None:
        super().__init__()
        self._user_pattern = user_pattern

    def __missing__(self, key: Any) -> dt.date | None:
        value = self[key] = parse_date(key, self._user_pattern)
        return value


class GridDecoder:
    """Decodes answers for one table and selection of columns.

    Args:
        table: whose rows.
        columns: data items in the order wanted.
        date_format: the JDE user's Java date pattern, for servers that answer dates so.
        decimal_mark: the JDE user's, for servers that answer numbers as text.
    """

    def __init__(
        self, table: JdeTable, columns: Sequence[str], *, date_format: str = "", decimal_mark: str = "."
    ) -> None:
        unknown = [item for item in columns if item not in table.columns]
        if unknown:
            raise ValueError(f"{table.name} has no columns {', '.join(unknown)}")
        self.table = table
        self.columns = tuple(columns)
        self.hidden: frozenset[str] = frozenset()
        self._kinds = tuple(table.columns[item] for item in columns)
        self._names = tuple(f"{table.name}_{item}" for item in columns)
        self._decimal_mark = decimal_mark
        self._dates = _DateMemo(date_format)
        self._fast: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self._envelope())
        numbers = [re.escape(n.encode()) for n, k in zip(self._names, self._kinds, strict=True) if k is Kind.NUMBER]
        self._text_number = re.compile(rb'"(?:' + b"|".join(numbers) + rb')"\s*:\s*"') if numbers else None

    def decode(self, body: bytes) -> Grid:
        """Decode one answer.

        Raises:
            UnreadableGridError: it is not a grid of this table, or a value fits no column.
        """
        if self._decimal_mark == "," and self._text_number is not None and self._text_number.search(body):
            return self._slow(body)  # "1.834" is a thousand here
        try:
            answer = self._fast.decode(body)
        except msgspec.MsgspecError:
            return self._slow(body)
        problems = _problems(answer.message, answer.exception, answer.sys_errors, answer.form and answer.form.errors)
        grid = answer.form.data.grid if answer.form and answer.form.data else None
        if problems or grid is None:
            return self._slow(body)
        rows = list(map(astuple, grid.rowset or ()))
        if rows and self._unnamed(grid.columns, rows[0]):
            return self._slow(body)
        return Grid(
            self._convert(rows),
            grid.summary.more_records if grid.summary else None,
            _next(answer.links),
            {},
        )

    def _envelope(self) -> Any:
        """The struct of a whole answer of this table."""
        fields = [(item, _FAST_TYPES[kind], None) for item, kind in zip(self.columns, self._kinds, strict=True)]
        row = msgspec.defstruct("Row", fields, rename=dict(zip(self.columns, self._names, strict=True)), gc=False)
        grid = msgspec.defstruct(
            "GridData",
            [
                ("rowset", list[row] | None, None),  # type: ignore[valid-type]
                ("columns", dict[str, Any] | None, None),
                ("summary", _Summary | None, None),
            ],
        )
        data = msgspec.defstruct("Data", [("grid", grid | None, None)], rename={"grid": "gridData"})
        form = msgspec.defstruct("Form", [("data", data | None, None), ("errors", Any, None)])
        return msgspec.defstruct(
            "Answer",
            [
                ("form", form | None, None),
                ("links", list[_Link] | None, None),
                ("sys_errors", Any, None),
                ("exception", Any, None),
                ("message", Any, None),
            ],
            rename={"form": f"fs_DATABROWSE_{self.table.name}", "sys_errors": "sysErrors"},
        )

    def _unnamed(self, columns: Mapping[str, Any] | None, first: Row) -> bool:
        """Whether the answer does not name every column as expected (and not because it is known to be hidden)."""
        if not columns:  # no titles: the key of the first row tells
            return any(v is None for v, i in zip(first, self.columns, strict=True) if i in self.table.key)
        return any(n not in columns for n, i in zip(self._names, self.columns, strict=True) if i not in self.hidden)

    def _convert(self, rows: list[Row]) -> list[Row]:
        if not rows:
            return []
        converted: list[Sequence[Any]] = []
        for item, kind, column in zip(self.columns, self._kinds, zip(*rows, strict=True), strict=True):
            values: Sequence[Any] = column
            if kind is Kind.DATE:
                values = self._checked(item, column, self._dates.__getitem__)
            elif kind is Kind.TEXT:
                values = list(map(str.strip, _filled(column, "")))
            elif kind is Kind.NUMBER:
                values = _filled(column, _ZERO)
            else:
                values = _filled(column, 0)
            converted.append(values)
        return list(zip(*converted, strict=True))

    def _checked(self, item: str, column: Sequence[Any], convert: Callable[[Any], Any]) -> list[Any]:
        try:
            return list(map(convert, column))
        except ValueError as error:
            raise UnreadableGridError(f"{self.table.name}.{item}: {error}") from error

    def _slow(self, body: bytes) -> Grid:
        try:
            answer = codec.decode_object(body)
        except NotJsonError as error:
            raise UnreadableGridError(f"no JSON object was answered ({error})") from error
        form = _form(answer, self.table.name)
        problems = _problems(
            answer.get("message"),
            answer.get("exception"),
            answer.get("sysErrors"),
            form.get("errors"),
            answer.get("errors"),
        )
        if problems:
            return Grid([], None, None, problems)
        data = form.get("data")
        grid = data.get("gridData") if isinstance(data, dict) else None
        if not isinstance(grid, dict):
            raise UnreadableGridError(f"the answer has no grid of {self.table.name}")
        rowset = grid.get("rowset") or []
        summary = grid.get("summary") or {}
        if not isinstance(rowset, list) or not all(isinstance(row, dict) for row in rowset):
            raise UnreadableGridError("rowset is not a list of rows")
        names = self._actual_names(rowset, grid.get("columns"))
        rows = [tuple(_cell(row.get(name)) for name in names) for row in rowset]
        columns = [
            self._checked(item, [row[n] for row in rows], self._reader(kind))
            for n, (item, kind) in enumerate(zip(self.columns, self._kinds, strict=True))
        ]
        more = summary.get("moreRecords") if isinstance(summary, dict) else None
        return Grid(
            list(zip(*columns, strict=True)) if rows else [],
            more if isinstance(more, bool) else {"true": True, "false": False}.get(str(more).lower()),
            _next(_links(answer.get("links"))),
            {},
        )

    def _reader(self, kind: Kind) -> Callable[[Any], Any]:
        if kind is Kind.DATE:
            return self._dates.__getitem__
        if kind is Kind.NUMBER:
            return lambda value: parse_number(value, self._decimal_mark)
        if kind is Kind.TIME:
            return _time
        return _text

    def _actual_names(self, rowset: list[dict[str, Any]], titles: Any) -> list[str]:
        """The members of the rows that hold the wanted columns, whatever their spelling."""
        if not rowset:
            return list(self._names)
        present = dict.fromkeys(titles if isinstance(titles, dict) else ())
        for row in rowset:
            present.update(dict.fromkeys(row))
        by_item = {re.split(r"[_.]", name.upper(), maxsplit=1)[-1]: name for name in present}
        by_item |= {name.upper(): name for name in present if "_" not in name and "." not in name}
        names = [n if n in present else by_item.get(i, n) for n, i in zip(self._names, self.columns, strict=True)]
        hidden = frozenset(i for n, i in zip(names, self.columns, strict=True) if n not in present)
        keys = sorted(hidden & set(self.table.key))
        if keys:
            raise UnreadableGridError(
                f"the answer lacks the key columns {', '.join(keys)} of {self.table.name}; column security of JDE "
                "hides columns silently, so the role must be allowed to see them"
            )
        if hidden and hidden != self.hidden:
            log.warning("%s: columns %s are not in the answer (column security?)", self.table.name, sorted(hidden))
            self.hidden = hidden
        return names


def _filled(column: Sequence[Any], blank: Any) -> Sequence[Any]:
    return [blank if value is None else value for value in column] if None in column else column


def _problems(message: Any, exception: Any, sys_errors: Any, *form_errors: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if exception:
        found["exception"] = exception
    if message and not isinstance(message, bool):
        found["message"] = message
    if real := _real(sys_errors):
        found["sysErrors"] = real
    if real := [item for items in form_errors for item in _real(items)]:
        found["errors"] = real
    return found


def _real(items: Any) -> list[Any]:
    return [item for item in items if item] if isinstance(items, list) else ([items] if items else [])


def _form(answer: dict[str, Any], table: str) -> dict[str, Any]:
    wanted = f"fs_DATABROWSE_{table}".lower()
    for name, value in answer.items():
        if name.lower() == wanted and isinstance(value, dict):
            return value
    return {}


def _links(value: Any) -> list[_Link]:
    items = value if isinstance(value, list) else []
    return [_Link(str(i.get("rel") or ""), i.get("href")) for i in items if isinstance(i, dict)]


def _next(links: list[_Link] | None) -> str | None:
    return next((link.href for link in links or () if (link.rel or "").lower() == "next" and link.href), None)


def _cell(value: Any) -> Any:
    """The value of a cell; VERSION1 and VERSION2 wrap it."""
    return value.get("value") if isinstance(value, dict) else value


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise ValueError(f"{value!r} is not text")
    if isinstance(value, Decimal):
        return format(value, "f")
    return "" if value is None else str(value).strip()


def _time(value: Any) -> int:
    number = parse_number(str(value).replace(":", "")) if isinstance(value, str) else parse_number(value)
    if number != number.to_integral_value():
        raise ValueError(f"{value!r} is not a time HHMMSS")
    return int(number)
