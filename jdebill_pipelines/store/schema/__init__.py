"""The tables of the schema ``jdebill`` as SQLAlchemy metadata, one small module per concern.

Every change here needs a migration beside it; a test compares the two.
"""

from __future__ import annotations

from jdebill_pipelines.store.schema import audit, documents, ledger, mirror, operations, staging, work
from jdebill_pipelines.store.schema.base import metadata

__all__ = ["audit", "documents", "ledger", "metadata", "mirror", "operations", "staging", "work"]
