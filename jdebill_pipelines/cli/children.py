"""Child processes of a command that stays up: started, watched, stopped together.

Belongs here: processes. Does not belong here: which ones (up.py, demo.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from jdebill_pipelines.cli.exits import OtherSideFailed, WrongUse

_GRACE_SECONDS = 25
_LOG_LINES = 15


@dataclass(slots=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    file: IO[bytes]


class Children:
    """A group of processes that live and die together; a context manager that stops them at its end.

    Args:
        logs: folder of the log files, one per process, written anew.
        environment: of every process.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs = logs
        self.environment = dict(environment)
        self._children: list[_Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process in a group of its own, so that Ctrl-C reaches us first and we stop it in order."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        file = log.open("wb")
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=self.environment,
            start_new_session=True,
        )
        self._children.append(_Child(name, process, log, file))

    def check(self) -> None:
        """Make sure that all are alive.

        Raises:
            OtherSideFailed: one has ended; the text has the end of its log.
        """
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                tail = "\n".join(child.log.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:])
                raise OtherSideFailed(f"{child.name} ended with code {code}; the end of {child.log}:\n{tail}")

    def wait_for(self, answers: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait until something answers, as long as all processes live.

        Raises:
            OtherSideFailed: it did not in time, or a process ended.
        """
        deadline = time.monotonic() + seconds
        while not answers():
            self.check()
            if time.monotonic() > deadline:
                raise OtherSideFailed(f"{what} did not answer within {seconds:.0f} seconds; see {self.logs}")
            time.sleep(0.2)

    def watch(self, stop: threading.Event) -> None:
        """Wait until ``stop`` is set.

        Raises:
            OtherSideFailed: a process ended before.
        """
        while not stop.wait(1.0):
            self.check()

    def stop(self) -> None:
        """Ask all to end, then make them; with everything they started."""
        for child in reversed(self._children):
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for child in reversed(self._children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(deadline - time.monotonic(), 0.1))
            # What the process itself started may outlive it.
            _signal(child, signal.SIGKILL)
            child.process.wait()
            child.file.close()
        self._children.clear()


def _signal(child: _Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, number)


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an event for as long as the block runs."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def free_port(host: str, wanted: int, option: str) -> int:
    """Return ``wanted`` if it is free, or any free port for 0.

    Raises:
        WrongUse: it is taken; the text names the option that changes it.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, wanted))
            port: int = probe.getsockname()[1]
            return port
    except OSError as error:
        raise WrongUse(f"cannot listen on {host}:{wanted} ({error.strerror}); choose another with {option}") from None


def answers(url: str) -> bool:
    """Tell whether an address answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - an address of our own making
            return bool(response.status < 400)
    except (urllib.error.URLError, OSError):
        return False
