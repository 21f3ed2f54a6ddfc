"""From method and path to what AIS does there.

Belongs here: the table of paths below the context root, and the checks that all of them share. Not here: the services.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from jdebill_pipelines.sandbox.ais import dataservice, login, orchestrator, simple_get
from jdebill_pipelines.sandbox.ais.answers import AisError, Answer, RawError, html_page
from jdebill_pipelines.sandbox.ais.request import Request
from jdebill_pipelines.sandbox.ais.sessions import Session
from jdebill_pipelines.sandbox.ais.world import AisWorld

Handler = Callable[[AisWorld, Request, "re.Match[str]"], Answer]


@dataclass(frozen=True)
class Route:
    """A path, its methods, and what answers."""

    name: str
    pattern: re.Pattern[str]
    methods: tuple[str, ...]
    handler: Handler


def find(method: str, path: str) -> tuple[Route, re.Match[str]]:
    """The route of a request.

    Raises:
        RawError: 404 or 405 as an HTML page of the container: the request reached no service.
    """
    known = False
    for route in ROUTES:
        found = route.pattern.fullmatch(path)
        if found is not None:
            if method in route.methods:
                return route, found
            known = True
    raise RawError(html_page(405, "Method Not Allowed") if known else html_page(404, "Not Found"))


def _post_data(world: AisWorld, request: Request, found: re.Match[str]) -> Answer:
    session = _data_session(world, request, json=True)
    return dataservice.serve(world, session, request.json, version=2 if found["v"] else 1)


def _next_page(world: AisWorld, request: Request, _: re.Match[str]) -> Answer:
    session = _data_session(world, request, json=False)
    rid = request.parameter("rid")
    if not rid:
        raise AisError(500, "rid is required")
    return dataservice.next_page(world, session, rid)


def _get_table(world: AisWorld, request: Request, found: re.Match[str]) -> Answer:
    session = _data_session(world, request, json=False)
    body = simple_get.read_parameters(request, unquote(found["table"]))
    return dataservice.serve(world, session, body, version=2)


def _data_session(world: AisWorld, request: Request, *, json: bool) -> Session:
    if json:
        request.check_content_type(charset_allowed=world.switches.content_type_charset)
    try:
        return login.authenticate(world, request)
    except AisError as error:
        # Oracle lists 403 only for the data service; clients have received 444.
        if error.status == 444:
            raise AisError(world.switches.dataservice_invalid_token, error.message) from None
        raise


def _route(name: str, pattern: str, methods: tuple[str, ...], handler: Handler) -> Route:
    return Route(name, re.compile(pattern), methods, handler)


_BOTH = ("GET", "POST")
_ORCHESTRATOR = r"(/(?P<v>v[23]))?/orchestrator"
ROUTES = (
    _route("login", r"(/v2)?/tokenrequest", ("POST",), lambda w, r, _: login.log_in(w, r)),
    _route("logout", r"(/v2)?/tokenrequest/logout", ("POST",), lambda w, r, _: login.log_out(w, r)),
    _route("validate", r"/v2/tokenrequest/validate", ("POST",), lambda w, r, _: login.validate(w, r)),
    _route("login", rf"{_ORCHESTRATOR}/jde-login", _BOTH, lambda w, r, _: login.log_in(w, r)),
    _route("logout", rf"{_ORCHESTRATOR}/jde-logout", _BOTH, lambda w, r, _: login.log_out(w, r)),
    _route("validate", rf"{_ORCHESTRATOR}/jde-validate-session", _BOTH, lambda w, r, _: login.validate(w, r)),
    _route("defaultconfig", r"(/v2)?/defaultconfig", _BOTH, lambda w, r, _: login.default_config(w, r)),
    _route("dataservice", r"(/(?P<v>v2))?/dataservice", ("POST",), _post_data),
    _route("next", r"/v2/dataservice/next", _BOTH, _next_page),
    _route("discover", r"(/v[23])?/discover(/(?P<name>[^/]+))?", ("GET",), orchestrator.discover),
    _route("orchestration", rf"{_ORCHESTRATOR}/(?P<name>[^/]+)", _BOTH, orchestrator.call),
    _route("table", r"/v2/dataservice/table/(?P<table>[^/]+)", ("GET",), _get_table),
)
