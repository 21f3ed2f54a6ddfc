"""What the environment says: where the database, the connection files and the key are.

Belongs here: the environment variables of the product. Does not belong here: connection files (connection.py) and
what is done with the key (vault.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

DRIVER = "postgresql+psycopg2"


class SettingsError(Exception):
    """An environment variable has an unusable value; the text is one line and repeats no secret."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is.

    Attributes:
        database_url: ``postgresql+psycopg2://...`` (JDEBILL_DATABASE_URL), or None for the embedded server.
        connections_dir: folder of the connection files (JDEBILL_CONNECTIONS_DIR, default ``./connections``).
        home: our own files: embedded cluster, key file, Dagster's folder (JDEBILL_HOME, default ``./.jdebill``).
        master_key: base64 of 32 bytes (JDEBILL_MASTER_KEY), or None when the key is in the file.
        key_file: JDEBILL_KEY_FILE, default ``<home>/master.key``.
        dagster_home: DAGSTER_HOME, default ``<home>/dagster``.
    """

    database_url: str | None = field(repr=False)
    connections_dir: Path
    home: Path
    master_key: str | None = field(repr=False)
    key_file: Path
    dagster_home: Path

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the environment variables; an empty one counts as not set.

        Args:
            env: the environment, default the process's own.

        Raises:
            SettingsError: a value cannot be used.
        """
        given = {name: value.strip() for name, value in (os.environ if env is None else env).items() if value.strip()}
        home = Path(given.get("JDEBILL_HOME", ".jdebill")).expanduser().absolute()
        return cls(
            database_url=_database_url(given.get("JDEBILL_DATABASE_URL")),
            connections_dir=Path(given.get("JDEBILL_CONNECTIONS_DIR", "connections")).expanduser().absolute(),
            home=home,
            master_key=given.get("JDEBILL_MASTER_KEY"),
            key_file=Path(given.get("JDEBILL_KEY_FILE", home / "master.key")).expanduser().absolute(),
            dagster_home=Path(given.get("DAGSTER_HOME", home / "dagster")).expanduser().absolute(),
        )


def _database_url(value: str | None) -> str | None:
    """Name the driver: SQLAlchemy 2.1 reads a bare ``postgresql://`` as psycopg 3, which is not what we install."""
    if value is None:
        return None
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", DRIVER):
        shown = scheme if separator else "no scheme"
        raise SettingsError(
            f"JDEBILL_DATABASE_URL: {shown} is not PostgreSQL; allowed: postgresql://user:password@host:5432/database"
        )
    try:
        path = urlsplit(f"postgresql://{rest}").path
    except ValueError as error:
        raise SettingsError(f"JDEBILL_DATABASE_URL: is no URL ({error})") from None
    if not path.strip("/"):
        raise SettingsError("JDEBILL_DATABASE_URL: names no database; add /database after the host")
    return f"{DRIVER}://{rest}"
