"""The journal: what was done outside, append-only, one hash chain per connection.

Belongs here: appending, walking the chain, reading. Does not belong here: what is worth an entry (the callers').

Each entry's hash covers every column of it and the hash before. A changed, removed or inserted row breaks the chain at
that row; rows cut off at the end are missed by the recorded head. A trigger refuses changes in the first place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from jdebill_pipelines.store.canonical import digest, written_json
from jdebill_pipelines.store.locks import lock_in
from jdebill_pipelines.store.scope import Part, as_json

GENESIS = "0" * 64
_CHUNK = 2_000


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry to be appended.

    Attributes:
        event: what happened, for example ``confirmed``, ``refused``, ``override``.
        kind: of the document.
        natural_key: names the document on its own side.
        remote_id: names it on the other side.
        run_id: the run that did it.
        asset_key: the asset that was made.
        period: its month.
        actor: who asked for it.
        request_digest: SHA-256 of the request's body.
        response_digest: SHA-256 of the answer's body.
        body: more, JSON; decimals stay exact.
    """

    event: str
    kind: str = ""
    natural_key: str = ""
    remote_id: str = ""
    run_id: str = ""
    asset_key: str = ""
    period: str = ""
    actor: str = ""
    request_digest: str = ""
    response_digest: str = ""
    body: dict[str, Any] = {}


class JournalRow(Entry, frozen=True, kw_only=True):
    """An entry in the chain."""

    seq: int
    at: datetime
    prev_hash: str
    hash: str


class Head(msgspec.Struct, frozen=True):
    """The end of the chain: the number and hash of the last entry; 0 and zeros when there is none."""

    seq: int
    hash: str


class Verification(msgspec.Struct, frozen=True):
    """The outcome of walking the chain.

    Attributes:
        ok: every entry is as it was written and none is missing.
        entries: how many were walked in order.
        head: the recorded end.
        first_broken: number of the first entry that is wrong or missing, None when all is well.
        reason: what is wrong with it.
    """

    ok: bool
    entries: int
    head: Head
    first_broken: int | None = None
    reason: str = ""


class Journal(Part):
    """The journal of one connection."""

    def append(self, entries: Sequence[Entry], *, tx: sa.Connection | None = None) -> Head:
        """Append entries in order; returns the new end.

        Args:
            entries: what happened.
            tx: the transaction that does it, so that both happen or neither. The chain is locked until it ends: append
                last.

        Raises:
            TypeError: a body has a value without an exact JSON form, such as a float.
        """
        with self.scope.transaction(tx) as open_tx:
            lock_in(open_tx, "journal", self.scope.connection)
            found = self.run(open_tx, _HEAD).mappings().one()
            at, head = found["at"], Head(found["seq"] or 0, found["hash"] or GENESIS)
            for start in range(0, len(entries), _CHUNK):
                rows: list[dict[str, Any]] = []
                for entry in entries[start : start + _CHUNK]:
                    row = {**msgspec.structs.asdict(entry), "at": at}
                    row |= {"seq": head.seq + 1, "prev_hash": head.hash}
                    row["hash"] = _entry_hash(self.scope.connection, row)
                    head = Head(row["seq"], row["hash"])
                    rows.append(row)
                self.run(open_tx, _INSERT, rows=as_json(rows))
            if entries:
                self.run(open_tx, _SET_HEAD, seq=head.seq, hash=head.hash)
            return head

    def head(self, tx: sa.Connection | None = None) -> Head:
        """Return the recorded end of the chain, as a transaction sees it."""
        found = self.select("SELECT seq, hash FROM jdebill.journal_heads WHERE connection = :connection", tx)
        return Head(**found[0]) if found else Head(0, GENESIS)

    def span(self, run_id: str, asset_key: str) -> tuple[int, int, int]:
        """Return the first and the last entry that a run made for an asset, and how many there are; zeros for none."""
        found = self.select(
            "SELECT coalesce(min(seq), 0) AS first, coalesce(max(seq), 0) AS last, count(*) AS n FROM jdebill.journal "
            "WHERE connection = :connection AND run_id = :run_id AND asset_key = :asset_key",
            run_id=run_id,
            asset_key=asset_key,
        )[0]
        return found["first"], found["last"], found["n"]

    def verify(self, *, anchors: Iterable[Head] = ()) -> Verification:
        """Walk the whole chain, in bounded memory, and name the first entry that is not as it was written.

        Args:
            anchors: ends of the chain that were recorded elsewhere (in a signed report, say): they must still be in it.
        """
        expected = {anchor.seq: anchor.hash for anchor in anchors if anchor.seq}
        with self.scope.engine.connect() as connection:
            # One snapshot for the chain and its recorded end: entries may be appended meanwhile.
            connection = connection.execution_options(isolation_level="REPEATABLE READ", stream_results=True)
            with connection.begin():
                found = self.run(
                    connection, "SELECT seq, hash FROM jdebill.journal_heads WHERE connection = :connection"
                ).one_or_none()
                head = Head(found.seq, found.hash) if found else Head(0, GENESIS)
                last = Head(0, GENESIS)
                result = self.run(connection, f"{_SELECT} ORDER BY seq")
                for row in result.mappings().yield_per(_CHUNK):
                    reason = self._wrong(dict(row), last)
                    if not reason and expected.pop(row["seq"], row["hash"]) != row["hash"]:
                        reason = "it is not the entry that was recorded elsewhere under this number"
                    if reason:
                        return Verification(False, last.seq, head, last.seq + 1, reason)
                    last = Head(row["seq"], row["hash"])
        missing = min([seq for seq in expected if seq > last.seq], default=0)
        if missing or last != head:
            first = last.seq + 1 if last.seq < max(head.seq, missing) else last.seq
            reason = f"entries after {last.seq} are missing: the recorded end is {max(head.seq, missing)}"
            return Verification(
                False, last.seq, head, first, reason if first > last.seq else "the recorded end differs"
            )
        return Verification(True, last.seq, head)

    def read(
        self,
        *,
        natural_keys: Sequence[str] | None = None,
        remote_ids: Sequence[str] | None = None,
        run_id: str | None = None,
        events: Sequence[str] | None = None,
        periods: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> list[JournalRow]:
        """Return entries in order; every filter that is given must hold (``until`` is exclusive)."""
        found = self.select(
            f"{_SELECT} AND (CAST(:keys AS text[]) IS NULL OR natural_key = ANY(:keys)) "
            "AND (CAST(:remote AS text[]) IS NULL OR remote_id = ANY(:remote)) "
            "AND (CAST(:run_id AS text) IS NULL OR run_id = :run_id) "
            "AND (CAST(:events AS text[]) IS NULL OR event = ANY(:events)) "
            "AND (CAST(:periods AS text[]) IS NULL OR period = ANY(:periods)) "
            "AND (CAST(:since AS timestamptz) IS NULL OR at >= :since) "
            "AND (CAST(:until AS timestamptz) IS NULL OR at < :until) ORDER BY seq LIMIT :limit",
            keys=None if natural_keys is None else list(natural_keys),
            remote=None if remote_ids is None else list(remote_ids),
            run_id=run_id,
            events=None if events is None else list(events),
            periods=None if periods is None else list(periods),
            since=since,
            until=until,
            limit=limit,
        )
        return [JournalRow(**row) for row in found]

    def _wrong(self, row: dict[str, Any], last: Head) -> str:
        if row["seq"] != last.seq + 1:
            return f"it is missing: {row['seq']} follows {last.seq}"
        if row["prev_hash"] != last.hash:
            return "it does not continue the entry before it"
        if row["hash"] != _entry_hash(self.scope.connection, row):
            return "its content is not what was written"
        return ""


_FIELDS = (*Entry.__struct_fields__, "seq", "at", "prev_hash")


def _entry_hash(connection: str, row: Mapping[str, Any]) -> str:
    return digest(written_json({"connection": connection, **{field: row[field] for field in _FIELDS}}))


_SELECT = (
    "SELECT seq, at, event, kind, natural_key, remote_id, run_id, asset_key, period, actor, request_digest, "
    "response_digest, body, prev_hash, hash FROM jdebill.journal WHERE connection = :connection"
)
_HEAD = """
SELECT clock_timestamp() AS at, h.seq, h.hash
FROM (VALUES (1)) AS always LEFT JOIN jdebill.journal_heads h ON h.connection = :connection
"""
_INSERT = """
INSERT INTO jdebill.journal (connection, seq, at, event, kind, natural_key, remote_id, run_id, asset_key, period, actor,
  request_digest, response_digest, body, prev_hash, hash)
SELECT :connection, r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(seq bigint, at timestamptz, event text,
  kind text, natural_key text, remote_id text, run_id text, asset_key text, period text, actor text,
  request_digest text, response_digest text, body jsonb, prev_hash text, hash text)
ORDER BY r.seq
"""
_SET_HEAD = """
INSERT INTO jdebill.journal_heads (connection, seq, hash) VALUES (:connection, :seq, :hash)
ON CONFLICT (connection) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
"""
