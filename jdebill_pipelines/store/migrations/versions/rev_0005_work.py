"""Due work, watermarks and the webhook inbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "jdebill"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "due",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("periods", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("entities", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("holder", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "state IN ('pending', 'requested', 'claimed', 'done', 'given_up')", name=op.f("ck_due_state")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_due"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_due_open",
        "due",
        ["connection", "state"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("state = ANY (ARRAY['pending'::text, 'requested'::text, 'claimed'::text])"),
    )
    op.create_table(
        "watermarks",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "flow", name="pk_watermarks"),
        schema=SCHEMA,
    )
    op.create_table(
        "inbox",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("entity_kind", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("entity_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("entity_updated", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), server_default=sa.text("'webhook'"), nullable=False),
        sa.Column("deliveries", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "event_id", name="pk_inbox"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_inbox_new",
        "inbox",
        ["connection", "received_at"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("processed_at IS NULL"),
    )
    op.create_table(
        "inbox_refusals",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "reason", "hour", name="pk_inbox_refusals"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "inbox_refusals",
        "inbox",
        "watermarks",
        "due",
    ):
        op.drop_table(table, schema=SCHEMA)
