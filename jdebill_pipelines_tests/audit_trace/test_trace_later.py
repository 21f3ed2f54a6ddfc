"""The trace of what happened after the last reading, and the look of the tree."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from decimal import Decimal

import pytest
from rich.cells import cell_len

from jdebill_pipelines_tests.audit_trace.conftest import Told
from jdebill_pipelines_tests.support.commands import Command
from jdebill_pipelines_tests.support.world import COMMAND, NAME

pytestmark = [pytest.mark.timeout(600)]
D = Decimal


def test_what_was_posted_after_the_last_reading_is_shown_as_written_and_live(
    told: Told, trace: Command, late: tuple[str, str]
) -> None:
    """The copies do not have the payment: the chain is whole and says so; asked live, it has its ledger lines."""
    payment, jde_payment = late
    copies = trace(payment, "--json").json
    (node,) = [n for n in copies["nodes"] if n["kind"] == "jde-payment"]
    assert node["key"] == jde_payment.removeprefix("PYID-")
    assert node["facts"] == {}
    assert node["notes"] == [
        "JD Edwards' copy does not have it: it was written after the last reading, or deleted there"
    ]
    assert trace(jde_payment, "--json").json["nodes"] == copies["nodes"]
    live = trace(jde_payment, "--live", "--json").json
    (node,) = [n for n in live["nodes"] if n["kind"] == "jde-payment"]
    rows = told.world.jde("F0911", f"PYID={node['key']}&LT=AA")
    shown = sorted((x["account_id"], D(str(x["amount"]))) for x in node["lines"] if "account_id" in x)
    assert shown == sorted((row["AID"], D(row["AA"])) for row in rows) != []
    assert {n["ref"] for n in live["nodes"]} == {n["ref"] for n in copies["nodes"]}
    again = trace(payment, "--live", "--json").json
    assert (again["nodes"], again["ties"]) == (live["nodes"], live["ties"])
    assert "--live" in trace("PYID-99999999").err


@pytest.mark.parametrize("columns", [80, 140])
def test_the_tree_fits_the_terminal(told: Told, columns: int) -> None:
    """An order, and a combined payment, on a terminal of that width: no line is longer, nothing is cut off."""
    for name in ("order", "together"):
        key = getattr(told.story, name)
        shown = on_a_terminal(told, columns, key if isinstance(key, str) else key[0])
        plain = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in shown.splitlines()]
        assert max(cell_len(line) for line in plain) <= columns
        words = " ".join(re.sub("[\u2500-\u257f]", " ", " ".join(plain)).split())
        for payment in told.story.payments[key if isinstance(key, str) else key[0]]:
            assert f"BILL payment {payment}" in words
        assert "<- asked for" in words
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \((\d\d-\d\d )?\d\d:\d\d M[SD]T\)", words)
        assert "\u2026" not in words
    assert "described above" in words


def on_a_terminal(told: Told, columns: int, key: str) -> str:
    """What the command prints on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | told.environment | {"TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "audit", "trace", NAME, key], stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return b"".join(parts).decode()
