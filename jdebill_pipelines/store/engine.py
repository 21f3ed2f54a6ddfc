"""The database connection and the state of its schema.

Belongs here: building engines, migrating, checking that code and schema fit. Does not belong here: tables (schema/)
and the embedded server (embedded.py).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

SCHEMA = "jdebill"
MIGRATION_LOCK = 0x6A646562  # any number that nothing else in this database locks on

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class SchemaOutdated(RuntimeError):
    """The database's schema is not the one this code was written for; the text says what to run."""


def encode_json(value: Any) -> str:
    """Encode for a ``jsonb`` column: decimals become JSON numbers, digit for digit."""
    return _encoder.encode(value).decode("utf-8")


def decode_json(text: str | bytes) -> Any:
    """Decode a ``jsonb`` column: numbers with a fraction become Decimal, never float."""
    return _decoder.decode(text)


def create_engine(
    url: str,
    *,
    pooled: bool = True,
    pool_size: int = 5,
    max_overflow: int = 20,
    application_name: str = "jdebill",
    **options: Any,
) -> Engine:
    """Build an engine whose sessions speak UTC and whose JSON holds decimals.

    Args:
        url: ``postgresql+psycopg2://...``; a bare ``postgresql://`` is read as that.
        pooled: keep connections open between uses.
        pool_size: how many are kept open.
        max_overflow: connections beyond, closed after use.
        application_name: shown in ``pg_stat_activity``.
        options: passed on to SQLAlchemy.

    Raises:
        ValueError: the URL names another database or driver.
    """
    parts = sa.make_url(url)
    if parts.drivername in {"postgresql", "postgres"}:
        # SQLAlchemy 2.1 reads a bare postgresql:// as psycopg 3, which is not what we install.
        parts = parts.set(drivername="postgresql+psycopg2")
    if parts.drivername != "postgresql+psycopg2":
        raise ValueError(f"the database URL must begin with postgresql+psycopg2://, not {parts.drivername}://")
    if pooled:
        # A server that was restarted meanwhile must not fail the first statement of a long-lived process.
        options = {"pool_size": pool_size, "max_overflow": max_overflow, "pool_pre_ping": True, **options}
    else:
        options = {"poolclass": sa.pool.NullPool, **options}
    return sa.create_engine(
        parts,
        json_serializer=encode_json,
        json_deserializer=decode_json,
        connect_args={"application_name": application_name, "options": "-c timezone=UTC -c jit=off"},
        **options,
    )


def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to a revision (default: this code's), one process at a time.

    Args:
        url: the database.
        revision: ``head``, a revision, or ``base`` (which drops everything of ours).
    """
    engine = create_engine(url, pooled=False)
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()
            try:
                run_migrations(connection, revision)
            finally:
                connection.rollback()
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
                connection.commit()
    finally:
        engine.dispose()


def run_migrations(connection: sa.Connection, revision: str) -> None:
    """Run the migrations on an open connection, in one transaction."""
    config = alembic_config()
    config.attributes["connection"] = connection
    down = revision == "base" or revision.startswith("-")
    if down:
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def alembic_config() -> Config:
    """Return Alembic's configuration: the scripts inside this package, no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def current_revision(connection: sa.Connection) -> str | None:
    """Return the revision that the database is at, or None for a database without our schema."""
    return MigrationContext.configure(
        connection, opts={"version_table_schema": SCHEMA, "version_table": "alembic_version"}
    ).get_current_revision()


def expected_revision() -> str:
    """Return the revision that this code was written for."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert head is not None
    return head


def check_schema(engine: Engine) -> None:
    """Make sure that the schema is the one this code was written for.

    Raises:
        SchemaOutdated: it is older, newer or missing; the text names both revisions and the way out.
    """
    with engine.connect() as connection:
        found = current_revision(connection)
    expected = expected_revision()
    if found == expected:
        return
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    where = engine.url.render_as_string(hide_password=True)
    if found is None:
        raise SchemaOutdated(f"the database {where} has no jdebill schema yet: run `jdebill up` (it migrates) first")
    if found in known:
        raise SchemaOutdated(
            f"the database {where} is at schema {found}, this version needs {expected}: "
            "stop everything that uses it and run `jdebill up` (it migrates)"
        )
    raise SchemaOutdated(
        f"the database {where} is at schema {found}, which this version ({expected}) does not know: "
        "a newer version migrated it, install that one"
    )
