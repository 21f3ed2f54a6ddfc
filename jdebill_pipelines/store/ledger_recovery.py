"""Step four of the write ledger: taking over what nobody knows the outcome of, and reading the ledger.

Does not belong here: the looking up on the other side (steps/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.store.ledger_types import Claim, WriteRecord
from jdebill_pipelines.store.releases import check_content
from jdebill_pipelines.store.scope import Part


class ConfirmedWrite(msgspec.Struct, frozen=True, kw_only=True):
    """A document that the other side holds, as it was written.

    Attributes:
        remote_id: there.
        details: what the link says besides.
        confirmed_at: by the database's clock; the other side had it a little before.
    """

    natural_key: str
    operation: str
    content: dict[str, Any]
    content_hash: str
    remote_id: str
    details: dict[str, Any]
    confirmed_at: datetime
    run_id: str
    period: str
    amount: Decimal | None
    currency: str
    party: str


class Recovery(Part):
    """Recovering and reading."""

    def pending_recovery(self, kinds: Sequence[str] | None = None) -> list[WriteRecord]:
        """Return the writes that may or may not have happened: unknown, or claimed with a lease that ran out."""
        return self._read(
            "(state = 'unknown' OR (state = 'claimed' AND lease_until <= clock_timestamp())) "
            "AND (CAST(:kinds AS text[]) IS NULL OR kind = ANY(:kinds)) ORDER BY id",
            kinds=None if kinds is None else list(kinds),
        )

    def claim_recovery(
        self,
        *,
        worker: str,
        run_id: str,
        kinds: Sequence[str] | None = None,
        lease_seconds: int = 300,
        limit: int = 500,
    ) -> list[Claim]:
        """Take over writes of unknown outcome, to look each up on the other side and settle it.

        From here on a settle by the process that sent it is refused. What was looked up and not found recently is left
        alone until its settling delay is over.

        Returns:
            Claims with ``recovering`` set: settle each ``confirmed`` (origin ``adopted``) or ``not_found``, or give it
            back with ``release``.
        """
        with self.scope.transaction() as tx:
            taken = self.run(
                tx,
                _TAKE,
                kinds=None if kinds is None else list(kinds),
                worker=worker,
                run_id=run_id,
                lease=lease_seconds,
                limit=limit,
            )
            claims = [Claim.of(dict(row), recovering=True) for row in taken.mappings()]
        for claim in claims:
            check_content(claim.kind, claim.natural_key, claim.content, claim.content_hash)
        return sorted(claims, key=lambda claim: claim.write_id)

    def open_writes(self, kinds: Sequence[str] | None = None) -> list[WriteRecord]:
        """Return everything that is intended, claimed or unknown now."""
        return self._read(
            "state IN ('intended', 'claimed', 'unknown') "
            "AND (CAST(:kinds AS text[]) IS NULL OR kind = ANY(:kinds)) ORDER BY id",
            kinds=None if kinds is None else list(kinds),
        )

    def history(self, kind: str, natural_key: str) -> list[WriteRecord]:
        """Return every write of a document, oldest first."""
        return self._read("kind = :kind AND natural_key = :key ORDER BY generation", kind=kind, key=natural_key)

    def of_run(self, run_id: str) -> list[WriteRecord]:
        """Return the writes that a run touched last."""
        return self._read("run_id = :run_id ORDER BY id", run_id=run_id)

    def confirmed(
        self, kind: str, keys: Iterable[str] | None = None, *, operation: str | None = None
    ) -> list[ConfirmedWrite]:
        """Return what is linked, with the content that was confirmed last; what was matched only has none.

        Args:
            kind: of the documents.
            keys: only these natural keys.
            operation: only what this operation confirmed last.
        """
        found = self.select(_CONFIRMED, kind=kind, keys=None if keys is None else list(keys), operation=operation)
        return [ConfirmedWrite(**row) for row in found]

    def counts(self, run_id: str) -> dict[str, int]:
        """Return how many writes of a run are in which state."""
        found = self.select(
            "SELECT state, count(*) AS count FROM jdebill.writes WHERE connection = :connection AND run_id = :run_id "
            "GROUP BY state ORDER BY state",
            run_id=run_id,
        )
        return {row["state"]: row["count"] for row in found}

    def _read(self, condition: str, **values: Any) -> list[WriteRecord]:
        columns = ", ".join(WriteRecord.__struct_fields__)
        sql = f"SELECT {columns} FROM jdebill.writes WHERE connection = :connection AND {condition}"  # noqa: S608
        return [WriteRecord(**row) for row in self.select(sql, **values)]


_TAKE = """
UPDATE jdebill.writes w SET state = 'claimed', fence = nextval('jdebill.write_fences'), worker = :worker,
  uncertain_since = coalesce(w.uncertain_since, w.lease_until), claimed_at = clock_timestamp(), not_before = NULL,
  lease_until = clock_timestamp() + make_interval(secs => :lease), run_id = :run_id
WHERE w.id IN (
  SELECT o.id FROM jdebill.writes o WHERE o.connection = :connection
  AND ((o.state = 'unknown' AND coalesce(o.not_before <= clock_timestamp(), true))
    OR (o.state = 'claimed' AND o.lease_until <= clock_timestamp()))
  AND (CAST(:kinds AS text[]) IS NULL OR o.kind = ANY(:kinds))
  ORDER BY o.id LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING w.id, w.fence, w.kind, w.natural_key, w.generation, w.gate, w.operation, w.content::text AS text,
  w.content_hash, w.payload, w.remote_id, w.period, w.amount, w.currency, w.party, w.attempts
"""
_CONFIRMED = """
SELECT l.natural_key, w.operation, w.content, w.content_hash, l.remote_id, l.details, l.confirmed_at, l.run_id,
  w.period, w.amount, w.currency, w.party
FROM jdebill.links l CROSS JOIN LATERAL (
  SELECT o.* FROM jdebill.writes o WHERE o.connection = l.connection AND o.kind = l.kind
  AND o.natural_key = l.natural_key AND o.state = 'confirmed' ORDER BY o.generation DESC LIMIT 1) AS w
WHERE l.connection = :connection AND l.kind = :kind
AND (CAST(:keys AS text[]) IS NULL OR l.natural_key = ANY(:keys))
AND (CAST(:operation AS text) IS NULL OR w.operation = :operation)
ORDER BY l.natural_key
"""
