"""The one way from a draft to something that may be sent.

Belongs here: the join of draft, verdict, gate and link. Does not belong here: the sending (writes.py checks the same
join again inside its own transaction).

Released is a draft that is due, whose stored verdict passes for exactly the hash of its content, whose gate is open,
and that the other side does not hold in this form yet. Whoever skips the checks, materializes a write alone or replays
an old month meets this join; there is no way around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.store.canonical import content_hash
from jdebill_pipelines.store.engine import decode_json
from jdebill_pipelines.store.scope import Part


class TamperedContent(RuntimeError):
    """What is stored is not what the hash names: somebody changed a row by hand. Nothing of it is sent."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A document that may be sent.

    Attributes:
        operation: ``create``, ``update``, ``archive``, ``restore``, ``post`` or ``reverse``: a due draft that is linked
            is an update; one whose object we archived is restored first.
        content: what the verdict passed.
        text: the content as the database writes it: equal texts are equal contents, without decoding them.
        remote_id: of the object that is linked, None when there is none.
    """

    gate: str
    kind: str
    natural_key: str
    operation: str
    content: dict[str, Any]
    text: str
    content_hash: str
    period: str
    amount: Decimal | None
    currency: str
    party: str
    source: str
    remote_id: str | None
    details: dict[str, Any]


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """Which document may be sent: a :class:`Release` without what is in it.

    Attributes:
        operation: as of a release.
    """

    kind: str
    natural_key: str
    operation: str


# Shared with writes.py: the condition must be one text, not two that agree today. Written so that every document is
# looked up by its key (OFFSET 0 and LIMIT keep the planner from joining): the tables fill up within one run, without
# statistics, and a join planned for ten rows compares every row with every row.
LINK = """
LEFT JOIN LATERAL (SELECT o.* FROM jdebill.links o WHERE o.connection = d.connection AND o.kind = d.kind
  AND o.natural_key = d.natural_key LIMIT 1) AS l ON true
"""
VERDICT = """
v.connection = d.connection AND v.gate = d.gate AND v.kind = d.kind AND v.natural_key = d.natural_key
AND v.content_hash = d.content_hash
"""
PASSED = f"""
EXISTS (SELECT FROM jdebill.verdicts v WHERE {VERDICT} AND v.passed OFFSET 0)
AND EXISTS (SELECT FROM jdebill.gate_states g WHERE g.connection = d.connection AND g.gate = d.gate
  AND g.period = d.period AND g.is_open OFFSET 0)
"""  # noqa: S608 - built from the constant above
DIFFERS = """
d.status = 'due' AND CASE d.operation
  WHEN 'archive' THEN l.natural_key IS NOT NULL AND NOT l.archived
  WHEN 'restore' THEN l.natural_key IS NOT NULL AND l.archived
  WHEN 'post' THEN l.natural_key IS NULL
  WHEN 'reverse' THEN l.natural_key IS NULL
  ELSE l.natural_key IS NULL OR l.archived OR l.content_hash IS DISTINCT FROM d.content_hash
END
"""
OPERATION = """
CASE WHEN d.operation = 'create' AND l.archived THEN 'restore'
  WHEN d.operation = 'create' AND l.natural_key IS NOT NULL THEN 'update' ELSE d.operation END
"""
_SCOPE = """
d.connection = :connection AND d.gate = :gate
AND (CAST(:periods AS text[]) IS NULL OR d.period = ANY(:periods))
AND (CAST(:keys AS text[]) IS NULL OR d.natural_key = ANY(:keys))
AND (CAST(:kinds AS text[]) IS NULL OR d.kind = ANY(:kinds))
"""
_PENDING = f"""
SELECT d.kind, d.natural_key, {OPERATION} AS operation
FROM jdebill.drafts d {LINK} WHERE {_SCOPE} AND {DIFFERS} AND {PASSED} ORDER BY d.period, d.kind, d.natural_key
"""  # noqa: S608 - built from the constants above
_RELEASABLE = f"""
SELECT d.gate, d.kind, d.natural_key, {OPERATION} AS operation, d.content::text AS text, d.content_hash, d.period,
  d.amount, d.currency, d.party, d.source, l.remote_id, d.details
FROM {{drafts}} AS d {LINK} WHERE {_SCOPE} AND {DIFFERS} AND {PASSED} ORDER BY d.period, d.kind, d.natural_key
"""  # noqa: S608 - built from the constants above
# A batch of a first load names its hundred documents: looking through all drafts for each batch would take a time that
# grows with the square of the documents.
_NAMED = """
(SELECT c.* FROM unnest(CAST(:kinds AS text[])) AS k(kind) CROSS JOIN unnest(CAST(:keys AS text[])) AS n(natural_key)
  CROSS JOIN LATERAL (SELECT o.* FROM jdebill.drafts o WHERE o.connection = :connection AND o.kind = k.kind
    AND o.natural_key = n.natural_key LIMIT 1) AS c)
"""
_BLOCKED = f"""
SELECT CASE WHEN v.passed IS NULL AND EXISTS (SELECT FROM jdebill.verdicts o WHERE o.connection = d.connection
      AND o.gate = d.gate AND o.kind = d.kind AND o.natural_key = d.natural_key OFFSET 0)
    THEN 'the verdict is on another content'
  WHEN v.passed IS NULL THEN 'no verdict'
  WHEN NOT v.passed THEN 'failed the gate'
  WHEN g.is_open IS NULL THEN 'the gate of the period was never evaluated'
  ELSE 'the gate of the period is closed' END AS reason, count(*) AS count
FROM jdebill.drafts d
LEFT JOIN LATERAL (SELECT v.passed FROM jdebill.verdicts v WHERE {VERDICT} LIMIT 1) AS v ON true
LEFT JOIN LATERAL (SELECT g.is_open FROM jdebill.gate_states g WHERE g.connection = d.connection AND g.gate = d.gate
  AND g.period = d.period LIMIT 1) AS g ON true
{LINK}
WHERE {_SCOPE} AND {DIFFERS} AND NOT (coalesce(v.passed, false) AND coalesce(g.is_open, false))
GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - built from the constants above


class Releases(Part):
    """The released documents of one connection."""

    def pending(
        self, gate: str, *, periods: Sequence[str] | None = None, kinds: Sequence[str] | None = None
    ) -> list[Pending]:
        """Return which documents may be sent, in order of period, kind and key.

        A first load has tens of thousands: their contents are read batch by batch with :meth:`releasable`.
        """
        return [Pending(**row) for row in self.select(_PENDING, **_scope(gate, periods, None, kinds))]

    def releasable(
        self,
        gate: str,
        *,
        periods: Sequence[str] | None = None,
        keys: Iterable[str] | None = None,
        kinds: Sequence[str] | None = None,
    ) -> list[Release]:
        """Return what may be sent, in order of period, kind and key.

        Raises:
            TamperedContent: a stored draft does not have the content that its hash names.
        """
        scope = _scope(gate, periods, keys, kinds)
        named = scope["keys"] is not None and scope["kinds"] is not None
        rows = self.select(_RELEASABLE.format(drafts=_NAMED if named else "jdebill.drafts"), **scope)
        released = [Release(content=decode_json(row["text"]), **row) for row in rows]
        for release in released:
            check_content(release.kind, release.natural_key, release.content, release.content_hash)
        return released

    def blocked(
        self,
        gate: str,
        *,
        periods: Sequence[str] | None = None,
        keys: Iterable[str] | None = None,
        kinds: Sequence[str] | None = None,
    ) -> dict[str, int]:
        """Return why due drafts are not released, with how many each: no verdict, failed, gate closed..."""
        found = self.select(_BLOCKED, **_scope(gate, periods, keys, kinds))
        return {row["reason"]: row["count"] for row in found}


def check_content(kind: str, natural_key: str, content: dict[str, Any], expected: str) -> None:
    """Make sure that a content is the one its hash names.

    Raises:
        TamperedContent: it is not.
    """
    if content_hash(kind, content) != expected:
        raise TamperedContent(
            f"the stored content of {kind} {natural_key} is not the one that was judged ({expected[:12]}...): "
            "the row was changed by hand. Run its month again to make it anew"
        )


def _scope(
    gate: str, periods: Sequence[str] | None, keys: Iterable[str] | None, kinds: Sequence[str] | None
) -> dict[str, Any]:
    return {
        "gate": gate,
        "periods": None if periods is None else list(periods),
        "keys": None if keys is None else sorted(set(keys)),
        "kinds": None if kinds is None else sorted(set(kinds)),
    }
