"""Dagster on this machine: its folder, its environment, its two processes.

Belongs here: preparing DAGSTER_HOME and the commands. Does not belong here: definitions.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from jdebill_pipelines.cli.children import Children, answers
from jdebill_pipelines.cli.exits import WrongUse
from jdebill_pipelines.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE = ROOT / "workspace.yaml"
_START_SECONDS = 180


def prepare(settings: Settings) -> None:
    """Make DAGSTER_HOME; a dagster.yaml that somebody put there stays, ours is kept up to date.

    Raises:
        WrongUse: this is no checkout, so there is no dagster.yaml to copy.
    """
    source, target = ROOT / "dagster.yaml", settings.dagster_home / "dagster.yaml"
    ours = settings.dagster_home.is_relative_to(settings.home)
    if target.exists() and not ours:
        return
    if not source.exists():
        raise WrongUse(
            f"{source} is missing: put a dagster.yaml into {settings.dagster_home} and set DAGSTER_HOME to it"
        )
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of processes that load our definitions: every path absolute, the database named."""
    assert settings.database_url is not None
    given = {
        **os.environ,
        "JDEBILL_DATABASE_URL": settings.database_url,
        "JDEBILL_CONNECTIONS_DIR": str(settings.connections_dir),
        "JDEBILL_HOME": str(settings.home),
        "JDEBILL_KEY_FILE": str(settings.key_file),
        "DAGSTER_HOME": str(settings.dagster_home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    given.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")
    if settings.master_key is None:
        given.pop("JDEBILL_MASTER_KEY", None)
    return given


def enter(settings: Settings) -> None:
    """Make this process one that belongs to the Dagster instance, so that a run of ours shows in its UI."""
    prepare(settings)
    wanted = environment(settings)
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    os.environ.update(wanted)


def address_of(host: str, port: int) -> str:
    """The address of the page as this machine reaches it."""
    shown = f"[{host}]" if ":" in host else host
    local = "127.0.0.1" if host in ("0.0.0.0", "::") else shown  # noqa: S104 - asked for by the caller
    return f"http://{local}:{port}"


def start(children: Children, *, host: str, port: int, workspace: Path = WORKSPACE) -> str:
    """Start webserver and daemon and wait until the page answers.

    Args:
        children: gets the two processes.
        host, port: where the page is; it has no login of its own.
        workspace: what to load.

    Returns:
        The address of the page.

    Raises:
        OtherSideFailed: one of them ended, or nothing answered in time.
    """
    if not workspace.exists():
        raise WrongUse(f"no such workspace file: {workspace}")
    programs = Path(sys.executable).parent
    page = ["-h", host, "-p", str(port), "-w", str(workspace)]
    children.start("webserver", [str(programs / "dagster-webserver"), *page])
    children.start("daemon", [str(programs / "dagster-daemon"), "run", "-w", str(workspace)])
    address = address_of(host, port)
    children.wait_for(lambda: answers(f"{address}/server_info"), "the Dagster page", _START_SECONDS)
    return address
