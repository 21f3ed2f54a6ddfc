"""An AIS simulator on a real socket, and a plain HTTP caller that knows nothing of our client."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import uvicorn

from jdebill_pipelines.sandbox.ais.app import build_ais_app
from jdebill_pipelines.sandbox.ais.world import AisWorld
from jdebill_pipelines.sandbox.company import Company, build_company

TODAY = date(2026, 11, 20)
LOGIN = {
    "username": "JDEBILL",
    "password": "sandbox-password",
    "deviceName": "test-01",
    "environment": "JDV920",
    "role": "*ALL",
}


class Ais:
    """Calls the simulator as a stranger would: paths, headers and JSON."""

    def __init__(self, root: str, company: Company) -> None:
        self.root = root
        self.company = company
        self.http = requests.Session()
        self.headers: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None, **extra: Any) -> requests.Response:
        """One request with the session's headers; Decimals go out as JSON numbers."""
        headers = {**self.headers, **extra.pop("headers", {})}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else dumps(body)
            headers.setdefault("Content-Type", "application/json")
        return self.http.request(method, f"{self.root}/jderest{path}", data=data, headers=headers, timeout=20, **extra)

    def ok(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        """The decoded answer of a call that must succeed; amounts come as Decimals."""
        answer = self.call(method, path, body, **extra)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return loads(answer)

    def refused(self, status: int, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        """The JSON of a call that must be refused with this status."""
        answer = self.call(method, path, body, **extra)
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert answer.headers["Content-Type"] == "application/json"
        return loads(answer)

    def control(self, path: str, body: Any = None, *, method: str = "") -> Any:
        """A control call that must succeed."""
        answer = self.http.request(
            method or ("GET" if body is None else "POST"),
            f"{self.root}/__control/{path}",
            data=None if body is None else dumps(body),
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return loads(answer)

    def switch(self, **values: Any) -> None:
        """Set switches."""
        self.control("switches", values)

    def fault(self, fault: str, route: str = "", **more: Any) -> None:
        """Order a fault."""
        self.control("faults", {"fault": fault, "route": route, **more})

    def log_in(self, **changes: Any) -> Any:
        """Log in and keep the token for the next calls."""
        body = {**LOGIN, **changes}
        answer = self.ok("POST", "/v2/tokenrequest", body, headers={"jde-AIS-Auth": ""})
        self.headers = {"jde-AIS-Auth": answer["userInfo"]["token"], "jde-AIS-Auth-Device": body["deviceName"]}
        return answer

    def browse(self, table: str, *conditions: dict[str, Any], columns: str = "", **more: Any) -> list[dict[str, Any]]:
        """The rows of one BROWSE."""
        return list(rows_of(self.ok("POST", "/v2/dataservice", browse(table, *conditions, columns=columns, **more))))

    def follow(self, answer: Any) -> Any:
        """The next page, with the link's host replaced by the real one."""
        (link,) = [link for link in answer["links"] if link["rel"] == "next"]
        url = urlsplit(link["href"])
        return self.ok("GET", f"{url.path.removeprefix('/jderest')}?{url.query}")

    def rows(self, table: str, **items: Any) -> list[dict[str, Any]]:
        """The rows of a table past the API."""
        query = "&".join(f"{item}={value}" for item, value in items.items())
        found = self.control(f"tables/{table}?{query}")
        assert isinstance(found, list)
        return found

    def row(self, table: str, **items: Any) -> dict[str, Any]:
        """The only row of a table with these values."""
        (found,) = self.rows(table, **items)
        return found


def browse(table: str, *conditions: dict[str, Any], columns: str = "", **more: Any) -> dict[str, Any]:
    """The body of a BROWSE."""
    body: dict[str, Any] = {
        "targetName": table,
        "targetType": "table",
        "dataServiceType": "BROWSE",
        "findOnEntry": "TRUE",
        "maxPageSize": "No Max",
        "outputType": "GRID_DATA",
    }
    if columns:
        body["returnControlIDs"] = "|".join(f"{table}.{item}" for item in columns.split())
    if conditions:
        body["query"] = {"autoFind": True, "matchType": "MATCH_ALL", "condition": list(conditions)}
    return {**body, **more}


def where(control: str, operator: str, *contents: str, special: str = "LITERAL") -> dict[str, Any]:
    """A condition."""
    values = [{"content": content, "specialValueId": special} for content in contents]
    return {"controlId": control, "operator": operator, "value": values}


def by(table: str, *items: str, direction: str = "ASC") -> dict[str, Any]:
    """The aggregation object that sorts a BROWSE."""
    return {"orderBy": [{"column": f"{table}.{item}", "direction": direction} for item in items]}


def rows_of(answer: Any) -> Any:
    """The rowset of a GRID_DATA answer."""
    (key,) = [key for key in answer if key.startswith("fs_DATABROWSE_")]
    return answer[key]["data"]["gridData"]["rowset"]


def summary_of(answer: Any) -> Any:
    """The summary of an answer."""
    (key,) = [key for key in answer if key.startswith("fs_DATABROWSE_")]
    return answer[key]["data"]["gridData"]["summary"]


def dumps(value: Any) -> bytes:
    """JSON with Decimals as numbers."""

    def plain(item: Any) -> Any:
        if isinstance(item, Decimal):
            return f"\0{item}\0"
        if isinstance(item, dict):
            return {key: plain(part) for key, part in item.items()}
        if isinstance(item, list):
            return [plain(part) for part in item]
        return item

    return json.dumps(plain(value)).replace('"\\u0000', "").replace('\\u0000"', "").encode()


def loads(answer: requests.Response) -> Any:
    """JSON with Decimals; nothing for an empty body."""
    return json.loads(answer.text, parse_float=Decimal) if answer.content else None


@pytest.fixture(scope="session")
def ais_server() -> Iterator[tuple[str, Company]]:
    """One simulator over a small generated company for all tests of this process; each test resets it."""
    company = build_company("tiny", today=TODAY, seed=3)
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # or else asyncio leaves Nagle on: 40 ms for each answer
    listener.bind(("127.0.0.1", 0))
    app = build_ais_app(AisWorld(rows=company.tables))
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the simulator did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", company
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture
def ais(ais_server: tuple[str, Company]) -> Iterator[Ais]:
    """A logged-in caller of a simulator in its first state, at noon of the company's last day."""
    caller = Ais(*ais_server)
    caller.control("reset", {})
    caller.control("clock", {"set": f"{TODAY}T12:00:00+00:00"})
    caller.log_in()
    try:
        yield caller
    finally:
        caller.http.close()
