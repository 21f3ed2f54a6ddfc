"""Run records: who ran what, over which months, with which code, and how it ended.

Kept here because Dagster's event log may be pruned, and the audit must still tell. Does not belong here: single writes
(the journal).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from jdebill_pipelines.store.engine import encode_json
from jdebill_pipelines.store.scope import Part

RunStatus = Literal["succeeded", "failed", "canceled"]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    run_id: str
    flow: str
    mode: str
    periods: list[str]
    actor: str
    code_version: str
    status: str
    summary: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None


class Runs(Part):
    """The runs of one connection."""

    def start(
        self,
        run_id: str,
        *,
        flow: str,
        mode: str,
        periods: Iterable[str] = (),
        actor: str = "",
        code_version: str = "",
    ) -> None:
        """Record that a run began; again for the same id (a retry) changes nothing."""
        with self.scope.transaction() as tx:
            self.run(
                tx,
                "INSERT INTO jdebill.runs (connection, run_id, flow, mode, periods, actor, code_version) "
                "VALUES (:connection, :run_id, :flow, :mode, :periods, :actor, :code_version) ON CONFLICT DO NOTHING",
                run_id=run_id,
                flow=flow,
                mode=mode,
                periods=list(periods),
                actor=actor,
                code_version=code_version,
            )

    def finish(self, run_id: str, status: RunStatus, summary: Mapping[str, Any] | None = None) -> None:
        """Record how a run ended.

        Raises:
            KeyError: it was never started.
        """
        with self.scope.transaction() as tx:
            found = self.run(
                tx,
                "UPDATE jdebill.runs SET status = :status, summary = summary || CAST(:summary AS jsonb), "
                "finished_at = clock_timestamp() WHERE connection = :connection AND run_id = :run_id",
                run_id=run_id,
                status=status,
                summary=encode_json(dict(summary or {})),
            )
            if not found.rowcount:
                raise KeyError(f"run {run_id} was never started")

    def add_summary(self, run_id: str, summary: Mapping[str, Any]) -> None:
        """Merge facts into a run's summary while it runs; unknown runs are ignored (a step run outside of one)."""
        with self.scope.transaction() as tx:
            self.run(
                tx,
                "UPDATE jdebill.runs SET summary = summary || CAST(:summary AS jsonb) "
                "WHERE connection = :connection AND run_id = :run_id",
                run_id=run_id,
                summary=encode_json(dict(summary)),
            )

    def add_part(self, run_id: str, part: str, name: str, fact: Mapping[str, Any]) -> None:
        """Set one member of one part of a run's summary, such as the outcome of a check; unknown runs are ignored."""
        with self.scope.transaction() as tx:
            self.run(
                tx,
                "UPDATE jdebill.runs SET summary = summary || jsonb_build_object(CAST(:part AS text), "
                "coalesce(summary->:part, '{}') || jsonb_build_object(CAST(:name AS text), CAST(:fact AS jsonb))) "
                "WHERE connection = :connection AND run_id = :run_id",
                run_id=run_id,
                part=part,
                name=name,
                fact=encode_json(dict(fact)),
            )

    def without_part(self, run_ids: Iterable[str], section: str, name: str) -> set[str]:
        """Return which of these runs are recorded and never came to a part of theirs; unknown ids are left out."""
        found = self.select(
            "SELECT run_id FROM jdebill.runs WHERE connection = :connection AND run_id = ANY(:ids) "
            "AND (summary #> ARRAY[:section, :name]) IS NULL",
            ids=sorted(set(run_ids)),
            section=section,
            name=name,
        )
        return {row["run_id"] for row in found}

    def get(self, run_id: str) -> RunRecord | None:
        """Return a run, None when there is none."""
        found = self.select(f"{_SELECT} AND run_id = :run_id", run_id=run_id)
        return RunRecord(**found[0]) if found else None

    def recent(self, limit: int = 50) -> list[RunRecord]:
        """Return the latest runs, latest first."""
        return [
            RunRecord(**row)
            for row in self.select(f"{_SELECT} ORDER BY started_at DESC, run_id LIMIT :limit", limit=limit)
        ]

    def between(self, start: datetime, end: datetime) -> list[RunRecord]:
        """Return the runs that began in a span of time (end exclusive), in order."""
        found = self.select(
            f"{_SELECT} AND started_at >= :start AND started_at < :end ORDER BY started_at, run_id",
            start=start,
            end=end,
        )
        return [RunRecord(**row) for row in found]


_SELECT = (
    "SELECT run_id, flow, mode, periods, actor, code_version, status, summary, started_at, finished_at "
    "FROM jdebill.runs WHERE connection = :connection"
)
