"""`jdebill sandbox`: the two simulated servers.

Belongs here: choosing their data and starting them. Does not belong here: what they answer (sandbox/).
"""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from jdebill_pipelines.cli.children import Children, free_port, stop_signals
from jdebill_pipelines.cli.exits import DONE, WrongUse
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, print_table
from jdebill_pipelines.sandbox.company import SIZES, Company, Size, build_company

_START_SECONDS = 120
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_PORT = click.IntRange(0, 65535)


@click.group()
def sandbox() -> None:
    """Simulated AIS and BILL servers."""


@sandbox.command(
    epilog=examples(
        "jdebill sandbox serve --company tiny",
        "jdebill sandbox serve --data ../data/adventureworks --ais-port 9300 --bill-port 9400",
    )
)
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder: one CSV per JDE table."
)
@click.option("--company", type=click.Choice(list(SIZES)), help="A generated company instead of a folder.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another generated company.")
@click.option("--ais-port", type=_PORT, default=0, help="Port of the AIS server; default any free one.")
@click.option("--bill-port", type=_PORT, default=0, help="Port of the BILL server; default any free one.")
@json_option
def serve(data: Path | None, company: str | None, seed: int, ais_port: int, bill_port: int, as_json: bool) -> int:
    """Serve an AIS server and a BILL server on this machine until Ctrl-C."""
    if (data is None) == (company is None):
        raise WrongUse("give either --data FOLDER or --company demo|tiny")
    with stop_signals() as stop, tempfile.TemporaryDirectory(prefix="jdebill-sandbox-") as work:
        if data is None:
            data = Path(work) / "data"
            _built(company or "demo", seed).write(data)
        with Children(Path(work), os.environ) as children:
            addresses = start_servers(children, data, Path(work), ais_port=ais_port, bill_port=bill_port)
            if as_json:
                print_json(addresses)
            else:
                print_table(["What", "Where"], addresses.items())
                note("Ctrl-C stops both.")
            sys.stdout.flush()
            children.watch(stop)
    return DONE


@sandbox.command(
    "company",
    epilog=examples(
        "jdebill sandbox company /tmp/company --size tiny",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--size", type=click.Choice(list(SIZES)), default="demo", show_default=True, help="How much of it.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another company.")
@json_option
def company_(folder: Path, size: str, seed: int, as_json: bool) -> int:
    """Write the generated company into a folder, and tell which of its documents need care."""
    built = _built(size, seed)
    built.write(folder)
    rows = {table: len(built.tables[table]) for table in sorted(built.tables)}
    if as_json:
        awkward = [{"key": a.key, "case": a.case, "why": a.why, "outcome": a.outcome} for a in built.awkward]
        print_json({"folder": folder.absolute().as_posix(), "rows": rows, "awkward": awkward})
        return DONE
    print_table(["Table", "Rows"], rows.items(), right=["Rows"], title=str(folder))
    click.echo()
    print_awkward(built)
    return DONE


def _built(size: str, seed: int) -> Company:
    chosen: Size = "tiny" if size == "tiny" else "demo"
    return build_company(chosen, today=datetime.now(UTC).date(), seed=seed)


def start_servers(
    children: Children, data: Path, work: Path, *, ais_port: int = 0, bill_port: int = 0
) -> dict[str, str]:
    """Start both servers and wait until they answer.

    Args:
        children: gets the process.
        data: folder of CSVs.
        work: where the servers say that they are ready.
        ais_port, bill_port: 0 for any free one.

    Returns:
        Addresses by name: ``ais_url``, ``bill_url``, ``events_url`` and what else the servers tell.

    Raises:
        OtherSideFailed: they ended, or did not answer in time.
    """
    ready = work / "sandbox-ready.json"
    ready.unlink(missing_ok=True)
    ports = {"--ais-port": ais_port, "--bill-port": bill_port}
    chosen = [part for option, port in ports.items() for part in (option, str(free_port("127.0.0.1", port, option)))]
    command = [sys.executable, "-m", "jdebill_pipelines.sandbox.serve", "--data", str(data), *chosen]
    children.start("sandbox", [*command, "--ready-file", str(ready)])
    children.wait_for(lambda: ready.exists() and ready.stat().st_size > 0, "the sandbox", _START_SECONDS)
    found = msgspec.json.decode(ready.read_bytes(), type=dict[str, Any])
    return {name: str(value) for name, value in found.items()}


def print_awkward(company: Company) -> None:
    """Print the documents of a generated company that need care."""
    print_table(
        ["Document", "Case", "Why", "Expected"],
        [(a.key, a.case, a.why, a.outcome) for a in company.awkward],
        title="Documents that need care",
    )
