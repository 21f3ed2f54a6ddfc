"""The audit's copy of the automatic accounting instructions (F0012): they name the trade accounts.

The items are written out, not imported, as in revision 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SCHEMA = "jdebill"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "aud_f0012",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("extracted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''"))
            for name in ("item", "co", "mcu", "obj", "sub")
        ),
        sa.Column("upmj", sa.Date(), nullable=True),
        sa.Column("upmt", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("connection", "item", "co", name="pk_aud_f0012"),
        schema=SCHEMA,
    )
    op.create_index("ix_aud_f0012_period", "aud_f0012", ["period", "connection"], schema=SCHEMA)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("aud_f0012", schema=SCHEMA)
