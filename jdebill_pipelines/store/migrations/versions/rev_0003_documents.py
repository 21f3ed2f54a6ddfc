"""Drafts, verdicts, gate states, links and the two maps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "jdebill"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "drafts",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("operation", sa.Text(), server_default=sa.text("'create'"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric()),
        sa.Column("currency", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("party", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("source", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "operation IN ('create', 'archive', 'restore', 'post', 'reverse')", name=op.f("ck_drafts_operation")
        ),
        sa.CheckConstraint("status IN ('due', 'not_due', 'held')", name=op.f("ck_drafts_status")),
        sa.PrimaryKeyConstraint("connection", "kind", "natural_key", name="pk_drafts"),
        schema=SCHEMA,
    )
    op.create_index("ix_drafts_gate_period", "drafts", ["gate", "period", "connection"], unique=False, schema=SCHEMA)
    op.create_table(
        "verdicts",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("failures", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("passed OR jsonb_array_length(failures) > 0", name=op.f("ck_verdicts_failed_says_why")),
        sa.PrimaryKeyConstraint("connection", "gate", "kind", "natural_key", "content_hash", name="pk_verdicts"),
        schema=SCHEMA,
    )
    op.create_table(
        "gate_states",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("is_open OR jsonb_array_length(reasons) > 0", name=op.f("ck_gate_states_closed_says_why")),
        sa.PrimaryKeyConstraint("connection", "gate", "period", name="pk_gate_states"),
        schema=SCHEMA,
    )
    op.create_table(
        "links",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text()),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("archived", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("origin IN ('created', 'adopted', 'matched')", name=op.f("ck_links_origin")),
        sa.CheckConstraint("remote_id <> ''", name=op.f("ck_links_remote_id")),
        sa.PrimaryKeyConstraint("connection", "kind", "natural_key", name="pk_links"),
        schema=SCHEMA,
    )
    op.create_index("ix_links_remote", "links", ["remote_id", "connection", "kind"], unique=False, schema=SCHEMA)
    op.create_index(
        "uq_links_remote_document",
        "links",
        ["remote_id", "connection"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("kind = ANY (ARRAY['vendor'::text, 'bill'::text, 'vendor_credit'::text])"),
    )
    op.create_table(
        "vendor_map",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("vendor_id", sa.Text()),
        sa.Column("method", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("candidates", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("decided_by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "natural_key", name="pk_vendor_map"),
        schema=SCHEMA,
    )
    op.create_index("ix_vendor_map_vendor_id", "vendor_map", ["vendor_id", "connection"], unique=False, schema=SCHEMA)
    op.create_table(
        "gl_map",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("jde_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("bill_id", sa.Text()),
        sa.Column("bill_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("bill_number", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "kind", "jde_key", name="pk_gl_map"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "gl_map",
        "vendor_map",
        "links",
        "gate_states",
        "verdicts",
        "drafts",
    ):
        op.drop_table(table, schema=SCHEMA)
