"""A company of three months, synced and paid, with both simulators of its own: the faults stay in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from jdebill_pipelines.config.connection import load_connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import load_vault
from jdebill_pipelines.domain.keys import OrderKey
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines_tests.audit_faults.planting import enter_voucher
from jdebill_pipelines_tests.payments.conftest import CONNECTION
from jdebill_pipelines_tests.payments.loop import NAME, D, Loop
from jdebill_pipelines_tests.support.databases import copied_database
from jdebill_pipelines_tests.support.world import LOGINS

MONTHS, DOCUMENTS = 3, 170
# Open bills of posted vouchers, dearest first, and vouchers that a clerk has just entered for a supplier.
POSTED, UNPOSTED, SUPPLIER = 20, 3, 60011


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings, key and connection file of the module."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def module_database(postgres_server: str, template_database: str) -> Iterator[str]:
    """A migrated database of the module."""
    with copied_database(postgres_server, template_database, "faults") as url:
        yield url


@pytest.fixture(scope="module")
def unread(home: Path, module_database: str) -> Iterator[Loop]:
    """Both simulators and a connection between them; nothing was read yet."""
    today = datetime.now(UTC).date()
    month = today.year * 12 + today.month - MONTHS
    start = date(month // 12, month % 12 + 1, 1)
    with SandboxProcess.start(company="tiny", months=MONTHS, documents=DOCUMENTS, max_lifetime_seconds=900) as sandbox:
        path = home / "acme.yaml"
        text = CONNECTION.format(
            start=start, ais=sandbox.ais_url, bill=sandbox.bill_url, events=sandbox.bill_events_url
        )
        path.write_text(text, "utf-8")
        settings = Settings.from_environment({"JDEBILL_HOME": str(home), "JDEBILL_DATABASE_URL": module_database})
        vault = load_vault(settings, create=True)
        runtime = Runtime(settings, {NAME: load_connection(path)})
        for system, login in LOGINS.items():
            runtime.store(NAME).credentials.put(system, vault.encrypt(NAME, system, msgspec.json.encode(login)))
        try:
            yield Loop(sandbox, runtime, start)
        finally:
            runtime.close()


@pytest.fixture(scope="module")
def company(unread: Loop) -> Loop:
    """Documents of JDE in BILL, most of them paid today and posted; some bills are open, also of unposted vouchers."""
    today = datetime.now(UTC).date()
    unread.sandbox.control_ais("switches", {"auto_post": False})
    for n in range(UNPOSTED):
        enter_voucher(unread, SUPPLIER, f"NEW-{n}7{n}", D("431.10") + 97 * n, today)
    unread.sandbox.control_ais("switches", {"auto_post": True})
    unread.documents()
    open_bills = [b for b in unread.open_bills() if b["currency"] == "USD"]
    unposted = [b for b in open_bills if not unread.voucher(b["jde"])[0].get("POST")]
    others = [b for b in open_bills if b not in unposted][POSTED:]
    # What JD Edwards has invoices of is paid on these, which here are of part of the order only: it would wait.
    invoiced = {str(OrderKey.of(row)) for row in unread.table("F43121", MATC="2")}
    orders = [b for b in unread.open_bills("F4301") if b["currency"] == "USD" and b["jde"] not in invoiced]
    unread.clerk(
        "pay_mixed",
        billIds=[b["id"] for b in (*others, *orders)],
        partial="0.1",
        combined="0.1",
        seed=1,
        processDate=today.isoformat(),
        to="PROCESSED",
    )
    unread.payments()
    return unread
