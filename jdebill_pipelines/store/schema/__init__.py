"""The tables of the schema ``jdebill`` as SQLAlchemy metadata, one small module per concern.

Every change here needs a migration beside it; a test compares the two.
"""

from __future__ import annotations

from jdebill_pipelines.store.schema import staging
from jdebill_pipelines.store.schema.base import metadata

__all__ = ["metadata", "staging"]
