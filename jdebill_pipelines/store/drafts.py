"""Drafts: what would be written outside, as the rules make it from what JDE and BILL say today.

Belongs here: storing and reading drafts of every kind. Does not belong here: judging them (verdicts.py) and releasing
them (releases.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from jdebill_pipelines.store.canonical import content_hash
from jdebill_pipelines.store.locks import lock_in
from jdebill_pipelines.store.scope import Part, as_json

Status = Literal["due", "not_due", "held"]
Operation = Literal["create", "archive", "restore", "post", "reverse"]
_CHUNK = 2_000
# One document is one of these, never both: when a voucher turns negative its bill draft gives way to a credit draft.
EXCLUSIVE_KINDS = ("bill", "vendor_credit")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One document, vendor, account or posting as it would be written.

    Attributes:
        kind: ``vendor``, ``bill``, ``vendor_credit``, ``posting``, ``account`` or ``department``.
        natural_key: names it on the side it comes from.
        period: month ``YYYY-MM`` that it belongs to, ``''`` for what has none.
        status: ``due`` (to be written), ``not_due`` (not now, with a reason), ``held`` (must not, with a reason).
        content: exactly what would be sent, or what that is made of; the hash names this.
        operation: what to do with it; ``create`` becomes ``update`` when it exists already.
        reason: why it is not due or held.
        amount: in major units of ``currency``; None for what has none.
        party: the supplier's address number.
        source: the document it was made from.
        details: for people and later steps; not part of the hash.
    """

    kind: str
    natural_key: str
    status: Status
    content: dict[str, Any]
    period: str = ""
    operation: Operation = "create"
    reason: str = ""
    amount: Decimal | None = None
    currency: str = ""
    party: str = ""
    source: str = ""
    details: dict[str, Any] = {}


class StoredDraft(Draft, frozen=True, kw_only=True):
    """A draft as it is stored, with the hash of its content."""

    gate: str
    content_hash: str
    updated_at: datetime
    run_id: str


class DraftResult(msgspec.Struct, frozen=True):
    """What storing drafts did: how many were given, how many of them are new or different, how many went away."""

    written: int
    changed: int
    removed: int


class Drafts(Part):
    """The drafts of one connection."""

    def put(
        self,
        gate: str,
        drafts: Iterable[Draft],
        *,
        run_id: str,
        replace_periods: Sequence[str] | None = None,
        replace_all: bool = False,
    ) -> DraftResult:
        """Store drafts over those of the same key.

        Args:
            gate: the gate that judges them, for example ``bills``.
            drafts: each kind and natural key once.
            run_id: who makes them.
            replace_periods: the drafts given are all there are for these months: others of the gate go away.
            replace_all: the drafts given are all there are of this gate.

        Raises:
            ValueError: a key is given twice, or a status other than due has no reason.
            TypeError: a content has a value without an exact JSON form, such as a float.
        """
        listed = list(drafts)
        seen: set[tuple[str, str]] = set()
        for draft in listed:
            if (draft.kind, draft.natural_key) in seen:
                raise ValueError(f"two drafts of {draft.kind} {draft.natural_key}")
            seen.add((draft.kind, draft.natural_key))
            if draft.status != "due" and not draft.reason:
                raise ValueError(f"{draft.kind} {draft.natural_key} is {draft.status} without a reason")
        with self.scope.transaction() as tx:
            tx.execute(sa.text(_INCOMING))
            for start in range(0, len(listed), _CHUNK):
                rows = [
                    {**msgspec.structs.asdict(draft), "content_hash": content_hash(draft.kind, draft.content)}
                    for draft in listed[start : start + _CHUNK]
                ]
                self.run(tx, _FILL, rows=as_json(rows))
            lock_in(tx, "drafts", self.scope.connection, gate)
            removed = 0
            if replace_all or replace_periods is not None:
                removed = self.run(
                    tx, _REMOVE, gate=gate, everything=replace_all, periods=list(replace_periods or ())
                ).rowcount
            removed += self.run(tx, _GIVE_WAY, kinds=list(EXCLUSIVE_KINDS)).rowcount
            changed = int(self.run(tx, _CHANGED).scalar_one())
            self.run(tx, _UPSERT, gate=gate, run_id=run_id)
        return DraftResult(len(listed), changed, removed)

    def remove(self, gate: str, keys: Iterable[str], *, kinds: Sequence[str] | None = None) -> int:
        """Remove drafts by natural key; returns how many there were."""
        with self.scope.transaction() as tx:
            return self.run(
                tx,
                "DELETE FROM jdebill.drafts WHERE connection = :connection AND gate = :gate "
                "AND natural_key = ANY(:keys) AND (CAST(:kinds AS text[]) IS NULL OR kind = ANY(:kinds))",
                gate=gate,
                keys=list(keys),
                kinds=None if kinds is None else list(kinds),
            ).rowcount

    def read(
        self,
        gate: str,
        *,
        periods: Sequence[str] | None = None,
        keys: Iterable[str] | None = None,
        kinds: Sequence[str] | None = None,
        status: Status | None = None,
    ) -> list[StoredDraft]:
        """Return drafts by month, key, kind or status, in order of kind and key."""
        found = self.select(
            _READ,
            gate=gate,
            periods=None if periods is None else list(periods),
            keys=None if keys is None else list(keys),
            kinds=None if kinds is None else list(kinds),
            status=status,
        )
        return [StoredDraft(**row) for row in found]

    def invoice_numbers(self, gate: str, *, except_keys: Iterable[str]) -> dict[tuple[str, str], str]:
        """Return the natural key of the document that uses (supplier, invoice number), for documents that count.

        Args:
            gate: whose drafts.
            except_keys: documents that are left out, because they are being drafted anew.
        """
        found = self.select(
            "SELECT party, details->>'invoice_number' AS number, natural_key FROM jdebill.drafts "
            "WHERE connection = :connection AND gate = :gate AND status <> 'not_due' "
            "AND coalesce(details->>'invoice_number', '') <> '' AND natural_key <> ALL(:keys)",
            gate=gate,
            keys=list(except_keys),
        )
        return {(row["party"], row["number"]): row["natural_key"] for row in found}

    def totals(self, gate: str, *, periods: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return count and amount by kind, status, reason and currency: what adds up to the control total."""
        return self.select(
            "SELECT kind, status, reason, currency, count(*) AS count, coalesce(sum(amount), 0) AS amount "
            "FROM jdebill.drafts WHERE connection = :connection AND gate = :gate "
            "AND (CAST(:periods AS text[]) IS NULL OR period = ANY(:periods)) "
            "GROUP BY kind, status, reason, currency ORDER BY kind, status, reason, currency",
            gate=gate,
            periods=None if periods is None else list(periods),
        )


_INCOMING = (
    "CREATE TEMP TABLE incoming_drafts (kind text, natural_key text, period text, operation text, status text, "
    "reason text, content jsonb, content_hash text, amount numeric, currency text, party text, source text, "
    "details jsonb) ON COMMIT DROP"
)
_FILL = (
    "INSERT INTO incoming_drafts SELECT * FROM jsonb_populate_recordset(NULL::incoming_drafts, CAST(:rows AS jsonb))"
)
_REMOVE = """
DELETE FROM jdebill.drafts d WHERE d.connection = :connection AND d.gate = :gate
AND (:everything OR d.period = ANY(:periods))
AND NOT EXISTS (SELECT FROM incoming_drafts i WHERE i.kind = d.kind AND i.natural_key = d.natural_key)
"""
_GIVE_WAY = """
DELETE FROM jdebill.drafts d USING incoming_drafts i WHERE d.connection = :connection
AND d.natural_key = i.natural_key AND d.kind <> i.kind AND d.kind = ANY(:kinds) AND i.kind = ANY(:kinds)
AND NOT EXISTS (SELECT FROM incoming_drafts o WHERE o.kind = d.kind AND o.natural_key = d.natural_key)
"""
_CHANGED = """
SELECT count(*) FROM incoming_drafts i LEFT JOIN jdebill.drafts d
  ON d.connection = :connection AND d.kind = i.kind AND d.natural_key = i.natural_key
WHERE d.natural_key IS NULL OR (d.content_hash, d.status, d.operation, d.period, d.reason)
  IS DISTINCT FROM (i.content_hash, i.status, i.operation, i.period, i.reason)
"""
_UPSERT = """
INSERT INTO jdebill.drafts AS d (connection, gate, run_id, kind, natural_key, period, operation, status, reason,
  content, content_hash, amount, currency, party, source, details)
SELECT :connection, :gate, :run_id, i.* FROM incoming_drafts i ORDER BY i.kind, i.natural_key
ON CONFLICT (connection, kind, natural_key) DO UPDATE SET
  gate = excluded.gate, run_id = excluded.run_id, period = excluded.period, operation = excluded.operation,
  status = excluded.status, reason = excluded.reason, content = excluded.content,
  content_hash = excluded.content_hash, amount = excluded.amount, currency = excluded.currency,
  party = excluded.party, source = excluded.source, details = excluded.details,
  updated_at = CASE WHEN (d.content_hash, d.status, d.operation, d.period, d.reason) IS DISTINCT FROM
    (excluded.content_hash, excluded.status, excluded.operation, excluded.period, excluded.reason)
    THEN now() ELSE d.updated_at END
"""
_READ = """
SELECT gate, kind, natural_key, period, operation, status, reason, content, content_hash, amount, currency, party,
  source, details, updated_at, run_id
FROM jdebill.drafts WHERE connection = :connection AND gate = :gate
AND (CAST(:periods AS text[]) IS NULL OR period = ANY(:periods))
AND (CAST(:keys AS text[]) IS NULL OR natural_key = ANY(:keys))
AND (CAST(:kinds AS text[]) IS NULL OR kind = ANY(:kinds))
AND (CAST(:status AS text) IS NULL OR status = :status)
ORDER BY kind, natural_key
"""
