"""Step three of the write ledger: settling what was sent, with its link, its journal entry and its place in quarantine.

Does not belong here: intending (writes.py) and recovering (ledger_recovery.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from jdebill_pipelines.store.canonical import digest
from jdebill_pipelines.store.journal import Entry, Journal
from jdebill_pipelines.store.ledger_types import LostClaim, Settlement, SettleResult
from jdebill_pipelines.store.quarantine import REFUSED
from jdebill_pipelines.store.scope import Part, as_json

# How long after a request of unknown outcome the other side may still be about to carry it out.
SETTLING_SECONDS = 60
CONFLICT = "linked_twice"


class Settling(Part):
    """The settling of claims."""

    def settle(
        self,
        results: Sequence[Settlement],
        *,
        run_id: str,
        asset_key: str = "",
        actor: str = "",
        settling_seconds: int = SETTLING_SECONDS,
    ) -> SettleResult:
        """Record how claims ended: ledger, links, journal and quarantine in one transaction.

        Args:
            results: one per claim.
            run_id: the run.
            asset_key: for the journal.
            actor: who asked for it.
            settling_seconds: what was not found less than this after it was sent stays unknown.

        Raises:
            LostClaim: claims that another process has taken over; all the others are settled when this is raised.
        """
        by_id = {result.claim.write_id: result for result in results}
        if len(by_id) != len(results):
            raise ValueError("two outcomes for one claim")
        if not results:
            return SettleResult()
        with self.scope.transaction() as tx:
            conflicts = self._conflicts(tx, results)
            rows = [self._row(result, conflicts.get(result.claim.write_id)) for result in results]
            settled = (
                self.run(tx, _SETTLE, rows=as_json(rows), settling=settling_seconds, run_id=run_id).mappings().all()
            )
            states = {row["id"]: row["state"] for row in settled}
            values = {"ids": list(states), "run_id": run_id}
            self.run(tx, _LINK, rows=as_json(rows), **values)
            self.run(tx, _RELEASE_REFUSED, rule=REFUSED, **values)
            self.run(tx, _HOLD_REFUSED, rows=as_json(rows), rule=REFUSED, conflict=CONFLICT, **values)
            entries = [
                self._entry(by_id[row["id"]], row["state"], conflicts.get(row["id"]), run_id, asset_key, actor)
                for row in settled
                if by_id[row["id"]].outcome != "unsent"
            ]
            Journal(self.scope).append(entries, tx=tx)
        lost = [result.claim for result in results if result.claim.write_id not in states]
        if lost:
            raise LostClaim.of(lost, "before it was settled")
        return self._sorted(results, states, set(conflicts))

    def _row(self, result: Settlement, conflict: str | None) -> dict[str, Any]:
        outcome = "unknown" if conflict else result.outcome
        errors = [{"code": CONFLICT, "message": conflict}] if conflict else result.errors
        return {
            "id": result.claim.write_id,
            "fence": result.claim.fence,
            "outcome": outcome,
            "remote_id": "" if conflict else result.remote_id,
            "origin": result.origin,
            "errors": errors,
            "response_digest": digest(result.response) if result.response else "",
            "details": result.details,
            "reason": "; ".join(_words(error) for error in errors),
            "fix": result.fix
            or (
                "compare the two documents in BILL and unlink the wrong one" if conflict else "correct it and run again"
            ),
        }

    def _conflicts(self, tx: sa.Connection, results: Sequence[Settlement]) -> dict[int, str]:
        """Find confirmations under another document's id: the answer was matched wrongly, or one is a duplicate.

        The unique index on links would refuse them, and with them the whole batch.
        """
        rows: list[dict[str, Any]] = [
            {
                "id": result.claim.write_id,
                "kind": result.claim.kind,
                "natural_key": result.claim.natural_key,
                "remote_id": result.remote_id,
            }
            for result in results
            if result.outcome == "confirmed" and result.claim.kind in {"vendor", "bill", "vendor_credit"}
        ]
        if not rows:
            return {}
        holders = {row["id"]: row["holder"] for row in self.run(tx, _HOLDERS, rows=as_json(rows)).mappings()}
        first: dict[str, str] = {}
        for row in rows:
            other = first.setdefault(row["remote_id"], row["natural_key"])
            if other != row["natural_key"]:
                holders.setdefault(row["id"], other)
        return {
            row["id"]: f"the other side's id {row['remote_id']} is linked to {holders[row['id']]} already"
            for row in rows
            if row["id"] in holders
        }

    def _entry(
        self, result: Settlement, state: str, conflict: str | None, run_id: str, asset_key: str, actor: str
    ) -> Entry:
        claim = result.claim
        event = {"intended": "returned"}.get(state, state)
        if state == "confirmed" and result.origin != "created":
            event = result.origin
        body: dict[str, Any] = {
            "write": claim.write_id,
            "generation": claim.generation,
            "operation": claim.operation,
            "gate": claim.gate,
            "content_hash": claim.content_hash,
        }
        if claim.amount is not None:
            body |= {"amount": claim.amount, "currency": claim.currency}
        if claim.party:
            body["party"] = claim.party
        if result.errors or conflict:
            body["errors"] = [{"code": CONFLICT, "message": conflict}] if conflict else result.errors
        return Entry(
            event="conflict" if conflict else event,
            kind=claim.kind,
            natural_key=claim.natural_key,
            remote_id=result.remote_id or claim.remote_id or "",
            run_id=run_id,
            asset_key=asset_key,
            period=claim.period,
            actor=actor,
            request_digest=digest(claim.payload),
            response_digest=digest(result.response) if result.response else "",
            body=body,
        )

    def _sorted(self, results: Sequence[Settlement], states: dict[int, str], conflicts: set[int]) -> SettleResult:
        sorted_ = SettleResult()
        names = {
            "confirmed": sorted_.confirmed,
            "refused": sorted_.refused,
            "unknown": sorted_.unknown,
            "intended": sorted_.returned,
        }
        for result in results:
            key = result.claim.natural_key
            names[states[result.claim.write_id]].append(key)
            if result.claim.write_id in conflicts:
                sorted_.conflicts.append(key)
        return sorted_


def _words(error: dict[str, Any]) -> str:
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    return f"{code}: {message}" if code and message else code or message or "no reason given"


_RECORDS = """
jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, fence bigint, outcome text, remote_id text, origin text,
  errors jsonb, response_digest text, details jsonb, reason text, fix text)
"""
_HOLDERS = """
SELECT r.id, o.natural_key AS holder
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, kind text, natural_key text, remote_id text)
CROSS JOIN LATERAL (SELECT l.natural_key FROM jdebill.links l WHERE l.connection = :connection
  AND l.remote_id = r.remote_id AND l.kind IN ('vendor', 'bill', 'vendor_credit')
  AND (l.kind, l.natural_key) <> (r.kind, r.natural_key) LIMIT 1) AS o
"""
_SETTLE = f"""
UPDATE jdebill.writes w SET
  state = CASE r.outcome
    WHEN 'not_found' THEN CASE WHEN coalesce(w.uncertain_since, w.claimed_at) + make_interval(secs => :settling)
      <= clock_timestamp() THEN 'intended' ELSE 'unknown' END
    WHEN 'unsent' THEN CASE WHEN w.uncertain_since IS NULL THEN 'intended' ELSE 'unknown' END
    ELSE r.outcome END,
  uncertain_since = CASE WHEN r.outcome IN ('unknown', 'not_found')
    THEN coalesce(w.uncertain_since, CASE r.outcome WHEN 'unknown' THEN clock_timestamp() ELSE w.claimed_at END)
    ELSE w.uncertain_since END,
  not_before = CASE r.outcome
    WHEN 'not_found' THEN greatest(clock_timestamp(),
      coalesce(w.uncertain_since, w.claimed_at) + make_interval(secs => :settling))
    WHEN 'refused' THEN clock_timestamp()
      + least(interval '24 hours', interval '1 hour' * power(4, least(w.attempts, 4) - 1))
    ELSE NULL END,
  remote_id = coalesce(nullif(r.remote_id, ''), w.remote_id),
  errors = r.errors, response_digest = r.response_digest, run_id = :run_id,
  settled_at = CASE WHEN r.outcome IN ('confirmed', 'refused') THEN clock_timestamp() END
FROM {_RECORDS}
WHERE w.connection = :connection AND w.id = r.id AND w.fence = r.fence AND w.state = 'claimed'
RETURNING w.id, w.state
"""  # noqa: S608 - built from constants
_LINK = f"""
INSERT INTO jdebill.links AS l (connection, kind, natural_key, remote_id, content_hash, origin, archived, details,
  run_id)
SELECT w.connection, w.kind, w.natural_key, w.remote_id,
  CASE WHEN w.operation = 'restore' THEN NULL ELSE w.content_hash END, r.origin, w.operation = 'archive', r.details,
  :run_id
FROM {_RECORDS} JOIN jdebill.writes w ON w.connection = :connection AND w.id = r.id
WHERE w.id = ANY(:ids) AND w.state = 'confirmed' ORDER BY w.kind, w.natural_key
ON CONFLICT (connection, kind, natural_key) DO UPDATE SET
  remote_id = excluded.remote_id, archived = excluded.archived, details = l.details || excluded.details,
  content_hash = coalesce(excluded.content_hash, l.content_hash), run_id = excluded.run_id, confirmed_at = now()
"""  # noqa: S608 - built from constants
_RELEASE_REFUSED = """
UPDATE jdebill.quarantine q SET released_at = now() FROM jdebill.writes w
WHERE w.connection = :connection AND w.id = ANY(:ids) AND w.state = 'confirmed'
AND q.connection = w.connection AND q.gate = w.gate AND q.kind = w.kind AND q.natural_key = w.natural_key
AND q.rule = :rule AND q.released_at IS NULL
"""
_HOLD_REFUSED = f"""
INSERT INTO jdebill.quarantine AS q (connection, gate, kind, natural_key, period, rule, reason, fix, content_hash,
  amount, currency, party, run_id)
SELECT w.connection, w.gate, w.kind, w.natural_key, w.period, :rule, r.reason, r.fix, w.content_hash, w.amount,
  w.currency, w.party, :run_id
FROM {_RECORDS} JOIN jdebill.writes w ON w.connection = :connection AND w.id = r.id
WHERE w.id = ANY(:ids) AND (w.state = 'refused' OR r.errors @> jsonb_build_array(jsonb_build_object('code', :conflict)))
ORDER BY w.kind, w.natural_key
ON CONFLICT (connection, gate, kind, natural_key, line, field, rule) DO UPDATE SET
  reason = excluded.reason, fix = excluded.fix, content_hash = excluded.content_hash, run_id = excluded.run_id,
  period = excluded.period, amount = excluded.amount, currency = excluded.currency, last_seen = now(),
  times = q.times + CASE WHEN q.released_at IS NULL THEN 0 ELSE 1 END, released_at = NULL
"""  # noqa: S608 - built from constants
