"""Fixtures of the loop over real data."""

from __future__ import annotations

from jdebill_pipelines_tests.support.fixtures import (
    clean_environment,
    dagster_folder,
    dagster_template,
    loop_database,
)

__all__ = ["clean_environment", "dagster_folder", "dagster_template", "loop_database"]
