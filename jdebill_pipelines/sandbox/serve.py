"""The two simulators as real processes: `python -m jdebill_pipelines.sandbox.serve`, and `SandboxProcess` for callers.

Belongs here: starting, readiness, ending. Not here: what the servers answer. Each API runs in a process of its own, on
a loopback address; a process ends when the one that started it is gone, or when its time is over.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import click
import msgspec
import uvicorn

from jdebill_pipelines.sandbox.ais.app import build_ais_app
from jdebill_pipelines.sandbox.ais.world import AisWorld
from jdebill_pipelines.sandbox.bill.app import build_bill_app
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.company import SIZES, build_company

Api = Literal["ais", "bill"]
LOOPBACK = "127.0.0.1"
MAX_LIFETIME_SECONDS = 6 * 3600
READY_SECONDS = 60
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


class SandboxError(Exception):
    """A simulator did not start, or refused a control call."""


@dataclass
class _Child:
    """One simulator process; its standard input is the lifeline, its first line of output says that it is ready."""

    api: Api
    process: subprocess.Popen[bytes]
    root: str

    @classmethod
    def start(cls, api: Api, options: Mapping[str, Any]) -> _Child:
        process = subprocess.Popen(
            [sys.executable, "-m", "jdebill_pipelines.sandbox.serve", "--child", api],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        child = cls(api, process, "")
        process.stdin.write(json.dumps(options).encode() + b"\n")
        process.stdin.flush()
        return child

    def wait_ready(self) -> None:
        """Wait for the line with the address.

        Raises:
            SandboxError: the process ended before.
        """
        assert self.process.stdout is not None
        watch = threading.Timer(READY_SECONDS, self.process.kill)
        watch.start()
        line = self.process.stdout.readline()
        watch.cancel()
        if not line:
            code = self.process.wait(10)
            raise SandboxError(f"the {self.api} simulator did not start (exit code {code}); its error output says why")
        self.root = str(json.loads(line)["root"])

    def stop(self) -> None:
        """End the process and wait for it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()


@dataclass
class SandboxProcess:
    """Both simulators, running. Use it as a context manager, or call `stop`.

    Attributes:
        ais_url: base URL of AIS, with the context root: `http://127.0.0.1:PORT/jderest`.
        bill_url: base URL of BILL: `http://127.0.0.1:PORT/connect`.
        bill_events_url: base URL of BILL's webhooks: `http://127.0.0.1:PORT/connect-events`.
    """

    ais_root: str
    bill_root: str
    _children: list[_Child] = field(default_factory=list, repr=False)

    @classmethod
    def start(
        cls,
        data: Path | None = None,
        *,
        company: str | None = None,
        today: dt.date | None = None,
        seed: int = 7,
        ais_switches: Mapping[str, Any] | None = None,
        bill_switches: Mapping[str, Any] | None = None,
        ais_port: int = 0,
        bill_port: int = 0,
        apis: tuple[Api, ...] = ("ais", "bill"),
        max_lifetime_seconds: int = MAX_LIFETIME_SECONDS,
        **company_options: int,
    ) -> SandboxProcess:
        """Start the simulators and wait until they answer.

        Args:
            data: folder with one CSV per JDE table; none for empty tables.
            company: "demo" or "tiny": a generated company instead.
            today: the last day of the generated company, by default the current date in UTC.
            seed: of the generated company and of everything that is random.
            ais_switches: switches of AIS to begin with.
            bill_switches: switches of BILL to begin with.
            ais_port: 0 for a free port.
            bill_port: 0 for a free port.
            apis: which simulators to start.
            max_lifetime_seconds: after this they end by themselves.
            company_options: `suppliers`, `documents`, `months` of the generated company.

        Raises:
            SandboxError: a simulator did not start.
            ValueError: both a folder and a company, or no such company.
        """
        if data is not None and company is not None:
            raise ValueError("give a folder or a company, not both")
        if company is not None and company not in SIZES:
            raise ValueError(f"company must be one of {', '.join(SIZES)}, not {company!r}")
        common = {"seed": seed, "lifetime": max_lifetime_seconds}
        options: dict[Api, dict[str, Any]] = {
            "ais": {
                **common,
                "port": ais_port,
                "data": str(data.resolve()) if data else None,
                "company": company,
                "today": (today or dt.datetime.now(dt.UTC).date()).isoformat(),
                "company_options": company_options,
                "switches": dict(ais_switches or {}),
            },
            "bill": {**common, "port": bill_port, "switches": dict(bill_switches or {})},
        }
        children: list[_Child] = []
        try:
            for api in apis:
                children.append(_Child.start(api, options[api]))
            for child in children:
                child.wait_ready()
        except BaseException:
            for child in children:
                child.stop()
            raise
        roots = {child.api: child.root for child in children}
        return cls(roots.get("ais", ""), roots.get("bill", ""), children)

    @property
    def ais_url(self) -> str:
        """Base URL of AIS."""
        return f"{self.ais_root}/jderest"

    @property
    def bill_url(self) -> str:
        """Base URL of BILL."""
        return f"{self.bill_root}/connect"

    @property
    def bill_events_url(self) -> str:
        """Base URL of BILL's webhooks."""
        return f"{self.bill_root}/connect-events"

    def control_ais(self, path: str, json: Any = None, *, method: str = "") -> Any:
        """One call of AIS's control endpoint, `state` for example; POST when there is a body, GET otherwise.

        Raises:
            SandboxError: it was refused; the text says why.
        """
        return _control(self.ais_root, path, json, method)

    def control_bill(self, path: str, json: Any = None, *, method: str = "") -> Any:
        """One call of BILL's control endpoint.

        Raises:
            SandboxError: it was refused; the text says why.
        """
        return _control(self.bill_root, path, json, method)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by API."""
        return {child.api: child.process.pid for child in self._children}

    def running(self) -> bool:
        """Whether every process is alive."""
        return bool(self._children) and all(child.process.poll() is None for child in self._children)

    def wait(self) -> None:
        """Wait until a process ends."""
        while self.running():
            time.sleep(0.2)

    def stop(self) -> None:
        """End both processes and wait for them; a second call does nothing."""
        while self._children:
            self._children.pop().stop()

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _control(root: str, path: str, body: Any, method: str) -> Any:
    url = f"{root}/__control/{path.lstrip('/')}"
    request = urllib.request.Request(  # noqa: S310 - an address of our own child process
        url,
        data=None if body is None else _ENCODER.encode(body),
        method=method or ("GET" if body is None else "POST"),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return _DECODER.decode(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode("utf-8", "replace")
        raise SandboxError(f"{request.method} {url}: HTTP {error.code}: {text}") from None


def _build(api: Api, options: Mapping[str, Any]) -> Any:
    if api == "bill":
        return build_bill_app(Organization(seed=options["seed"], switches=options["switches"]))
    rows = None
    if options["company"]:
        today = dt.date.fromisoformat(options["today"])
        company = build_company(options["company"], today=today, seed=options["seed"], **options["company_options"])
        rows = company.tables
    data = Path(options["data"]) if options["data"] else None
    return build_ais_app(AisWorld(data, rows, seed=options["seed"], switches=options["switches"]))


class _ReadyServer(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _run_child(api: Api) -> None:
    """Serve one API until standard input ends or the time is over."""
    # Ctrl-C reaches the whole process group; the parent decides when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options = json.loads(sys.stdin.buffer.readline())
    app = _build(api, options)
    # Without the protocol named, asyncio does not switch Nagle off, and every answer waits 40 ms.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, options["port"]))
    root = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, loop="asyncio", http="httptools", proxy_headers=False,
        timeout_graceful_shutdown=1, timeout_keep_alive=75, server_header=False,
    )  # fmt: skip
    server = _ReadyServer(config, lambda: print(json.dumps({"root": root}), flush=True))

    def end() -> None:
        server.should_exit = True
        server.force_exit = True

    def watch() -> None:
        sys.stdin.buffer.read()
        end()
        # A handler that waits must not keep the process alive without its parent.
        time.sleep(5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    limit = threading.Timer(options["lifetime"], end)
    limit.daemon = True
    limit.start()
    server.run(sockets=[listener])


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="One CSV per JDE table.")
@click.option("--company", type=click.Choice(list(SIZES)), help="A generated company instead of a folder.")
@click.option("--seed", default=7, show_default=True, help="Of everything that is random.")
@click.option("--ais-port", default=0, help="0 for a free port.")
@click.option("--bill-port", default=0, help="0 for a free port.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the addresses here when ready.")
@click.option(
    "--max-lifetime", default=MAX_LIFETIME_SECONDS, show_default=True, help="Seconds until it ends by itself."
)
@click.option("--child", type=click.Choice(["ais", "bill"]), hidden=True)
def main(
    data: Path | None,
    company: str | None,
    seed: int,
    ais_port: int,
    bill_port: int,
    ready_file: Path | None,
    max_lifetime: int,
    child: Api | None,
) -> None:
    """Serve the AIS and BILL simulators until interrupted; prints their addresses as JSON when they are ready."""
    if child is not None:
        _run_child(child)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with SandboxProcess.start(
        data,
        company=company,
        seed=seed,
        ais_port=ais_port,
        bill_port=bill_port,
        max_lifetime_seconds=max_lifetime,
    ) as sandbox:
        text = json.dumps(
            {
                "ais_url": sandbox.ais_url,
                "bill_url": sandbox.bill_url,
                "events_url": sandbox.bill_events_url,
                "control": {"ais": f"{sandbox.ais_root}/__control", "bill": f"{sandbox.bill_root}/__control"},
                "pids": sandbox.pids,
            }
        )
        print(text, flush=True)
        if ready_file is not None:
            partial = ready_file.with_name(ready_file.name + ".part")
            partial.write_text(text, "utf-8")
            partial.replace(ready_file)
        with contextlib.suppress(KeyboardInterrupt):
            sandbox.wait()


if __name__ == "__main__":
    main()
