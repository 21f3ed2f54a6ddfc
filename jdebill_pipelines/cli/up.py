"""`jdebill up`: everything on this machine.

Belongs here: what is started in which order. Does not belong here: how processes are watched (children.py).
"""

from __future__ import annotations

from pathlib import Path

import click

from jdebill_pipelines.cli import dagster_home, receiver
from jdebill_pipelines.cli.children import Children, free_port, stop_signals
from jdebill_pipelines.cli.exits import DONE
from jdebill_pipelines.cli.output import examples, note
from jdebill_pipelines.cli.session import with_database
from jdebill_pipelines.config.checks import is_loopback
from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import VaultError, load_vault

_PORT = click.IntRange(0, 65535)


@click.command(
    epilog=examples(
        "jdebill up",
        "JDEBILL_DATABASE_URL=postgresql://... jdebill up --port 8080",
    )
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the UI listens; it has no login.")
@click.option("--port", type=_PORT, default=3000, show_default=True, help="Its port; 0: any.")
@click.option("--receiver-host", default="127.0.0.1", show_default=True, help="Where the webhook receiver listens.")
@click.option("--receiver-port", type=_PORT, default=8090, show_default=True, help="Its port; 0: any.")
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, dir_okay=False),
    default=dagster_home.WORKSPACE,
    help="Another workspace.yaml than the project's.",
)
def up(host: str, port: int, receiver_host: str, receiver_port: int, workspace: Path) -> int:
    """Start the database (unless JDEBILL_DATABASE_URL names one), migrate it, start Dagster and the webhook receiver.

    The receiver is a process of its own: nothing but its /webhooks/ belongs on the internet, behind a proxy with a
    certificate. Ctrl-C stops everything that was started; so does the end of any of them.
    """
    from jdebill_pipelines.alerts.rendering import UI_VARIABLE
    from jdebill_pipelines.store.engine import migrate

    settings = Settings.from_environment()
    enabled = load_connections(settings.connections_dir, only_enabled=True)
    if not is_loopback(host):
        note(f"Warning: the UI has no login, and {host} is reachable from other machines: put a proxy in front of it.")
    with stop_signals() as stop:
        port = free_port(host, port, "--port")
        missing = _receiver_lacks(settings, bool(enabled))
        if not missing:
            receiver_port = free_port(receiver_host, receiver_port, "--receiver-port")
        if settings.database_url is not None:
            migrate(settings.database_url)
        settings = with_database(settings)
        dagster_home.prepare(settings)
        # Links in alerts lead to the page, unless people know it by another address.
        given = {UI_VARIABLE: dagster_home.address_of(host, port), **dagster_home.environment(settings)}
        with Children(settings.home / "logs", given) as children:
            events = missing
            if not missing:
                events = f"{receiver.start(children, host=receiver_host, port=receiver_port)}/webhooks/NAME"
            address = dagster_home.start(children, host=host, port=port, workspace=workspace)
            click.echo(f"Dagster UI        {address}")
            click.echo(f"Webhook receiver  {events}")
            click.echo(f"Connections       {', '.join(enabled) or 'none is enabled'} ({settings.connections_dir})")
            click.echo(f"Logs              {settings.home / 'logs'}")
            click.echo("Ctrl-C stops everything.")
            children.watch(stop)
            note("Stopping.")
    return DONE


def _receiver_lacks(settings: Settings, any_enabled: bool) -> str:
    """Why no receiver is started, '' when one is."""
    if not any_enabled:
        return "not started: no connection is enabled"
    try:
        load_vault(settings)
    except VaultError as error:
        return f"not started: {error}"
    return ""
