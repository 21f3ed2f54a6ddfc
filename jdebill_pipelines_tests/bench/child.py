"""The inside of a measured process: one JSON object in, one JSON object out.

Belongs here: what every measured program shares, with nothing but the standard library (the peers' environment has
nothing of ours). Does not belong here: starting such a process (``measure``).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MARK = "BENCH-RESULT "


def peak_mb() -> float:
    """The most resident memory this process has had so far, in MiB (VmHWM)."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this kernel does not tell VmHWM")


class Watch:
    """Wall and CPU seconds of the measured part.

    Attributes:
        seconds: wall.
        cpu: of this process, all threads; what servers and PostgreSQL use is not in it.
    """

    seconds = 0.0
    cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure the block."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


def run(measured: Callable[[dict[str, Any], Watch], dict[str, Any]]) -> None:
    """Call a measured program with what standard input says, and print what came of it.

    Args:
        measured: runs ``watch.running()`` around the part that counts and returns facts (counts that are checked).
    """
    spec = json.loads(sys.stdin.readline())
    # Libraries print; the answer must stand alone.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    watch = Watch()
    facts = measured(spec, watch)
    result = {"seconds": watch.seconds, "cpu": watch.cpu, "peak_mb": peak_mb(), "facts": facts}
    answer.write(MARK + json.dumps(result) + "\n")
    answer.flush()
