"""`jdebill up`: a real webserver and daemon on an embedded database, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml

from jdebill_pipelines.cli import dagster_home
from jdebill_pipelines.cli.children import Children, answers, free_port, stop_signals
from jdebill_pipelines.cli.exits import OtherSideFailed, WrongUse
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import load_vault

JSON = {"content-type": "application/json"}
DEFINITIONS = """
import dagster as dg

@dg.asset
def greeting() -> None:
    pass

defs = dg.Definitions(assets=[greeting])
"""


def wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition, at most some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> set[int]:
    """Every process below one, whatever its group."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`jdebill up` as a process of its own, with what it has printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from jdebill_pipelines.cli.main import main; main()", "up", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
        cwd=home,
    )
    lines: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        yield process, lines
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join(5)
        process.stdout.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A code location with one asset: the test is about processes, not about our definitions."""
    (tmp_path / "greeting.py").write_text(DEFINITIONS, "utf-8")
    path = tmp_path / "workspace.yaml"
    path.write_text(yaml.safe_dump({"load_from": [{"python_file": str(tmp_path / "greeting.py")}]}), "utf-8")
    return path


def test_up_serves_page_and_receiver_on_postgresql_and_ctrl_c_leaves_nothing(home: Path, workspace: Path) -> None:
    """Page and receiver answer, all processes share the embedded database, and one Ctrl-C ends all of them."""
    load_vault(Settings.from_environment(), create=True)
    with running(home, "--port", "0", "--receiver-port", "0", "--workspace", str(workspace)) as (process, lines):
        wait(lambda: any("Ctrl-C stops" in line for line in lines) or process.poll() is not None, 120, "start")
        text = "".join(lines)
        address = re.search(r"UI +(http://127\.0\.0\.1:\d+)", text)
        events = re.search(r"receiver +(http://127\.0\.0\.1:\d+)/webhooks/NAME", text)
        assert address, text
        assert events, text
        assert answers(f"{address.group(1)}/server_info")
        assert answers(f"{events.group(1)}/healthz"), "the receiver has its database"
        posted = requests.post(f"{events.group(1)}/webhooks/acme", data=b"{}", headers=JSON, timeout=10)
        assert posted.status_code == 401, "acme is known, and the post is not signed"
        below = descendants(process.pid)
        assert len(below) >= 3
        postmaster = int((home / "home" / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        settings = yaml.safe_load((home / "home" / "dagster" / "dagster.yaml").read_text("utf-8"))
        assert settings == yaml.safe_load((dagster_home.ROOT / "dagster.yaml").read_text("utf-8"))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    wait(lambda: not any(alive(pid) for pid in {*below, postmaster}), 30, "something was left running")
    assert not answers(f"{address.group(1)}/server_info")
    assert not answers(f"{events.group(1)}/healthz")


def test_end_of_the_receiver_ends_everything(home: Path, workspace: Path) -> None:
    """The receiver is killed: `up` ends with 3, names it, and leaves nothing running."""
    load_vault(Settings.from_environment(), create=True)
    with running(home, "--port", "0", "--receiver-port", "0", "--workspace", str(workspace)) as (process, lines):
        wait(lambda: any("Ctrl-C stops" in line for line in lines) or process.poll() is not None, 120, "start")
        below = descendants(process.pid)
        (receiver,) = [pid for pid in below if b"receiver" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
        os.kill(receiver, signal.SIGKILL)
        assert process.wait(60) == 3, "".join(lines)
    assert any("receiver ended with code" in line for line in lines), lines
    wait(lambda: not any(alive(pid) for pid in below), 30, "something was left running")


def test_up_ends_with_3_and_the_log_when_the_page_cannot_start(home: Path) -> None:
    """A workspace that is no workspace: the end of the log is shown, and nothing is left running."""
    broken = home / "broken.yaml"
    broken.write_text("load_from: 7\n", "utf-8")
    with running(home, "--port", "0", "--workspace", str(broken)) as (process, lines):
        assert process.wait(120) == 3
        below = descendants(process.pid)
    assert any("ended with code" in line for line in lines), lines
    assert not any(alive(pid) for pid in below)


def test_a_taken_port_is_wrong_use(home: Path) -> None:
    """The line names the option; nothing was started."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(WrongUse, match="--port"):
            free_port("127.0.0.1", port, "--port")
        with running(home, "--port", str(port)) as (process, lines):
            assert process.wait(60) == 2
        assert any("with --port" in line for line in lines)
        load_vault(Settings.from_environment(), create=True)
        with running(home, "--port", "0", "--receiver-port", str(port)) as (process, lines):
            assert process.wait(60) == 2
        assert any("--receiver-port" in line for line in lines)
    assert not (home / "home" / "postgres").exists()


def test_children_take_what_they_started_with_them(tmp_path: Path) -> None:
    """A child that ignores SIGTERM's meaning for its own child: the whole group is gone afterwards."""
    script = "import subprocess, time; p = subprocess.Popen(['sleep', '99']); print(p.pid, flush=True); time.sleep(99)"
    with Children(tmp_path / "logs", os.environ) as children:
        children.start("parent", [sys.executable, "-c", script])
        log = tmp_path / "logs" / "parent.log"
        wait(lambda: log.read_text().strip().isdecimal(), 20, "the child's child")
        grandchild = int(log.read_text())
        assert alive(grandchild)
    wait(lambda: not alive(grandchild), 5, "the child's child was left running")


def test_the_end_of_a_child_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    """Waiting for an answer, and watching, both stop at once."""
    with Children(tmp_path / "logs", os.environ) as children:
        children.start("fails", [sys.executable, "-c", "import sys; print('the reason'); sys.exit(7)"])
        with pytest.raises(OtherSideFailed, match=r"(?s)fails ended with code 7.*the reason"):
            children.wait_for(lambda: False, "it", 30)
        with pytest.raises(OtherSideFailed, match="code 7"):
            children.watch(threading.Event())


def test_signals_become_an_event_and_are_given_back() -> None:
    """Ctrl-C during work sets the event; afterwards it interrupts again."""
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_dagster_home_of_yours_is_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DAGSTER_HOME outside our home with a dagster.yaml in it: not overwritten; ours is kept up to date."""
    yours = home / "yours"
    yours.mkdir()
    (yours / "dagster.yaml").write_text("telemetry: {enabled: false}\n", "utf-8")
    dagster_home.prepare(Settings.from_environment({"JDEBILL_HOME": str(home / "home"), "DAGSTER_HOME": str(yours)}))
    assert (yours / "dagster.yaml").read_text("utf-8") == "telemetry: {enabled: false}\n"
    ours = Settings.from_environment({"JDEBILL_HOME": str(home / "home")})
    dagster_home.prepare(ours)
    (ours.dagster_home / "dagster.yaml").write_text("old", "utf-8")
    dagster_home.prepare(ours)
    assert "run_retries" in (ours.dagster_home / "dagster.yaml").read_text("utf-8")
