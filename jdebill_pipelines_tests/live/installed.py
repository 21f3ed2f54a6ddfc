"""The product as a person installs it: a home, a connection file, stored logins, the `jdebill` command, `jdebill up`.

Belongs here: processes and commands against the simulators. Does not belong here: any expectation; what is measured.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from jdebill_pipelines.cli.children import free_port
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.support.world import COMMAND, LOGINS, NAME

# Neither the poll nor the sweep comes while something is measured: what is seen was started by webhooks.
NEVER = "0 0 29 2 *"
CONNECTION = """
name: {name}
start_date: {start}-01
timezone: UTC
jde:
  ais_url: {ais}
  environment: JDV920
  role: "*ALL"
  companies: ["00001"]
  approved_next_status: {{OP: ["280", "380", "400", "440"]}}
bill:
  api_url: {bill}
  events_url: {events}
  organization_id: "00801SANDBOXORG00001"
  webhook_url: http://127.0.0.1:{port}/webhooks/{name}
sync:
  schedule: "{never}"
  nightly: "{never}"
  documents: [vouchers]
  create_missing: {{accounts: true, departments: true}}
  bank_account: "00000123"
alerts: {{urls_env: ACME_ALERT_URLS}}
"""
_START_SECONDS = 180


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60, every: float = 0.05) -> Any:
    """Wait until a condition gives something true, and return it.

    Raises:
        TimeoutError: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: waited {seconds:.0f} seconds in vain")
        time.sleep(every)
    return found


@dataclass
class Installed:
    """An installation between the two simulators.

    Attributes:
        home: everything of it.
        sandbox: the simulators.
        database_url: a migrated database.
        months: first to last month of the company's documents.
        channels: apprise URLs of its alerts.
    """

    home: Path
    sandbox: SandboxProcess
    database_url: str
    months: Sequence[str]
    channels: str = ""
    receiver_port: int = field(init=False)
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.receiver_port = free_port("127.0.0.1", 0, "")
        bare = {k: v for k, v in os.environ.items() if not k.startswith(("JDEBILL_", "DAGSTER_HOME"))}
        self.environment = {
            **bare,
            "JDEBILL_DATABASE_URL": self.database_url,
            "JDEBILL_HOME": str(self.home),
            "JDEBILL_CONNECTIONS_DIR": str(self.home / "connections"),
            "ACME_ALERT_URLS": self.channels,
            "PYTHONUNBUFFERED": "1",
        }
        (self.home / "connections").mkdir(parents=True, exist_ok=True)
        (self.home / "connections" / f"{NAME}.yaml").write_text(
            CONNECTION.format(
                name=NAME,
                start=self.months[0],
                ais=self.sandbox.ais_url,
                bill=self.sandbox.bill_url,
                events=self.sandbox.bill_events_url,
                port=self.receiver_port,
                never=NEVER,
            ),
            "utf-8",
        )
        self.jdebill("credentials", "set", NAME, "--stdin", stdin=json.dumps(LOGINS))

    def jdebill(self, *arguments: str, stdin: str = "", allowed: Sequence[int] = (0,)) -> str:
        """Run a command and return what it printed.

        Raises:
            RuntimeError: its exit code is none of those allowed; the text has its output.
        """
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.home,
            timeout=300,
            check=False,
        )
        if done.returncode not in allowed:
            raise RuntimeError(
                f"jdebill {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def sync(self) -> None:
        """All documents of JDE to BILL; held ones are as they must be."""
        self.jdebill("sync", NAME, "--from", self.months[0], "--to", self.months[-1], "--json", allowed=(0, 1))

    @contextmanager
    def up(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`jdebill up` as a process of its own, ended by Ctrl-C.

        Raises:
            RuntimeError: it did not start, or did not end with 0; the text has its output.
        """
        ports = ("--port", "0", "--receiver-port", str(self.receiver_port))
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "up", *ports, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
            cwd=self.home,
            start_new_session=True,
        )
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
        reader.start()
        try:
            wait_for(
                lambda: any("Ctrl-C stops" in line for line in lines) or process.poll() is not None,
                "jdebill up",
                _START_SECONDS,
            )
            if process.poll() is not None:
                raise RuntimeError(f"jdebill up ended with {process.returncode}:\n{''.join(lines)}")
            yield process
            process.send_signal(signal.SIGINT)
            if process.wait(60):
                raise RuntimeError(f"jdebill up ended with {process.returncode}:\n{''.join(lines)}")
        finally:
            if process.poll() is None:
                # Not killed at once: it has processes of its own to end.
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.wait()
            reader.join(5)
            if process.stdout is not None:
                process.stdout.close()

    def clerk(self, action: str, **body: Any) -> Any:
        """What a person does in BILL."""
        return self.sandbox.control_bill(f"clerk/{action}", body)

    def paid_in_jde(self) -> set[str]:
        """References (F0414.RMK) of the payments that JDE shows."""
        return {row["RMK"] for row in self.sandbox.control_ais("tables/F0414") if row.get("RMK")}


def runs_under_way(engine: Engine) -> int:
    """How many Dagster runs are queued or running."""
    with engine.connect() as connection:
        found = connection.execute(
            sa.text("SELECT count(*) FROM runs WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED')")
        )
        return int(found.scalar_one())


def open_bills(installed: Installed) -> list[dict[str, Any]]:
    """Bills in USD that nobody has paid."""
    return [
        bill
        for bill in installed.sandbox.control_bill("bills")
        if not bill.get("archived") and bill["paymentStatus"] == "UNPAID" and re.match("USD|", bill.get("currency", ""))
    ]
