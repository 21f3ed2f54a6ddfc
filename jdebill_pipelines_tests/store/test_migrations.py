"""The schema: migrations and metadata agree, go up and down, and a wrong version is refused with the way out."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Engine

from jdebill_pipelines.store.embedded import create_database, drop_database
from jdebill_pipelines.store.engine import SchemaOutdated, check_schema, create_engine, expected_revision, migrate
from jdebill_pipelines.store.schema import metadata


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table_schema": "jdebill",
                "include_schemas": True,
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _parents: kind != "schema" or name == "jdebill",
            },
        )
        return list(compare_metadata(context, metadata))


def catalog(engine: Engine) -> list[tuple[object, ...]]:
    """Checks, unique and partial indexes, generated columns and sequences: what Alembic does not compare."""
    sql = """
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
      WHERE connamespace = 'jdebill'::regnamespace AND contype <> 'n'
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'jdebill'
    UNION ALL SELECT 'column', table_name, column_name, concat_ws('|', data_type, is_nullable, column_default,
      generation_expression, identity_generation) FROM information_schema.columns WHERE table_schema = 'jdebill'
    UNION ALL SELECT 'sequence', sequence_name, '', data_type FROM information_schema.sequences
      WHERE sequence_schema = 'jdebill'
    ORDER BY 1, 2, 3
    """
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql)) if "alembic_version" not in row[1]]


@pytest.fixture
def empty_url(postgres_server: str) -> object:
    name = f"m_{uuid.uuid4().hex[:12]}"
    yield create_database(postgres_server, name)
    drop_database(postgres_server, name)


def test_migrations_build_exactly_the_metadata(engine: Engine, empty_url: str) -> None:
    """A migrated database and one made from the metadata are the same to the last constraint, index and default."""
    assert differences(engine) == []
    made = create_engine(empty_url, pooled=False)
    with made.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA jdebill"))
        metadata.create_all(connection)
    assert catalog(made) == catalog(engine)


def test_every_step_goes_down_and_up_again(empty_url: str) -> None:
    """Down to nothing, step by step, and up again: a failed deployment can be taken back."""
    migrate(empty_url)
    engine = create_engine(empty_url, pooled=False)
    for number in range(int(expected_revision()), 0, -1):
        migrate(empty_url, f"{number - 1:04}" if number > 1 else "base")
    with engine.connect() as connection:
        left = connection.scalars(
            sa.text("SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'jdebill'::regnamespace")
        ).all()
        functions = connection.scalar(
            sa.text("SELECT count(*) FROM pg_proc WHERE pronamespace = 'jdebill'::regnamespace")
        )
    assert {name for name in left if not name.startswith("alembic_version")} == set()
    assert functions == 0
    migrate(empty_url)
    check_schema(engine)
    assert differences(engine) == []


def test_processes_that_migrate_at_once_do_it_once(empty_url: str) -> None:
    """Three processes start together on an empty database: all succeed, one migrates."""
    code = "import sys; from jdebill_pipelines.store.engine import migrate; migrate(sys.argv[1])"
    command = [sys.executable, "-W", "error", "-c", code, empty_url]
    assert [p.wait(60) for p in [subprocess.Popen(command) for _ in range(3)]] == [0, 0, 0]
    check_schema(create_engine(empty_url, pooled=False))


def test_wrong_schema_is_refused_with_the_way_out(empty_url: str) -> None:
    """Missing, older and newer schemas each get their own clear line."""
    engine = create_engine(empty_url, pooled=False)
    with pytest.raises(SchemaOutdated, match=r"no jdebill schema yet.*jdebill up"):
        check_schema(engine)
    migrate(empty_url, "0001")
    with pytest.raises(SchemaOutdated, match=r"at schema 0001, this version needs"):
        check_schema(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE jdebill.alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutdated, match=r"9999.*newer version"):
        check_schema(engine)


def test_no_index_looks_as_good_as_the_primary_key() -> None:
    """Without statistics an index that begins like the primary key is taken for it: a thousandfold slower look-up."""
    for table in metadata.tables.values():
        first = next(iter(table.primary_key.columns), None)
        for index in table.indexes:
            if index.dialect_options["postgresql"]["where"] is None and first is not None:
                assert index.columns[0].name != first.name, f"{index.name} begins with {first.name}"


def test_other_database_url_is_refused() -> None:
    """A URL of another driver says what is expected instead of failing deep inside."""
    with pytest.raises(ValueError, match=r"must begin with postgresql\+psycopg2"):
        create_engine("sqlite:///x.db")
    assert create_engine("postgresql://u@h/d").url.drivername == "postgresql+psycopg2"
