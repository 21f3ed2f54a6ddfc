"""The code location loads whatever the connection files say, and says what is wrong with them where people look."""

from __future__ import annotations

import logging
import os
import runpy
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

import jdebill_pipelines
from jdebill_pipelines.cli.dagster_home import ROOT, WORKSPACE
from jdebill_pipelines.config.connection import ConnectionFileError
from jdebill_pipelines_tests.support.world import environment_without_ours

DEFINITIONS = Path(jdebill_pipelines.__file__).parent / "definitions.py"
GOOD = (ROOT / "connections" / "example.yaml").read_text("utf-8").replace("enabled: false", "enabled: true")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of connection files that the environment names."""
    for name in [n for n in os.environ if n.startswith("JDEBILL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JDEBILL_HOME", str(tmp_path))
    monkeypatch.setenv("JDEBILL_CONNECTIONS_DIR", str(tmp_path / "connections"))
    (tmp_path / "connections").mkdir()
    return tmp_path / "connections"


def load() -> dg.Definitions:
    """What Dagster loads."""
    defs: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    dg.Definitions.validate_loadable(defs)
    return defs


def notice(defs: dg.Definitions) -> str:
    """What the page says about the files, '' when it says nothing."""
    return next((s.description or "" for s in defs.resolve_all_asset_specs() if s.key.path == ["connection_files"]), "")


def names(defs: dg.Definitions) -> set[str]:
    """The connections that there are assets of."""
    return {s.key.path[0] for s in defs.resolve_all_asset_specs() if len(s.key.path) > 1}


def look_again(defs: dg.Definitions) -> str:
    """One tick of the sensor that watches the files; its reason."""
    with dg.build_sensor_context() as context:
        return defs.resolve_sensor_def("connection_files").evaluate_tick(context).skip_message or ""


def test_all_files_right_and_nothing_is_said(folder: Path) -> None:
    """One good file: its connection, no notice, no sensor on the files."""
    (folder / "example.yaml").write_text(GOOD, "utf-8")
    defs = load()
    assert (names(defs), notice(defs)) == ({"example"}, "")
    assert "connection_files" not in {sensor.name for sensor in defs.get_repository_def().sensor_defs}


def test_a_broken_file_leaves_out_its_connection_and_no_other(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of two files one is half written: the other's jobs load; notice, log and a failing sensor name file and key.

    Mended, the sensor says what is left to do.
    """
    (folder / "example.yaml").write_text(GOOD, "utf-8")
    broken = folder / "other.yaml"
    broken.write_text(GOOD.replace("name: example", "name: other").replace("timezone: America", "tinezone: Amerika"))
    with caplog.at_level(logging.ERROR):
        defs = load()
    assert names(defs) == {"example"}
    assert {"example_months", "example_poll"} <= {job.name for job in defs.get_repository_def().get_all_jobs()}
    text = notice(defs)
    assert f"- {broken}: tinezone: is not a key here (did you mean 'timezone'?); allowed: " in text
    assert f"- {broken}: timezone: is missing" in text
    assert "reload the code location" in text
    assert "tinezone: is not a key here" in caplog.text
    with pytest.raises(ConnectionFileError, match="tinezone: is not a key here"):
        look_again(defs)
    broken.write_text(GOOD.replace("name: example", "name: other"))
    assert look_again(defs) == "every file is right now: reload the code location"
    assert names(load()) == {"example", "other"}


def test_a_name_that_two_files_share_is_neithers(folder: Path) -> None:
    """A copied file with the name forgotten: which of the two is meant nobody knows, so neither runs."""
    (folder / "a.yaml").write_text(GOOD, "utf-8")
    (folder / "b.yaml").write_text(GOOD, "utf-8")
    (folder / "c.yaml").write_text(GOOD, "utf-8")
    (folder / "d.yaml").write_text(GOOD.replace("name: example", "name: other"), "utf-8")
    defs = load()
    assert names(defs) == {"other"}
    assert notice(defs).count("name: 'example' is also the name in a.yaml") == 2


def test_no_connection_at_all(folder: Path) -> None:
    """No file, one that is off, no folder: loaded each time, and the page says how to begin or what is missing."""
    for _ in range(2):
        defs = load()
        assert names(defs) == set()
        assert "Copy connections/example.yaml there" in notice(defs)
        assert look_again(defs) == f"no connection is enabled in {folder}"
        (folder / "example.yaml").write_text(GOOD.replace("enabled: true", "enabled: false"), "utf-8")
    (folder / "example.yaml").unlink()
    folder.rmdir()
    defs = load()
    assert (names(defs), f"{folder}: no such folder; set JDEBILL_CONNECTIONS_DIR" in notice(defs)) == (set(), True)
    with pytest.raises(ConnectionFileError, match="no such folder"):
        look_again(defs)


def test_dagster_validates_the_workspace_without_a_warning_of_ours(folder: Path) -> None:
    """`dagster definitions validate` over the project's workspace.yaml: valid, and no warning but of the command."""
    (folder / "example.yaml").write_text(GOOD, "utf-8")
    home = folder.parent / "dagster"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(WORKSPACE)],
        env=environment_without_ours()
        | {"JDEBILL_HOME": str(folder.parent), "JDEBILL_CONNECTIONS_DIR": str(folder), "DAGSTER_HOME": str(home)},
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Validation successful for code location jdebill" in said
    warned = [line for line in said.splitlines() if "Warning" in line]
    assert [line for line in warned if "definitions_validate_command" not in line] == []
