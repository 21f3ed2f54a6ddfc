"""`jdebill doctor` against the simulated servers: what is wrong is told with what to do, and what is well is passed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from jdebill_pipelines.cli.doctor import exit_code
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.steps.doctor import Finding, clock
from jdebill_pipelines.steps.doctor_database import _session_locks
from jdebill_pipelines.store.embedded import create_database, drop_database
from jdebill_pipelines_tests.support.commands import Command, Said

CONNECTION = """
name: acme
start_date: 2026-06-01
timezone: UTC
jde:
  ais_url: {ais}
  environment: JDV920
  role: "*ALL"
  companies: ["00001"]
  approved_next_status: {{OP: ["280", "400", "440"]}}
bill:
  api_url: {bill}
  events_url: {events}
  organization_id: "00801SANDBOXORG00001"
  {more}
sync:
  bank_account: "00000123"
"""
LOGINS: dict[str, dict[str, str]] = {
    "jde": {"username": "JDEBILL", "password": "sandbox-password"},
    "bill": {"username": "sync@example.com", "password": "sandbox-password", "dev_key": "sandbox-dev-key"},
}


@pytest.fixture(scope="module")
def servers() -> Iterator[SandboxProcess]:
    """Both servers with the tiny company."""
    with SandboxProcess.start(company="tiny", today=date(2026, 11, 27)) as sandbox:
        yield sandbox


def write(home: Path, servers: SandboxProcess, more: str = "") -> None:
    """Write the connection file."""
    text = CONNECTION.format(ais=servers.ais_url, bill=servers.bill_url, events=servers.bill_events_url, more=more)
    (home / "connections" / "acme.yaml").write_text(text, "utf-8")


@pytest.fixture
def acme(home: Path, database: str, servers: SandboxProcess, jdebill: Command) -> Path:
    """A connection to the servers with its logins stored; the folder."""
    write(home, servers)
    assert jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS)).code == 0
    return home


def wrong(said: Said) -> dict[str, dict[str, Any]]:
    """The findings that are not ok, by area and what."""
    return {f"{f['area']}: {f['what']}": f for f in said.json["findings"] if f["state"] != "ok"}


def test_a_connection_that_is_right_is_ready(acme: Path, jdebill: Command) -> None:
    """Every question answered, nothing to do: code 0, one line each, grouped by where it was asked."""
    said = jdebill("doctor", "acme")
    assert said.code == 0, said.out
    assert "acme is ready" in said.err
    headings = [line for line in said.out.splitlines() if line and not line.startswith(("ok ", " "))]
    assert headings == ["configuration", "database", "JD Edwards", "BILL", "Dagster"]
    assert "proven on a row" in said.out
    assert "00001" in said.out
    for secret in ("sandbox-password", "sandbox-dev-key"):
        assert secret not in said.out + said.err


def test_nothing_is_written_on_either_side(acme: Path, jdebill: Command, servers: SandboxProcess) -> None:
    """The servers' own counters of what was created and called stay at nothing."""
    before = servers.control_bill("state")["written"], servers.control_ais("state")["written"]
    assert jdebill("doctor", "acme").code == 0
    assert (servers.control_bill("state")["written"], servers.control_ais("state")["written"]) == before


def test_everything_that_is_wrong_outside_is_told_at_once(
    acme: Path, jdebill: Command, servers: SandboxProcess
) -> None:
    """A refused table, hidden columns, a missing orchestration, a missing permission: a finding each."""
    servers.control_ais(
        "switches",
        {
            "denied_tables": ["F0413", "F0902"],
            "column_security": {"F0101": ["TAX"]},
            "missing_orchestrations": ["JDEBILL_JOURNAL"],
            "date_literal": "iso",
            "wrong_date_literal": "no_rows",
        },
    )
    servers.control_bill("switches", {"denied": ["bills:read", "bills:write"]})
    try:
        said = jdebill("doctor", "acme", "--json")
    finally:
        servers.control_ais(
            "switches",
            {
                "denied_tables": [],
                "column_security": {},
                "missing_orchestrations": [],
                "date_literal": "user",
                "wrong_date_literal": "error",
            },
        )
        servers.control_bill("switches", {"denied": []})
    found = wrong(said)
    assert said.code == said.json["exit_code"] == 3
    assert {key: f["state"] for key, f in found.items()} == {
        "JD Edwards: table F0413": "failed",
        "JD Edwards: table F0902": "warning",
        "JD Edwards: table F0101": "warning",
        "JD Edwards: orchestration JDEBILL_JOURNAL": "failed",
        "BILL: bills": "failed",
    }
    assert "Data Browser" in found["JD Edwards: table F0413"]["fix"]
    assert "TAX" in found["JD Edwards: table F0101"]["found"]
    assert "import and share" in found["JD Edwards: orchestration JDEBILL_JOURNAL"]["found"]
    assert "BDC_1145" in found["BILL: bills"]["found"]
    dates = next(f for f in said.json["findings"] if f["what"] == "date conditions")
    assert "yyyy-MM-dd" in dates["found"], dates


def test_an_ais_server_that_is_not_allowed_is_explained(acme: Path, jdebill: Command, servers: SandboxProcess) -> None:
    """JDE answers 405 to every login: the CNC's text, nothing asked after it, BILL asked all the same."""
    servers.control_ais("switches", {"allowed_hosts": False})
    try:
        said = jdebill("doctor", "acme", "--json")
    finally:
        servers.control_ais("switches", {"allowed_hosts": True})
    assert said.code == 3
    found = wrong(said)
    assert list(found) == ["JD Edwards: login"]
    assert "405" in found["JD Edwards: login"]["found"]
    assert "Allowed Hosts" in found["JD Edwards: login"]["fix"]
    assert any(f["area"] == "BILL" and f["what"] == "vendors" for f in said.json["findings"])


def test_refused_logins_tell_their_reasons_and_no_secret(acme: Path, jdebill: Command) -> None:
    """Wrong passwords on both sides: 403 with what may be the cause, BDC_1101 with what to set."""
    mistaken = {system: {**login, "password": "wr0ng-p4ss"} for system, login in LOGINS.items()}
    assert jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(mistaken)).code == 0
    said = jdebill("doctor", "acme", "--json")
    assert said.code == 3
    found = wrong(said)
    assert set(found) == {"JD Edwards: login", "BILL: login"}
    assert "environment and role" in found["JD Edwards: login"]["fix"]
    assert found["BILL: login"]["fix"]
    assert "wr0ng-p4ss" not in said.out + said.err


def test_another_environment_than_configured_is_a_failure(
    acme: Path, jdebill: Command, servers: SandboxProcess
) -> None:
    """A company that is not there and a bank account that is none: both are found before the first run."""
    path = acme / "connections" / "acme.yaml"
    text = path.read_text("utf-8").replace('companies: ["00001"]', 'companies: ["00001", "00099"]')
    path.write_text(text.replace('"00000123"', '"99999999"'), "utf-8")
    said = jdebill("doctor", "acme", "--json")
    assert said.code == 3
    found = wrong(said)
    assert "00099" in found["JD Edwards: companies"]["found"]
    assert "sync.bank_account" in found["JD Edwards: bank account"]["fix"]


def test_servers_that_are_away_are_the_other_side(home: Path, database: str, jdebill: Command) -> None:
    """Nothing listens: one failure each, code 3, no traceback."""
    text = CONNECTION.format(
        ais="http://127.0.0.1:9/jderest", bill="http://127.0.0.1:9/connect",
        events="http://127.0.0.1:9/connect-events", more="",
    )  # fmt: skip
    (home / "connections" / "acme.yaml").write_text(text, "utf-8")
    assert jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS)).code == 0
    said = jdebill("doctor", "acme", "--json")
    assert said.code == 3
    assert {"JD Edwards: AIS Server", "JD Edwards: login", "BILL: API", "BILL: login"} <= set(wrong(said))


def test_our_own_mistakes_come_first(home: Path, database: str, servers: SandboxProcess, jdebill: Command) -> None:
    """A wrong file of another connection, no key, no logins: code 2, each with its command, nothing asked outside."""
    write(home, servers)
    (home / "connections" / "beta.yaml").write_text("name: beta\n", "utf-8")
    said = jdebill("doctor", "acme", "--json")
    assert said.code == 2
    found = wrong(said)
    assert "connections check" in found["configuration: connection file"]["fix"]
    assert "JDEBILL_MASTER_KEY" in found["configuration: master key"]["found"]
    assert found["JD Edwards: everything"]["state"] == found["BILL: everything"]["state"] == "skipped"


def test_a_connection_without_logins_names_the_command(
    home: Path, database: str, servers: SandboxProcess, jdebill: Command
) -> None:
    """Only one side's login is stored: the other is told and not asked."""
    write(home, servers)
    half = {"jde": LOGINS["jde"]}
    assert jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(half)).code == 0
    said = jdebill("doctor", "acme", "--json")
    assert said.code == 2
    assert "jdebill credentials set acme" in wrong(said)["database: bill login"]["found"]
    assert any(f["area"] == "JD Edwards" and f["what"] == "companies" for f in said.json["findings"])


def test_an_unknown_connection_is_wrong_use(acme: Path, jdebill: Command) -> None:
    """Nothing is asked; the names there are are told."""
    said = jdebill("doctor", "amce")
    assert said.code == 2
    assert "did you mean 'acme'" in said.err


def test_a_database_that_was_not_migrated_ends_the_questions(
    home: Path, postgres_server: str, servers: SandboxProcess, jdebill: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not migrated behind anybody's back; the way out is told."""
    write(home, servers)
    monkeypatch.setenv("JDEBILL_DATABASE_URL", create_database(postgres_server, "t_doctor_empty"))
    try:
        said = jdebill("doctor", "acme", "--json")
    finally:
        drop_database(postgres_server, "t_doctor_empty")
    assert said.code == 2
    assert "jdebill up" in wrong(said)["database: schema"]["found"]
    assert wrong(said)["BILL: everything"]["state"] == "skipped"


def test_a_missing_subscription_is_a_warning(acme: Path, jdebill: Command, servers: SandboxProcess) -> None:
    """Events are hints: without them everything works, later. Code 1."""
    write(acme, servers, more="webhook_url: https://hooks.example.com/webhooks/acme")
    said = jdebill("doctor", "acme", "--json")
    assert said.code == 1
    found = wrong(said)
    assert found["BILL: webhooks"]["fix"] == "Run: jdebill webhooks subscribe acme"
    assert "webhooks subscribe" in found["database: webhook key"]["fix"]


def test_a_used_up_hour_is_told(acme: Path, jdebill: Command, database: str) -> None:
    """The calls of this hour are counted over all processes; a fifth left is a warning."""
    assert jdebill("doctor", "acme").code == 0
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        assert connection.execute(sa.text("UPDATE jdebill.call_budget SET spent = 17000")).rowcount == 1
    engine.dispose()
    said = jdebill("doctor", "acme", "--json")
    assert said.code == 1
    assert "of 20,000 calls" in wrong(said)["BILL: call budget"]["found"]


def test_a_silent_daemon_is_told(acme: Path, database: str) -> None:
    """Dagster has run on this database and does not now: schedules stand still. Code 1."""
    make = "from dagster import DagsterInstance; DagsterInstance.get().get_runs_count()"
    run = "from jdebill_pipelines.cli import dagster_home; from jdebill_pipelines.config.settings import Settings; "
    enter = run + f"dagster_home.enter(Settings.from_environment()); {make}"
    subprocess.run([sys.executable, "-c", enter], check=True, timeout=120)
    code = "from jdebill_pipelines.cli.main import main; main(['doctor', 'acme', '--json'])"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=120, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    found = {f["what"]: f for f in json.loads(done.stdout)["findings"] if f["area"] == "Dagster"}
    assert found["daemon"]["state"] == "warning"
    assert "never seen" in found["daemon"]["found"]
    assert found["runs"]["found"] == "0 going, 0 queued"
    assert found["pool bill_acme"]["state"] == found["pool jde_acme"]["state"] == "ok"


def test_a_pooler_that_shares_sessions_is_found(database_url: str) -> None:
    """Two clients on one session of PostgreSQL, as a pooler in transaction mode makes them, both get the same lock."""
    shared = sa.create_engine(database_url, poolclass=sa.pool.StaticPool)
    own = sa.create_engine(database_url, poolclass=sa.pool.NullPool)
    try:
        assert [f.state for f in _session_locks(shared)] == ["failed"]
        assert [f.state for f in _session_locks(own)] == ["ok"]
    finally:
        shared.dispose()
        own.dispose()


@pytest.mark.parametrize(
    ("off", "state", "words"),
    [
        (timedelta(0), "ok", "agrees"),
        (timedelta(seconds=30), "ok", "30 s ahead"),
        (timedelta(minutes=5), "warning", "300 s ahead"),
        (timedelta(minutes=-5), "warning", "behind"),
    ],
)
def test_a_clock_that_is_minutes_off_is_a_warning(off: timedelta, state: str, words: str) -> None:
    """By the Date of an answer, which has whole seconds only."""
    sent = datetime(2026, 3, 31, 12, 0, 0, tzinfo=UTC)
    headers = {"date": f"{sent + off:%a, %d %b %Y %H:%M:%S} GMT"}
    found = clock("BILL", headers, sent, sent + timedelta(milliseconds=200))
    assert (found.state, words in found.found) == (state, True), found


def test_codes_say_whose_fault_it_is() -> None:
    """Ours before theirs before a warning; what was not asked is no success."""

    def finding(state: Any, fault: Any = "") -> Finding:
        return Finding(area="BILL", what="x", state=state, fault=fault)

    assert exit_code([finding("ok")]) == 0
    assert exit_code([finding("ok"), finding("warning")]) == 1
    assert exit_code([finding("skipped")]) == 1
    assert exit_code([finding("failed", "theirs"), finding("warning")]) == 3
    assert exit_code([finding("failed", "theirs"), finding("failed", "ours")]) == 2
