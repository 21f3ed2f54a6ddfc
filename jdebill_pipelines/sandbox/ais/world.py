"""Everything that one simulated JD Edwards installation holds.

Belongs here: what the simulator remembers, and starting over. Not here: rules; each has its own module.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jdebill_pipelines.sandbox.ais.cursors import Cursors
from jdebill_pipelines.sandbox.ais.sessions import Sessions
from jdebill_pipelines.sandbox.ais.switches import Switches
from jdebill_pipelines.sandbox.ais.tables import TableStore
from jdebill_pipelines.sandbox.clock import Clock
from jdebill_pipelines.sandbox.faults import Faults

Rows = Mapping[str, Iterable[Mapping[str, Any]]]


class AisWorld:
    """One installation behind one AIS Server.

    Args:
        data: folder with one CSV per table.
        rows: rows by table, as a generated company has them; added to those of the folder.
        seed: makes what is shuffled repeatable.
        switches: names and values as for `Switches.change`.
    """

    def __init__(
        self,
        data: Path | None = None,
        rows: Rows | None = None,
        *,
        seed: int = 1,
        switches: Mapping[str, Any] | None = None,
    ) -> None:
        self._initial_rows = TableStore()
        if data is not None:
            self._initial_rows.load_folder(data)
        if rows is not None:
            self._initial_rows.load_rows(rows)
        self.seed = seed
        self.initial = dict(switches or {})
        self.switches = Switches()
        self.reset()

    def reset(self, *, keep_switches: bool = False) -> None:
        """Load the tables anew, forget sessions, cursors, faults and counters; switches go back unless they stay."""
        if not keep_switches:
            self.switches.restore()
            self.switches.change(self.initial)
        self.clock = Clock()
        self.tables = self._initial_rows.copy()
        self.sessions = Sessions(self.switches, self.clock)
        self.cursors = Cursors(self.switches, self.clock)
        self.faults = Faults()
        self.random = random.Random(self.seed)
        self.ids = itertools.count(self.random.randint(20, 90))
        self.calls: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.queries: Counter[str] = Counter()
        self.rows_sent: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.next_numbers: dict[str, int] = {}
        self.gl_dates: dict[tuple[int, str], str] = {}  # of payments: F0413 has no column for it
        self.drop_rows = 0  # rows that the next page loses, by a fault
        self.in_flight = 0
        self.max_in_flight = 0

    def local(self) -> dt.datetime:
        """The JDE server's local time, which UPMJ and UPMT are written in."""
        return self.clock.now() + dt.timedelta(minutes=self.switches.utc_offset_minutes)

    def stamp_row(self) -> tuple[str, int]:
        """Date and time of an update as a table holds them: `YYYYMMDD` and HHMMSS as a number."""
        now = self.local()
        return f"{now:%Y%m%d}", int(f"{now:%H%M%S}")
