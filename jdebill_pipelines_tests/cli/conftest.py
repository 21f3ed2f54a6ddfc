"""Running commands as a person would, in this process, with an environment of the test's own."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from jdebill_pipelines.cli.main import run
from jdebill_pipelines_tests.support.commands import Command, Said

CONNECTION = """
name: acme
start_date: 2026-01-01
timezone: America/Denver
jde:
  ais_url: https://ais.acme.example:9300/jderest
  environment: JPD920
  role: APINT
  companies: ["00001"]
  approved_next_status: {OP: ["280"]}
bill:
  api_url: https://gateway.stage.bill.com/connect
  organization_id: "00801ABCDEFGHIJKLMNO"
sync: {bank_account: "00000123"}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one connection, named by the environment; no key and no database of the developer's."""
    for name in ("JDEBILL_DATABASE_URL", "JDEBILL_MASTER_KEY", "JDEBILL_NEW_MASTER_KEY", "JDEBILL_KEY_FILE",
                 "JDEBILL_DEBUG", "DAGSTER_HOME"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "acme.yaml").write_text(CONNECTION, "utf-8")
    monkeypatch.setenv("JDEBILL_CONNECTIONS_DIR", str(tmp_path / "connections"))
    monkeypatch.setenv("JDEBILL_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def database(home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test's database, as the one of the environment."""
    monkeypatch.setenv("JDEBILL_DATABASE_URL", database_url)
    return database_url


@pytest.fixture
def jdebill(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command: ``jdebill("connections", "list", stdin="")``."""

    def command(*arguments: str, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return command
