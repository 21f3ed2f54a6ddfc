"""The write ledger, the append-only journal, quarantine and overrides."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "jdebill"

# The chain would show a change afterwards; the trigger refuses it in the first place, also to the owner's own tools.
REFUSE_CHANGES = """
CREATE FUNCTION jdebill.refuse_journal_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the journal is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER journal_is_append_only BEFORE UPDATE OR DELETE ON jdebill.journal
  FOR EACH ROW EXECUTE FUNCTION jdebill.refuse_journal_change();
CREATE TRIGGER journal_is_not_truncated BEFORE TRUNCATE ON jdebill.journal
  FOR EACH STATEMENT EXECUTE FUNCTION jdebill.refuse_journal_change();
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(sa.schema.CreateSequence(sa.Sequence("write_fences", schema=SCHEMA)))
    op.create_table(
        "writes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("payload_digest", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text()),
        sa.Column("period", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("amount", sa.Numeric()),
        sa.Column("currency", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("party", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uncertain_since", sa.DateTime(timezone=True)),
        sa.Column("not_before", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("errors", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("response_digest", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("asset_key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("actor", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "operation IN ('create', 'update', 'archive', 'restore', 'post', 'reverse')",
            name=op.f("ck_writes_operation"),
        ),
        sa.CheckConstraint("state <> 'confirmed' OR remote_id <> ''", name=op.f("ck_writes_confirmed_has_remote_id")),
        sa.CheckConstraint(
            "state IN ('intended', 'claimed', 'unknown', 'confirmed', 'refused', 'superseded')",
            name=op.f("ck_writes_state"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_writes"),
        sa.UniqueConstraint("connection", "kind", "natural_key", "generation", name="uq_writes_generation"),
        schema=SCHEMA,
    )
    op.create_index("ix_writes_run", "writes", ["run_id", "connection"], unique=False, schema=SCHEMA)
    op.create_index(
        "uq_writes_open",
        "writes",
        ["connection", "kind", "natural_key"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("state = ANY (ARRAY['intended'::text, 'claimed'::text, 'unknown'::text])"),
    )
    op.create_table(
        "journal",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("natural_key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("remote_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("run_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("asset_key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("period", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("actor", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("request_digest", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("response_digest", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("body", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "seq", name="pk_journal"),
        schema=SCHEMA,
    )
    op.create_index("ix_journal_natural_key", "journal", ["natural_key", "connection"], unique=False, schema=SCHEMA)
    op.create_index("ix_journal_run_id", "journal", ["run_id", "connection"], unique=False, schema=SCHEMA)
    op.create_table(
        "journal_heads",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", name="pk_journal_heads"),
        schema=SCHEMA,
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("field", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("rule", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("period", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("value", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fix", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("content_hash", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("amount", sa.Numeric()),
        sa.Column("currency", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("party", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True)),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
        sa.UniqueConstraint(
            "connection", "gate", "kind", "natural_key", "line", "field", "rule", name="uq_quarantine_cause"
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_quarantine_held",
        "quarantine",
        ["period", "gate", "connection"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "overrides",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("btrim(who) <> '' AND btrim(reason) <> ''", name=op.f("ck_overrides_signed")),
        sa.PrimaryKeyConstraint("id", name="pk_overrides"),
        sa.UniqueConstraint(
            "connection", "gate", "kind", "natural_key", "rule", "content_hash", name="uq_overrides_scope"
        ),
        schema=SCHEMA,
    )
    op.execute(REFUSE_CHANGES)


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "overrides",
        "quarantine",
        "journal_heads",
        "journal",
        "writes",
    ):
        op.drop_table(table, schema=SCHEMA)
    op.execute("DROP FUNCTION jdebill.refuse_journal_change()")
    op.execute(sa.schema.DropSequence(sa.Sequence("write_fences", schema=SCHEMA)))
