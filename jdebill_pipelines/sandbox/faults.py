"""Faults that a test orders: which request they hit, how often, and what goes wrong.

Belongs here: matching requests with orders. Not here: how a fault is carried out, or faults of one system only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """One order.

    Attributes:
        kind: what goes wrong.
        route: regular expression, searched in the path.
        method: HTTP method, any when blank.
        body: regular expression, searched in the request's body.
        times: how many requests it hits; 0 for all.
        after: how many matching requests pass before.
        options: what the kind needs: seconds, status, ...
    """

    kind: str
    route: str = ""
    method: str = ""
    body: str = ""
    times: int = 1
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    hits: int = 0

    def figures(self) -> dict[str, Any]:
        """The order and how far it is carried out."""
        return {
            "fault": self.kind, "route": self.route, "method": self.method, "body": self.body, "times": self.times,
            "after": self.after, **self.options, "seen": self.seen, "hits": self.hits,
        }  # fmt: skip


class Faults:
    """The orders in force, in the order they were given; the first that fits a request hits it."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []
        self.fired: dict[str, int] = {}

    def add(self, given: dict[str, Any], kinds: Sequence[str]) -> Fault:
        """Take an order `{"fault", "route", "method", "body", "times", "after", ...}`.

        Raises:
            ValueError: no such kind of fault, or a member that is not of its type.
        """
        given = dict(given)
        kind = given.pop("fault", None)
        if kind not in kinds:
            raise ValueError(f"fault must be one of {', '.join(kinds)}, not {kind!r}")
        texts = {name: given.pop(name, "") for name in ("route", "method", "body")}
        counts = {"times": given.pop("times", 1), "after": given.pop("after", 0)}
        if not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("route, method and body must be text")
        if not all(isinstance(count, int) and count >= 0 for count in counts.values()):
            raise ValueError("times and after must be whole numbers")
        for name in ("route", "body"):
            try:
                re.compile(texts[name])
            except re.error as error:
                raise ValueError(f"{name} is not a regular expression: {error}") from None
        order = Fault(kind, texts["route"], texts["method"].upper(), texts["body"], **counts, options=given)
        self._orders.append(order)
        return order

    def hit(self, method: str, path: str, body: bytes) -> Fault | None:
        """The order that this request meets, counted."""
        for order in self._orders:
            if order.method not in ("", method) or not re.search(order.route, path):
                continue
            if order.body and not re.search(order.body, body.decode("utf-8", "replace")):
                continue
            order.seen += 1
            if order.seen <= order.after or (order.times and order.hits >= order.times):
                continue
            order.hits += 1
            self.fired[order.kind] = self.fired.get(order.kind, 0) + 1
            return order
        return None

    def clear(self) -> int:
        """Withdraw all orders."""
        count = len(self._orders)
        self._orders.clear()
        return count

    def figures(self) -> list[dict[str, Any]]:
        """All orders."""
        return [order.figures() for order in self._orders]
