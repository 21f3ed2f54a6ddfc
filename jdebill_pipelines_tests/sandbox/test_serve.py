"""The simulators as processes: ready when they say so, controllable, gone when they should be."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from jdebill_pipelines.sandbox.company import build_company
from jdebill_pipelines.sandbox.serve import SandboxError, SandboxProcess

LOGIN = {"username": "JDEBILL", "password": "sandbox-password", "deviceName": "d"}


def alive(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_both_servers_answer_and_stop() -> None:
    """Addresses, switches given at the start, control of both, amounts as Decimals, an end without leftovers."""
    with SandboxProcess.start(
        company="tiny", today=date(2026, 11, 20), ais_switches={"default_rows": 7}, bill_switches={"max_in_flight": 2}
    ) as sandbox:
        pids = sandbox.pids
        assert requests.post(f"{sandbox.ais_url}/v2/tokenrequest", json=LOGIN, timeout=10).status_code == 200
        assert requests.get(f"{sandbox.bill_url}/v3/bills", timeout=10).status_code == 401
        assert sandbox.bill_events_url.endswith("/connect-events")
        assert sandbox.control_ais("switches")["default_rows"] == 7
        assert sandbox.control_bill("switches")["max_in_flight"] == 2
        sandbox.control_ais("tables/F0101", {"AN8": 5, "ALPH": "Acme"})
        row = sandbox.control_ais("tables/F0411")[0]
        assert isinstance(row["AG"], Decimal | int)
        with pytest.raises(SandboxError, match="no switch 'speed'"):
            sandbox.control_ais("switches", {"speed": 1})
        assert sandbox.control_ais("tables/F0101?AN8=5", method="DELETE") == {"deleted": 1}
    wait_until(lambda: not any(map(alive, pids.values())))


def test_a_folder_of_tables_is_served(tmp_path: Path) -> None:
    """The CSV files of a company give the same tables as the company itself."""
    company = build_company("tiny", today=date(2026, 11, 20))
    company.write(tmp_path)
    (tmp_path / "rejects.csv").write_text("FILE,ROW\nx,1\n")
    with SandboxProcess.start(tmp_path, apis=("ais",)) as sandbox:
        counts = sandbox.control_ais("tables")
        assert counts == {name: len(rows) for name, rows in company.tables.items() if rows}
        total = sum(Decimal(row.get("AG", 0)) for row in sandbox.control_ais("tables/F0411"))
    assert total == sum(Decimal(row["AG"]) for row in company.text_rows("F0411"))


def test_what_cannot_start_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A column that JDE does not have ends the start with file and line."""
    (tmp_path / "F0101.csv").write_text("AN8,ABALPH\n1,x\n")
    with pytest.raises(SandboxError, match="ais simulator did not start"):
        SandboxProcess.start(tmp_path, apis=("ais",))
    assert "F0101.csv line 2: F0101 has no column ABALPH" in capfd.readouterr().err
    with pytest.raises(ValueError, match="not both"):
        SandboxProcess.start(tmp_path, company="tiny")


def test_the_command_writes_its_addresses_and_its_servers_die_with_it(tmp_path: Path) -> None:
    """`python -m` prints JSON and writes the ready file; killing it takes the servers along."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "jdebill_pipelines.sandbox.serve", "--company", "tiny", "--ready-file", str(ready)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            wait_until(ready.exists)
            assert json.loads(ready.read_text()) == told
            assert requests.get(f"{told['control']['ais']}/state", timeout=10).json()["tables"]["F0010"] == 2
            assert requests.get(f"{told['ais_url']}/defaultconfig", timeout=10).status_code == 200
            assert all(map(alive, told["pids"].values()))
        finally:
            process.kill()
    wait_until(lambda: not any(map(alive, told["pids"].values())))


def test_a_server_ends_when_its_time_is_over() -> None:
    """The maximum lifetime holds even when nobody stops it."""
    with SandboxProcess.start(apis=("ais",), max_lifetime_seconds=1) as sandbox:
        wait_until(lambda: not sandbox.running())


def test_a_waiting_request_does_not_keep_a_server_alive() -> None:
    """Stopping does not wait for a request that a fault holds back."""
    with SandboxProcess.start(apis=("ais",)) as sandbox:
        sandbox.control_ais("faults", {"fault": "slow", "seconds": 3600})
        with contextlib.suppress(requests.ReadTimeout), contextlib.closing(requests.Session()) as http:
            http.get(f"{sandbox.ais_url}/defaultconfig", timeout=0.3)
    assert not sandbox.running()


def test_interrupting_the_command_ends_everything() -> None:
    """Ctrl-C and SIGTERM end the command with its servers."""
    command = [sys.executable, "-m", "jdebill_pipelines.sandbox.serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pids = json.loads(process.stdout.readline())["pids"]
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(20) == 0
    assert not any(map(alive, pids.values()))
