"""A process of ours that makes the asset ``jde/postings``: what tests start several of, and kill.

Run as ``python -m jdebill_pipelines_tests.payments.poster RUN_ID CONNECTION_FILE MONTH...``, with the settings in the
environment; prints what it posted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from jdebill_pipelines.config.connection import load_connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.steps import postings
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines.steps.runtime import Runtime


def main(run_id: str, file: str, *months: str) -> None:
    """Post what is released of these months."""
    connection = load_connection(Path(file))
    name = connection.name
    runtime = Runtime(Settings.from_environment(), {name: connection})
    try:
        ctx = runtime.context(name, run_id=run_id, asset_key=f"{name}/jde/postings", mode=Mode.FULL, periods=months)
        made = postings.write_postings(ctx, look_seconds=0.0)
        sys.stdout.write(msgspec.json.encode(made.counts).decode())
    finally:
        runtime.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
