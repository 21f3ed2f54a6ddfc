"""Alembic migrations of the schema ``jdebill``; engine.migrate runs them."""
