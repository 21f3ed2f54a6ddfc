"""A plain HTTP caller of the BILL simulator that knows nothing of our client, and bodies of requests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import requests

LOGIN = {
    "username": "sync@example.com",
    "password": "sandbox-password",
    "organizationId": "00801SANDBOXORG00001",
    "devKey": "sandbox-dev-key",
}


class Bill:
    """Calls the simulator as a stranger would: paths, headers and JSON."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.http = requests.Session()
        self.headers: dict[str, str] = {}

    def call(
        self, method: str, path: str, body: Any = None, *, base: str = "/connect/v3", **extra: Any
    ) -> requests.Response:
        """One request with the session's headers; Decimals go out as JSON numbers."""
        headers = {**self.headers, **extra.pop("headers", {})}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else dumps(body)
            headers["Content-Type"] = "application/json"
        return self.http.request(method, f"{self.root}{base}{path}", data=data, headers=headers, timeout=20, **extra)

    def ok(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        """The decoded answer of a call that must succeed; amounts come as Decimals."""
        answer = self.call(method, path, body, **extra)
        assert answer.status_code in (200, 201), (answer.status_code, answer.text)
        return loads(answer)

    def refused(self, status: int, method: str, path: str, body: Any = None, **extra: Any) -> list[dict[str, Any]]:
        """The error array of a call that must be refused with this status."""
        answer = self.call(method, path, body, **extra)
        assert answer.status_code == status, (answer.status_code, answer.text)
        errors = loads(answer)
        assert isinstance(errors, list)
        assert all({"timestamp", "code", "severity", "category", "message", "params"} <= set(e) for e in errors)
        return errors

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

    def login(self, **changes: Any) -> dict[str, Any]:
        """Log in and keep the session for the next calls."""
        answer: dict[str, Any] = self.ok("POST", "/login", {**LOGIN, **changes})
        self.headers = {"sessionId": answer["sessionId"], "devKey": {**LOGIN, **changes}["devKey"]}
        return answer

    def trust(self) -> None:
        """Make the session trusted by the code that the simulator would have texted."""
        challenge = self.ok("POST", "/mfa/challenge", {})["challengeId"]
        proof = {"challengeId": challenge, "token": "123456", "device": "test", "machineName": "t", "rememberMe": True}
        remember = self.ok("POST", "/mfa/challenge/validate", proof)["rememberMeId"]
        assert self.ok("POST", "/mfa/step-up", {"rememberMeId": remember, "device": "test"}) == {"trusted": True}


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


def vendor(name: str = "Acme Supplies", **more: Any) -> dict[str, Any]:
    """The body of a vendor."""
    address = {"line1": "1 Example Street", "city": "Denver", "zipOrPostalCode": "80202", "country": "US"}
    return {"name": name, "address": address, **more}


def bill(vendor_id: str, number: str = "INV-1", *amounts: str, **more: Any) -> dict[str, Any]:
    """The body of a bill with one line for each amount."""
    lines = [{"amount": Decimal(amount), "description": f"Line {amount}"} for amount in amounts or ("100.00",)]
    invoice = {"invoiceNumber": number, "invoiceDate": "2026-05-16"}
    return {"vendorId": vendor_id, "dueDate": "2026-06-15", "invoice": invoice, "billLineItems": lines, **more}


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something is true, at most so long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
