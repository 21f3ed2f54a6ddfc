"""`jdebill receiver` as a process of its own, for tests and for the bench.

Belongs here: starting, ending, what it needs around it. Does not belong here: any expectation.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from jdebill_pipelines.bill.webhook_keys import WebhookKeys
from jdebill_pipelines.cli.children import free_port
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.receiver.conftest import KEY, MASTER_KEY, ORGANIZATION

NAME = "acme"
COMMAND = "from jdebill_pipelines.cli.main import main; main()"
_FILE = f"""
name: {NAME}
start_date: 2026-01-01
timezone: UTC
jde: {{ais_url: "http://127.0.0.1:1/jderest", environment: JDV920, role: "*ALL", companies: ["00001"]}}
bill: {{api_url: "http://127.0.0.1:1/connect", organization_id: {ORGANIZATION}}}
sync: {{documents: [vouchers], writeback: {{voucher: none, purchase_order: none, other: none}}}}
"""
_START_SECONDS = 60.0


class ReceiverProcess:
    """A running receiver for the connection ``acme``, whose security key it finds in the vault.

    Args:
        folder: its connection file and its home.
        database_url: a migrated database.
        store: of the same database; gets the key.
    """

    def __init__(self, folder: Path, database_url: str, store: Store) -> None:
        (folder / f"{NAME}.yaml").write_text(_FILE, "utf-8")
        secret = Vault(MASTER_KEY).encrypt(NAME, "webhook", WebhookKeys(security_key=KEY).encode())
        store.credentials.put("webhook", secret)
        self.port = free_port("127.0.0.1", 0, "")
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "receiver.log"
        self._environment = {
            **os.environ,
            "JDEBILL_DATABASE_URL": database_url,
            "JDEBILL_CONNECTIONS_DIR": str(folder),
            "JDEBILL_HOME": str(folder / "home"),
            "JDEBILL_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
        }
        self.process = self._started()

    def restart(self) -> None:
        """Start it again on the same port; the one before must have ended."""
        self.process = self._started()

    def end(self, number: signal.Signals) -> None:
        """Send a signal and wait until the process has ended."""
        self.process.send_signal(number)
        self.process.wait(30)

    def stop(self) -> None:
        """End it, however it is."""
        self.process.kill()
        self.process.wait(10)

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", COMMAND, "receiver", "--port", str(self.port)]
        with self._log.open("ab") as log:
            process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if process.poll() is not None:
                raise RuntimeError(f"the receiver ended with {process.returncode}:\n{self._log.read_text('utf-8')}")
            if time.monotonic() > deadline:
                process.kill()
                raise TimeoutError(f"the receiver did not answer within {_START_SECONDS:.0f} seconds")
            time.sleep(0.05)
        return process

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False
