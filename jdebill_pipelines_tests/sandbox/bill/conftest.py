"""A BILL simulator on a real socket, and callers of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from jdebill_pipelines.sandbox.bill.app import build_bill_app
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines_tests.sandbox.bill.caller import Bill, wait_until


@pytest.fixture(scope="session")
def bill_server() -> Iterator[str]:
    """One simulator for all tests of this process; each test resets it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(build_bill_app(Organization(seed=7)), log_level="warning", access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture
def anonymous(bill_server: str) -> Iterator[Bill]:
    """A caller without a session, on a simulator that was reset."""
    caller = Bill(bill_server)
    caller.control("reset", {})
    try:
        yield caller
    finally:
        caller.http.close()


@pytest.fixture
def api(anonymous: Bill) -> Bill:
    """A caller that is logged in."""
    anonymous.login()
    return anonymous
