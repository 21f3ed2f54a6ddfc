"""The encrypted secrets: ciphertext per connection and system.

Belongs here: keeping ciphertext and replacing all of it at once. Does not belong here: encryption (config/vault.py), of
which this module knows only the two methods it needs to rotate.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.store.scope import Part


class Cipher(Protocol):
    """What a vault can do; the ciphertext is bound to connection and system."""

    def encrypt(self, connection: str, system: str, plaintext: bytes) -> bytes:
        """Return the ciphertext."""
        ...

    def decrypt(self, connection: str, system: str, blob: bytes) -> bytes:
        """Return the plaintext; raises when the ciphertext is not this connection's and system's."""
        ...


class Credentials(Part):
    """The ciphertexts of one connection."""

    def put(self, system: str, blob: bytes) -> None:
        """Store a ciphertext, over an earlier one."""
        with self.scope.transaction() as tx:
            self.run(
                tx,
                "INSERT INTO jdebill.credentials (connection, system, ciphertext) VALUES (:connection, :system, :blob) "
                "ON CONFLICT (connection, system) DO UPDATE SET ciphertext = excluded.ciphertext, updated_at = now()",
                system=system,
                blob=blob,
            )
            # A session that the old login opened must not outlive it.
            self.run(
                tx,
                "DELETE FROM jdebill.sessions WHERE connection = :connection AND system = :session",
                session=f"{system}-session",
            )

    def get(self, system: str) -> bytes | None:
        """Return a ciphertext, None when there is none."""
        found = self.select(
            "SELECT ciphertext FROM jdebill.credentials WHERE connection = :connection AND system = :system",
            system=system,
        )
        return bytes(found[0]["ciphertext"]) if found else None

    def systems(self) -> dict[str, datetime]:
        """Return which systems have credentials, and since when."""
        found = self.select(
            "SELECT system, updated_at FROM jdebill.credentials WHERE connection = :connection ORDER BY system"
        )
        return {row["system"]: row["updated_at"] for row in found}

    def remove(self, system: str) -> bool:
        """Forget a ciphertext; False when there was none."""
        with self.scope.transaction() as tx:
            return (
                self.run(
                    tx,
                    "DELETE FROM jdebill.credentials WHERE connection = :connection AND system = :system",
                    system=system,
                ).rowcount
                > 0
            )


def connections_with_credentials(engine: Engine) -> dict[str, list[str]]:
    """Return the systems with credentials of every connection."""
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "SELECT connection, array_agg(system ORDER BY system) FROM jdebill.credentials GROUP BY 1 ORDER BY 1"
            )
        )
        return {row[0]: list(row[1]) for row in found}


def rotate_all(engine: Engine, old: Cipher, new: Cipher) -> int:
    """Encrypt every secret of every connection anew, in one transaction: all or none.

    Args:
        engine: the database.
        old: reads the present ciphertexts.
        new: writes them.

    Returns:
        How many secrets. Cached sessions are dropped: the next call logs in again.

    Raises:
        Exception: whatever ``old.decrypt`` raises when the old key does not fit; nothing is changed then.
    """
    with engine.begin() as tx:
        tx.execute(sa.text("LOCK TABLE jdebill.credentials IN EXCLUSIVE MODE"))
        rows = tx.execute(sa.text("SELECT connection, system, ciphertext FROM jdebill.credentials")).all()
        for connection, system, blob in rows:
            fresh = new.encrypt(connection, system, old.decrypt(connection, system, bytes(blob)))
            tx.execute(
                sa.text(
                    "UPDATE jdebill.credentials SET ciphertext = :blob, updated_at = now() "
                    "WHERE connection = :connection AND system = :system"
                ),
                {"blob": fresh, "connection": connection, "system": system},
            )
        tx.execute(sa.text("DELETE FROM jdebill.sessions"))
        return len(rows)
