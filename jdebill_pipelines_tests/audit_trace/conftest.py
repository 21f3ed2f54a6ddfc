"""A small company that things happened to, once per test process, and the command that traces its documents."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from jdebill_pipelines.cli.main import run
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.audit_trace.story import WHO, WHY, Story, tell
from jdebill_pipelines_tests.support.commands import Command, Said
from jdebill_pipelines_tests.support.databases import copied_database
from jdebill_pipelines_tests.support.fixtures import (
    MONTHS,
    TODAY,
    clean_environment,
    dagster_folder,
    dagster_template,
    loop_database,
    open_world,
    tiny_company,
    world,
)
from jdebill_pipelines_tests.support.world import NAME, World

__all__ = ["clean_environment", "dagster_folder", "dagster_template", "loop_database", "tiny_company", "world"]

DOCUMENTS, ZONE = 90, "America/Denver"


@dataclass(frozen=True)
class Told:
    """The company after the story, its keys, and the environment of a command."""

    world: World
    story: Story
    environment: dict[str, str]


@pytest.fixture(scope="session")
def told(
    postgres_server: str, dagster_template: str, dagster_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    """Two months of the tiny company, with simulators and a database of their own: what happened stays in them."""
    home, before = tmp_path_factory.mktemp("story"), dict(os.environ)
    dagster = home / "dagster"
    shutil.copytree(dagster_folder, dagster)
    with copied_database(postgres_server, dagster_template, "story") as url:
        options = {"months": 2, "documents": DOCUMENTS, "max_lifetime_seconds": 900}
        with SandboxProcess.start(company="tiny", today=TODAY, **options) as sandbox:
            sandbox.control_bill("clock", {"set": f"{TODAY}T18:00:00Z"})
            world = open_world(sandbox, url, home, dagster, MONTHS[-2:])
            world.configure(more="  max_invalid_ratio: 1\n")
            file = world.settings.connections_dir / f"{NAME}.yaml"
            file.write_text(file.read_text("utf-8").replace("timezone: UTC", f"timezone: {ZONE}"), "utf-8")
            environment = {
                "JDEBILL_HOME": str(home),
                "JDEBILL_DATABASE_URL": url,
                "JDEBILL_CONNECTIONS_DIR": str(world.settings.connections_dir),
            }

            def override(key: str) -> None:
                with pytest.MonkeyPatch.context() as patch:
                    for variable, value in environment.items():
                        patch.setenv(variable, value)
                    assert run(["quarantine", "override", NAME, key, "--who", WHO, "--reason", WHY, "--yes"]) == 0

            try:
                yield Told(world, tell(world, override), environment)
            finally:
                world.engine.dispose()
                os.environ.clear()
                os.environ.update(before)


@pytest.fixture(scope="session")
def late(told: Told) -> tuple[str, str]:
    """A bill of a voucher, paid and posted after the audit's copies were read: BILL's payment, JDE's payment."""
    world = told.world
    taken = set(told.story.bills.values())
    by_bill = {remote: key for key, remote in world.links("bill").items()}
    bill = next(
        b
        for b in world.bill("bill")
        if b["paymentStatus"] == "UNPAID"
        and not b["archived"]
        and b["id"] not in taken
        and by_bill.get(b["id"], "").count("-") == 2
    )
    day = str(world.sandbox.control_bill("clock")["now"])[:10]
    made = world.sandbox.control_bill("clerk/pay", {"billId": bill["id"], "processDate": day, "to": "PROCESSED"})
    world.sync()
    world.sandbox.control_ais("post", {})
    link = world.store.links.get("posting", [f"{made['id']}:{bill['id']}:post"])
    (remote,) = {found.remote_id for found in link.values()}
    return made["id"], remote


@pytest.fixture
def audit(told: Told, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs ``jdebill audit ...`` in this process."""
    for variable, value in told.environment.items():
        monkeypatch.setenv(variable, value)

    def command(*arguments: str) -> Said:
        capsys.readouterr()
        code = run(["audit", *arguments])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return command


@pytest.fixture
def trace(audit: Command) -> Command:
    """Runs ``jdebill audit trace acme ...``."""
    return partial(audit, "trace", NAME)
