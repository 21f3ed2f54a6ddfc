"""The record of what was written outside: the write ledger, the journal, and what is held back.

Belongs here: the tables of the four-step protocol and the append-only journal with its trigger. Does not belong here:
drafts and verdicts (documents.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from jdebill_pipelines.store.schema.base import metadata, moment, text
from jdebill_pipelines.store.schema.documents import EMPTY_LIST, EMPTY_OBJECT

OPEN_STATES = ("intended", "claimed", "unknown")

fences = sa.Sequence("write_fences", metadata=metadata)

writes = sa.Table(
    "writes",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    text("connection"),
    text("kind"),
    text("natural_key"),
    sa.Column("generation", sa.Integer, nullable=False),
    text("gate"),
    text("operation"),
    text("state"),
    sa.Column("content", JSONB, nullable=False),
    text("content_hash"),
    text("payload"),  # exactly what is sent
    text("payload_digest"),
    text("remote_id", nullable=True),  # of the object that is changed, then of the one that was confirmed
    text("period", default=""),
    sa.Column("amount", sa.Numeric),
    text("currency", default=""),
    text("party", default=""),
    sa.Column("fence", sa.BigInteger, nullable=False),  # grows with every claim; a settle must name the current one
    text("worker"),
    moment("claimed_at", now=True),
    moment("lease_until"),
    moment("uncertain_since", nullable=True),  # from when on it may or may not exist on the other side
    moment("not_before", nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("1")),
    sa.Column("errors", JSONB, nullable=False, server_default=EMPTY_LIST),
    text("response_digest", default=""),
    text("run_id"),
    text("asset_key", default=""),
    text("actor", default=""),
    moment("created_at", now=True),
    moment("settled_at", nullable=True),
    sa.UniqueConstraint("connection", "kind", "natural_key", "generation", name="uq_writes_generation"),
    # One write at a time per document: whatever races, the second insert fails.
    sa.Index(
        "uq_writes_open",
        "connection",
        "kind",
        "natural_key",
        unique=True,
        postgresql_where=sa.text("state = ANY (ARRAY['intended'::text, 'claimed'::text, 'unknown'::text])"),
    ),
    sa.Index("ix_writes_run", "run_id", "connection"),
    sa.CheckConstraint(
        "state IN ('intended', 'claimed', 'unknown', 'confirmed', 'refused', 'superseded')", name="state"
    ),
    sa.CheckConstraint("state <> 'confirmed' OR remote_id <> ''", name="confirmed_has_remote_id"),
    sa.CheckConstraint("operation IN ('create', 'update', 'archive', 'restore', 'post', 'reverse')", name="operation"),
)

journal = sa.Table(
    "journal",
    metadata,
    text("connection", primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True),
    moment("at"),
    text("event"),
    text("kind", default=""),
    text("natural_key", default=""),
    text("remote_id", default=""),
    text("run_id", default=""),
    text("asset_key", default=""),
    text("period", default=""),
    text("actor", default=""),
    text("request_digest", default=""),
    text("response_digest", default=""),
    sa.Column("body", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    text("prev_hash"),
    text("hash"),
    sa.Index("ix_journal_natural_key", "natural_key", "connection"),
    sa.Index("ix_journal_run_id", "run_id", "connection"),
)

journal_heads = sa.Table(
    "journal_heads",
    metadata,
    text("connection", primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    text("hash"),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    text("connection"),
    text("gate"),
    text("kind"),
    text("natural_key"),
    text("line", default=""),
    text("field", default=""),
    text("rule", default=""),
    text("period", default=""),
    text("value", default=""),
    text("reason"),
    text("fix", default=""),
    text("content_hash", default=""),
    sa.Column("amount", sa.Numeric),
    text("currency", default=""),
    text("party", default=""),
    moment("first_seen", now=True),
    moment("last_seen", now=True),
    moment("released_at", nullable=True),
    sa.Column("times", sa.Integer, nullable=False, server_default=sa.text("1")),  # episodes: held, released, held again
    text("run_id"),
    sa.UniqueConstraint(
        "connection", "gate", "kind", "natural_key", "line", "field", "rule", name="uq_quarantine_cause"
    ),
    sa.Index("ix_quarantine_held", "period", "gate", "connection", postgresql_where=sa.text("released_at IS NULL")),
)

overrides = sa.Table(
    "overrides",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    text("connection"),
    text("gate"),
    text("kind"),
    text("natural_key"),
    text("rule"),
    text("content_hash"),
    text("who"),
    text("reason"),
    moment("at", now=True),
    sa.UniqueConstraint("connection", "gate", "kind", "natural_key", "rule", "content_hash", name="uq_overrides_scope"),
    sa.CheckConstraint("btrim(who) <> '' AND btrim(reason) <> ''", name="signed"),
)
