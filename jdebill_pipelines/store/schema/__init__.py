"""The tables of the schema ``jdebill`` as SQLAlchemy metadata, one small module per concern.

Every change here needs a migration beside it; a test compares the two.
"""

from __future__ import annotations

from jdebill_pipelines.store.schema import documents, ledger, mirror, operations, staging, work
from jdebill_pipelines.store.schema.base import metadata

__all__ = ["documents", "ledger", "metadata", "mirror", "operations", "staging", "work"]
