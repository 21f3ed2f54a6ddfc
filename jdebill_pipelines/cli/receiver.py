"""`jdebill receiver`: the webhook process alone.

Belongs here: its options. Does not belong here: what it does (receiver/).
"""

from __future__ import annotations

import sys

import click

from jdebill_pipelines.cli.children import Children, answers, free_port
from jdebill_pipelines.cli.exits import DONE, WrongUse
from jdebill_pipelines.cli.output import examples
from jdebill_pipelines.cli.session import with_database
from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import load_vault

_PROGRAM = "from jdebill_pipelines.cli.main import main; main()"
_START_SECONDS = 60


def start(children: Children, *, host: str, port: int) -> str:
    """Start the receiver as a process of its own and wait until it answers.

    Args:
        children: gets the process; its environment names database, connections and key.
        host: where it listens.
        port: likewise, a free one.

    Returns:
        Its address, without a path.

    Raises:
        OtherSideFailed: it ended, or did not answer in time.
    """
    children.start("receiver", [sys.executable, "-c", _PROGRAM, "receiver", "--host", host, "--port", str(port)])
    shown = f"[{host}]" if ":" in host else host
    local = "127.0.0.1" if host in ("0.0.0.0", "::") else shown  # noqa: S104 - asked for by the caller
    address = f"http://{local}:{port}"
    children.wait_for(lambda: answers(f"{address}/healthz"), "the webhook receiver", _START_SECONDS)
    return address


@click.command(epilog=examples("jdebill receiver", "jdebill receiver --host 0.0.0.0 --port 8090"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Its port; 0: any.")
def receiver(host: str, port: int) -> int:
    """Receive BILL's webhooks: POST /webhooks/NAME for every enabled connection.

    Events are verified, stored, and only then answered. BILL posts to https addresses only: put a proxy with a
    certificate in front that passes on /webhooks/ and nothing else. /healthz and /metrics are for the inside.
    """
    from jdebill_pipelines.receiver.server import serve

    settings = Settings.from_environment()
    connections = load_connections(settings.connections_dir, only_enabled=True)
    if not connections:
        raise WrongUse(f"no connection in {settings.connections_dir} is enabled: there is nothing to receive for")
    port = free_port(host, port, "--port")
    settings = with_database(settings)
    assert settings.database_url is not None
    vault = load_vault(settings)
    click.echo(f"Webhook receiver  http://{host}:{port}/webhooks/NAME  for {', '.join(connections)}")
    serve(settings.database_url, vault, connections, host=host, port=port)
    return DONE
