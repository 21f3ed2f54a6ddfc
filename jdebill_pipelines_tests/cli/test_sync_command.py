"""`jdebill plan` and `jdebill sync` against the simulated servers, as commands with their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.support.databases import copied_database

CODE = "from jdebill_pipelines.cli.main import main; main()"
TODAY = date(2026, 11, 27)
CONNECTION = """
name: acme
start_date: 2026-06-01
timezone: UTC
jde:
  ais_url: {ais}
  environment: JDV920
  role: "*ALL"
  companies: ["00001"]
  approved_next_status: {{OP: ["280", "400", "440"]}}
bill:
  api_url: {bill}
  events_url: {events}
  organization_id: "00801SANDBOXORG00001"
sync:
  create_missing: {{accounts: true, departments: true}}
  bank_account: "00000123"
"""
LOGINS = {
    "jde": {"username": "JDEBILL", "password": "sandbox-password"},
    "bill": {"username": "sync@example.com", "password": "sandbox-password", "dev_key": "sandbox-dev-key"},
}


class Shell:
    """Runs `jdebill` as a process of its own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.env = {
            **{n: v for n, v in os.environ.items() if not n.startswith(("JDEBILL_", "DAGSTER_HOME"))},
            "JDEBILL_HOME": str(folder / "home"),
            "JDEBILL_CONNECTIONS_DIR": str(folder / "connections"),
            "JDEBILL_DATABASE_URL": database_url,
        }

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command and return what it said."""
        return subprocess.run(
            [sys.executable, "-c", CODE, *arguments],
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def json(self, *arguments: str) -> tuple[int, Any]:
        """Run a command with ``--json`` and return its exit code and answer; amounts are Decimals."""
        done = self.run(*arguments, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout, parse_float=Decimal)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    """Both servers with the tiny company."""
    with SandboxProcess.start(company="tiny", today=TODAY) as servers:
        yield servers


@pytest.fixture(scope="module")
def shell(
    sandbox: SandboxProcess, postgres_server: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shell]:
    """A connection to them with its logins stored, on a database of its own."""
    folder = tmp_path_factory.mktemp("sync")
    (folder / "connections").mkdir()
    (folder / "connections" / "acme.yaml").write_text(
        CONNECTION.format(ais=sandbox.ais_url, bill=sandbox.bill_url, events=sandbox.bill_events_url), "utf-8"
    )
    with copied_database(postgres_server, template_database, "t_cli_sync") as url:
        shell = Shell(folder, url)
        done = shell.run("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS))
        assert done.returncode == 0, done.stderr
        yield shell


MONTHS = ("--from", "2026-06", "--to", "2026-11")


@pytest.fixture(scope="module")
def first(shell: Shell) -> dict[str, Any]:
    """The very first plan, the first sync, and the plan after it."""
    found: dict[str, Any] = {}
    for name, command in (("plan", "plan"), ("sync", "sync"), ("again", "plan")):
        found[f"{name}_code"], found[name] = shell.json(command, "acme", *MONTHS)
    return found


def test_the_first_plan_promises_what_the_sync_does(first: dict[str, Any]) -> None:
    """Bills and credits that the plan would create are those that the sync creates."""
    counts = first["plan"]["counts"]
    bills = counts["bill"].get("create", 0) + counts["vendor_credit"].get("create", 0)
    assert bills == first["sync"]["assets"]["bill/bills"]["counts"]["created"]


def test_sync_writes_and_says_that_documents_are_held(first: dict[str, Any]) -> None:
    """Code 1: done, and somebody has to look; the vendors are those of the plan; amounts keep their cents."""
    assert first["plan"]["periods"] == ["2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"]
    assert (first["sync_code"], first["sync"]["succeeded"], first["sync"]["error"]) == (1, True, "")
    assets = first["sync"]["assets"]
    assert assets["bill/vendors"]["counts"]["created"] == first["plan"]["counts"]["vendor"]["create"]
    assert list(assets).index("jde/vouchers") < list(assets).index("bill/bills")
    assert isinstance(assets["bill/bills"]["totals"]["written"]["USD"], Decimal)
    assert any(asset["needs_person"] for asset in assets.values())


def test_the_plan_after_a_sync_promises_nothing(shell: Shell, first: dict[str, Any]) -> None:
    """Only what is held is left; it is what the quarantine lists, with code 1 both times."""
    assert {action for per in first["again"]["counts"].values() for action in per} == {"skip", "hold"}
    held = {row["natural_key"] for row in first["again"]["rows"] if row["action"] == "hold"}
    code, listed = shell.json("quarantine", "list", "acme")
    assert (code, first["again_code"]) == (1, 1)
    assert {cause["natural_key"] for cause in listed["causes"]} == held


def test_people_read_tables(shell: Shell) -> None:
    """The same without --json: months in the title, reasons in the rows, progress and notes on standard error."""
    done = shell.run("plan", "acme", "--from", "2026-10", "--to", "2026-11")
    assert done.returncode in (0, 1)
    assert "acme, full, 2026-10 to 2026-11" in done.stdout
    assert "Nothing was written." in done.stderr


def test_a_login_that_is_refused_is_the_other_side(shell: Shell, sandbox: SandboxProcess) -> None:
    """BILL refuses the password: code 3, one line, no password in it."""
    wrong = {"jde": {"username": "JDEBILL", "password": "wr0ng-p4ss"}}
    shell.run("credentials", "set", "acme", "--stdin", stdin=json.dumps(wrong))
    try:
        done = shell.run("plan", "acme", *MONTHS)
    finally:
        shell.run("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS))
    assert done.returncode == 3
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "wr0ng-p4ss" not in done.stdout + done.stderr


def test_a_connection_without_logins_says_which_command_stores_them(shell: Shell) -> None:
    """Before anything is asked of the other side: code 2."""
    folder = Path(shell.env["JDEBILL_CONNECTIONS_DIR"])
    (folder / "beta.yaml").write_text((folder / "acme.yaml").read_text("utf-8").replace("acme", "beta"), "utf-8")
    try:
        done = shell.run("plan", "beta", *MONTHS)
    finally:
        (folder / "beta.yaml").unlink()
    assert done.returncode == 2
    assert "jdebill credentials set beta" in done.stderr
