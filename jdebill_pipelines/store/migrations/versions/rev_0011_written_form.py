"""The hash of a journal entry covers the zeros at the end of a number: 1.0 rewritten as 1.00 is a change of evidence.

The function repeats what the code does in Python (domain/canonical.py ``written_json``).
"""

from __future__ import annotations

from alembic import op

from jdebill_pipelines.store.migrations.versions import rev_0008_audit_functions as hashes
from jdebill_pipelines.store.migrations.versions import rev_0010_canonical_speed as canonical

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WRITTEN = (
    canonical.CANONICAL.replace("CREATE OR REPLACE", "CREATE")
    .replace("jdebill.canonical(", "jdebill.written(")
    .replace("trim_scale(e.value::numeric)", "e.value::numeric")
    .replace("trim_scale(value::numeric)", "value::numeric")
)
ENTRY_HASH = hashes.ENTRY_HASH.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


def upgrade() -> None:
    """Create the function, and let the entry's hash use it."""
    op.execute(WRITTEN)
    op.execute(ENTRY_HASH.replace("jdebill.canonical(entry.body)", "jdebill.written(entry.body)"))


def downgrade() -> None:
    """Put the former hash back."""
    op.execute(ENTRY_HASH)
    op.execute("DROP FUNCTION jdebill.written(jsonb)")
