"""A PostgreSQL of the bench's own.

Belongs here: the server and its databases. It is set up as the product sets up its embedded one, with everything that
makes data safe switched on: the figures are those of real use.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from types import TracebackType

import sqlalchemy as sa

from jdebill_pipelines.store.embedded import EmbeddedServer, create_database
from jdebill_pipelines.store.engine import migrate


class Databases:
    """A running server; use it as a context manager."""

    def __init__(self, home: Path) -> None:
        self._server = EmbeddedServer(home)
        self._names = itertools.count(1)
        self._url = ""

    def __enter__(self) -> Databases:
        self._url = self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    def product(self) -> str:
        """A new database with the product's schema; its URL."""
        url = create_database(self._url, f"bench_{next(self._names)}")
        migrate(url)
        return url

    def plain(self) -> str:
        """A new empty database; its URL as other programs take it: they insist on a host beside the socket folder."""
        url = sa.make_url(create_database(self._url, f"bench_{next(self._names)}"))
        url = url.set(drivername="postgresql", host="localhost", password="unused")
        return url.render_as_string(hide_password=False)
