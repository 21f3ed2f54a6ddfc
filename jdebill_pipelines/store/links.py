"""Links: what is the same thing on both sides, and with which content it was last confirmed.

Does not belong here: deciding that two things are the same (domain/) and the writes that confirm it (writes.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from jdebill_pipelines.store.scope import Part, as_json

Origin = Literal["created", "adopted", "matched"]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One pair.

    Attributes:
        kind: ``vendor``, ``bill``, ``vendor_credit``, ``posting``, ``account``, ``department``.
        natural_key: on the side it comes from.
        remote_id: on the side it went to.
        content_hash: of the content last confirmed there; None when it was matched and never written by us.
        origin: created by us, adopted (created by us, found after an unknown outcome), or matched (was there before).
        archived: archived there by us.
    """

    kind: str
    natural_key: str
    remote_id: str
    content_hash: str | None = None
    origin: Origin = "matched"
    archived: bool = False
    details: dict[str, Any] = {}
    run_id: str = ""
    confirmed_at: datetime | None = None


class LinkConflict(RuntimeError):
    """The object on the other side is linked to another document already."""


class Links(Part):
    """The links of one connection."""

    def all(self, kind: str) -> dict[str, Link]:
        """Return the links of a kind by natural key."""
        return {link.natural_key: link for link in self._read(kind)}

    def get(self, kind: str, keys: Iterable[str]) -> dict[str, Link]:
        """Return the links of these natural keys; keys without one are left out."""
        return {link.natural_key: link for link in self._read(kind, keys=list(keys))}

    def by_remote(self, kind: str, remote_ids: Iterable[str] | None = None) -> dict[str, Link]:
        """Return the links of a kind by remote id (only postings and accounts may share one: any of them)."""
        found = self._read(kind, remote=None if remote_ids is None else list(remote_ids))
        return {link.remote_id: link for link in found}

    def put(self, kind: str, links: Iterable[Link], *, run_id: str) -> int:
        """Store links that were found, not written, such as matched vendors; over those of the same key.

        Raises:
            LinkConflict: two vendors, bills or credits would share one object on the other side.
        """
        rows = [msgspec.structs.asdict(link) for link in links]
        wrong = [row["natural_key"] for row in rows if row["kind"] != kind]
        if wrong:
            raise ValueError(f"links of another kind than {kind}: {wrong[:5]}")
        with self.scope.transaction() as tx:
            conflict = self.run(tx, _CONFLICT, rows=as_json(rows)).first()
            if conflict:
                raise LinkConflict(
                    f"{kind} {conflict.natural_key}: {conflict.remote_id} is linked to {conflict.holder} already"
                )
            return self.run(tx, _UPSERT, run_id=run_id, rows=as_json(rows)).rowcount

    def note(self, kind: str, details: Mapping[str, Mapping[str, Any]]) -> int:
        """Add details to links by natural key; when and by which run they were confirmed stays."""
        rows = [{"natural_key": key, "details": dict(more)} for key, more in details.items()]
        with self.scope.transaction() as tx:
            return self.run(tx, _NOTE, kind=kind, rows=as_json(rows)).rowcount

    def lacking(self, kind: str, member: str) -> list[str]:
        """Return the natural keys of links whose details do not have a member yet."""
        found = self.select(
            "SELECT natural_key FROM jdebill.links WHERE connection = :connection AND kind = :kind "
            "AND NOT jsonb_exists(details, :member) ORDER BY confirmed_at, natural_key",
            kind=kind,
            member=member,
        )
        return [row["natural_key"] for row in found]

    def remove(self, kind: str, keys: Iterable[str]) -> int:
        """Forget links, for example of a vendor that turned out not to be the same; returns how many."""
        with self.scope.transaction() as tx:
            return self.run(
                tx,
                "DELETE FROM jdebill.links "
                "WHERE connection = :connection AND kind = :kind AND natural_key = ANY(:keys)",
                kind=kind,
                keys=list(keys),
            ).rowcount

    def _read(self, kind: str, keys: list[str] | None = None, remote: list[str] | None = None) -> list[Link]:
        found = self.select(
            "SELECT kind, natural_key, remote_id, content_hash, origin, archived, details, run_id, confirmed_at "
            "FROM jdebill.links WHERE connection = :connection AND kind = :kind "
            "AND (CAST(:keys AS text[]) IS NULL OR natural_key = ANY(:keys)) "
            "AND (CAST(:remote AS text[]) IS NULL OR remote_id = ANY(:remote)) ORDER BY natural_key",
            kind=kind,
            keys=keys,
            remote=remote,
        )
        return [Link(**row) for row in found]


_RECORDS = """
jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, natural_key text, remote_id text, content_hash text,
  origin text, archived boolean, details jsonb)
"""
# A key that gets another id within the same call gives its old one up; a swap of two is rare enough to take two calls.
_CONFLICT = f"""
SELECT r.natural_key, r.remote_id, coalesce(l.natural_key, o.natural_key) AS holder
FROM {_RECORDS}
LEFT JOIN jdebill.links l ON l.connection = :connection AND l.remote_id = r.remote_id
  AND l.kind IN ('vendor', 'bill', 'vendor_credit') AND (l.kind, l.natural_key) <> (r.kind, r.natural_key)
LEFT JOIN {_RECORDS.replace("AS r(", "AS o(")} ON o.remote_id = r.remote_id AND o.natural_key < r.natural_key
WHERE r.kind IN ('vendor', 'bill', 'vendor_credit') AND coalesce(l.natural_key, o.natural_key) IS NOT NULL LIMIT 1
"""  # noqa: S608 - built from constants
_UPSERT = f"""
INSERT INTO jdebill.links (connection, kind, natural_key, remote_id, content_hash, origin, archived, details, run_id)
SELECT :connection, r.kind, r.natural_key, r.remote_id, r.content_hash, r.origin, r.archived, r.details, :run_id
FROM {_RECORDS} ORDER BY r.kind, r.natural_key
ON CONFLICT (connection, kind, natural_key) DO UPDATE SET
  remote_id = excluded.remote_id, content_hash = excluded.content_hash, origin = excluded.origin,
  archived = excluded.archived, details = excluded.details, run_id = excluded.run_id, confirmed_at = now()
"""  # noqa: S608 - built from constants
_NOTE = """
UPDATE jdebill.links l SET details = l.details || r.details
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(natural_key text, details jsonb)
WHERE l.connection = :connection AND l.kind = :kind AND l.natural_key = r.natural_key
"""
