"""`jdebill connections`."""

from __future__ import annotations

from pathlib import Path

import yaml

from jdebill_pipelines_tests.cli.conftest import CONNECTION
from jdebill_pipelines_tests.support.commands import Command


def test_list_shows_every_connection(jdebill: Command, home: Path) -> None:
    """As a table for people and as JSON for programs."""
    (home / "connections" / "beta.yaml").write_text(CONNECTION.replace("acme\n", "beta\nenabled: false\n", 1), "utf-8")
    table = jdebill("connections", "list")
    assert table.code == 0
    assert [line.split()[:2] for line in table.out.splitlines()[1:]] == [["acme", "yes"], ["beta", "no"]]
    rows = jdebill("connections", "list", "--json").json
    assert [(r["name"], r["enabled"], r["start_date"]) for r in rows] == [
        ("acme", True, "2026-01-01"),
        ("beta", False, "2026-01-01"),
    ]


def test_an_empty_folder_says_what_to_do(jdebill: Command, home: Path) -> None:
    """The first thing a newcomer sees."""
    (home / "connections" / "acme.yaml").unlink()
    assert "example.yaml" in jdebill("connections", "list").out
    assert jdebill("connections", "check").out == "Right: no connection files.\n"


def test_show_prints_a_file_that_would_load_again(jdebill: Command, tmp_path: Path) -> None:
    """With every default filled in: what is shown is a connection file again, and means the same."""
    shown = jdebill("connections", "show", "acme")
    assert shown.code == 0
    (tmp_path / "again.yaml").write_text(shown.out, "utf-8")
    assert jdebill("connections", "check", str(tmp_path / "again.yaml")).out == "Right: acme.\n"
    assert yaml.safe_load(shown.out)["sync"]["post_when"] == "PROCESSED"
    assert jdebill("connections", "show", "acme", "--json").json["bill"]["max_in_flight"] == 3


def test_check_tells_every_mistake(jdebill: Command, home: Path) -> None:
    """Of the folder or of the files given; code 2 and one line each."""
    bad = home / "connections" / "beta.yaml"
    bad.write_text(
        CONNECTION.replace("acme\n", "beta\n", 1).replace("APINT", "''").replace('["00001"]', '["1"]'), "utf-8"
    )
    said = jdebill("connections", "check")
    assert said.code == 2
    assert [line.split(": ")[1] for line in said.err.splitlines()[:-1]] == ["jde.role", "jde.companies[0]"]
    assert said.err.splitlines()[-1] == "2 mistakes."
    found = jdebill("connections", "check", str(bad), str(home / "connections" / "acme.yaml"), "--json")
    assert found.code == 2
    assert found.json["connections"] == ["acme"]
    assert len(found.json["problems"]) == 2
