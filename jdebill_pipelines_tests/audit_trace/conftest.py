"""The loop with Dagster around it, and the loop without."""

from __future__ import annotations

from jdebill_pipelines_tests.support.fixtures import (
    clean_environment,
    dagster_folder,
    dagster_template,
    loop_database,
    tiny_company,
    world,
)

__all__ = ["clean_environment", "dagster_folder", "dagster_template", "loop_database", "tiny_company", "world"]
