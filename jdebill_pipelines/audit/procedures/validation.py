"""The gate: what it refused, who fixed it, who overrode it, and that nothing went around it.

Belongs here: evidence about verdicts and overrides. Does not belong here: the journal (operations.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape

_TIMES = "(CAST(:first AS date)::timestamp AT TIME ZONE :timezone)"
_UNTIL = "((CAST(:last AS date) + 1)::timestamp AT TIME ZONE :timezone)"


def in_period(column: str) -> str:
    """The condition that a time lies in the period, in the connection's zone."""
    return f"{column} >= {_TIMES} AND {column} < {_UNTIL}"


_CONFIRMED = f"w.connection = :connection AND w.state = 'confirmed' AND {in_period('w.settled_at')}"

# The store keeps the last verdict on a content; the claim of a write has seen one that passed (store/releases.py).
_FAILED = "(NOT v.passed AND v.at <= w.settled_at)"

BYPASS = Procedure(
    key="gate_bypass",
    section=Section.VALIDATION,
    title="Writes that the gate did not pass",
    objective="Authorisation: nothing was written to either system that was not validated in exactly that form.",
    method=(
        "Every write confirmed in the period must have a stored verdict that passes for the hash of its content, its "
        "content must still have that hash (computed here anew), what was sent must have the digest that was stored, "
        "and its journal entry must be there. Content is judged again in later runs: a verdict that fails since it was "
        "written (its supplier was put on hold, say) says nothing about the write."
    ),
    population=f"SELECT count(*) FROM jdebill.writes w WHERE {_CONFIRMED}",
    query=f"""
SELECT w.kind, w.natural_key AS document, w.operation, w.remote_id, w.settled_at, w.actor, w.run_id,
  concat_ws('; ',
    CASE WHEN v.passed IS NULL THEN 'no verdict' WHEN {_FAILED} THEN 'the verdict failed' END,
    CASE WHEN jdebill.content_hash(w.kind, w.content) <> w.content_hash THEN 'the content is not what was judged' END,
    CASE WHEN jdebill.digest(w.payload) <> w.payload_digest THEN 'what was sent is not what is stored' END,
    CASE WHEN NOT EXISTS (SELECT FROM jdebill.journal j WHERE j.connection = w.connection
      AND j.natural_key = w.natural_key AND j.kind = w.kind AND j.event IN ('confirmed', 'adopted', 'matched')
      AND j.body->>'write' = w.id::text) THEN 'not in the journal' END) AS finding
FROM jdebill.writes w
LEFT JOIN jdebill.verdicts v ON v.connection = w.connection AND v.gate = w.gate AND v.kind = w.kind
  AND v.natural_key = w.natural_key AND v.content_hash = w.content_hash
WHERE {_CONFIRMED} AND (v.passed IS NULL OR {_FAILED}
  OR jdebill.content_hash(w.kind, w.content) <> w.content_hash OR jdebill.digest(w.payload) <> w.payload_digest
  OR NOT EXISTS (SELECT FROM jdebill.journal j WHERE j.connection = w.connection AND j.natural_key = w.natural_key
    AND j.kind = w.kind AND j.event IN ('confirmed', 'adopted', 'matched') AND j.body->>'write' = w.id::text))
ORDER BY w.settled_at, w.id
""",
    columns=(
        Column("kind", "Kind"),
        Column("document", "Document", Shape.KEY),
        Column("operation", "Operation"),
        Column("remote_id", "Written as", Shape.KEY),
        Column("settled_at", "Confirmed", Shape.TIME),
        Column("actor", "Asked for by"),
        Column("run_id", "Run"),
        Column("finding", "Finding"),
    ),
    rule=Rule.NO_ROWS,
    fix="Somebody wrote into our database by hand. Find out who; compare the document in both systems.",
)

_REJECTED = f"""q.connection = :connection AND q.first_seen < {_UNTIL}
  AND (q.released_at IS NULL OR q.released_at >= {_TIMES})"""

REJECTIONS = Procedure(
    key="gate_rejections",
    section=Section.VALIDATION,
    title="What the gate held back, and who fixed it",
    objective="Accuracy: invalid accounts, business units, amounts and dates are stopped and corrected at the source.",
    method=(
        "Everything that was in the quarantine at some time of the period, with the field, its value and the reason. "
        "Fixed by: the person of an override, else the JD Edwards user who changed the document last before it left "
        "the quarantine; master data names nobody."
    ),
    population=f"SELECT count(*) FROM jdebill.quarantine q WHERE {_REJECTED}",
    query=f"""
SELECT q.gate, q.kind, q.natural_key AS document, q.line, q.field, q.rule, q.value, q.reason, q.currency, q.amount,
  q.first_seen, CASE WHEN q.released_at < {_UNTIL} THEN q.released_at END AS released_at,
  coalesce(CASE WHEN o.who IS NOT NULL THEN o.who || ' (override)' END,
    CASE WHEN q.released_at < {_UNTIL} THEN v.fixed_by END, '') AS fixed_by,
  CASE WHEN q.released_at < {_UNTIL} THEN 'left' ELSE 'held' END AS state
FROM jdebill.quarantine q
LEFT JOIN LATERAL (SELECT x.who FROM jdebill.overrides x WHERE x.connection = q.connection AND x.gate = q.gate
  AND x.kind = q.kind AND x.natural_key = q.natural_key AND x.rule = q.rule AND x.at < {_UNTIL}
  ORDER BY x.at DESC, x.id DESC LIMIT 1) AS o ON true
LEFT JOIN LATERAL (SELECT x."user" AS fixed_by FROM jdebill.aud_f0411 x WHERE x.connection = q.connection
  AND x.kco = split_part(q.natural_key, '-', 1) AND x.dct = split_part(q.natural_key, '-', 2)
  AND x.doc = substring(q.natural_key FROM '^[^-]*-[^-]*-([0-9]+)$')::numeric
  AND x.upmj BETWEEN (q.first_seen AT TIME ZONE :timezone)::date AND (q.released_at AT TIME ZONE :timezone)::date
  ORDER BY x.upmj DESC, x.upmt DESC, x.sfx LIMIT 1) AS v ON true
WHERE {_REJECTED}
ORDER BY q.first_seen, q.gate, q.kind, q.natural_key, q.line, q.field, q.rule
""",
    columns=(
        Column("gate", "Gate"),
        Column("kind", "Kind"),
        Column("document", "Document", Shape.KEY),
        Column("line", "Line"),
        Column("field", "Field"),
        Column("rule", "Rule"),
        Column("value", "Value"),
        Column("reason", "Reason"),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("first_seen", "Held", Shape.TIME),
        Column("released_at", "Left", Shape.TIME),
        Column("fixed_by", "Fixed by"),
        Column("state", "State at the cut-off"),
    ),
    rule=Rule.EVIDENCE,
)

OVERRIDES = Procedure(
    key="overrides",
    section=Section.VALIDATION,
    title="Overrides and notes of the period",
    objective="Authorisation: every exception from a rule has a person and a reason.",
    method="All overrides of the gates and all notes on findings, whether the document was written since, and as what.",
    population=f"SELECT count(*) FROM jdebill.overrides o WHERE o.connection = :connection AND {in_period('o.at')}",
    query=f"""
SELECT o.gate, o.kind, o.natural_key AS document, o.rule, o.who, o.reason, o.at, coalesce(w.remote_id, '') AS remote_id,
  coalesce(j.seq::text, '') AS journal
FROM jdebill.overrides o
LEFT JOIN LATERAL (SELECT x.remote_id FROM jdebill.writes x WHERE x.connection = o.connection AND x.kind = o.kind
  AND x.natural_key = o.natural_key AND x.content_hash = o.content_hash AND x.state = 'confirmed'
  ORDER BY x.generation DESC LIMIT 1) AS w ON true
LEFT JOIN LATERAL (SELECT x.seq FROM jdebill.journal x WHERE x.connection = o.connection
  AND x.natural_key = o.natural_key AND x.event IN ('override', 'note') AND x.body->>'rule' = o.rule
  ORDER BY x.seq DESC LIMIT 1) AS j ON true
WHERE o.connection = :connection AND {in_period("o.at")}
ORDER BY o.at, o.id
""",
    columns=(
        Column("gate", "Gate"),
        Column("kind", "Kind"),
        Column("document", "Document", Shape.KEY),
        Column("rule", "Rule"),
        Column("who", "Who"),
        Column("reason", "Reason"),
        Column("at", "When", Shape.TIME),
        Column("remote_id", "Written as", Shape.KEY),
        Column("journal", "Journal entry", Shape.KEY),
    ),
    rule=Rule.EVIDENCE,
)

VALIDATION = (BYPASS, REJECTIONS, OVERRIDES)
