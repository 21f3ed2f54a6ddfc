"""Dagster only, and thin: what runs when, and what people see of it. The work itself is in ``steps``."""
