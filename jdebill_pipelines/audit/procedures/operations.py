"""How the pipelines were run in the period: the journal, runs, failed checks, alerts, the quarantine's flow.

Belongs here: evidence about ourselves. Does not belong here: anything about a single document.
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.validation import in_period

# The whole chain is walked, whatever the period: an entry that is gone shows at the one after it, and one that was
# changed shakes every report.
_CHAIN = """
walked AS MATERIALIZED (
  SELECT j.*, lag(j.seq, 1, 0::bigint) OVER w AS seq_before, lag(j.hash, 1, repeat('0', 64)) OVER w AS hash_before,
    jdebill.entry_hash(j) AS computed
  FROM jdebill.journal j WHERE j.connection = :connection WINDOW w AS (ORDER BY j.seq)
)
"""
_ENTRIES = f"j.connection = :connection AND {in_period('j.at')}"

JOURNAL = Procedure(
    key="journal_intact",
    section=Section.OPERATIONS,
    title="The journal is as it was written",
    objective="Reliability of the evidence: no entry was changed, removed or added afterwards.",
    method=(
        "The hash of every entry is computed anew over all its columns and the hash before it (SHA-256 of the "
        "canonical JSON), in the database; jdebill audit verify does the same outside of it and compares with the ends "
        "of the chain in the packs that were handed out. An entry is listed when it, or the gap before it, is wrong."
    ),
    population=f"SELECT count(*) FROM jdebill.journal j WHERE {_ENTRIES}",
    query=f"""
WITH {_CHAIN},
broken AS (
  SELECT w.seq, w.at, w.event, w.kind, w.natural_key, w.remote_id, w.run_id, concat_ws('; ',
    CASE WHEN w.computed <> w.hash THEN 'its content is not what was written' END,
    CASE WHEN w.seq <> w.seq_before + 1 THEN 'entries between ' || w.seq_before || ' and ' || w.seq || ' are missing'
      WHEN w.prev_hash <> w.hash_before THEN 'it does not continue the entry before it' END) AS finding
  FROM walked w
  WHERE w.computed <> w.hash OR w.seq <> w.seq_before + 1 OR w.prev_hash <> w.hash_before
  UNION ALL
  SELECT h.seq, NULL, '', '', '', '', '', 'the end of the chain is not the one that was recorded'
  FROM jdebill.journal_heads h WHERE h.connection = :connection AND NOT EXISTS (
    SELECT FROM jdebill.journal j WHERE j.connection = h.connection AND j.seq = h.seq AND j.hash = h.hash)
)
SELECT b.seq AS entry, b.at, b.event, b.kind, b.natural_key AS document, b.remote_id, b.run_id, b.finding
FROM broken b
ORDER BY b.seq, b.finding
""",
    columns=(
        Column("entry", "Entry", Shape.KEY),
        Column("at", "When", Shape.TIME),
        Column("event", "Event"),
        Column("kind", "Kind"),
        Column("document", "Document", Shape.KEY),
        Column("remote_id", "Written as", Shape.KEY),
        Column("run_id", "Run"),
        Column("finding", "Finding"),
    ),
    rule=Rule.NO_ROWS,
    fix="Somebody changed our database by hand. Compare with a backup and with the packs; find out who has access.",
)

_RUNS = f"r.connection = :connection AND {in_period('r.started_at')}"

RUNS = Procedure(
    key="runs",
    section=Section.OPERATIONS,
    title="Runs and backfills of the period",
    objective="Completeness: the pipelines ran, and it is known who started what with which code.",
    method="Every run that began in the period, from our own records: Dagster's event log may have been pruned.",
    population=f"SELECT count(*) FROM jdebill.runs r WHERE {_RUNS}",
    query=f"""
SELECT r.run_id, r.flow, r.mode, array_to_string(r.periods, ' ') AS periods, r.actor, r.code_version, r.status,
  r.started_at, r.finished_at, count(w.id) FILTER (WHERE w.state = 'confirmed') AS confirmed,
  count(w.id) FILTER (WHERE w.state = 'refused') AS refused, count(w.id) FILTER (WHERE w.state = 'unknown') AS unknown
FROM jdebill.runs r
LEFT JOIN jdebill.writes w ON w.connection = r.connection AND w.run_id = r.run_id
WHERE {_RUNS}
GROUP BY r.connection, r.run_id
ORDER BY r.started_at, r.run_id
""",
    columns=(
        Column("run_id", "Run"),
        Column("flow", "Job"),
        Column("mode", "Mode"),
        Column("periods", "Months"),
        Column("actor", "Asked for by"),
        Column("code_version", "Code version"),
        Column("status", "Ended"),
        Column("started_at", "Began", Shape.TIME),
        Column("finished_at", "Finished", Shape.TIME),
        Column("confirmed", "Written", Shape.NUMBER),
        Column("refused", "Refused", Shape.NUMBER),
        Column("unknown", "Unknown", Shape.NUMBER),
    ),
    rule=Rule.EVIDENCE,
)

_CHECKS = """jsonb_each(CASE WHEN jsonb_typeof(r.summary->'checks') = 'object' THEN r.summary->'checks' ELSE '{}' END)
  AS c(name, value)"""

CHECKS = Procedure(
    key="failed_checks",
    section=Section.OPERATIONS,
    title="Checks that failed in the period",
    objective="Accuracy: what the checks found was looked at.",
    method="Every asset check that failed in a run of the period, and whether its last evaluation there passed.",
    population=f"SELECT count(*) FROM jdebill.runs r CROSS JOIN LATERAL {_CHECKS} WHERE {_RUNS}",
    query=f"""
WITH evaluated AS (
  SELECT r.run_id, r.started_at, c.name, (c.value->>'passed')::boolean AS passed, c.value->>'summary' AS summary,
    coalesce((c.value->>'total')::bigint, 0) AS failing
  FROM jdebill.runs r CROSS JOIN LATERAL {_CHECKS} WHERE {_RUNS}
)
SELECT e.name AS check_name, e.run_id, e.started_at, e.failing, e.summary,
  CASE WHEN (SELECT l.passed FROM evaluated l WHERE l.name = e.name ORDER BY l.started_at DESC, l.run_id DESC LIMIT 1)
    THEN 'passed since' ELSE 'still failing' END AS state
FROM evaluated e WHERE NOT e.passed
ORDER BY e.started_at, e.name, e.run_id
""",
    columns=(
        Column("check_name", "Check"),
        Column("run_id", "Run"),
        Column("started_at", "Run began", Shape.TIME),
        Column("failing", "Failing rows", Shape.NUMBER),
        Column("summary", "Summary"),
        Column("state", "State at the cut-off"),
    ),
    rule=Rule.EVIDENCE,
)

_ALERTS = f"a.connection = :connection AND {in_period('a.created_at')}"

ALERTS = Procedure(
    key="alerts",
    section=Section.OPERATIONS,
    title="Alerts of the period",
    objective="Monitoring: people were told, and how soon.",
    method="Every alert that was raised in the period, whether it was sent and after how many seconds.",
    population=f"SELECT count(*) FROM jdebill.alert_outbox a WHERE {_ALERTS}",
    query=f"""
SELECT a.id AS alert, a.subject, a.created_at, a.state, a.sent_at, a.attempts,
  ceil(extract(epoch FROM a.sent_at - a.created_at))::bigint AS seconds, a.last_error
FROM jdebill.alert_outbox a WHERE {_ALERTS}
ORDER BY a.created_at, a.id
""",
    columns=(
        Column("alert", "Alert", Shape.NUMBER),
        Column("subject", "Subject"),
        Column("created_at", "Raised", Shape.TIME),
        Column("state", "State"),
        Column("sent_at", "Sent", Shape.TIME),
        Column("attempts", "Attempts", Shape.NUMBER),
        Column("seconds", "Seconds until sent", Shape.NUMBER),
        Column("last_error", "Last error"),
    ),
    rule=Rule.EVIDENCE,
)

_SENT = f"w.connection = :connection AND {in_period('w.created_at')}"

OPEN_WRITES = Procedure(
    key="unknown_writes",
    section=Section.OPERATIONS,
    title="Writes of unknown outcome",
    objective="Completeness: of everything that was sent it is known whether it is there.",
    method="Writes of the period that were sent and neither confirmed nor refused by now.",
    population=f"SELECT count(*) FROM jdebill.writes w WHERE {_SENT}",
    query=f"""
SELECT w.kind, w.natural_key AS document, w.operation, w.state, w.currency, w.amount, w.created_at, w.attempts, w.run_id
FROM jdebill.writes w
WHERE {_SENT} AND w.state IN ('claimed', 'unknown')
ORDER BY w.created_at, w.id
""",
    columns=(
        Column("kind", "Kind"),
        Column("document", "Document", Shape.KEY),
        Column("operation", "Operation"),
        Column("state", "State"),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("created_at", "Sent", Shape.TIME),
        Column("attempts", "Attempts", Shape.NUMBER),
        Column("run_id", "Run"),
    ),
    rule=Rule.NO_ROWS,
    fix="Run the month again: what is uncertain is looked up on the other side first.",
)

OPERATIONS = (JOURNAL, OPEN_WRITES, RUNS, CHECKS, ALERTS)
