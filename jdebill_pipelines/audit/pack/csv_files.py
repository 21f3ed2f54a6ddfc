"""One CSV per procedure: the whole of its rows, byte for byte the same for the same rows.

Belongs here: the form of the files. Does not belong here: what is in them.

UTF-8 without a mark, comma, line feed, a heading of column names; decimals exactly as stored, dates ISO, times UTC. A
spreadsheet would run a text that begins with = + - @ or a tab as a formula: such a text, and one that begins with an
apostrophe, gets an apostrophe in front. So a reader restores every text by taking one leading apostrophe away.
Numbers, dates and times are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from jdebill_pipelines.audit.model import Column
from jdebill_pipelines.audit.pack.values import FORMULA_STARTS, Value, exact_text

_GUARDED = (*FORMULA_STARTS, "'")
# Python's own writer quotes a carriage return in some versions and in others not.
_QUOTED = re.compile(r'[,"\r\n]')


class CsvFile:
    """Writes one file, row by row.

    Args:
        path: of the file; it must not exist.
        columns: of its rows.
    """

    def __init__(self, path: Path, columns: Iterable[Column]) -> None:
        self._file = path.open("x", encoding="utf-8", newline="")
        self.write([column.name for column in columns])

    def write(self, row: Iterable[Value]) -> None:
        """Write the typed values of a row."""
        fields = [_field(_guarded(value) if isinstance(value, str) else exact_text(value)) for value in row]
        # A row of one empty field would be an empty line, which readers skip.
        self._file.write((",".join(fields) or '""') + "\n")

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_GUARDED) else text


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
