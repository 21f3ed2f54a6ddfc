"""`jdebill doctor`: the preflight of a connection.

Belongs here: printing findings as they come, the exit code. Does not belong here: the questions (steps/doctor*.py,
doctor_dagster.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON, OTHER_SIDE_FAILED, WRONG_USE
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, stdout
from jdebill_pipelines.cli.session import connection_named
from jdebill_pipelines.config.connection import ConnectionFileError
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.steps.doctor import Finding, Findings, State, diagnose

_STYLES: dict[State, str] = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}
_WHAT_WIDTH = 32


@click.command(
    epilog=examples("jdebill doctor acme", "jdebill doctor acme --json | jq '.findings[] | select(.state != \"ok\")'")
)
@click.argument("name")
@json_option
def doctor(name: str, as_json: bool) -> int:
    """Look at everything outside that a connection needs, and say what to do about what is wrong.

    Files, key, database, logins; JD Edwards: server, login, tables, date conditions, orchestrations; BILL: login,
    permissions, limits, webhooks; Dagster. Nothing is written. Exit code 0 all is well, 1 warnings only, 2 something of
    ours is wrong, 3 only the other side is.
    """
    settings = Settings.from_environment()
    with contextlib.suppress(ConnectionFileError):  # a finding and no end: another file may be at fault
        connection_named(settings, name)
    asked = _asked(settings, name)
    findings = list(asked) if as_json else _printed(asked)
    code = exit_code(findings)
    if as_json:
        print_json({"connection": name, "exit_code": code, "findings": [msgspec.structs.asdict(f) for f in findings]})
    else:
        note(_verdict(name, findings))
    return code


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 2 when something of ours failed, 3 when only the other side did, 1 for warnings, 0 otherwise."""
    seen = list(findings)
    if any(f.state == "failed" and f.fault != "theirs" for f in seen):
        return WRONG_USE
    if any(f.state == "failed" for f in seen):
        return OTHER_SIDE_FAILED
    return NEEDS_PERSON if any(f.state in ("warning", "skipped") for f in seen) else DONE


def _asked(settings: Settings, name: str) -> Findings:
    yield from diagnose(settings, name)
    # Dagster takes seconds to import; until here nobody needed it.
    from jdebill_pipelines.cli.doctor_dagster import ask_dagster

    yield from ask_dagster(settings, name)


def _printed(asked: Iterable[Finding]) -> list[Finding]:
    console, area, seen = stdout(), "", []
    for finding in asked:
        seen.append(finding)
        if finding.area != area:
            area = finding.area
            console.print(Text(f"\n{area}" if len(seen) > 1 else area, style="bold"))
        console.print(_line(finding, console))
    return seen


def _line(finding: Finding, console: Console) -> Table:
    """One finding with hanging indents; what to do stands below what was seen."""
    what = min(_WHAT_WIDTH, max(console.width // 4, 12))
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=9)
    line.add_column(width=what, overflow="fold")
    line.add_column(overflow="fold")
    text = Text(finding.found)
    if finding.fix:
        text.append("\n" + finding.fix, style="bold" if finding.state == "failed" else "")
    line.add_row(Text(finding.state, style=_STYLES[finding.state]), Text(finding.what), text)
    return line


def _verdict(name: str, findings: Iterable[Finding]) -> str:
    counts = {state: sum(1 for f in findings if f.state == state) for state in _STYLES}
    if not counts["failed"] and not counts["warning"] and not counts["skipped"]:
        return f"\n{name} is ready: {counts['ok']} questions, nothing wrong."
    told = ", ".join(f"{counts[state]} {state}" for state in ("failed", "warning", "skipped", "ok") if counts[state])
    return f"\n{name}: {told}."
