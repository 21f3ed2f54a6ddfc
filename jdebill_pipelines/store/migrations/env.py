"""Alembic's entry: run the migrations on the connection that engine.migrate holds.

Does not belong here: finding the database. Migrations run only through engine.migrate, under its lock.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from jdebill_pipelines.store.engine import SCHEMA
from jdebill_pipelines.store.schema import metadata

connection: sa.Connection = context.config.attributes["connection"]
connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
connection.commit()
context.configure(connection=connection, target_metadata=metadata, version_table_schema=SCHEMA, include_schemas=True)
with context.begin_transaction():
    context.run_migrations()
