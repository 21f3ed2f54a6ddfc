"""What a run has found: tables for people, one JSON file for programs.

Belongs here: rows, targets, formatting. Does not belong here: measuring.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Row = dict[str, str | int | float | None]


@dataclass(frozen=True)
class Target:
    """What a figure must reach.

    Attributes:
        what: in words.
        value: the figure.
        limit: of it.
        at_most: whether it must not exceed the limit (else it must reach it).
    """

    what: str
    value: float
    limit: float
    at_most: bool = True

    @property
    def reached(self) -> bool:
        """Whether it is as it must be."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


@dataclass
class Section:
    """What one scenario found.

    Attributes:
        name: of the scenario.
        about: what was done, one sentence.
        rows: one per contender or stage.
        targets: what they are held to.
        notes: what a reader must know.
        load: load average of one minute, before and after.
    """

    name: str
    about: str
    rows: list[Row] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    load: tuple[float, float] = (0.0, 0.0)


def machine() -> dict[str, Any]:
    """What the figures were measured on, without names."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = int(Path("/proc/meminfo").read_text("ascii").split()[1]) / 1024 / 1024
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": model,
        "memory_gib": round(memory, 1),
        "python": platform.python_version(),
    }


def show(section: Section, console: Console) -> None:
    """Print a section."""
    console.print(f"\n[bold]{section.name}[/bold]: {section.about}", highlight=False)
    if section.rows:
        table = Table(show_edge=False)
        columns = list(dict.fromkeys(name for row in section.rows for name in row))
        for name in columns:
            numeric = all(not isinstance(row.get(name), str) for row in section.rows)
            table.add_column(name, justify="right" if numeric else "left")
        for row in section.rows:
            table.add_row(*(_text(row.get(name)) for name in columns))
        console.print(table)
    for target in section.targets:
        sign = "<=" if target.at_most else ">="
        verdict = "[green]reached[/green]" if target.reached else "[red]MISSED[/red]"
        console.print(f"  {verdict}  {target.what}: {target.value:.2f} {sign} {target.limit:g}", highlight=False)
    for note in section.notes:
        console.print(f"  {note}", highlight=False)
    console.print(f"  load average {section.load[0]:.2f} before, {section.load[1]:.2f} after", highlight=False)


def write(sections: list[Section], folder: Path) -> Path:
    """Write all sections as one JSON file; returns its path."""
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%S}.json"
    found = {
        "at": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "sections": [
            {**asdict(s), "targets": [{**asdict(t), "reached": t.reached} for t in s.targets]} for s in sections
        ],
    }
    path.write_text(json.dumps(found, indent=1), "utf-8")
    return path


def _text(value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else value
