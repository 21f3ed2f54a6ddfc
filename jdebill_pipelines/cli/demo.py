"""`jdebill demo`: the whole loop on two simulated servers, from nothing.

Belongs here: the order of events and what is shown. Does not belong here: any of the work; the demo uses the same
commands and the same code as a real connection. It has a home of its own, which it makes anew every time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from jdebill_pipelines.cli import dagster_home, ports
from jdebill_pipelines.cli.children import Children, free_port, stop_signals
from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON, OTHER_SIDE_FAILED, WrongUse
from jdebill_pipelines.cli.fates import fates
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, print_table, progress
from jdebill_pipelines.cli.sandbox import start_servers
from jdebill_pipelines.cli.session import months_between, open_engine, this_month, with_database
from jdebill_pipelines.cli.sync import exit_code, print_assets, print_summary, summary_as_data
from jdebill_pipelines.config.connection import Connection, load_connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import load_vault
from jdebill_pipelines.sandbox.company import SIZES, Company, Size, build_company
from jdebill_pipelines.store.store import Store

NAME = "demo"
# The logins of the simulated servers; they protect nothing.
_LOGINS = {
    "jde": {"username": "JDEBILL", "password": "sandbox-password"},
    "bill": {"username": "sync@example.com", "password": "sandbox-password", "dev_key": "sandbox-dev-key"},
}
_CONNECTION = """\
# Written by `jdebill demo`: the generated company on two simulated servers.
name: demo
start_date: {start}
timezone: UTC
jde:
  ais_url: {ais_url}
  environment: JDV920
  role: "*ALL"
  companies: ["{company}"]
  approved_next_status: {{OP: ["280", "380", "400", "440"]}}
bill:
  api_url: {bill_url}
  events_url: {events_url}
  organization_id: "00801SANDBOXORG00001"
sync:
  create_missing: {{accounts: true, departments: true}}
  bank_account: "{bank_account}"
"""


@click.command(epilog=examples("jdebill demo", "jdebill demo --once --json", "jdebill demo --size tiny --once"))
@click.option("--once", is_flag=True, help="End when the loop is through, without the UI.")
@click.option("--size", type=click.Choice(list(SIZES)), default="demo", show_default=True, help="How much company.")
@click.option("--port", type=click.IntRange(0, 65535), default=3000, show_default=True, help="Port of the UI; 0: any.")
@json_option
def demo(once: bool, size: str, port: int, as_json: bool) -> int:
    """Run the whole loop on two simulated servers, then stay up with the Dagster UI until Ctrl-C.

    A generated company with suppliers, supplier invoices and purchase orders of six months, an AIS server that serves
    its tables, an empty BILL organization, a database: everything is new every time and on this machine only.
    """
    settings = _settings()
    with _alone(settings.home), stop_signals() as stop:
        if not once:
            port = free_port("127.0.0.1", port, "--port")
        chosen: Size = "tiny" if size == "tiny" else "demo"
        company = build_company(chosen, today=datetime.now(UTC).date())
        company.write(settings.home / "company")
        with Children(settings.home / "logs", os.environ) as servers:
            addresses = start_servers(servers, settings.home / "company", settings.home)
            settings = with_database(settings)
            dagster_home.enter(settings)
            connection = _connect(settings, company, addresses)
            code = _loop(settings, connection, company, as_json=as_json)
            if not once and not stop.is_set():
                _stay(settings, port, stop, addresses)
    return code


def _settings() -> Settings:
    """A home of the demo's own inside ours; the environment's database, key and connections are left alone."""
    home = Settings.from_environment().home / "demo"
    return Settings.from_environment({"JDEBILL_HOME": str(home), "JDEBILL_CONNECTIONS_DIR": str(home / "connections")})


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Make the home anew, unless another demo is using it.

    Raises:
        WrongUse: another demo runs.
    """
    from jdebill_pipelines.store.embedded import EmbeddedServer

    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / "demo.lock").open("a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongUse(f"another demo is running in {home}; stop it first, or set JDEBILL_HOME") from None
        if home.exists():
            server = EmbeddedServer(home)
            if server.running():
                # Left by a demo that was killed: take it over, so that it can be stopped.
                server.start()
                server.stop()
            shutil.rmtree(home)
        home.mkdir(mode=0o700)
        yield


def _connect(settings: Settings, company: Company, addresses: dict[str, str]) -> Connection:
    """Write the connection file and store the logins, as a person would."""
    settings.connections_dir.mkdir(exist_ok=True)
    path = settings.connections_dir / f"{NAME}.yaml"
    text = _CONNECTION.format(
        start=company.start, company=company.company, bank_account=company.bank_account, **addresses
    )
    path.write_text(text, "utf-8")
    vault = load_vault(settings, create=True)
    with open_engine(settings) as engine:
        for system, login in _LOGINS.items():
            Store(engine, NAME).credentials.put(system, vault.encrypt(NAME, system, msgspec.json.encode(login)))
    return load_connection(path)


def _loop(settings: Settings, connection: Connection, company: Company, *, as_json: bool) -> int:
    """Sync everything, then what changed since (nothing), and tell what became of the awkward documents."""
    months = months_between(connection, f"{connection.start_date:%Y-%m}", None, this_month(connection))
    run = ports.run_sync()
    with progress(quiet=as_json) as told:
        if not as_json:
            documents = len(company.tables["F0411"]) + len(company.tables["F4301"])
            note(f"A company of {len(company.tables['F0401'])} suppliers and {documents} documents; BILL is empty.")
        first = run(settings, NAME, months, actor="demo", progress=told)
        second = run(settings, NAME, months, actor="demo", progress=told)
    with open_engine(settings) as engine:
        became = fates(Store(engine, NAME), connection, company)
    unexpected = [fate for fate in became if not fate.as_expected]
    if as_json:
        print_json(
            {
                "suppliers": len(company.tables["F0401"]),
                "first": summary_as_data(first),
                "second": summary_as_data(second),
                "awkward": [{**asdict(fate), "as_expected": fate.as_expected} for fate in became],
            }
        )
    else:
        print_summary(NAME, first)
        click.echo()
        click.echo("The same again, with nothing changed:")
        print_assets(NAME, second)
        click.echo()
        print_table(
            ["Document", "Case", "Became", "Why"],
            [
                (f.key, f.case, f.outcome or "?", f.reason if f.outcome in ("held", "not due") else f.why)
                for f in became
            ],
            title="Documents that need care, and what became of them",
        )
        for fate in unexpected:
            note(f"Not as expected: {fate.key} ({fate.case}) is {fate.outcome or '?'}, not {fate.expected}.")
    failed = next((code for code in map(exit_code, (first, second)) if code == OTHER_SIDE_FAILED), DONE)
    if failed or not (first.succeeded and second.succeeded):
        return failed or NEEDS_PERSON
    # That documents are held is the point of the demo; that one came otherwise than it should is not.
    return NEEDS_PERSON if unexpected else DONE


def _stay(settings: Settings, port: int, stop: threading.Event, addresses: dict[str, str]) -> None:
    """Show the result in Dagster's UI until somebody stops us."""
    with Children(settings.home / "logs", dagster_home.environment(settings)) as children:
        address = dagster_home.start(children, host="127.0.0.1", port=port)
        note(f"Dagster UI      {address}")
        for name, where in addresses.items():
            note(f"{name:<15} {where}")
        note(f"The demo's home {settings.home}: JDEBILL_HOME={settings.home} jdebill quarantine list {NAME}")
        note("Ctrl-C stops everything.")
        children.watch(stop)
