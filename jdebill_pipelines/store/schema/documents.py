"""What would be written outside, what the gate said about it, and what is known to be the same thing on both sides.

Belongs here: drafts, verdicts, gate states, links and the two maps. Does not belong here: the writing (ledger.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from jdebill_pipelines.store.schema.base import metadata, moment, text

EMPTY_OBJECT = sa.text("'{}'::jsonb")
EMPTY_LIST = sa.text("'[]'::jsonb")

drafts = sa.Table(
    "drafts",
    metadata,
    text("connection", primary_key=True),
    text("kind", primary_key=True),
    text("natural_key", primary_key=True),
    text("gate"),
    text("period", default=""),
    text("operation", default="create"),
    text("status"),
    text("reason", default=""),
    sa.Column("content", JSONB, nullable=False),
    text("content_hash"),
    sa.Column("amount", sa.Numeric),
    text("currency", default=""),
    text("party", default=""),  # the supplier's address number
    text("source", default=""),
    sa.Column("details", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    text("run_id"),
    moment("updated_at", now=True),  # when the content or status last changed
    sa.CheckConstraint("status IN ('due', 'not_due', 'held')", name="status"),
    sa.CheckConstraint("operation IN ('create', 'archive', 'restore', 'post', 'reverse')", name="operation"),
    sa.Index("ix_drafts_gate_period", "gate", "period", "connection"),
)

verdicts = sa.Table(
    "verdicts",
    metadata,
    text("connection", primary_key=True),
    text("gate", primary_key=True),
    text("kind", primary_key=True),
    text("natural_key", primary_key=True),
    text("content_hash", primary_key=True),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("failures", JSONB, nullable=False, server_default=EMPTY_LIST),
    text("run_id"),
    moment("at", now=True),
    sa.CheckConstraint("passed OR jsonb_array_length(failures) > 0", name="failed_says_why"),
)

gate_states = sa.Table(
    "gate_states",
    metadata,
    text("connection", primary_key=True),
    text("gate", primary_key=True),
    text("period", primary_key=True),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("reasons", JSONB, nullable=False, server_default=EMPTY_LIST),
    text("run_id"),
    moment("at", now=True),
    sa.CheckConstraint("is_open OR jsonb_array_length(reasons) > 0", name="closed_says_why"),
)

links = sa.Table(
    "links",
    metadata,
    text("connection", primary_key=True),
    text("kind", primary_key=True),
    text("natural_key", primary_key=True),
    text("remote_id"),
    text("content_hash", nullable=True),  # as last confirmed; NULL when matched and never written by us
    text("origin"),
    sa.Column("archived", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("details", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    text("run_id"),
    moment("confirmed_at", now=True),
    sa.CheckConstraint("origin IN ('created', 'adopted', 'matched')", name="origin"),
    sa.CheckConstraint("remote_id <> ''", name="remote_id"),
    sa.Index("ix_links_remote", "remote_id", "connection", "kind"),
    # Two suppliers must never share a vendor, nor two documents a bill, whatever the code above believes.
    sa.Index(
        "uq_links_remote_document",
        "remote_id",
        "connection",
        unique=True,
        postgresql_where=sa.text("kind = ANY (ARRAY['vendor'::text, 'bill'::text, 'vendor_credit'::text])"),
    ),
)

vendor_map = sa.Table(
    "vendor_map",
    metadata,
    text("connection", primary_key=True),
    text("natural_key", primary_key=True),
    text("state"),
    text("vendor_id", nullable=True),
    text("method", default=""),
    text("reason", default=""),
    sa.Column("candidates", JSONB, nullable=False, server_default=EMPTY_LIST),
    sa.Column("details", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    text("decided_by", default=""),
    text("run_id"),
    moment("updated_at", now=True),
    sa.Index("ix_vendor_map_vendor_id", "vendor_id", "connection"),
)

gl_map = sa.Table(
    "gl_map",
    metadata,
    text("connection", primary_key=True),
    text("kind", primary_key=True),  # account | department
    text("jde_key", primary_key=True),
    text("state"),
    text("bill_id", nullable=True),
    text("bill_name", default=""),
    text("bill_number", default=""),
    text("reason", default=""),
    sa.Column("details", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    text("run_id"),
    moment("updated_at", now=True),
)
