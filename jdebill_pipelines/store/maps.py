"""The two maps: JDE supplier to BILL vendor, JDE account or business unit to BILL account or department.

Belongs here: storing what the matching decided and why. Does not belong here: the matching (domain/).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from jdebill_pipelines.store.scope import Part, as_json


class VendorMatch(msgspec.Struct, frozen=True, kw_only=True):
    """What the matching says about one supplier.

    Attributes:
        natural_key: the address number.
        state: the matching's word, for example ``matched``, ``new``, ``ambiguous``, ``held``.
        vendor_id: the BILL vendor, None when there is none (yet).
        method: what decided it, for example ``link``, ``tax_id``, ``name_address``, ``person``.
        reason: in words.
        candidates: the vendors that came into question.
        decided_by: the person, when a person decided.
    """

    natural_key: str
    state: str
    vendor_id: str | None = None
    method: str = ""
    reason: str = ""
    candidates: list[Any] = []
    details: dict[str, Any] = {}
    decided_by: str = ""
    run_id: str = ""
    updated_at: datetime | None = None


class GlMatch(msgspec.Struct, frozen=True, kw_only=True):
    """What the mapping says about one JDE account or business unit.

    Attributes:
        kind: ``account`` or ``department``.
        jde_key: account id, or business unit.
        state: the mapping's word, for example ``mapped``, ``missing``, ``closed``, ``archived``.
        bill_id: the BILL classification, None when there is none (yet).
    """

    kind: str
    jde_key: str
    state: str
    bill_id: str | None = None
    bill_name: str = ""
    bill_number: str = ""
    reason: str = ""
    details: dict[str, Any] = {}
    run_id: str = ""
    updated_at: datetime | None = None


class Maps(Part):
    """The maps of one connection."""

    def put_vendors(self, matches: Iterable[VendorMatch], *, run_id: str, replace_all: bool = False) -> int:
        """Store matches over those of the same supplier; with ``replace_all`` others go away. Returns how many."""
        rows = [msgspec.structs.asdict(match) for match in matches]
        with self.scope.transaction() as tx:
            if replace_all:
                self.run(
                    tx,
                    "DELETE FROM jdebill.vendor_map WHERE connection = :connection AND natural_key <> ALL(:keys)",
                    keys=[row["natural_key"] for row in rows],
                )
            self.run(tx, _PUT_VENDORS, rows=as_json(rows), run_id=run_id)
        return len(rows)

    def vendors(self, keys: Iterable[str] | None = None) -> dict[str, VendorMatch]:
        """Return the matches by address number."""
        found = self.select(
            "SELECT natural_key, state, vendor_id, method, reason, candidates, details, decided_by, run_id, updated_at "
            "FROM jdebill.vendor_map WHERE connection = :connection "
            "AND (CAST(:keys AS text[]) IS NULL OR natural_key = ANY(:keys)) ORDER BY natural_key",
            keys=None if keys is None else list(keys),
        )
        return {row["natural_key"]: VendorMatch(**row) for row in found}

    def put_gl(self, matches: Iterable[GlMatch], *, run_id: str, replace_all: bool = False) -> int:
        """Store mappings over those of the same kind and key; with ``replace_all`` others go away. Returns how many."""
        rows = [msgspec.structs.asdict(match) for match in matches]
        with self.scope.transaction() as tx:
            if replace_all:
                self.run(tx, _DROP_GL, rows=as_json(rows))
            self.run(tx, _PUT_GL, rows=as_json(rows), run_id=run_id)
        return len(rows)

    def gl(self, kind: str) -> dict[str, GlMatch]:
        """Return the mappings of a kind by JDE key."""
        found = self.select(
            "SELECT kind, jde_key, state, bill_id, bill_name, bill_number, reason, details, run_id, updated_at "
            "FROM jdebill.gl_map WHERE connection = :connection AND kind = :kind ORDER BY jde_key",
            kind=kind,
        )
        return {row["jde_key"]: GlMatch(**row) for row in found}


_PUT_VENDORS = """
INSERT INTO jdebill.vendor_map AS m (connection, run_id, natural_key, state, vendor_id, method, reason, candidates,
  details, decided_by)
SELECT :connection, :run_id, r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(natural_key text, state text,
  vendor_id text, method text, reason text, candidates jsonb, details jsonb, decided_by text) ORDER BY r.natural_key
ON CONFLICT (connection, natural_key) DO UPDATE SET
  run_id = excluded.run_id, state = excluded.state, vendor_id = excluded.vendor_id, method = excluded.method,
  reason = excluded.reason, candidates = excluded.candidates, details = excluded.details,
  decided_by = excluded.decided_by, updated_at = CASE WHEN (m.state, m.vendor_id, m.method, m.reason)
    IS DISTINCT FROM (excluded.state, excluded.vendor_id, excluded.method, excluded.reason)
    THEN now() ELSE m.updated_at END
"""
_DROP_GL = """
DELETE FROM jdebill.gl_map m WHERE m.connection = :connection AND NOT EXISTS (
  SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, jde_key text)
  WHERE r.kind = m.kind AND r.jde_key = m.jde_key)
"""
_PUT_GL = """
INSERT INTO jdebill.gl_map AS m (connection, run_id, kind, jde_key, state, bill_id, bill_name, bill_number, reason,
  details)
SELECT :connection, :run_id, r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, jde_key text, state text,
  bill_id text, bill_name text, bill_number text, reason text, details jsonb) ORDER BY r.kind, r.jde_key
ON CONFLICT (connection, kind, jde_key) DO UPDATE SET
  run_id = excluded.run_id, state = excluded.state, bill_id = excluded.bill_id, bill_name = excluded.bill_name,
  bill_number = excluded.bill_number, reason = excluded.reason, details = excluded.details,
  updated_at = CASE WHEN (m.state, m.bill_id, m.reason) IS DISTINCT FROM
    (excluded.state, excluded.bill_id, excluded.reason) THEN now() ELSE m.updated_at END
"""
