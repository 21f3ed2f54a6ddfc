"""What running the pipelines needs besides documents: secrets, sessions, budgets, run records, alerts.

Does not belong here: anything about a document.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from jdebill_pipelines.store.schema.base import metadata, moment, text
from jdebill_pipelines.store.schema.documents import EMPTY_OBJECT
from jdebill_pipelines.store.schema.work import EMPTY_ARRAY

credentials = sa.Table(
    "credentials",
    metadata,
    text("connection", primary_key=True),
    text("system", primary_key=True),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    moment("updated_at", now=True),
)

sessions = sa.Table(
    "sessions",
    metadata,
    text("connection", primary_key=True),
    text("system", primary_key=True),
    text("identity"),  # digest of who is logged in where: another login must not reuse the session
    text("fingerprint"),  # digest of the session id, to compare without decrypting
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    moment("updated_at", now=True),
)

call_budget = sa.Table(
    "call_budget",
    metadata,
    text("key_digest"),
    moment("hour"),
    sa.Column("spent", sa.BigInteger, nullable=False),
    sa.Column("exhausted", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.PrimaryKeyConstraint("key_digest", "hour"),
)

runs = sa.Table(
    "runs",
    metadata,
    text("connection", primary_key=True),
    text("run_id", primary_key=True),
    text("flow"),
    text("mode"),
    sa.Column("periods", ARRAY(sa.Text), nullable=False, server_default=EMPTY_ARRAY),
    text("actor", default=""),
    text("code_version", default=""),
    text("status", default="started"),
    sa.Column("summary", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    moment("started_at", now=True),
    moment("finished_at", nullable=True),
    sa.CheckConstraint("status IN ('started', 'succeeded', 'failed', 'canceled')", name="status"),
    sa.Index("ix_runs_started", "started_at", "connection"),
)

alert_windows = sa.Table(
    "alert_windows",
    metadata,
    text("connection", primary_key=True),
    text("fingerprint", primary_key=True),
    moment("opened_at"),
    moment("until"),
    sa.Column("suppressed", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    moment("last_suppressed_at", nullable=True),
)

alert_outbox = sa.Table(
    "alert_outbox",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    text("connection"),
    text("fingerprint"),
    text("subject"),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("window_minutes", sa.Integer, nullable=False),
    text("state", default="pending"),
    text("worker", default=""),
    moment("lease_until", nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    moment("not_before", now=True),
    text("last_error", default=""),
    moment("created_at", now=True),
    moment("sent_at", nullable=True),
    sa.CheckConstraint("state IN ('pending', 'sending', 'sent', 'given_up')", name="state"),
    # One alert per cause may wait at a time; what comes on top is counted.
    sa.Index(
        "uq_alert_outbox_waiting",
        "connection",
        "fingerprint",
        unique=True,
        postgresql_where=sa.text("state = ANY (ARRAY['pending'::text, 'sending'::text])"),
    ),
)
