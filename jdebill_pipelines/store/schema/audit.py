"""Reports of the audit: one header per report, and the rows of its procedures.

Belongs here: what a report was computed to be. Does not belong here: how (audit/), or the copies of JDE's ledgers
(staging.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from jdebill_pipelines.store.schema.base import metadata, moment, text
from jdebill_pipelines.store.schema.documents import EMPTY_OBJECT


def _report_id() -> sa.Column[int]:
    return sa.Column(
        "report_id", sa.BigInteger, sa.ForeignKey("jdebill.audit_reports.id", ondelete="CASCADE"), nullable=False
    )


audit_reports = sa.Table(
    "audit_reports",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    text("connection"),
    text("period"),  # 2026-10, or 2026-P10 of the company's own calendar
    sa.Column("first_day", sa.Date, nullable=False),
    sa.Column("last_day", sa.Date, nullable=False),
    text("run_id"),
    text("code_version", default=""),
    sa.Column("header", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    moment("created_at", now=True),
    sa.Index("ix_audit_reports_period", "period", "connection", "id"),
)

# One row per procedure and report; the rows of a procedure are kept for the latest report of a period only.
audit_results = sa.Table(
    "audit_results",
    metadata,
    sa.Column(
        "report_id", sa.BigInteger, sa.ForeignKey("jdebill.audit_reports.id", ondelete="CASCADE"), nullable=False
    ),
    text("procedure"),
    sa.Column("ordinal", sa.Integer, nullable=False),
    text("outcome"),  # passed | failed | evidence
    sa.Column("population", sa.BigInteger, nullable=False),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    sa.Column("exceptions", sa.BigInteger, nullable=False),
    sa.Column("figures", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    sa.PrimaryKeyConstraint("report_id", "procedure"),
    sa.CheckConstraint("outcome IN ('passed', 'failed', 'evidence')", name="outcome"),
)

audit_rows = sa.Table(
    "audit_rows",
    metadata,
    sa.Column(
        "report_id", sa.BigInteger, sa.ForeignKey("jdebill.audit_reports.id", ondelete="CASCADE"), nullable=False
    ),
    text("procedure"),
    sa.Column("ordinal", sa.BigInteger, nullable=False),
    sa.Column("row", JSONB, nullable=False),
    sa.PrimaryKeyConstraint("report_id", "procedure", "ordinal"),
)
