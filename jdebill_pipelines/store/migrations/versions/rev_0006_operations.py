"""Credentials, sessions, call budget, run records and alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEMA = "jdebill"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "credentials",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "system", name="pk_credentials"),
        schema=SCHEMA,
    )
    op.create_table(
        "sessions",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "system", name="pk_sessions"),
        schema=SCHEMA,
    )
    op.create_table(
        "call_budget",
        sa.Column("key_digest", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("exhausted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("key_digest", "hour", name="pk_call_budget"),
        schema=SCHEMA,
    )
    op.create_table(
        "runs",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("periods", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("actor", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("code_version", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'started'"), nullable=False),
        sa.Column("summary", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("status IN ('started', 'succeeded', 'failed', 'canceled')", name=op.f("ck_runs_status")),
        sa.PrimaryKeyConstraint("connection", "run_id", name="pk_runs"),
        schema=SCHEMA,
    )
    op.create_index("ix_runs_started", "runs", ["started_at", "connection"], unique=False, schema=SCHEMA)
    op.create_table(
        "alert_windows",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("suppressed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_suppressed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("connection", "fingerprint", name="pk_alert_windows"),
        schema=SCHEMA,
    )
    op.create_table(
        "alert_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("window_minutes", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("worker", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("state IN ('pending', 'sending', 'sent', 'given_up')", name=op.f("ck_alert_outbox_state")),
        sa.PrimaryKeyConstraint("id", name="pk_alert_outbox"),
        schema=SCHEMA,
    )
    op.create_index(
        "uq_alert_outbox_waiting",
        "alert_outbox",
        ["connection", "fingerprint"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("state = ANY (ARRAY['pending'::text, 'sending'::text])"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "alert_outbox",
        "alert_windows",
        "runs",
        "call_budget",
        "sessions",
        "credentials",
    ):
        op.drop_table(table, schema=SCHEMA)
