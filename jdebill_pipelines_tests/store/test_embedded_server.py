"""The embedded PostgreSQL: shared by whoever needs it, down when the last has gone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from jdebill_pipelines.store import embedded
from jdebill_pipelines.store.embedded import EmbeddedServer, ensure_database, ensure_server
from jdebill_pipelines_tests.conftest import fast_folder


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder outside of pytest's (see the root conftest)."""
    with tempfile.TemporaryDirectory(prefix="jdebill-", dir=fast_folder()) as folder:
        yield Path(folder)


def connect(url: str) -> None:
    psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql")).close()


def test_last_user_stops_the_server_and_not_an_earlier_one(home: Path) -> None:
    """Two users of one home: the first to stop leaves the server to the second; data survives a restart."""
    first, second = EmbeddedServer(home), EmbeddedServer(home)
    url = first.start(fast=True)
    try:
        assert second.start() == url
        ours = ensure_database(url, "kept")
        assert first.stop() is False
        connect(ours)
    finally:
        first.stop()
        assert second.stop() is True
    assert not second.running()
    with pytest.raises(psycopg2.OperationalError):
        connect(ours)
    again = EmbeddedServer(home)
    again.start(fast=True)
    try:
        connect(ours)
    finally:
        again.stop()


def test_server_of_a_crashed_process_is_adopted(home: Path) -> None:
    """A process that is killed leaves the server up; the next user adopts it and stops it in the end."""
    code = (
        "import os, sys; from pathlib import Path; from jdebill_pipelines.store.embedded import EmbeddedServer\n"
        "EmbeddedServer(Path(sys.argv[1])).start(fast=True); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(home)], check=False).returncode == 9
    server = EmbeddedServer(home)
    assert server.running()
    connect(server.start())
    assert server.stop() is True


def test_ensure_server_gives_a_usable_database_and_ends_with_its_process(home: Path) -> None:
    """Two processes ask at once for the database of one home: both get it, and nothing is left running."""
    code = (
        "import sys; from pathlib import Path; import psycopg2\n"
        "from jdebill_pipelines.store.embedded import ensure_server\n"
        "url = ensure_server(Path(sys.argv[1])); assert ensure_server(Path(sys.argv[1])) == url\n"
        "psycopg2.connect(url.replace('+psycopg2', '')).close(); print(url)"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(home)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    urls = {process.communicate(timeout=60)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(urls) == 1
    assert urls.pop().startswith("postgresql+psycopg2://postgres:@/jdebill?host=")
    assert not EmbeddedServer(home).running()
    assert callable(ensure_server)


def test_long_home_gets_a_short_private_socket_folder(home: Path) -> None:
    """A home too long for a socket path still works, through a folder that nobody else may enter."""
    long = home / ("long" * 25)
    server = EmbeddedServer(long)
    url = server.start(fast=True)
    try:
        connect(url)
        folder = Path(server._postmaster() or "")
        assert not folder.is_relative_to(long)
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        server.stop()


def test_missing_wheel_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the error says what to install or set instead."""
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(embedded.EmbeddedServerError, match="JDEBILL_DATABASE_URL"):
        embedded.binaries()


def test_failed_start_shows_postgres_own_words(home: Path) -> None:
    """A cluster that cannot start fails with the end of PostgreSQL's log, not with a time-out."""
    server = EmbeddedServer(home)
    server.start(fast=True)
    server.stop()
    (server.data / "postgresql.conf").write_text("no_such_setting = 1\n", "utf-8")
    with pytest.raises(embedded.EmbeddedServerError, match="no_such_setting"):
        server.start()
    assert server.data.exists()
    server.stop()
