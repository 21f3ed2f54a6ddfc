"""What Dagster loads: settings and connection files of the environment, assembled."""

from __future__ import annotations

import logging

from jdebill_pipelines.build import build_defs
from jdebill_pipelines.config.connection import read_connections
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.steps.runtime import Runtime

_settings = Settings.from_environment()
# A file that is wrong leaves out its own connection: the others load and run, and the page says what is wrong.
_connections, _problems = read_connections(_settings.connections_dir)
for _problem in _problems:
    logging.getLogger("jdebill").error("%s", _problem)

defs = build_defs(_connections, runtime=Runtime(_settings, _connections), problems=_problems)
