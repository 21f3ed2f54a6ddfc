"""The write ledger: every outside write in four steps, exactly once.

1. Intend: one transaction records what will be sent and claims it with a lease.
2. Send: the caller's.
3. Settle: confirmed with the remote id, refused with the other side's words, or unknown (ledger_settle.py).
4. Recover: what is unknown, or claimed by somebody who died, is looked up on the other side before anything is sent
   (ledger_recovery.py).

Belongs here: intending, and what is common to the steps. Neither API has an idempotency key, so this table is what
stands between a retry and a second payment; the database's constraints hold it even against a mistake in the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from jdebill_pipelines.store.canonical import canonical_json, digest, form_hash
from jdebill_pipelines.store.engine import decode_json
from jdebill_pipelines.store.ledger_recovery import Recovery
from jdebill_pipelines.store.ledger_settle import Settling
from jdebill_pipelines.store.ledger_types import Claim, Intended, LostClaim
from jdebill_pipelines.store.releases import (
    DIFFERS,
    LINK,
    OPERATION,
    PASSED,
    Release,
    TamperedContent,
    check_content,
)
from jdebill_pipelines.store.scope import as_json

LEASE_SECONDS = 300


class Writes(Settling, Recovery):
    """The ledger of one connection."""

    def intend(
        self,
        releases: Sequence[Release],
        *,
        worker: str,
        run_id: str,
        asset_key: str = "",
        actor: str = "",
        lease_seconds: int = LEASE_SECONDS,
        payload_of: Callable[[Release], bytes] | None = None,
    ) -> Intended:
        """Record what is about to be sent and claim it; one transaction for the whole batch.

        The release is checked again inside: a draft that changed, lost its verdict or whose gate closed meanwhile is
        not claimed. Only what is in ``claims`` may be sent.

        Args:
            releases: from ``releases.releasable``.
            worker: names this process and thread, for people.
            run_id: the run.
            asset_key: the asset that is made, for the journal.
            actor: who asked for it.
            lease_seconds: how long nobody else may touch it; longer than the slowest bulk call.
            payload_of: makes the body that is sent; default the canonical JSON of the content. Stored as it is.

        Raises:
            TamperedContent: the stored content is not what its hash names, or is not what the release holds.
        """
        by_key = {(release.kind, release.natural_key): release for release in releases}
        if len(by_key) != len(releases):
            raise ValueError("the same document twice in one batch")
        result = Intended()
        if not releases:
            return result
        with self.scope.transaction() as tx:
            latest = self._latest(tx, releases)
            fresh: list[dict[str, Any]] = []
            again: list[dict[str, Any]] = []
            for key, release in by_key.items():
                last = latest.get(key)
                target = self._sort(release, last, result)
                if target is None:
                    continue
                form = canonical_json(release.content)
                if form_hash(release.kind, form) != release.content_hash:
                    raise TamperedContent(
                        f"{release.kind} {release.natural_key}: the release was changed after it was read"
                    )
                payload = form if payload_of is None else payload_of(release)
                row = {
                    "kind": release.kind,
                    "natural_key": release.natural_key,
                    "content_hash": release.content_hash,
                    "operation": release.operation,
                    "payload": payload.decode("utf-8"),
                    "payload_digest": digest(payload),
                    "generation": last["generation"] + 1 if last else 1,
                    "id": last["id"] if last else None,
                    "attempts": target,
                }
                same = last and last["state"] == "intended" and _same(release, last)
                (again if same else fresh).append(row)
            common = {
                "worker": worker,
                "run_id": run_id,
                "asset_key": asset_key,
                "actor": actor,
                "lease": lease_seconds,
            }
            superseded = [row["id"] for row in fresh if row["id"] and latest[_key(row)]["state"] == "intended"]
            if superseded:
                self.run(tx, _SUPERSEDE, ids=superseded)
            claimed: list[Any] = []
            if again:
                claimed += self.run(tx, _CLAIM_AGAIN, rows=as_json(again), **common).mappings().all()
            if fresh:
                claimed += self.run(tx, _INSERT, rows=as_json(fresh), **common).mappings().all()
            for row in claimed:
                release = by_key[row["kind"], row["natural_key"]]
                if row["content_hash"] != release.content_hash or row["text"] != release.text:
                    # Drafted anew meanwhile, the text may differ in the zeros of a number; the content may not.
                    check_content(row["kind"], row["natural_key"], decode_json(row["text"]), release.content_hash)
                result.claims.append(Claim.of(dict(row)))
            self._explain(tx, [*fresh, *again], by_key, result)
        order = {key: position for position, key in enumerate(by_key)}
        result.claims.sort(key=lambda claim: order[claim.kind, claim.natural_key])
        return result

    def verify(self, claims: Sequence[Claim]) -> None:
        """Read the claims again just before sending.

        Raises:
            TamperedContent: a stored content or payload is not what its digest names.
            LostClaim: a lease ran out or was taken over; nothing of the batch may be sent.
        """
        found = {
            row["id"]: row
            for row in self.select(
                "SELECT id, fence, state, content::text AS text, payload, payload_digest, "
                "lease_until > clock_timestamp() AS live FROM jdebill.writes "
                "WHERE connection = :connection AND id = ANY(:ids)",
                ids=[claim.write_id for claim in claims],
            )
        }
        lost = []
        for claim in claims:
            row = found.get(claim.write_id)
            if row is None or row["fence"] != claim.fence or row["state"] != "claimed" or not row["live"]:
                lost.append(claim)
                continue
            payload = row["payload"].encode("utf-8")
            same = payload == claim.payload and digest(payload) == row["payload_digest"]
            if not same or row["text"] != claim.text:
                what = "content" if same else "payload"
                raise TamperedContent(f"the stored {what} of {claim.kind} {claim.natural_key} was changed by hand")
        if lost:
            raise LostClaim.of(lost, "before it was sent")

    def renew(self, claims: Iterable[Claim], lease_seconds: int = LEASE_SECONDS) -> None:
        """Extend the leases of claims that are still ours, also when they ran out and nobody took over.

        Raises:
            LostClaim: some were taken over; the others are extended.
        """
        listed = list(claims)
        rows = as_json([{"id": claim.write_id, "fence": claim.fence} for claim in listed])
        with self.scope.transaction() as tx:
            kept = set(self.run(tx, _RENEW, rows=rows, lease=lease_seconds).scalars())
        lost = [claim for claim in listed if claim.write_id not in kept]
        if lost:
            raise LostClaim.of(lost, "while it was being sent")

    def _latest(self, tx: sa.Connection, releases: Sequence[Release]) -> dict[tuple[str, str], dict[str, Any]]:
        rows = as_json([{"kind": release.kind, "natural_key": release.natural_key} for release in releases])
        return {_key(row): dict(row) for row in self.run(tx, _LATEST, rows=rows).mappings()}

    def _sort(self, release: Release, last: dict[str, Any] | None, result: Intended) -> int | None:
        """Put a release where it belongs; returns the number of the attempt when it is to be claimed."""
        if last is None or last["state"] == "superseded":
            return 1
        state = last["state"]
        if state == "claimed":
            (result.busy if last["live"] else result.unresolved).append(release)
        elif state == "unknown":
            result.unresolved.append(release)
        elif state == "confirmed" and _same(release, last):
            result.skipped.append(release)
        elif state == "intended" and last["waiting"]:
            result.settling.append(release)
        elif state == "refused" and _same(release, last) and last["waiting"]:
            result.refused.append(release)
        elif state in {"intended", "refused"} and _same(release, last):
            return int(last["attempts"]) + 1
        else:
            return 1
        return None

    def _explain(
        self,
        tx: sa.Connection,
        wanted: list[dict[str, Any]],
        by_key: dict[tuple[str, str], Release],
        result: Intended,
    ) -> None:
        """Say of what was wanted and not claimed whether somebody was faster or the release is gone."""
        claimed = {(claim.kind, claim.natural_key) for claim in result.claims}
        missing = [row for row in wanted if _key(row) not in claimed]
        if not missing:
            return
        open_now = {_key(row) for row in self.run(tx, _OPEN, rows=as_json(missing)).mappings()}
        for row in missing:
            (result.busy if _key(row) in open_now else result.withdrawn).append(by_key[_key(row)])


def _key(row: Any) -> tuple[str, str]:
    return row["kind"], row["natural_key"]


def _same(release: Release, last: dict[str, Any]) -> bool:
    return bool(last["content_hash"] == release.content_hash and last["operation"] == release.operation)


_KEYS = "jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, natural_key text)"
_LATEST = f"""
SELECT r.kind, r.natural_key, w.id, w.generation, w.state, w.content_hash, w.operation, w.attempts,
  w.lease_until > clock_timestamp() AS live, coalesce(w.not_before > clock_timestamp(), false) AS waiting
FROM {_KEYS} CROSS JOIN LATERAL (
  SELECT * FROM jdebill.writes w WHERE w.connection = :connection AND w.kind = r.kind AND w.natural_key = r.natural_key
  ORDER BY w.generation DESC LIMIT 1) AS w
"""  # noqa: S608 - built from constants
_OPEN = f"""
SELECT w.kind, w.natural_key FROM {_KEYS} JOIN jdebill.writes w
  ON w.connection = :connection AND w.kind = r.kind AND w.natural_key = r.natural_key
WHERE w.state IN ('intended', 'claimed', 'unknown')
"""  # noqa: S608 - built from constants
_SUPERSEDE = """
UPDATE jdebill.writes SET state = 'superseded', settled_at = now()
WHERE connection = :connection AND id = ANY(:ids) AND state = 'intended'
"""
_RECORDS = """
jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, kind text, natural_key text, content_hash text, operation text,
  payload text, payload_digest text, generation int, attempts int)
"""
_STILL_RELEASED = f"""
{_RECORDS} CROSS JOIN LATERAL (SELECT c.* FROM jdebill.drafts c WHERE c.connection = :connection AND c.kind = r.kind
  AND c.natural_key = r.natural_key LIMIT 1) AS d
{LINK}
WHERE d.content_hash = r.content_hash AND r.operation = {OPERATION} AND {DIFFERS} AND {PASSED}
"""  # noqa: S608 - built from constants
_RETURNING = """
RETURNING w.id, w.fence, w.kind, w.natural_key, w.generation, w.gate, w.operation, w.content::text AS text,
  w.content_hash, w.payload, w.remote_id, w.period, w.amount, w.currency, w.party, w.attempts
"""
# The content comes from the draft's row, not from the caller, and only if it is still released under this very hash.
_INSERT = f"""
INSERT INTO jdebill.writes AS w (connection, kind, natural_key, generation, gate, operation, state, content,
  content_hash, payload, payload_digest, remote_id, period, amount, currency, party, fence, worker, lease_until, attempts, run_id,
  asset_key, actor)
SELECT d.connection, d.kind, d.natural_key, r.generation, d.gate, {OPERATION}, 'claimed', d.content, d.content_hash,
  r.payload, r.payload_digest, l.remote_id, d.period, d.amount, d.currency, d.party,
  nextval('jdebill.write_fences'), :worker, clock_timestamp() + make_interval(secs => :lease), r.attempts, :run_id,
  :asset_key, :actor
FROM {_STILL_RELEASED}
ORDER BY d.kind, d.natural_key
ON CONFLICT DO NOTHING
{_RETURNING}
"""  # noqa: S608 - built from constants
_CLAIM_AGAIN = f"""
UPDATE jdebill.writes w SET state = 'claimed', payload = s.payload, payload_digest = s.payload_digest,
  remote_id = s.remote_id, fence = nextval('jdebill.write_fences'), worker = :worker, claimed_at = clock_timestamp(),
  lease_until = clock_timestamp() + make_interval(secs => :lease), uncertain_since = NULL, not_before = NULL,
  attempts = s.attempts, run_id = :run_id, asset_key = :asset_key, actor = :actor, errors = '[]'
FROM (SELECT r.*, l.remote_id FROM {_STILL_RELEASED}) AS s
WHERE w.connection = :connection AND w.id = s.id AND w.state = 'intended' AND w.content_hash = s.content_hash
{_RETURNING}
"""  # noqa: S608 - built from constants
_RENEW = """
UPDATE jdebill.writes w SET lease_until = clock_timestamp() + make_interval(secs => :lease)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, fence bigint)
WHERE w.connection = :connection AND w.id = r.id AND w.fence = r.fence AND w.state = 'claimed'
RETURNING w.id
"""
