"""The entry: which scenarios, in which order, and where the results go."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from jdebill_pipelines_tests.bench import (
    audit_month,
    bills,
    first_load,
    landing,
    latency,
    measure,
    receiver_load,
    report,
)
from jdebill_pipelines_tests.bench.databases import Databases
from jdebill_pipelines_tests.bench.report import Section

Scenario = Callable[[Databases, Path, int], Section]
SCENARIOS: dict[str, Scenario] = {
    "landing": landing.scenario,
    "bills": bills.scenario,
    "first_load": first_load.scenario,
    "webhook-latency": latency.scenario,
    "audit-month": audit_month.scenario,
    "receiver-load": receiver_load.scenario,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SCENARIOS)))
@click.option("--rounds", default=3, show_default=True, help="Runs per program; medians are shown.")
@click.option("--strict", is_flag=True, help="Exit code 1 when a target is missed.")
def main(names: tuple[str, ...], rounds: int, strict: bool) -> None:
    """Measure the product against its peers on the same simulated servers; all scenarios by default."""
    # Ended from outside it still ends the servers and processes it started.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    console = Console(width=140)
    if not measure.peers_installed():
        raise click.ClickException(f"no {measure.PEERS_PYTHON}: start this by `make bench`, which installs the peers")
    sections = []
    with tempfile.TemporaryDirectory(prefix="jdebill-bench-") as folder, contextlib.ExitStack() as stack:
        databases = stack.enter_context(Databases(Path(folder)))
        for name in names or SCENARIOS:
            before = os.getloadavg()[0]
            section = SCENARIOS[name](databases, Path(folder), rounds)
            section.load = (before, os.getloadavg()[0])
            report.show(section, console)
            sections.append(section)
    console.print(f"\nwritten to {report.write(sections, measure.ROOT / 'bench-results')}", highlight=False)
    missed = [t for s in sections for t in s.targets if not t.reached]
    sys.exit(1 if strict and missed else 0)


if __name__ == "__main__":
    main()
