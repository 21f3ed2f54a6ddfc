"""Where the simulator keeps its objects: one collection per kind, with the encoded JSON of each object cached.

Belongs here: keeping, finding and encoding objects. Not here: rules about them.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from jdebill_pipelines.sandbox.bill.clock import stamp
from jdebill_pipelines.sandbox.bill.codec import Json, encode, with_text_amounts
from jdebill_pipelines.sandbox.bill.errors import no_object
from jdebill_pipelines.sandbox.bill.switches import Switches

CACHED_QUERIES = 64


class Record:
    """One object: its body in API members, and what the API does not show.

    `body` never holds `None`: BILL omits what is not populated.
    """

    __slots__ = ("body", "created", "full", "hidden", "id", "row", "updated")

    def __init__(self, body: Json, created: dt.datetime, updated: dt.datetime | None = None) -> None:
        self.id: str = body["id"]
        self.body = body
        self.created = created
        self.updated = updated or created
        self.hidden: dict[str, Any] = {}
        self.full: bytes | None = None
        self.row: bytes | None = None
        body["createdTime"] = stamp(self.created)
        body["updatedTime"] = stamp(self.updated)

    @property
    def archived(self) -> bool:
        """Whether the object is archived."""
        return bool(self.body.get("archived"))


class Collection:
    """All objects of one kind, in order of creation."""

    def __init__(
        self,
        name: str,
        switches: Switches,
        *,
        shown: Callable[[Record], Json] | None = None,
        thin: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.records: dict[str, Record] = {}
        self.version = 0
        self.queries: OrderedDict[Any, list[Record]] = OrderedDict()
        self.snapshots: OrderedDict[Any, list[Record]] = OrderedDict()  # answers that a page token may still refer to
        self._switches = switches
        self._shown = shown
        self._thin = thin

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records.values())

    def __len__(self) -> int:
        return len(self.records)

    def add(self, record: Record) -> Record:
        """Keep a new object."""
        self.records[record.id] = record
        self.changed(record)
        return record

    def get(self, object_id: str) -> Record:
        """The object with that id.

        Raises:
            Refusal: 404 `BDC_1205`.
        """
        record = self.records.get(object_id)
        if record is None:
            raise no_object(object_id)
        return record

    def find(self, object_id: object) -> Record | None:
        """The object with that id, or none."""
        return self.records.get(object_id) if isinstance(object_id, str) else None

    def changed(self, record: Record, at: dt.datetime | None = None) -> None:
        """Forget what was cached of an object that changed; `at` also moves its `updatedTime`."""
        if at is not None:
            record.updated = at
            record.body["updatedTime"] = stamp(at)
        record.full = record.row = None
        self.version += 1
        self.queries.clear()

    def remember(self, key: Any, found: list[Record]) -> None:
        """Keep the answer of a query until something changes."""
        self.queries[key] = found
        if len(self.queries) > CACHED_QUERIES:
            self.queries.popitem(last=False)

    def remember_snapshot(self, key: Any, found: list[Record]) -> None:
        """Keep the answer of a query for the page tokens that refer to it, whatever changes."""
        self.snapshots[key] = found
        if len(self.snapshots) > CACHED_QUERIES:
            self.snapshots.popitem(last=False)

    def shown(self, record: Record, *, row: bool = False) -> Json:
        """The object as a read shows it."""
        body = self._shown(record) if self._shown else record.body
        if row and self._switches.thin_rows:
            body = {key: value for key, value in body.items() if key not in self._thin}
        return with_text_amounts(body) if self._switches.amounts_as_text else body

    def json(self, record: Record, *, row: bool = False) -> bytes:
        """The encoded object; encoded once until it changes."""
        if row:
            if record.row is None:
                record.row = encode(self.shown(record, row=True))
            return record.row
        if record.full is None:
            record.full = encode(self.shown(record))
        return record.full

    def forget_encoded(self) -> None:
        """Encode everything anew: a switch changed what objects look like."""
        for record in self:
            record.full = record.row = None
        self.queries.clear()
