"""What PostgreSQL's process for a connection has used.

Belongs here: reading it from the kernel; both run on this machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Used:
    """CPU seconds, and the most resident memory in MiB, the shared buffers that it touched included."""

    cpu: float
    peak_mb: float


def backend(pid: int) -> Used:
    """Read it of a process that still runs."""
    process = Path("/proc") / str(pid)
    # After the name in brackets: state is the first field, utime and stime are the 12th and 13th (proc(5)).
    fields = (process / "stat").read_text("ascii").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    lines = (process / "status").read_text("ascii").splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return Used(cpu=ticks / os.sysconf("SC_CLK_TCK"), peak_mb=peak / 1024)
