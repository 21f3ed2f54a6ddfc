"""What is due: work that a schedule, a webhook or the nightly sweep found, until a run has done it; and watermarks.

Belongs here: recording, coalescing, claiming, retrying. Does not belong here: deciding what is due (orchestration/,
receiver/).

A run that claims work takes everything of the flow that is ready, so ten events become one run. Work is lost by nothing
but ``done``: what a run took and did not finish comes back with its attempts counted, until it is given up loudly.
"""

# ruff: noqa: S608 - statements are built from constants, values are parameters
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from jdebill_pipelines.store.scope import Part, as_json

MAX_ATTEMPTS = 8
REQUEST_SECONDS = 600
# 1, 2, 4 ... minutes, at most an hour.
_BACKOFF = "make_interval(secs => least(3600, 60 * power(2, least(attempts, 10))))"


class DueRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do.

    Attributes:
        flow: name of the flow, the caller's.
        periods: months ``YYYY-MM`` to be read whole or touched.
        since: read what changed since then; None when periods or entities say it.
        entities: ids to be read again.
        source: who found it: ``schedule``, ``webhook``, ``sweep``, ``person``.
    """

    flow: str
    source: str
    periods: tuple[str, ...] = ()
    since: datetime | None = None
    entities: tuple[str, ...] = ()


class DueWork(msgspec.Struct, frozen=True, kw_only=True):
    """All that is due of one flow, as one piece of work.

    Attributes:
        ids: of the entries it is made of.
        attempts: the most often that one of them was tried before.
        oldest: when the oldest was recorded.
        last_error: why it failed last, ``''`` when it was not tried.
    """

    flow: str
    periods: tuple[str, ...]
    since: datetime | None
    entities: tuple[str, ...]
    attempts: int
    ids: tuple[int, ...]
    oldest: datetime
    sources: tuple[str, ...]
    last_error: str = ""


class Due(Part):
    """The due work of one connection."""

    def record(
        self,
        flow: str,
        *,
        source: str,
        periods: Iterable[str] = (),
        since: datetime | None = None,
        entities: Iterable[str] = (),
        tx: sa.Connection | None = None,
    ) -> None:
        """Record that something of a flow is due."""
        request = DueRequest(flow=flow, source=source, periods=tuple(periods), since=since, entities=tuple(entities))
        self.record_many([request], tx=tx)

    def record_many(self, requests: Iterable[DueRequest], *, tx: sa.Connection | None = None) -> int:
        """Record several at once; returns how many."""
        rows = [msgspec.structs.asdict(request) for request in requests]
        if not rows:
            return 0
        with self.scope.transaction(tx) as open_tx:
            return self.run(open_tx, _RECORD, rows=as_json(rows)).rowcount

    def pending(self, flows: Sequence[str] | None = None) -> list[DueWork]:
        """Return what is ready, one piece of work per flow, oldest first. Nobody is told to do it by this."""
        return _coalesced(self.select(f"{_SELECT} {_READY} ORDER BY id", flows=_array(flows)))

    def request(
        self, request_id: str, flows: Sequence[str] | None = None, *, seconds: int = REQUEST_SECONDS
    ) -> list[DueWork]:
        """Mark what is ready as asked for, so that it is not asked for twice.

        Unclaimed after ``seconds`` it is ready again: the run that was asked for never started.
        """
        return self._take("requested", request_id, seconds, f"{_READY}", flows=_array(flows))

    def claim(
        self,
        run_id: str,
        flows: Sequence[str] | None = None,
        *,
        request_id: str | None = None,
        also_ready: bool = True,
        lease_seconds: int = 3600,
    ) -> list[DueWork]:
        """Take what a request asked for, and whatever else of the flows is ready by now.

        Args:
            run_id: the run that does it; calling again with it takes what came since and returns all it holds.
            flows: only these.
            request_id: what the run was started for.
            also_ready: take what else is ready; False for a run whose months are fixed.
            lease_seconds: after which the run counts as dead.
        """
        condition = (
            "(state = 'requested' AND holder = :request_id "
            "AND (CAST(:flows AS text[]) IS NULL OR flow = ANY(:flows)) "
            f"OR state = 'claimed' AND holder = :holder OR (:also_ready AND {_READY_ONLY}))"
        )
        return self._take(
            "claimed",
            run_id,
            lease_seconds,
            f"AND {condition}",
            flows=_array(flows),
            request_id=request_id or "",
            also_ready=also_ready,
        )

    def done(self, run_id: str, flows: Sequence[str] | None = None) -> int:
        """Mark everything that a run holds as done; returns how many entries."""
        with self.scope.transaction() as tx:
            return self.run(
                tx,
                "UPDATE jdebill.due SET state = 'done', finished_at = clock_timestamp(), held_until = NULL "
                "WHERE connection = :connection AND state = 'claimed' AND holder = :holder "
                "AND (CAST(:flows AS text[]) IS NULL OR flow = ANY(:flows))",
                holder=run_id,
                flows=_array(flows),
            ).rowcount

    def failed(
        self,
        holder: str,
        error: str,
        *,
        flows: Sequence[str] | None = None,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> list[DueWork]:
        """Give back what a run (or a request whose run never started) holds, with the attempt counted and backed off.

        Returns:
            What was given up because it failed ``max_attempts`` times: somebody has to be told.
        """
        return self._give_back(
            "state IN ('claimed', 'requested') AND holder = :holder "
            "AND (CAST(:flows AS text[]) IS NULL OR flow = ANY(:flows))",
            max_attempts,
            error,
            holder=holder,
            flows=_array(flows),
        )

    def reclaim_expired(self, *, max_attempts: int = MAX_ATTEMPTS) -> list[DueWork]:
        """Give back what runs that are dead held; returns what was given up."""
        return self._give_back(
            "state = 'claimed' AND held_until <= clock_timestamp()", max_attempts, "the run that had it died"
        )

    def given_up(self) -> list[DueWork]:
        """Return what was given up and has not been asked for again since."""
        return _coalesced(self.select(f"{_SELECT} AND state = 'given_up' ORDER BY id"))

    def retry(self, ids: Iterable[int]) -> int:
        """Make given-up work due again, at a person's word; returns how many entries."""
        with self.scope.transaction() as tx:
            return self.run(
                tx,
                "UPDATE jdebill.due SET state = 'pending', attempts = 0, not_before = clock_timestamp(), "
                "finished_at = NULL WHERE connection = :connection AND state = 'given_up' AND id = ANY(:ids)",
                ids=list(ids),
            ).rowcount

    def prune(self, before: datetime) -> int:
        """Delete finished entries that are older; returns how many."""
        with self.scope.transaction() as tx:
            return self.run(
                tx,
                "DELETE FROM jdebill.due WHERE connection = :connection AND state = 'done' AND finished_at < :before",
                before=before,
            ).rowcount

    def watermark(self, flow: str) -> str | None:
        """Return how far a flow was read, None when never."""
        found = self.select(
            "SELECT value FROM jdebill.watermarks WHERE connection = :connection AND flow = :flow", flow=flow
        )
        return found[0]["value"] if found else None

    def set_watermark(self, flow: str, value: str, *, run_id: str, tx: sa.Connection | None = None) -> bool:
        """Move a flow's watermark forward; an older value is ignored (two runs may end in the other order).

        Args:
            flow: name of the flow.
            value: in a form whose text order is its order, such as ISO 8601 in one zone.
            run_id: who read so far.
            tx: the caller's transaction.

        Returns:
            Whether it moved.
        """
        with self.scope.transaction(tx) as open_tx:
            return self.run(open_tx, _SET_WATERMARK, flow=flow, value=value, run_id=run_id).rowcount > 0

    def _take(self, state: str, holder: str, seconds: int, condition: str, **values: Any) -> list[DueWork]:
        with self.scope.transaction() as tx:
            taken = self.run(
                tx,
                f"UPDATE jdebill.due d SET state = :state, holder = :holder, "
                "held_until = clock_timestamp() + make_interval(secs => :seconds) WHERE d.id IN (SELECT id FROM "
                f"jdebill.due WHERE connection = :connection {condition} ORDER BY id FOR UPDATE SKIP LOCKED) "
                f"RETURNING {_COLUMNS}",
                state=state,
                holder=holder,
                seconds=seconds,
                **values,
            )
            return _coalesced([dict(row) for row in taken.mappings()])

    def _give_back(self, condition: str, max_attempts: int, error: str, **values: Any) -> list[DueWork]:
        with self.scope.transaction() as tx:
            back = self.run(
                tx,
                # A request whose run never started is no attempt at the work itself, but it must not spin either.
                "UPDATE jdebill.due SET attempts = attempts + 1, last_error = :error, holder = '', held_until = NULL, "
                "state = CASE WHEN attempts + 1 >= :most THEN 'given_up' ELSE 'pending' END, "
                f"not_before = clock_timestamp() + {_BACKOFF}, "
                "finished_at = CASE WHEN attempts + 1 >= :most THEN clock_timestamp() END "
                f"WHERE connection = :connection AND {condition} RETURNING state, {_COLUMNS}",
                error=error[:2000],
                most=max_attempts,
                **values,
            )
            rows = [dict(row) for row in back.mappings()]
        return _coalesced([row for row in rows if row.pop("state") == "given_up"])


def _array(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)


def _coalesced(rows: Iterable[Mapping[str, Any]]) -> list[DueWork]:
    by_flow: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["id"]):
        by_flow.setdefault(row["flow"], []).append(row)
    return [
        DueWork(
            flow=flow,
            periods=tuple(sorted({period for row in entries for period in row["periods"]})),
            since=min((row["since"] for row in entries if row["since"] is not None), default=None),
            entities=tuple(sorted({entity for row in entries for entity in row["entities"]})),
            attempts=max(row["attempts"] for row in entries),
            ids=tuple(row["id"] for row in entries),
            oldest=min(row["created_at"] for row in entries),
            sources=tuple(sorted({row["source"] for row in entries})),
            last_error=next((row["last_error"] for row in reversed(entries) if row["last_error"]), ""),
        )
        for flow, entries in by_flow.items()
    ]


_COLUMNS = "id, flow, periods, since, entities, attempts, created_at, source, last_error"
_SELECT = f"SELECT {_COLUMNS} FROM jdebill.due WHERE connection = :connection"
_READY_ONLY = """
(state = 'pending' AND not_before <= clock_timestamp() OR state = 'requested' AND held_until <= clock_timestamp())
AND (CAST(:flows AS text[]) IS NULL OR flow = ANY(:flows))
"""
_READY = f"AND {_READY_ONLY}"
_RECORD = """
INSERT INTO jdebill.due (connection, flow, source, periods, since, entities)
SELECT :connection, r.flow, r.source, r.periods, r.since, r.entities FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(flow text, source text, periods text[], since timestamptz, entities text[])
"""
_SET_WATERMARK = """
INSERT INTO jdebill.watermarks AS w (connection, flow, value, run_id) VALUES (:connection, :flow, :value, :run_id)
ON CONFLICT (connection, flow) DO UPDATE SET value = excluded.value, run_id = excluded.run_id, updated_at = now()
WHERE w.value COLLATE "C" < excluded.value COLLATE "C"
"""
