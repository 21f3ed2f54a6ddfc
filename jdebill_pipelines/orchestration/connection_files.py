"""Shows in Dagster what is wrong with the connection files, or that there is no connection to run.

Belongs here: saying it where people look. Does not belong here: finding the mistakes (``config``).
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from jdebill_pipelines.config.connection import ConnectionFileError, read_connections

NAME = "connection_files"
_RELOAD = "then reload the code location (Deployment, Code locations, Reload)"


def build_notice(
    directory: Path, problems: Sequence[str], *, any_enabled: bool
) -> tuple[list[dg.AssetSpec], list[dg.SensorDefinition]]:
    """An asset whose description says what to mend, and a sensor that fails until it is; nothing when all is well.

    Args:
        directory: the folder of the files.
        problems: one line for every mistake in them; empty when there is none.
        any_enabled: whether there is a connection to run.
    """
    if any_enabled and not problems:
        return [], []
    lines = [f"- {problem}" for problem in problems]
    if lines:
        says = "\n".join(["Connections that are left out, and why:", "", *lines, "", f"Mend the file, {_RELOAD}."])
    else:
        says = (
            f"No connection is enabled in {directory}. Copy connections/example.yaml there, describe the connection, "
            f"set `enabled: true`, check it with `jdebill connections check`, {_RELOAD}."
        )
    spec = dg.AssetSpec(NAME, description=says, group_name="setup", kinds={"yaml"}, owners=["team:data-engineering"])
    return [spec], [_sensor(directory)]


def _sensor(directory: Path) -> dg.SensorDefinition:
    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reads the connection files again; fails while one of them is wrong.",
    )
    def look(_context: dg.SensorEvaluationContext) -> dg.SkipReason:
        found, problems = read_connections(directory)
        if problems:
            raise ConnectionFileError(problems)
        if any(connection.enabled for connection in found.values()):
            return dg.SkipReason("every file is right now: reload the code location")
        return dg.SkipReason(f"no connection is enabled in {directory}")

    return look
