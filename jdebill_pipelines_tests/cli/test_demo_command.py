"""`jdebill demo --once`: from nothing to bills, as a newcomer runs it; and what became of the awkward documents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CODE = "from jdebill_pipelines.cli.main import main; main()"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the demo printed, run in an empty folder without any variable of ours."""
    folder = tmp_path_factory.mktemp("demo")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("JDEBILL_", "DAGSTER_HOME"))}
    done = subprocess.run(
        [sys.executable, "-c", CODE, "demo", "--once", "--size", "tiny", "--json"],
        cwd=folder,
        env=bare,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    found["home"] = folder / ".jdebill" / "demo"
    return found


def test_documents_and_suppliers_arrive(demo: dict[str, Any]) -> None:
    """Both runs end well; the first one writes vendors, bills and a vendor credit."""
    first = demo["first"]
    assert first["succeeded"] is demo["second"]["succeeded"] is True
    assert first["assets"]["bill/vendors"]["counts"]["created"] >= 8
    assert first["assets"]["bill/bills"]["counts"]["created"] >= 15
    assert {a["outcome"] for a in demo["awkward"]} == {"bill", "credit", "vendor", "held", "not due"}


def test_the_second_run_writes_nothing(demo: dict[str, Any]) -> None:
    """With nothing changed there is nothing to create or update."""
    for asset in ("bill/vendors", "bill/bills"):
        counts = demo["second"]["assets"][asset]["counts"]
        assert counts.get("created", 0) == counts.get("updated", 0) == 0, asset


def test_awkward_documents_come_as_they_should(demo: dict[str, Any]) -> None:
    """Each one in BILL, held or not due, as the generated company says."""
    wrong = {a["case"]: (a["outcome"], a["reason"]) for a in demo["awkward"] if not a["as_expected"]}
    assert wrong == {}
    assert all(a["reason"] for a in demo["awkward"])


def test_nothing_is_left_running(demo: dict[str, Any]) -> None:
    """The embedded database of the demo is down; its files stay to be looked at."""
    home: Path = demo["home"]
    assert (home / "company" / "F0411.csv").exists()
    assert not (home / "postgres" / "postmaster.pid").exists()
