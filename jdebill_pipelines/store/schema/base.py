"""The metadata that every table of ours belongs to, and the columns that many tables share.

Does not belong here: any table.

Secondary indexes begin with what tells rows apart, not with ``connection``: the tables fill up within one run, without
statistics, and PostgreSQL then takes an index that shares a prefix with the primary key for as good as that key.
"""

from __future__ import annotations

import sqlalchemy as sa

from jdebill_pipelines.store.engine import SCHEMA

metadata = sa.MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)


def text(name: str, *, default: str | None = None, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    """A text column; ``default`` is the server's."""
    server_default = None if default is None else sa.text("'" + default.replace("'", "''") + "'")
    return sa.Column(name, sa.Text, server_default=server_default, nullable=nullable, primary_key=primary_key)


def moment(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    """An aware time, UTC by the session's setting; ``now`` makes the database's clock the default."""
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=nullable, server_default=sa.text("now()") if now else None
    )
