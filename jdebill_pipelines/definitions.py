"""What Dagster loads: settings and connection files of the environment, assembled."""

from __future__ import annotations

from jdebill_pipelines.build import build_defs
from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.steps.runtime import Runtime

_settings = Settings.from_environment()
_connections = load_connections(_settings.connections_dir)

defs = build_defs(_connections, runtime=Runtime(_settings, _connections))
