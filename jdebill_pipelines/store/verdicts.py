"""What the gate said: a verdict per document and content, and whether the gate of a month is open.

Belongs here: storing and reading verdicts. Does not belong here: reaching them (schemas/) and acting on them
(releases.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from jdebill_pipelines.domain.verdicts import Failure, Verdict
from jdebill_pipelines.store.scope import Part, as_json

_CHUNK = 5_000
__all__ = ["Failure", "GateState", "StoredVerdict", "Verdict", "Verdicts"]


class StoredVerdict(Verdict, frozen=True):
    """A verdict with when it was reached and by which run."""

    run_id: str = ""
    at: datetime | None = None


class GateState(msgspec.Struct, frozen=True):
    """Whether documents of a month may leave at all, and if not, what is systemically wrong."""

    gate: str
    period: str
    is_open: bool
    reasons: list[str]
    run_id: str
    at: datetime


class Verdicts(Part):
    """The verdicts and gates of one connection."""

    def put(self, gate: str, verdicts: Iterable[Verdict], *, run_id: str) -> int:
        """Store verdicts, over an earlier one on the same content; returns how many.

        Raises:
            ValueError: one did not pass and does not say why.
        """
        listed = list(verdicts)
        for verdict in listed:
            if not verdict.passed and not verdict.failures:
                raise ValueError(f"{verdict.kind} {verdict.natural_key} failed the gate without a reason")
        # The last word on a content counts, also within one call.
        unique = list({(v.kind, v.natural_key, v.content_hash): v for v in listed}.values())
        with self.scope.transaction() as tx:
            for start in range(0, len(unique), _CHUNK):
                rows = as_json([msgspec.structs.asdict(verdict) for verdict in unique[start : start + _CHUNK]])
                self.run(tx, _UPSERT, gate=gate, run_id=run_id, rows=rows)
        return len(unique)

    def read(self, gate: str, keys: Iterable[str] | None = None) -> dict[tuple[str, str], StoredVerdict]:
        """Return verdicts by (natural key, content hash)."""
        found = self.select(
            "SELECT kind, natural_key, content_hash, passed, failures, run_id, at FROM jdebill.verdicts "
            "WHERE connection = :connection AND gate = :gate "
            "AND (CAST(:keys AS text[]) IS NULL OR natural_key = ANY(:keys))",
            gate=gate,
            keys=None if keys is None else list(keys),
        )
        stored = (StoredVerdict(**{**row, "failures": tuple(Failure(**f) for f in row["failures"])}) for row in found)
        return {(verdict.natural_key, verdict.content_hash): verdict for verdict in stored}

    def failing(
        self, gate: str, periods: Sequence[str] | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the failing lines of today's drafts: kind, document, period, line, field, value, reason, fix, rule."""
        return self.select(_FAILING, gate=gate, periods=None if periods is None else list(periods), limit=limit)

    def counts(self, gate: str, periods: Sequence[str] | None = None) -> dict[str, int]:
        """Return how many due drafts passed, failed, or were not judged with their present content."""
        found = self.select(_COUNTS, gate=gate, periods=None if periods is None else list(periods))
        counts = {"passed": 0, "failed": 0, "unjudged": 0}
        counts.update({row["verdict"]: row["count"] for row in found})
        return counts

    def set_gate(self, gate: str, period: str, is_open: bool, reasons: Sequence[str], *, run_id: str) -> None:
        """Open or close the gate of a month (``''`` for what has no month).

        Raises:
            ValueError: closed without a reason.
        """
        if not is_open and not reasons:
            raise ValueError(f"gate {gate} {period} is closed without a reason")
        with self.scope.transaction() as tx:
            self.run(
                tx, _SET_GATE, gate=gate, period=period, is_open=is_open, reasons=as_json_list(reasons), run_id=run_id
            )

    def gate(self, gate: str, period: str) -> GateState | None:
        """Return the state of a month's gate, None when it was never evaluated (and so lets nothing through)."""
        return next((state for state in self.gates(gate) if state.period == period), None)

    def gates(self, gate: str) -> list[GateState]:
        """Return the states of all months of a gate."""
        found = self.select(
            "SELECT gate, period, is_open, reasons, run_id, at FROM jdebill.gate_states "
            "WHERE connection = :connection AND gate = :gate ORDER BY period",
            gate=gate,
        )
        return [GateState(**row) for row in found]


def as_json_list(values: Sequence[Any]) -> str:
    """Encode a list for a jsonb parameter."""
    return msgspec.json.encode(list(values)).decode("utf-8")


_UPSERT = """
INSERT INTO jdebill.verdicts (connection, gate, kind, natural_key, content_hash, passed, failures, run_id)
SELECT :connection, :gate, r.kind, r.natural_key, r.content_hash, r.passed, r.failures, :run_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(kind text, natural_key text, content_hash text, passed boolean, failures jsonb)
ORDER BY r.kind, r.natural_key, r.content_hash
ON CONFLICT (connection, gate, kind, natural_key, content_hash) DO UPDATE SET
  passed = excluded.passed, failures = excluded.failures, run_id = excluded.run_id, at = now()
"""
_FAILING = """
SELECT d.kind, d.natural_key AS document, d.period, f->>'line' AS line, f->>'field' AS field, f->>'value' AS value,
  f->>'reason' AS reason, f->>'fix' AS fix, f->>'rule' AS rule
FROM jdebill.drafts d
JOIN jdebill.verdicts v USING (connection, gate, kind, natural_key, content_hash)
CROSS JOIN LATERAL jsonb_array_elements(v.failures) AS f
WHERE d.connection = :connection AND d.gate = :gate AND NOT v.passed
AND (CAST(:periods AS text[]) IS NULL OR d.period = ANY(:periods))
ORDER BY d.period, d.kind, d.natural_key, 4, 5
LIMIT :limit
"""
_COUNTS = """
SELECT CASE WHEN v.passed THEN 'passed' WHEN NOT v.passed THEN 'failed' ELSE 'unjudged' END AS verdict,
  count(*) AS count
FROM jdebill.drafts d
LEFT JOIN jdebill.verdicts v USING (connection, gate, kind, natural_key, content_hash)
WHERE d.connection = :connection AND d.gate = :gate AND d.status = 'due'
AND (CAST(:periods AS text[]) IS NULL OR d.period = ANY(:periods))
GROUP BY 1
"""
_SET_GATE = """
INSERT INTO jdebill.gate_states (connection, gate, period, is_open, reasons, run_id)
VALUES (:connection, :gate, :period, :is_open, CAST(:reasons AS jsonb), :run_id)
ON CONFLICT (connection, gate, period) DO UPDATE SET
  is_open = excluded.is_open, reasons = excluded.reasons, run_id = excluded.run_id, at = now()
"""
