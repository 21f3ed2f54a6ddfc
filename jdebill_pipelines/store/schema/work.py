"""What has to be done: due work, watermarks, and the webhook events it may come from.

Does not belong here: what was done (ledger.py, operations.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from jdebill_pipelines.store.schema.base import metadata, moment, text

EMPTY_ARRAY = sa.text("'{}'::text[]")

due = sa.Table(
    "due",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    text("connection"),
    text("flow"),
    sa.Column("periods", ARRAY(sa.Text), nullable=False, server_default=EMPTY_ARRAY),
    sa.Column("entities", ARRAY(sa.Text), nullable=False, server_default=EMPTY_ARRAY),
    moment("since", nullable=True),
    text("source"),
    text("state", default="pending"),
    text("holder", default=""),  # the request or run that has it
    moment("held_until", nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    moment("not_before", now=True),
    text("last_error", default=""),
    moment("created_at", now=True),
    moment("finished_at", nullable=True),
    sa.CheckConstraint("state IN ('pending', 'requested', 'claimed', 'done', 'given_up')", name="state"),
    sa.Index(
        "ix_due_open",
        "connection",
        "state",
        postgresql_where=sa.text("state = ANY (ARRAY['pending'::text, 'requested'::text, 'claimed'::text])"),
    ),
)

watermarks = sa.Table(
    "watermarks",
    metadata,
    text("connection", primary_key=True),
    text("flow", primary_key=True),
    text("value"),  # in a form that sorts
    text("run_id"),
    moment("updated_at", now=True),
)

inbox = sa.Table(
    "inbox",
    metadata,
    text("connection", primary_key=True),
    text("event_id", primary_key=True),
    text("event_type"),
    text("entity_kind", default=""),
    text("entity_id", default=""),
    text("entity_updated", default=""),
    sa.Column("body", sa.LargeBinary, nullable=False),
    text("source", default="webhook"),
    sa.Column("deliveries", sa.Integer, nullable=False, server_default=sa.text("1")),
    moment("received_at", now=True),
    moment("last_received_at", now=True),
    moment("processed_at", nullable=True),
    text("outcome", default=""),
    sa.Index("ix_inbox_new", "connection", "received_at", postgresql_where=sa.text("processed_at IS NULL")),
)

inbox_refusals = sa.Table(
    "inbox_refusals",
    metadata,
    text("connection"),
    text("reason"),
    moment("hour"),
    sa.Column("count", sa.BigInteger, nullable=False, server_default=sa.text("1")),
    moment("last_at", now=True),
    sa.PrimaryKeyConstraint("connection", "reason", "hour"),
)
