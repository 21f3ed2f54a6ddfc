"""From method and path to the handler, and the shapes of a call and its answer.

Belongs here: the table of routes. Not here: what a route does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from jdebill_pipelines.sandbox.bill.codec import decode
from jdebill_pipelines.sandbox.bill.errors import Element, Refusal, no_path, refusal

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization
    from jdebill_pipelines.sandbox.bill.sessions import Session


@dataclass
class Answer:
    """What goes back: `body` is encoded as it is when bytes, as JSON otherwise, and left out when None."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """One request."""

    organization: Organization
    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    ids: Mapping[str, str]
    session: Session | None = None

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters."""
        return parse_qs(self.query_string, keep_blank_values=True)

    @property
    def by(self) -> str:
        """The id of the calling user."""
        assert self.session is not None
        return self.session.user_id

    def json(self) -> Any:
        """The decoded body.

        Raises:
            Refusal: 400 `BDC_1122`: not JSON, or no body.
        """
        try:
            return decode(self.body)
        except msgspec.DecodeError as error:
            raise Refusal(400, [Element("BDC_1122", f"JSON parse error: {error}", "REQUEST")]) from None


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """One method and path template, and who may call it."""

    method: str
    template: str
    handler: Handler
    open: bool = False  # needs no session
    trusted: bool = False  # needs a trusted session
    permission: str = ""  # "<resource>:read" or "<resource>:write"

    @property
    def name(self) -> str:
        """How the counters call it."""
        return f"{self.method} {self.template}"


class Router:
    """Routes by path segments; a fixed segment wins over a placeholder."""

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}
        self.routes: list[Route] = []

    def add(self, route: Route) -> None:
        """Add a route."""
        node = self._tree
        for part in route.template.strip("/").split("/"):
            key = "{}" if part.startswith("{") else part
            node = node.setdefault(key, {})
        node.setdefault("", {})[route.method] = route
        self.routes.append(route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a request and the ids in its path.

        Raises:
            Refusal: 404 `BDC_1121` for an unknown path, 405 for an unknown method.
        """
        parts = path.strip("/").split("/")
        found = self._walk(self._tree, parts, 0, [])
        if found is None:
            raise no_path()
        methods, values = found
        route = methods.get(method)
        if route is None:
            raise refusal(405, "BDC_1121", "API not supported.")
        names = [part[1:-1] for part in route.template.strip("/").split("/") if part.startswith("{")]
        return route, dict(zip(names, values, strict=True))

    def _walk(
        self, node: dict[str, Any], parts: list[str], at: int, values: list[str]
    ) -> tuple[dict[str, Route], list[str]] | None:
        if at == len(parts):
            return (node[""], values) if "" in node else None
        part = parts[at]
        if part and part in node:
            found = self._walk(node[part], parts, at + 1, values)
            if found is not None:
                return found
        if part and "{}" in node:
            return self._walk(node["{}"], parts, at + 1, [*values, part])
        return None
