"""The rows of a procedure that go onto the page.

Belongs here: which ones. Does not belong here: how they look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jdebill_pipelines.audit.pack.values import Value


@dataclass(frozen=True, slots=True)
class SampledRow:
    """A row, its number in the procedure's order, and whether it is an exception."""

    number: int
    values: Sequence[Value]
    exception: bool


@dataclass(slots=True)
class Sample:
    """Keeps the first exceptions, and the first other rows as far as there is room, in the procedure's order.

    Attributes:
        most: rows that are kept.
        seen: rows that were offered.
    """

    most: int
    seen: int = 0
    _exceptions: list[SampledRow] = field(default_factory=list)
    _others: list[SampledRow] = field(default_factory=list)

    def offer(self, values: Sequence[Value], *, exception: bool) -> None:
        """Offer the next row."""
        self.seen += 1
        kept = self._exceptions if exception else self._others
        if len(kept) < self.most:
            kept.append(SampledRow(self.seen, values, exception))

    def rows(self) -> list[SampledRow]:
        """Return what is kept, in the procedure's order."""
        others = self._others[: self.most - len(self._exceptions)]
        return sorted([*self._exceptions, *others], key=lambda row: row.number)
