"""Databases of tests: copies of a template, gone afterwards.

Belongs here: making and dropping a copy. Does not belong here: the templates (the fixtures that make them).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager


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
