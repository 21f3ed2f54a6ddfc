"""Result sets that are kept for the next page.

Belongs here: keeping and ending result sets. Not here: the page's JSON.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from jdebill_pipelines.sandbox.ais.columns import Row, TableDef
from jdebill_pipelines.sandbox.ais.switches import Switches
from jdebill_pipelines.sandbox.clock import Clock


@dataclass
class Cursor:
    """A result set with rows left. It moves on with every page, whoever lost the answer."""

    token: str
    definition: TableDef
    items: tuple[str, ...]
    output: str
    rows: Sequence[Row]
    page_size: int
    position: int
    stack_id: int
    grid_id: int
    used: dt.datetime
    state_id: int = 1
    rid: str = field(default_factory=lambda: uuid.uuid4().hex[:16])

    def take(self) -> Sequence[Row]:
        """The next rows."""
        page = self.rows[self.position : self.position + self.page_size]
        self.position += len(page)
        return page

    @property
    def more(self) -> bool:
        """Whether rows are left."""
        return self.position < len(self.rows)


class Cursors:
    """All result sets that are kept."""

    def __init__(self, switches: Switches, clock: Clock) -> None:
        self._switches = switches
        self._clock = clock
        self.open: dict[str, Cursor] = {}
        self.expired = 0
        self._stacks = 0

    def next_stack(self) -> int:
        """A stack id for a new result set."""
        self._stacks += 1
        return self._stacks

    def keep(self, cursor: Cursor) -> None:
        """Keep a result set, and drop those whose time is over."""
        for rid in [rid for rid, other in self.open.items() if self._is_over(other)]:
            self._drop(rid)
        cursor.used = self._clock.now()
        self.open[cursor.rid] = cursor

    def find(self, rid: str, token: str) -> Cursor | None:
        """The result set of this session, or None when it is over."""
        cursor = self.open.get(rid)
        if cursor is None or cursor.token != token:
            return None
        if self._is_over(cursor):
            self._drop(rid)
            return None
        return cursor

    def close(self, cursor: Cursor) -> None:
        """Forget a result set that has been read."""
        self.open.pop(cursor.rid, None)

    def expire(self) -> int:
        """Forget all, as when the database connection is lost."""
        count = len(self.open)
        self.expired += count
        self.open.clear()
        return count

    def _is_over(self, cursor: Cursor) -> bool:
        return (self._clock.now() - cursor.used).total_seconds() > self._switches.cursor_seconds

    def _drop(self, rid: str) -> None:
        del self.open[rid]
        self.expired += 1
