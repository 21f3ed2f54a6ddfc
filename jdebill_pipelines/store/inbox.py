"""The inbox: webhook events as they were received, each once, until they have become due work.

Belongs here: storing before the answer, counting what was refused, draining. Does not belong here: signatures (bill/)
and what an event means (orchestration/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from jdebill_pipelines.store.due import Due, DueRequest
from jdebill_pipelines.store.scope import Part


class InboxEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    Attributes:
        event_id: BILL's, the key of duplicates.
        event_type: for example ``payment.updated``.
        entity_kind: ``payment``, ``bill``, ``vendor`` ...
        entity_id: of the object that changed; ``''`` where the event names none.
        entity_updated: the object's ``updatedTime`` as written in the event.
        body: the raw bytes.
        source: ``webhook`` or ``history``.
    """

    event_id: str
    event_type: str
    body: bytes
    entity_kind: str = ""
    entity_id: str = ""
    entity_updated: str = ""
    source: str = "webhook"


class InboxRow(InboxEvent, frozen=True, kw_only=True):
    """An event as it is stored."""

    deliveries: int
    received_at: datetime
    last_received_at: datetime
    processed_at: datetime | None
    outcome: str


class InboxStats(msgspec.Struct, frozen=True):
    """Counts for the receiver's metrics and the silence alarm.

    Attributes:
        last_received_at: of what BILL delivered; what was fetched from its history is no sign of life.
    """

    waiting: int
    total: int
    duplicates: int
    refused: int
    last_received_at: datetime | None
    oldest_waiting_at: datetime | None


class Inbox(Part):
    """The inbox of one connection."""

    def put(self, events: Sequence[InboxEvent]) -> int:
        """Store events; returns how many are new. Durable when this returns: then the sender may be told 200.

        All in one statement, whose time hardly grows with their number: a receiver that falls behind catches up.
        """
        times = Counter(event.event_id for event in events)
        if not times:
            return 0
        # In the order of their keys: two batches with the same events must not wait for each other.
        rows = [event for _, event in sorted({event.event_id: event for event in reversed(events)}.items())]
        columns = {name: [getattr(row, name) for row in rows] for name in InboxEvent.__struct_fields__}
        with self.scope.transaction() as tx:
            stored = self.run(tx, _PUT, **columns, times=[times[row.event_id] for row in rows]).all()
        return sum(row.deliveries == times[row.event_id] for row in stored)

    def refuse(self, reason: str, *, count: int = 1) -> None:
        """Count refused posts by reason and hour; nothing of them is kept."""
        with self.scope.transaction() as tx:
            self.run(tx, _REFUSE, reason=reason, count=count)

    def drain(self, to_due: Callable[[InboxRow], DueRequest | None], *, limit: int = 1000) -> int:
        """Turn waiting events into due work, in one transaction: an event is neither lost nor taken twice.

        Args:
            to_due: what an event makes due, None when nothing.
            limit: how many events at most.

        Returns:
            How many events were taken.
        """
        with self.scope.transaction() as tx:
            rows = [_row(dict(row)) for row in self.run(tx, _TAKE, limit=limit).mappings()]
            requests = {row.event_id: to_due(row) for row in rows}
            Due(self.scope).record_many([r for r in requests.values() if r is not None], tx=tx)
            for outcome, wanted in (("due", True), ("ignored", False)):
                ids = [event_id for event_id, request in requests.items() if (request is not None) is wanted]
                if ids:
                    self.run(tx, _PROCESSED, ids=ids, outcome=outcome)
            return len(rows)

    def read(
        self,
        *,
        event_ids: Sequence[str] | None = None,
        entity_ids: Sequence[str] | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[InboxRow]:
        """Return events in the order they were received."""
        found = self.select(
            f"{_SELECT} AND (CAST(:ids AS text[]) IS NULL OR event_id = ANY(:ids)) "
            "AND (CAST(:entities AS text[]) IS NULL OR entity_id = ANY(:entities)) "
            "AND (CAST(:since AS timestamptz) IS NULL OR received_at >= :since) "
            "ORDER BY received_at, event_id LIMIT :limit",
            ids=None if event_ids is None else list(event_ids),
            entities=None if entity_ids is None else list(entity_ids),
            since=since,
            limit=limit,
        )
        return [_row(row) for row in found]

    def known(self, event_ids: Iterable[str]) -> set[str]:
        """Return which of these events were received."""
        found = self.select(
            "SELECT event_id FROM jdebill.inbox WHERE connection = :connection AND event_id = ANY(:ids)",
            ids=list(event_ids),
        )
        return {row["event_id"] for row in found}

    def stats(self) -> InboxStats:
        """Return counts and times."""
        return InboxStats(**self.select(_STATS)[0])

    def refusals(self, since: datetime | None = None) -> dict[str, int]:
        """Return how many posts were refused, by reason."""
        found = self.select(
            "SELECT reason, CAST(sum(count) AS bigint) AS count FROM jdebill.inbox_refusals "
            "WHERE connection = :connection "
            "AND (CAST(:since AS timestamptz) IS NULL OR last_at >= :since) GROUP BY reason ORDER BY reason",
            since=since,
        )
        return {row["reason"]: row["count"] for row in found}


def _row(row: dict[str, Any]) -> InboxRow:
    return InboxRow(**{**row, "body": bytes(row["body"])})


_SELECT = (
    "SELECT event_id, event_type, entity_kind, entity_id, entity_updated, body, source, deliveries, received_at, "
    "last_received_at, processed_at, outcome FROM jdebill.inbox WHERE connection = :connection"
)
_PUT = """
INSERT INTO jdebill.inbox AS i (
  connection, event_id, event_type, entity_kind, entity_id, entity_updated, body, source, deliveries
)
SELECT :connection, e.* FROM unnest(
  CAST(:event_id AS text[]), CAST(:event_type AS text[]), CAST(:entity_kind AS text[]), CAST(:entity_id AS text[]),
  CAST(:entity_updated AS text[]), CAST(:body AS bytea[]), CAST(:source AS text[]), CAST(:times AS integer[])
) AS e
ON CONFLICT (connection, event_id) DO UPDATE
  SET deliveries = i.deliveries + excluded.deliveries, last_received_at = now()
RETURNING i.event_id, i.deliveries
"""
_TAKE = f"{_SELECT} AND processed_at IS NULL ORDER BY received_at, event_id LIMIT :limit FOR UPDATE SKIP LOCKED"
_PROCESSED = """
UPDATE jdebill.inbox SET processed_at = now(), outcome = :outcome
WHERE connection = :connection AND event_id = ANY(:ids)
"""
_REFUSE = """
INSERT INTO jdebill.inbox_refusals AS r (connection, reason, hour, count)
VALUES (:connection, :reason, date_trunc('hour', now()), :count)
ON CONFLICT (connection, reason, hour) DO UPDATE SET count = r.count + excluded.count, last_at = now()
"""
_STATS = """
SELECT count(*) FILTER (WHERE processed_at IS NULL) AS waiting, count(*) AS total,
  coalesce(CAST(sum(deliveries - 1) AS bigint), 0) AS duplicates,
  (SELECT coalesce(CAST(sum(count) AS bigint), 0) FROM jdebill.inbox_refusals WHERE connection = :connection)
    AS refused,
  max(last_received_at) FILTER (WHERE source = 'webhook') AS last_received_at,
  min(received_at) FILTER (WHERE processed_at IS NULL) AS oldest_waiting_at
FROM jdebill.inbox WHERE connection = :connection
"""
