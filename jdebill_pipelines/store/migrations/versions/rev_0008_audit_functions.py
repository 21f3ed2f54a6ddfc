"""What the audit computes inside the database: the canonical form of JSON, the hash of a journal entry; vendor changes.

The functions repeat what the code does in Python (domain/canonical.py, store/journal.py) so that anybody with a read
only session can re-perform the test; a test holds both to the same bytes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = "jdebill"

CANONICAL = """
CREATE FUNCTION jdebill.canonical(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value)
    WHEN 'object' THEN '{' || coalesce((
      SELECT string_agg(to_json(e.key)::text || ':' || jdebill.canonical(e.value), ',' ORDER BY e.key COLLATE "C")
      FROM jsonb_each(value) AS e), '') || '}'
    WHEN 'array' THEN '[' || coalesce((
      SELECT string_agg(jdebill.canonical(e.value), ',' ORDER BY e.ordinality)
      FROM jsonb_array_elements(value) WITH ORDINALITY AS e), '') || ']'
    WHEN 'number' THEN trim_scale(value::numeric)::text
    WHEN 'string' THEN to_json(value #>> '{}')::text
    ELSE value::text END
$$
"""
DIGEST = """
CREATE FUNCTION jdebill.digest(form text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT encode(sha256(convert_to(form, 'UTF8')), 'hex')
$$
"""
CONTENT_HASH = """
CREATE FUNCTION jdebill.content_hash(kind text, content jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT jdebill.digest('{"content":' || jdebill.canonical(content) || ',"kind":' || to_json(kind)::text || '}')
$$
"""
# Members in the order of their names; a time is written with microseconds only when it has some.
ENTRY_HASH = """
CREATE FUNCTION jdebill.entry_hash(entry jdebill.journal) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
  SELECT jdebill.digest('{"actor":' || to_json(entry.actor)::text
    || ',"asset_key":' || to_json(entry.asset_key)::text
    || ',"at":"' || to_char(entry.at AT TIME ZONE 'UTC', CASE WHEN date_trunc('second', entry.at) = entry.at
      THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"' ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END) || '"'
    || ',"body":' || jdebill.canonical(entry.body)
    || ',"connection":' || to_json(entry.connection)::text
    || ',"event":' || to_json(entry.event)::text
    || ',"kind":' || to_json(entry.kind)::text
    || ',"natural_key":' || to_json(entry.natural_key)::text
    || ',"period":' || to_json(entry.period)::text
    || ',"prev_hash":' || to_json(entry.prev_hash)::text
    || ',"remote_id":' || to_json(entry.remote_id)::text
    || ',"request_digest":' || to_json(entry.request_digest)::text
    || ',"response_digest":' || to_json(entry.response_digest)::text
    || ',"run_id":' || to_json(entry.run_id)::text
    || ',"seq":' || entry.seq || '}')
$$
"""


def upgrade() -> None:
    """Create the functions and the table."""
    for statement in (CANONICAL, DIGEST, CONTENT_HASH, ENTRY_HASH):
        op.execute(statement)
    op.create_table(
        "bill_vendor_changes",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("vendor_id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("after", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("updated_time", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("run_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_bill_vendor_changes"),
        schema=SCHEMA,
    )
    op.create_index("ix_bill_vendor_changes_vendor", "bill_vendor_changes", ["vendor_id", "connection"], schema=SCHEMA)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("bill_vendor_changes", schema=SCHEMA)
    op.execute("DROP FUNCTION jdebill.entry_hash(jdebill.journal)")
    op.execute("DROP FUNCTION jdebill.content_hash(text, jsonb)")
    op.execute("DROP FUNCTION jdebill.digest(text)")
    op.execute("DROP FUNCTION jdebill.canonical(jsonb)")
