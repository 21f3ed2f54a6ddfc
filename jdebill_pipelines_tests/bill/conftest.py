"""Our client against the BILL simulator on a real socket, and against servers that answer what a test scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from jdebill_pipelines.bill.client import BillClient
from jdebill_pipelines.bill.config import BillApiConfig, BillCredentials
from jdebill_pipelines.bill.ports import InProcessCallGate, InProcessSessionCache
from jdebill_pipelines_tests.bill.scripted import Reply, Request, ScriptedServer, serving
from jdebill_pipelines_tests.sandbox.bill.caller import LOGIN, Bill
from jdebill_pipelines_tests.sandbox.bill.conftest import anonymous, api, bill_server

__all__ = ["anonymous", "api", "bill_server"]

CREDENTIALS = BillCredentials(LOGIN["username"], LOGIN["password"], LOGIN["devKey"])
SESSION = {"sessionId": "session-1", "organizationId": LOGIN["organizationId"], "userId": "u1", "trusted": False}


class Waits:
    """In place of sleeping: what the client would have waited, and a clock that moves by it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.now = 1_800_000_000.0

    def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def config_of(root: str) -> BillApiConfig:
    """Where the API is."""
    return BillApiConfig(f"{root}/connect", f"{root}/connect-events", LOGIN["organizationId"], read_timeout=20)


def open_client(root: str, waits: Waits | None = None, **changes: object) -> BillClient:
    """A client of its own session; with ``waits`` it never really sleeps."""
    config = replace(config_of(root), **changes)  # type: ignore[arg-type]
    waits = waits or Waits()
    return BillClient(
        config,
        CREDENTIALS,
        sessions=InProcessSessionCache(),
        gate=InProcessCallGate(clock=waits.clock),
        sleep=waits.sleep,
        clock=waits.clock,
        draw=lambda: 0.5,
    )


@pytest.fixture
def waits() -> Waits:
    """What the client would have waited."""
    return Waits()


@pytest.fixture
def client(bill_server: str, api: Bill, waits: Waits) -> Iterator[BillClient]:
    """Our client on the simulator, which was reset; ``api`` is another caller of the same organization."""
    with open_client(bill_server, waits) as opened:
        yield opened


@contextmanager
def scripted(
    handler: Callable[[Request], Reply], waits: Waits | None = None, **changes: object
) -> Iterator[tuple[ScriptedServer, BillClient]]:
    """A server that lets anybody log in and answers everything else as the handler says."""

    def answer(request: Request) -> Reply:
        return Reply(200, SESSION) if request.path.endswith("/login") else handler(request)

    with serving(answer) as server, open_client(server.url, waits, **changes) as opened:
        yield server, opened
