"""The code location of a test in this process: what Dagster's own loader is pointed to.

Belongs here: nothing but the place. Does not belong here: what is in it.
"""

from __future__ import annotations

import dagster as dg

from jdebill_pipelines.build import build_defs
from jdebill_pipelines.steps.runtime import Runtime

# Set by the test before Dagster loads the location.
runtime: Runtime | None = None


def defs() -> dg.Definitions:
    """The definitions, built anew."""
    assert runtime is not None
    return build_defs(runtime.connections, runtime=runtime)
