"""Databases of tests: copies of a template, gone afterwards.

Belongs here: making and dropping a copy, who is connected to it. Does not belong here: the templates (the fixtures that
make them).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Engine

OTHERS = """
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@contextmanager
def copied_database(server: str, template: str, prefix: str) -> Iterator[str]:
    """A database with what the template holds, for as long as the context is open; its URL.

    Args:
        server: URL of the cluster.
        template: name of the database that is copied.
        prefix: of its name, for people who look at the cluster.
    """
    from jdebill_pipelines.store.embedded import create_database, drop_database

    name = f"{prefix}_{uuid.uuid4().hex[:12]}"
    url = create_database(server, name, template=template)
    try:
        yield url
    finally:
        drop_database(server, name)


def others_of(engine: Engine) -> set[int]:
    """The backends of everybody else who is connected to an engine's database."""
    with engine.connect() as tx:
        return set(tx.execute(sa.text(f"SELECT pid {OTHERS}")).scalars())


def end_others(engine: Engine) -> int:
    """End everybody else's connections to an engine's database, as a restart would; how many there were."""
    with engine.connect() as tx:
        return int(tx.execute(sa.text(f"SELECT count(pg_terminate_backend(pid)) {OTHERS}")).scalar_one())
