"""`jdebill demo`: the whole loop on two simulated servers, from nothing.

Belongs here: the order of events and what is shown. Does not belong here: any of the work; the demo uses the same
commands and the same code as a real connection. It has a home of its own, which it makes anew every time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from jdebill_pipelines.cli import dagster_home, ports, receiver
from jdebill_pipelines.cli.children import Children, free_port, stop_signals
from jdebill_pipelines.cli.demo_payments import way_back
from jdebill_pipelines.cli.demo_report import as_data, print_documents, print_way_back
from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON, OTHER_SIDE_FAILED, WrongUse
from jdebill_pipelines.cli.fates import fates
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, progress
from jdebill_pipelines.cli.sandbox import start_servers
from jdebill_pipelines.cli.session import months_between, open_engine, this_month, with_database
from jdebill_pipelines.cli.sync import exit_code
from jdebill_pipelines.config.connection import Connection, load_connection
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import load_vault
from jdebill_pipelines.sandbox.company import SIZES, Company, Size, build_company
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.store.store import Store

NAME = "demo"
_BILLS_PAID = 200
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
  webhook_url: http://127.0.0.1:{events_port}/webhooks/demo
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

    Documents go to BILL; an AP clerk pays some of them; BILL's webhooks arrive at a receiver; JD Edwards books the
    payments; one is voided and taken back; at the end both sides are added up. Exit code 1 when they differ.
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
            sandbox = SandboxProcess(_root(addresses["ais_url"]), _root(addresses["bill_url"]))
            settings = with_database(settings)
            dagster_home.enter(settings)
            events_port = free_port("127.0.0.1", 0, "--port")
            connection = _connect(settings, company, addresses, events_port)
            with Children(settings.home / "logs", dagster_home.environment(settings)) as ours:
                url = f"{receiver.start(ours, host='127.0.0.1', port=events_port)}/webhooks/{NAME}"
                code = _loop(settings, connection, company, sandbox, as_json=as_json)
                if not once and not stop.is_set():
                    _stay(ours, port, stop, addresses, url)
        if once and not as_json:
            _tell_what_is_left(settings)
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


def _connect(settings: Settings, company: Company, addresses: dict[str, str], events_port: int) -> Connection:
    """Write the connection file and store the logins, as a person would."""
    settings.connections_dir.mkdir(exist_ok=True)
    path = settings.connections_dir / f"{NAME}.yaml"
    text = _CONNECTION.format(
        start=company.start,
        company=company.company,
        bank_account=company.bank_account,
        events_port=events_port,
        **addresses,
    )
    path.write_text(text, "utf-8")
    vault = load_vault(settings, create=True)
    with open_engine(settings) as engine:
        for system, login in _LOGINS.items():
            Store(engine, NAME).credentials.put(system, vault.encrypt(NAME, system, msgspec.json.encode(login)))
    return load_connection(path)


def _loop(
    settings: Settings, connection: Connection, company: Company, sandbox: SandboxProcess, *, as_json: bool
) -> int:
    """Documents to BILL, twice; then payments back to JD Edwards. Show what came of it."""
    months = months_between(connection, f"{connection.start_date:%Y-%m}", None, this_month(connection))
    run = ports.run_sync()
    suppliers = len(company.tables["F0401"])
    if not as_json:
        documents = len(company.tables["F0411"]) + len(company.tables["F4301"])
        note(f"A company of {suppliers} suppliers and {documents} documents; BILL is empty.")
    with progress(quiet=as_json) as told:
        first = run(settings, NAME, months, actor="demo", progress=told)
        second = run(settings, NAME, months, actor="demo", progress=told)
    with open_engine(settings) as engine:
        became = fates(Store(engine, NAME), connection, company)
    if not as_json:
        print_documents(NAME, first, second, became)
    back = None
    if first.succeeded and second.succeeded:
        with progress(quiet=as_json) as told:
            back = way_back(settings, connection, sandbox, most=_BILLS_PAID, told=told)
        if not as_json:
            print_way_back(NAME, back)
    if as_json:
        print_json(as_data(suppliers, first, second, became, back))
    runs = [first, second, *([back.posted, back.reversed] if back else [])]
    if any(exit_code(each) == OTHER_SIDE_FAILED for each in runs if each is not None):
        return OTHER_SIDE_FAILED
    # That documents are held is the point of the demo; that one came otherwise than it should is not.
    as_expected = all(fate.as_expected for fate in became) and back is not None and back.equal
    return DONE if as_expected and all(each.succeeded for each in runs if each is not None) else NEEDS_PERSON


def _stay(children: Children, port: int, stop: threading.Event, addresses: dict[str, str], url: str) -> None:
    """Show the result in Dagster's UI until somebody stops us; what is paid in BILL meanwhile comes back by itself."""
    address = dagster_home.start(children, host="127.0.0.1", port=port)
    click.echo()
    click.echo(f"Dagster UI        {address}")
    click.echo(f"Webhook receiver  {url}")
    click.echo(f"AIS server        {addresses['ais_url']}")
    click.echo(f"BILL              {addresses['bill_url']}")
    click.echo()
    click.echo("Pay another bill in BILL and see it arrive in JD Edwards within seconds (runs: demo_payments):")
    body = '{"partial": 0, "limit": 1, "to": "PROCESSED"}'
    click.echo(f"  curl -s {_root(addresses['bill_url'])}/__control/clerk/pay_mixed -d '{body}'")
    click.echo("Ctrl-C stops everything.")
    children.watch(stop)


def _tell_what_is_left(settings: Settings) -> None:
    """What can be looked at when everything is stopped; the embedded database starts again when it is asked."""
    click.echo()
    click.echo(f"Everything is stopped; what was made is in {_short(settings.home)}. Look at it with")
    click.echo(
        f"  export JDEBILL_HOME={_short(settings.home)} JDEBILL_CONNECTIONS_DIR={_short(settings.connections_dir)}"
    )
    command = _command()
    click.echo(f"  {command} quarantine list {NAME}   what is held, why, and what to do")
    click.echo(f"  {command} audit verify {NAME}      the journal of every write, link by link")
    click.echo("Without --once the demo stays up, with the Dagster UI and everything that runs by itself.")


def _command() -> str:
    """How this shell starts us: ``make demo`` runs in an environment that is not on its path."""
    return "jdebill" if shutil.which("jdebill") else _short(Path(sys.executable).with_name("jdebill"))


def _short(path: Path) -> str:
    """A path as seen from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _root(url: str) -> str:
    """A simulated server's address without the path of its API."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
