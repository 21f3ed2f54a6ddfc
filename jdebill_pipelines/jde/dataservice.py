"""One request to the data service, one page back.

Belongs here: the request, its errors, its repetition. Does not belong here: paging over many (``paging``).

JDE AIS: the data service runs as the Data Browser and only reads; ``maxPageSize`` is a string; ``orderBy`` of a BROWSE
is put under ``aggregation``; an answer with HTTP 200 may hold ``errors``, ``sysErrors`` or an ``exception``.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from jdebill_pipelines.domain.tables import JdeTable
from jdebill_pipelines.jde import codec
from jdebill_pipelines.jde.codec import NotJsonError
from jdebill_pipelines.jde.errors import CURSOR_EXPIRED, CursorExpired, error_for, malformed
from jdebill_pipelines.jde.grid import Grid, GridDecoder, UnreadableGridError
from jdebill_pipelines.jde.messages import errors_in, text_of_message
from jdebill_pipelines.jde.session import AisSession, Call
from jdebill_pipelines.jde.where import DateLiteral, Where, render
from jdebill_pipelines.transport.errors import ApiError, PermanentError, Refused, TransientError
from jdebill_pipelines.transport.http import Response
from jdebill_pipelines.transport.redact import redact_text
from jdebill_pipelines.transport.retry import Backoff, repeat_reads, retry

log = logging.getLogger(__name__)

T = TypeVar("T")

PATH = "/v2/dataservice"
ALL_ROWS = "No Max"
_NEXT_TAIL = re.compile(r"(?:/v\d+)?/dataservice/next/?$")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked.

    Attributes:
        table: the table.
        columns: data items wanted, in order.
        where: conditions, None = all rows.
        order_by: data items, ascending.
        descending: order descending.
        size: rows per page, None = all.
        cursor: ask for a cursor and its links.
    """

    table: JdeTable
    columns: tuple[str, ...]
    where: Where | None = None
    order_by: tuple[str, ...] = ()
    descending: bool = False
    size: int | None = None
    cursor: bool = False

    def body(self, date_literal: DateLiteral) -> dict[str, Any]:
        """The request as JSON members."""
        name = self.table.name
        body: dict[str, Any] = {
            "targetName": name,
            "targetType": "table",
            "dataServiceType": "BROWSE",
            "findOnEntry": "TRUE",
            "returnControlIDs": "|".join(f"{name}.{item}" for item in self.columns),
            "maxPageSize": ALL_ROWS if self.size is None else str(self.size),
            "outputType": "GRID_DATA",
            "query": render(self.where, name, date_literal),
        }
        if self.cursor:
            body["enableNextPageProcessing"] = True
        if self.order_by:
            direction = "DESC" if self.descending else "ASC"
            body["aggregation"] = {
                "orderBy": [{"column": f"{name}.{item}", "direction": direction} for item in self.order_by]
            }
        return body


class DataService:
    """Asks the data service of one AIS Server.

    Args:
        session: makes the calls.
        date_literal: gives the proven date literal; asked only when a condition has a date.
    """

    def __init__(self, session: AisSession, date_literal: Callable[[Query], DateLiteral]) -> None:
        self.session = session
        self._date_literal = date_literal
        self._lists_work: bool | None = None
        self._lists_doubted = False
        self._decoders: dict[tuple[str, tuple[str, ...], str, str], GridDecoder] = {}
        self._lock = threading.Lock()

    def first(self, query: Query, *, literal: DateLiteral | None = None, attempts: int | None = None) -> Grid:
        """Ask a query; its first page.

        Args:
            query: what.
            literal: the date literal to use in place of the proven one.
            attempts: how often it is tried in place of the configured number.

        Raises:
            Refused: the server says that the query is wrong.
            ApiError: see ``transport.errors``.
        """
        self._check_literals(query)
        if query.where is not None and query.where.has_lists and self._lists_work is not True:
            return self._try_lists(query, literal, attempts)
        return self._ask(query, literal, attempts)

    def next(self, query: Query, href: str) -> Grid:
        """The next page of a cursor; asked once, because a cursor that has moved on cannot be asked again.

        Only path and query of the link are used, below the configured URL, and without the token in it: the link names
        the AIS Server's own host, and tokens do not belong into a URL.

        Raises:
            CursorExpired: the result set is gone.
            SessionExpired: the session is gone, and the cursor with it.
            ApiError: see ``transport.errors``.
        """
        path = self.next_path(href)
        call = Call(f"reading the next page of {query.table.name}", bound_to_session=True, renew_on_403=True)
        response = self.session.request(call, "GET", path)
        if response.status == 405:
            response = self.session.request(call, "POST", path, b"{}")
        return self._grid(query, response, "GET", path, call.what)

    def next_path(self, href: str) -> str:
        """Path and query of a next link below the configured URL, without credentials."""
        parts = urlsplit(href)
        base_path = urlsplit(self.session.config.base).path
        tail = _NEXT_TAIL.search(parts.path)
        if tail is not None:
            path = tail.group()
        elif base_path and parts.path.startswith(base_path + "/"):
            path = parts.path[len(base_path) :]
        else:
            path = "/" + parts.path.lstrip("/")
        hidden = ("token", "$token", "devicename", "$device")
        pairs = [(n, v) for n, v in parse_qsl(parts.query, keep_blank_values=True) if n.lower() not in hidden]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def count(self, table: JdeTable, where: Where | None = None) -> int | None:
        """How many rows a query has, or None when the server's answer cannot be read (its form is not documented)."""
        query = Query(table, table.key[:1], where)
        literal = self._literal_for(query)
        body: dict[str, Any] = {
            "targetName": table.name,
            "targetType": "table",
            "dataServiceType": "COUNT",
            "findOnEntry": "TRUE",
            "query": render(where, table.name, literal),
        }
        call = Call(f"counting {table.name}", renew_on_403=True)
        response = self._repeat(lambda: self._post(call, body), None)
        try:
            answer = codec.decode_object(response.body)
        except NotJsonError as error:
            raise malformed(response, "POST", self._url(PATH), what=call.what, why="no JSON was answered") from error
        found = next((v for n, v in answer.items() if n.lower() in (f"ds_{table.name}".lower(), "count")), None)
        return _first_integer(found)

    def _try_lists(self, query: Query, literal: DateLiteral | None, attempts: int | None) -> Grid:
        assert query.where is not None
        plain = replace(query, where=query.where.without_lists())
        if self._lists_work is False:
            return self._ask(plain, literal, attempts)
        try:
            grid = self._ask(query, literal, 1)
        except (TransientError, Refused) as error:
            if isinstance(error, TransientError) and (error.status is None or error.status in (429, 502, 503, 504)):
                return self._ask(query, literal, attempts)
            grid = self._ask(plain, literal, attempts)
            log.warning("this AIS Server refuses the LIST operator; EQUAL alternatives are used: %s", error)
            self._lists_work = False
            return grid
        if grid.rows:
            self._lists_work = True
        elif not self._lists_doubted:
            # Nothing found: nothing is there, or the operator is ignored. Asked once without it.
            self._lists_doubted = True
            plain_grid = self._ask(plain, literal, attempts)
            if plain_grid.rows:
                log.warning("this AIS Server finds nothing by the LIST operator; EQUAL alternatives are used")
                self._lists_work = False
                return plain_grid
        return grid

    def _ask(self, query: Query, literal: DateLiteral | None, attempts: int | None) -> Grid:
        body = query.body(literal or self._literal_for(query))
        call = Call(f"reading {query.table.name}", renew_on_403=True)

        def once() -> Grid:
            return self._grid(query, self._post(call, body), "POST", PATH, call.what)

        return self._repeat(once, attempts)

    def _repeat(self, once: Callable[[], T], attempts: int | None) -> T:
        backoff = Backoff(attempts=attempts or self.session.config.read_attempts)
        return retry(once, repeat_reads, backoff=backoff, sleep=self.session.sleep)

    def _post(self, call: Call, body: dict[str, Any]) -> Response:
        response = self.session.request(call, "POST", PATH, body)
        if response.status != 200:
            raise error_for(response, "POST", self._url(PATH), what=call.what)
        return response

    def _grid(self, query: Query, response: Response, method: str, path: str, what: str) -> Grid:
        url = self._url(path)
        if response.status != 200:
            raise error_for(response, method, url, what=what)
        try:
            grid = self._decoder(query).decode(response.body)
        except UnreadableGridError as error:
            raise malformed(response, method, url, what=what, why=redact_text(str(error))) from error
        if grid.problems:
            raise _problem(grid.problems, response, method, url, what)
        return grid

    def _decoder(self, query: Query) -> GridDecoder:
        login = self.session.login()
        key = (query.table.name, query.columns, login.date_format, login.decimal_mark)
        with self._lock:
            if key not in self._decoders:
                self._decoders[key] = GridDecoder(
                    query.table, query.columns, date_format=login.date_format, decimal_mark=login.decimal_mark
                )
            return self._decoders[key]

    def _literal_for(self, query: Query) -> DateLiteral:
        if query.where is None or not query.where.has_dates:
            return _no_date
        return self._date_literal(query)

    def _check_literals(self, query: Query) -> None:
        fractions = [v for v in _values(query.where) if _is_fraction(v)]
        if fractions and self.session.login().decimal_mark == ",":
            raise PermanentError(
                f"reading {query.table.name} failed: the condition has the fraction {fractions[0]}, and the JDE user's "
                "decimal mark is a comma",
                fix="Give the integration user the decimal format '.' in its JDE user profile.",
            )

    def _url(self, path: str) -> str:
        return self.session.config.base + path


def _problem(problems: dict[str, Any], response: Response, method: str, url: str, what: str) -> ApiError:
    messages = errors_in(problems)
    said = (
        "; ".join(str(m) for m in messages)
        or text_of_message(problems.get("message"))
        or str(problems.get("exception"))
    )
    expired = CURSOR_EXPIRED in said
    system = "errors" not in problems and ("exception" in problems or "sysErrors" in problems)
    kind: type[ApiError] = CursorExpired if expired else TransientError if system else Refused
    return kind(
        f"{what} failed: {' '.join(said.split())[:500]}",
        method=method,
        url=url,
        status=response.status,
        code=CURSOR_EXPIRED if expired else next((m.code for m in messages if m.code), ""),
        request_id=response.request_id,
        body=response.body[:4000],
        fix="JDE answered with an error inside a successful answer; it names what is wrong.",
    )


def _values(where: Where | None) -> Sequence[Any]:
    return [value for c in where.conditions() for value in c.values] if where is not None else []


def _is_fraction(value: Any) -> bool:
    return isinstance(value, Decimal) and value != value.to_integral_value()


def _no_date(value: Any) -> str:
    raise AssertionError(f"a date {value} where none was announced")


def _first_integer(value: Any, depth: int = 0) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = (_first_integer(item, depth + 1) for item in items) if depth < 6 else iter(())
    return next((number for number in found if number is not None), None)
