"""One staging table per JDE table, derived from the table metadata of the domain, and the log of extractions.

Belongs here: the typed copies of what JDE said. Does not belong here: how they are loaded (staging.py, one level up).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from jdebill_pipelines.domain.tables import AUDITED, TABLES, JdeTable, Kind
from jdebill_pipelines.store.schema.base import metadata, moment, text

BOOKKEEPING = ("connection", "period", "extracted_at", "run_id")


def jde_column(item: str, kind: Kind) -> sa.Column[Any]:
    """The staging column of a data item; what JDE calls blank is '' or 0, and NULL for a date."""
    name = item.lower()
    if kind is Kind.TEXT:
        return sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''"))
    if kind is Kind.NUMBER:
        return sa.Column(name, sa.Numeric, nullable=False, server_default=sa.text("0"))
    if kind is Kind.TIME:
        return sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))
    return sa.Column(name, sa.Date, nullable=True)


def staging_table(table: JdeTable, meta: sa.MetaData) -> sa.Table:
    """The staging table of a JDE table.

    The key is unique per connection. A date may be blank in JDE even inside a key, and a primary key of PostgreSQL
    may not be NULL, so such a key is a unique constraint that treats NULLs as equal.
    """
    key = ["connection", *(item.lower() for item in table.key)]
    dated = any(table.columns[item] is Kind.DATE for item in table.key)
    constraint: sa.schema.SchemaItem = (
        sa.UniqueConstraint(*key, postgresql_nulls_not_distinct=True, name=f"uq_{table.staging_name}_key")
        if dated
        else sa.PrimaryKeyConstraint(*key)
    )
    return sa.Table(
        table.staging_name,
        meta,
        text("connection"),
        text("period", default=""),
        moment("extracted_at"),
        text("run_id"),
        *(jde_column(item, kind) for item, kind in table.columns.items()),
        constraint,
        sa.Index(f"ix_{table.staging_name}_period", "period", "connection"),
    )


STAGING: dict[str, sa.Table] = {name: staging_table(table, metadata) for name, table in TABLES.items()}
AUDIT: dict[str, sa.Table] = {name: staging_table(table, metadata) for name, table in AUDITED.items()}

extractions = sa.Table(
    "extractions",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    text("connection"),
    text("table_name"),
    text("mode"),  # full | delta | snapshot
    sa.Column("periods", ARRAY(sa.Text), nullable=False),
    moment("extracted_at"),  # the moment that the rows show, by the reader's clock
    moment("started_at"),
    moment("finished_at", now=True),
    sa.Column("rows_read", sa.BigInteger, nullable=False),
    sa.Column("rows_written", sa.BigInteger, nullable=False),
    sa.Column("rows_removed", sa.BigInteger, nullable=False),
    text("watermark", nullable=True),  # of the source, as the reader understands it
    text("run_id"),
    sa.CheckConstraint("mode IN ('full', 'delta', 'snapshot')", name="mode"),
    sa.Index("ix_extractions_latest", "connection", "table_name", "id"),
)
