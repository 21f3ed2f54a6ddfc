"""Starting measured processes, repeating them in turn, and what came of it.

Belongs here: samples and their medians. Does not belong here: what is measured (``subjects``, ``peers``), or how it is
shown (``report``).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jdebill_pipelines_tests.bench.child import MARK

ROOT = Path(__file__).resolve().parents[2]
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PACKAGE = "jdebill_pipelines_tests.bench"
TIMEOUT_SECONDS = 600


class MeasureError(Exception):
    """A measured program failed; the text has the end of its output."""


@dataclass(frozen=True)
class Contender:
    """One program to measure.

    Attributes:
        name: as it is shown.
        module: below the bench package; gets ``spec`` on standard input.
        spec: what it is told.
        peer: runs in the peers' environment.
    """

    name: str
    module: str
    spec: Mapping[str, Any]
    peer: bool = False


@dataclass(frozen=True)
class Sample:
    """One run: wall and CPU seconds of the measured part, peak memory of the process in MiB, counts."""

    seconds: float
    cpu: float
    peak_mb: float
    facts: dict[str, Any]


@dataclass
class Outcome:
    """All runs of one contender."""

    name: str
    samples: list[Sample] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median wall seconds."""
        return statistics.median(s.seconds for s in self.samples)

    @property
    def cpu(self) -> float:
        """Median CPU seconds of the process."""
        return statistics.median(s.cpu for s in self.samples)

    @property
    def peak_mb(self) -> float:
        """The highest peak of all runs, MiB."""
        return max(s.peak_mb for s in self.samples)

    @property
    def facts(self) -> dict[str, Any]:
        """Counts of the last run."""
        return self.samples[-1].facts


def run_once(contender: Contender) -> Sample:
    """Run a contender in a new process.

    Raises:
        MeasureError: it failed.
    """
    python = str(PEERS_PYTHON) if contender.peer else sys.executable
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DLT_TELEMETRY": "0", "RUNTIME__DLTHUB_TELEMETRY": "false"}
    done = subprocess.run(
        [python, "-m", f"{PACKAGE}.{contender.module}"],
        input=json.dumps(contender.spec) + "\n",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or len(lines) != 1:
        raise MeasureError(f"{contender.name}: exit code {done.returncode}\n{(done.stderr or done.stdout)[-3000:]}")
    return Sample(**json.loads(lines[0].removeprefix(MARK)))


def compare(contenders: Sequence[Contender], *, rounds: int) -> list[Outcome]:
    """Run all contenders in turn, ``rounds`` times: a busy moment of the machine hits all of them."""
    outcomes = [Outcome(c.name) for c in contenders]
    for _ in range(rounds):
        for contender, outcome in zip(contenders, outcomes, strict=True):
            outcome.samples.append(run_once(contender))
            time.sleep(0.2)  # lets PostgreSQL's and the servers' afterwork end
    return outcomes


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of the values that so many percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def peers_installed() -> bool:
    """Whether the peers' environment is there."""
    return PEERS_PYTHON.exists()
