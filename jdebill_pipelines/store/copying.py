"""Rows of Python values as the text format of PostgreSQL's COPY, page by page.

Belongs here: the encoder and the file-like object that COPY reads from. Does not belong here: which table, which rows.

Encoding goes column by column: per value it costs a table look-up or one ``str``, where a general CSV writer calls
three functions. Pages are pulled while PostgreSQL takes in the previous ones: fetching, encoding and loading overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from jdebill_pipelines.domain.tables import Kind

NULL = "\\N"
# PostgreSQL cannot store a NUL; a JDE text that holds one (a field never filled) means blank there.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": None})
_SPECIAL = ("\\", "\t", "\n", "\r", "\x00")

Rows = Sequence[Sequence[Any]]


def _texts(values: Sequence[Any]) -> Sequence[str]:
    joined = "\x1f".join(values)  # raises TypeError for anything that is no text
    if any(special in joined for special in _SPECIAL):
        return [value.translate(_ESCAPES) for value in values]
    return values


def _numbers(values: Sequence[Any]) -> Sequence[str]:
    if float in set(map(type, values)):
        raise TypeError("a float must not become an amount")
    return list(map(str, values))


def _dates(values: Sequence[Any]) -> Sequence[str]:
    known: dict[date | None, str] = {day: NULL if day is None else day.isoformat() for day in set(values)}
    return [known[value] for value in values]


ENCODERS: dict[Kind, Callable[[Sequence[Any]], Sequence[str]]] = {
    Kind.TEXT: _texts,
    Kind.NUMBER: _numbers,
    Kind.TIME: _numbers,
    Kind.DATE: _dates,
}


def encode_page(rows: Rows, kinds: Sequence[Kind]) -> bytes:
    """Encode rows of equal length; ``kinds`` names what each column holds.

    Raises:
        ValueError: a row has another number of values.
        TypeError: a value is not of its column's kind (a None in a text column, a float in a number column).
    """
    if not rows:
        return b""
    columns: list[Sequence[str]] = []
    for position, (values, kind) in enumerate(zip(_transposed(rows, len(kinds)), kinds, strict=True)):
        try:
            columns.append(ENCODERS[kind](values))
        except (TypeError, AttributeError) as error:
            raise TypeError(f"column {position} holds something that is not {kind}: {error}") from error
    return ("\n".join(map("\t".join, zip(*columns, strict=True))) + "\n").encode("utf-8")


def _transposed(rows: Rows, width: int) -> Iterator[tuple[Any, ...]]:
    if any(len(row) != width for row in rows):
        raise ValueError(f"a row does not have the {width} values of its columns")
    return zip(*rows, strict=True)


class CopyReader:
    """What COPY reads: an iterator of encoded pages as a file.

    Attributes:
        error: what the iterator raised. The driver only passes its text on, and a caller has to know its class.
    """

    def __init__(self, pages: Iterable[bytes]) -> None:
        self._pages = iter(pages)
        self._rest = b""
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Return about ``size`` bytes, b'' at the end."""
        while not self._rest:
            try:
                page = next(self._pages, None)
            except BaseException as error:
                self.error = error
                raise
            if page is None:
                return b""
            self._rest = page
        if size < 0 or len(self._rest) <= size:
            taken, self._rest = self._rest, b""
        else:
            taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
