"""Quarantine: documents that are held back, each cause with the field, the value, the reason and what to do.

Belongs here: holding, releasing by themselves, overrides. Does not belong here: finding the causes (schemas/, domain/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
import sqlalchemy as sa

from jdebill_pipelines.store.journal import Entry, Journal
from jdebill_pipelines.store.locks import lock_in
from jdebill_pipelines.store.scope import Part, as_json

# The rule of what the other side refused: no gate finds it again, so it does not leave by not being found.
REFUSED = "refused"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One cause that holds a document back.

    Attributes:
        line: of the document, ``''`` for the whole.
        field: that is wrong.
        value: found there, as text.
        reason: in words a clerk understands.
        fix: what to do, and where.
        rule: short name of the rule.
        content_hash: of the draft it was found in.
    """

    kind: str
    natural_key: str
    reason: str
    rule: str
    period: str = ""
    line: str = ""
    field: str = ""
    value: str = ""
    fix: str = ""
    content_hash: str = ""
    amount: Decimal | None = None
    currency: str = ""
    party: str = ""


class HeldRow(Held, frozen=True, kw_only=True):
    """A cause as it is stored.

    Attributes:
        times: episodes: held, released, held again makes 2.
        released_at: None while it holds.
    """

    gate: str
    first_seen: datetime
    last_seen: datetime
    released_at: datetime | None
    times: int
    run_id: str


class QuarantineResult(msgspec.Struct, frozen=True):
    """Causes that are new, that were there before, and that are gone."""

    new: int
    again: int
    released: int


class Override(msgspec.Struct, frozen=True):
    """A person's decision that a rule shall not hold this content of a document."""

    natural_key: str
    rule: str
    content_hash: str
    who: str
    reason: str
    at: datetime


class Quarantine(Part):
    """What is held of one connection."""

    def hold(
        self,
        gate: str,
        held: Iterable[Held],
        *,
        run_id: str,
        periods: Sequence[str] | None = None,
        keys: Iterable[str] | None = None,
        everything: bool = False,
        tx: sa.Connection | None = None,
    ) -> QuarantineResult:
        """Store causes, and release those of the scope that are not among them any more.

        Args:
            gate: that found them.
            held: the causes.
            run_id: who looked.
            periods: the scope: months that were looked through whole.
            keys: the scope: documents that were looked at.
            everything: the scope: all of the gate.
            tx: the caller's transaction.

        Returns:
            How many causes are new (or back), were there already, and left.
        """
        rows = list(
            {(h.kind, h.natural_key, h.line, h.field, h.rule): msgspec.structs.asdict(h) for h in held}.values()
        )
        with self.scope.transaction(tx) as open_tx:
            lock_in(open_tx, "quarantine", self.scope.connection, gate)
            scope = {
                "gate": gate,
                "rows": as_json(rows),
                "periods": list(periods or ()),
                "keys": list(keys or ()),
                "everything": everything,
                "refused": REFUSED,
            }
            released = self.run(open_tx, _RELEASE, **scope).rowcount
            again = int(self.run(open_tx, _AGAIN, gate=gate, rows=scope["rows"]).scalar_one())
            self.run(open_tx, _UPSERT, gate=gate, rows=scope["rows"], run_id=run_id)
        return QuarantineResult(len(rows) - again, again, released)

    def release(
        self, gate: str, keys: Iterable[str], *, rule: str | None = None, tx: sa.Connection | None = None
    ) -> int:
        """Release the causes of documents, or only those of one rule; returns how many."""
        with self.scope.transaction(tx) as open_tx:
            return self.run(
                open_tx,
                "UPDATE jdebill.quarantine SET released_at = now() WHERE connection = :connection AND gate = :gate "
                "AND released_at IS NULL AND natural_key = ANY(:keys) AND (CAST(:rule AS text) IS NULL OR rule = :rule)",
                gate=gate,
                keys=list(keys),
                rule=rule,
            ).rowcount

    def open(
        self, gate: str | None = None, *, periods: Sequence[str] | None = None, limit: int | None = None
    ) -> list[HeldRow]:
        """Return what is held now, oldest first."""
        found = self.select(
            f"{_SELECT} AND released_at IS NULL AND (CAST(:gate AS text) IS NULL OR gate = :gate) "
            "AND (CAST(:periods AS text[]) IS NULL OR period = ANY(:periods)) "
            "ORDER BY first_seen, gate, kind, natural_key, line, field LIMIT :limit",
            gate=gate,
            periods=None if periods is None else list(periods),
            limit=limit,
        )
        return [HeldRow(**row) for row in found]

    def show(self, natural_key: str) -> list[HeldRow]:
        """Return everything ever held of a document, what holds it now first."""
        found = self.select(
            f"{_SELECT} AND natural_key = :key ORDER BY released_at IS NOT NULL, first_seen, line, field",
            key=natural_key,
        )
        return [HeldRow(**row) for row in found]

    def counts(self, periods: Sequence[str] | None = None) -> dict[str, int]:
        """Return how many documents each gate holds."""
        found = self.select(
            "SELECT gate, count(DISTINCT (kind, natural_key)) AS count FROM jdebill.quarantine "
            "WHERE connection = :connection AND released_at IS NULL "
            "AND (CAST(:periods AS text[]) IS NULL OR period = ANY(:periods)) GROUP BY gate ORDER BY gate",
            periods=None if periods is None else list(periods),
        )
        return {row["gate"]: row["count"] for row in found}

    def override(self, natural_key: str, who: str, reason: str, *, rule: str | None = None) -> int:
        """Record that a person lets a held document's causes pass, for its present content only; journaled.

        Whether a rule can be overridden at all is the gate's to say: it reads ``overrides`` when it judges next.

        Args:
            natural_key: the document.
            who: the person's name.
            reason: why.
            rule: only this rule's causes; default all that hold it.

        Returns:
            How many causes were overridden.

        Raises:
            ValueError: no name or reason, or nothing holds the document.
        """
        if not who.strip() or not reason.strip():
            raise ValueError("an override needs a person's name and a reason")
        with self.scope.transaction() as tx:
            values = {"key": natural_key, "rule": rule, "who": who.strip(), "reason": reason.strip()}
            written = self.run(tx, _OVERRIDE, **values).mappings().all()
            if not written:
                raise ValueError(f"nothing holds {natural_key}" + (f" by the rule {rule}" if rule else ""))
            entries = [
                Entry(
                    event="override",
                    kind=row["kind"],
                    natural_key=natural_key,
                    actor=who.strip(),
                    body={key: row[key] for key in ("gate", "rule", "content_hash", "reason")},
                )
                for row in written
            ]
            Journal(self.scope).append(entries, tx=tx)
            return len(written)

    def overrides(self, gate: str) -> dict[tuple[str, str, str], Override]:
        """Return the overrides of a gate by (natural key, rule, content hash)."""
        found = self.select(
            "SELECT natural_key, rule, content_hash, who, reason, at FROM jdebill.overrides "
            "WHERE connection = :connection AND gate = :gate",
            gate=gate,
        )
        return {(row["natural_key"], row["rule"], row["content_hash"]): Override(**row) for row in found}


_RECORDS = """
jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, natural_key text, period text, line text, field text,
  rule text, value text, reason text, fix text, content_hash text, amount numeric, currency text, party text)
"""
_SELECT = (
    "SELECT gate, kind, natural_key, period, line, field, rule, value, reason, fix, content_hash, amount, currency, "
    "party, first_seen, last_seen, released_at, times, run_id FROM jdebill.quarantine WHERE connection = :connection"
)
_RELEASE = f"""
UPDATE jdebill.quarantine q SET released_at = now()
WHERE q.connection = :connection AND q.gate = :gate AND q.released_at IS NULL
AND (:everything OR q.period = ANY(:periods) OR q.natural_key = ANY(:keys))
AND CASE WHEN q.rule = :refused THEN NOT EXISTS (SELECT FROM jdebill.drafts d WHERE d.connection = q.connection
    AND d.kind = q.kind AND d.natural_key = q.natural_key AND d.content_hash = q.content_hash AND d.status = 'due')
  ELSE NOT EXISTS (SELECT FROM {_RECORDS} WHERE r.kind = q.kind AND r.natural_key = q.natural_key
    AND r.line = q.line AND r.field = q.field AND r.rule = q.rule) END
"""  # noqa: S608 - built from constants
_UPSERT = f"""
INSERT INTO jdebill.quarantine AS q (connection, gate, kind, natural_key, period, line, field, rule, value, reason, fix,
  content_hash, amount, currency, party, run_id)
SELECT :connection, :gate, r.*, :run_id FROM {_RECORDS} ORDER BY 3, 4, 6, 7, 8
ON CONFLICT (connection, gate, kind, natural_key, line, field, rule) DO UPDATE SET
  period = excluded.period, value = excluded.value, reason = excluded.reason, fix = excluded.fix,
  content_hash = excluded.content_hash, amount = excluded.amount, currency = excluded.currency,
  party = excluded.party, run_id = excluded.run_id, last_seen = now(),
  times = q.times + CASE WHEN q.released_at IS NULL THEN 0 ELSE 1 END, released_at = NULL
"""  # noqa: S608 - built from constants
_AGAIN = f"""
SELECT count(*) FROM {_RECORDS} JOIN jdebill.quarantine q ON q.connection = :connection AND q.gate = :gate
  AND q.kind = r.kind AND q.natural_key = r.natural_key AND q.line = r.line AND q.field = r.field AND q.rule = r.rule
WHERE q.released_at IS NULL
"""  # noqa: S608 - built from constants
_OVERRIDE = """
INSERT INTO jdebill.overrides AS o (connection, gate, kind, natural_key, rule, content_hash, who, reason)
SELECT DISTINCT connection, gate, kind, natural_key, rule, content_hash, :who, :reason FROM jdebill.quarantine
WHERE connection = :connection AND natural_key = :key AND released_at IS NULL
AND (CAST(:rule AS text) IS NULL OR rule = :rule)
ON CONFLICT (connection, gate, kind, natural_key, rule, content_hash)
DO UPDATE SET who = excluded.who, reason = excluded.reason, at = now()
RETURNING gate, kind, rule, content_hash, reason
"""
