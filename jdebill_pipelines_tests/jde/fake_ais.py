"""A small AIS Server for tests, written from the description of the REST API and sharing no code with the product.

Belongs here: answers as AIS gives them, and switches for what it does not document. Does not belong here: assertions.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.config import AisConfig, AisCredentials
from jdebill_pipelines_tests.transport.wire import Reply, Request, Wire

PASSWORD = "correct-horse-battery"
CAPABILITIES = ["grid", "dataservice", "dataServiceOrderBy", "outputType", "version2services", "nextPage", "validate"]
ISO_STAMP = "2026-11-22T16:04:31.512+0000"

Row = dict[str, Any]


class FakeAis:
    """The server. ``tables`` maps a name to rows (item -> value; dates as ``date``)."""

    def __init__(self, prefix: str = "/jderest") -> None:
        self.prefix = prefix
        self.tables: dict[str, list[Row]] = {}
        self.tokens: dict[str, str] = {}
        self.logins = 0
        self.logouts = 0
        self.user = {"simpleDateFormat": "dd/MM/yyyy", "decimalFormat": "."}
        self.config: dict[str, Any] = {
            "aisVersion": "EnterpriseOne 9.2.8.3",
            "sessionTimeout": "30",
            "timeToLive": "720",
            "capabilityList": [{"name": name} for name in CAPABILITIES],
        }
        self.date_literal = "%d/%m/%Y"
        self.row_cap: int | None = None
        self.honour_order = True
        self.honour_list = True
        self.overlap = 0  # rows that each next page repeats
        self.link_host = "http://ais01.internal.example:9300"
        self.lose_links = False
        self.cell: Callable[[str, Any], Any] = lambda item, value: value
        self.hidden: set[str] = set()
        self.titles = True
        self.cursors: dict[str, list[Row]] = {}
        self.orchestrations: dict[str, Callable[[Request], Reply]] = {}
        self.discovery: list[dict[str, Any]] = []
        self.faults: list[tuple[str, Callable[[Request], Reply | None]]] = []
        self.lock = threading.Lock()
        self.wire = Wire(self.handle)

    @property
    def url(self) -> str:
        return self.wire.url + self.prefix

    def client(self, **more: Any) -> AisClient:
        """A client of this server that does not sleep."""
        options = {k: more.pop(k) for k in ("token_cache", "sleep", "clock", "password") if k in more}
        password = options.pop("password", PASSWORD)
        options.setdefault("sleep", lambda seconds: None)
        settings: dict[str, Any] = {
            "environment": "JPY920",
            "role": "*ALL",
            "device_name": "jdebill-test",
            "read_timeout": 5.0,
        } | more
        return AisClient(AisConfig(url=self.url, **settings), AisCredentials("APINT", password), **options)

    def fail(self, path: str, fault: Reply | Callable[[Request], Reply | None], times: int = 1) -> None:
        """Answer the next calls to paths that end so with a fault."""
        for _ in range(times):
            self.faults.append((path, fault if callable(fault) else constant(fault)))

    def queries(self, table: str) -> list[dict[str, Any]]:
        """The requests to the data service about a table, in order."""
        bodies = [r.json for r in self.wire.calls("/dataservice")]
        return [b for b in bodies if b["targetName"] == table]

    def handle(self, request: Request) -> Reply:
        for number, (end, fault) in enumerate(self.faults):
            if request.path.endswith(end):
                del self.faults[number]
                reply = fault(request)
                if reply is not None:
                    return reply
                break
        if not request.path.startswith(self.prefix):
            return Reply(404, b"<html>no such context</html>", {"Content-Type": "text/html"})
        path = request.path[len(self.prefix) :]
        if path.endswith("/defaultconfig"):
            return Reply(200, self.config)
        if request.method == "POST" and request.headers.get("content-type") != "application/json":
            return error(415, "Unsupported Media Type")
        if path == "/v2/tokenrequest":
            return self.login(request)
        if path == "/v2/tokenrequest/logout":
            self.logouts += 1
            return Reply(200) if self.tokens.pop(request.json["token"], None) else error(444, "Invalid Token")
        if self.tokens.get(request.headers.get("jde-ais-auth", "")) != request.headers.get("jde-ais-auth-device"):
            return error(444, "Invalid Token")
        if path == "/v2/dataservice":
            return self.browse(request)
        if path == "/v2/dataservice/next":
            return self.next_page(request)
        if path == "/v3/discover":
            return Reply(200, {"orchestrations": self.discovery})
        if path.startswith("/v3/orchestrator/"):
            name = path.rsplit("/", 1)[1].replace("%20", " ")
            return self.orchestrations[name](request) if name in self.orchestrations else error(404, "not found")
        return error(404, f"no such service {path}")

    def login(self, request: Request) -> Reply:
        body = request.json
        if body["password"] != PASSWORD:
            return error(403, "Invalid user id or password")
        with self.lock:
            self.logins += 1
            token = f"044k+{self.logins}/Qx==MDE5"
            self.tokens[token] = body["deviceName"]
        user = {"token": token, "locale": "en", "addressNumber": 70012, **self.user}
        answer = {
            "username": "APINT",
            "environment": body.get("environment"),
            "role": body.get("role"),
            "userInfo": user,
        }
        return Reply(
            200, {**answer, "userAuthorized": False, "version": None}, {"Set-Cookie": f"JSESSIONID=n{self.logins}"}
        )

    def browse(self, request: Request) -> Reply:
        body = request.json
        assert isinstance(body["maxPageSize"], str)
        assert body["findOnEntry"] == "TRUE"
        rows = list(self.tables.get(body["targetName"], []))
        matching = Matching(self, body["targetName"])
        if any(c["operator"] == "LIST" for c in matching.conditions(body["query"])) and self.honour_list is False:
            return error(500, "Operator LIST is not supported")
        rows = [row for row in rows if matching.query(body["query"], row)]
        for order in reversed(body.get("aggregation", {}).get("orderBy", [])) if self.honour_order else []:
            item = order["column"].split(".")[1]
            rows.sort(key=partial(sort_key, item), reverse=order["direction"] == "DESC")
        size = len(rows) if body["maxPageSize"] == "No Max" else int(body["maxPageSize"])
        size = min(size, self.row_cap or size)
        columns = [c.split(".")[1] for c in body["returnControlIDs"].split("|")]
        cursor = bool(body.get("enableNextPageProcessing"))
        return self.page(body["targetName"], columns, rows, size, cursor)

    def page(self, table: str, columns: list[str], rows: list[Row], size: int, cursor: bool) -> Reply:
        names = [c for c in columns if c not in self.hidden]
        rowset = [{f"{table}_{c}": self.cell(c, plain(row.get(c))) for c in names} for row in rows[:size]]
        rowset = [{k: v for k, v in row.items() if v is not ...} for row in rowset]
        more = len(rows) > size
        answer: dict[str, Any] = {
            f"fs_DATABROWSE_{table}": {
                "title": f"Data Browser - {table}",
                "data": {
                    "gridData": {
                        "id": 58,
                        "fullGridId": "58",
                        "columns": {f"{table}_{c}": c.title() for c in names} if self.titles else {},
                        "rowset": rowset,
                        "summary": {"records": len(rowset), "moreRecords": more},
                    }
                },
                "errors": [],
                "warnings": [],
            },
            "stackId": 1,
            "rid": "7c1f",
            "currentApp": f"DATABROWSE_{table}",
            "timeStamp": "2026-11-22:16.04.31",
            "sysErrors": [],
        }
        if cursor and more and not self.lose_links:
            with self.lock:
                rid = f"r{len(self.cursors)}"
                self.cursors[rid] = rows[size - self.overlap :]
            token = next(iter(self.tokens), "")
            ids = "%7C".join(f"{table}.{c}" for c in columns)
            asked = f"rid={rid}&size={size}&token={token}&returnControlIDs={ids}"
            href = f"{self.link_host}/jderest/v2/dataservice/next?{asked}"
            answer["links"] = [{"rel": "self", "href": "x"}, {"rel": "next", "href": href, "context": "c"}]
        return Reply(200, dumps(answer))

    def next_page(self, request: Request) -> Reply:
        rid = request.query["rid"][0]
        if rid not in self.cursors:
            return error(500, "", {"sysErrors": [{"TITLE": "JAS_MSG347: The query results expired.", "DESC": ""}]})
        ids = request.query["returnControlIDs"][0].split("|")
        table = ids[0].split(".")[0]
        return self.page(table, [i.split(".")[1] for i in ids], self.cursors[rid], int(request.query["size"][0]), True)


class Matching:
    """Conditions as JDE evaluates them."""

    def __init__(self, ais: FakeAis, table: str) -> None:
        self.ais = ais
        self.table = table

    def conditions(self, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from query.get("condition", [])
        for group in query.get("complexQuery", []):
            yield from self.conditions(group["query"])

    def query(self, query: dict[str, Any], row: Row) -> bool:
        assert not (query.get("condition") and query.get("complexQuery")), "mixed levels are not documented"
        verdicts = [self.condition(c, row) for c in query.get("condition", [])]
        if verdicts:
            return all(verdicts) if query["matchType"] == "MATCH_ALL" else any(verdicts)
        result = True
        for number, group in enumerate(query.get("complexQuery", [])):
            inner = self.query(group["query"], row)
            if number == 0:
                assert group["andOr"] == "AND"
                result = inner
            else:
                result = (result and inner) if group["andOr"] == "AND" else (result or inner)
        return result

    def condition(self, condition: dict[str, Any], row: Row) -> bool:
        table, item = condition["controlId"].split(".")
        assert table == self.table
        have = row[item]
        values = [self.literal(v, have) for v in condition["value"]]
        text = str(have).strip() if have is not None else ""
        operators: dict[str, Callable[[], bool]] = {
            "EQUAL": lambda: have == values[0],
            "NOT_EQUAL": lambda: have != values[0],
            "LESS": lambda: have is not None and have < values[0],
            "LESS_EQUAL": lambda: have is not None and have <= values[0],
            "GREATER": lambda: have is not None and have > values[0],
            "GREATER_EQUAL": lambda: have is not None and have >= values[0],
            "BETWEEN": lambda: have is not None and values[0] <= have <= values[1],
            "LIST": lambda: have in values,
            "STR_START_WITH": lambda: text.startswith(values[0]),
            "STR_CONTAIN": lambda: values[0] in text,
            "STR_BLANK": lambda: text == "",
            "STR_NOT_BLANK": lambda: text != "",
        }
        return operators[condition["operator"]]()

    def literal(self, value: dict[str, Any], have: Any) -> Any:
        if value["specialValueId"] == "TODAY_MINUS_DAY":
            return dt.date(2026, 11, 22) - dt.timedelta(days=int(value["content"]))
        text = value["content"]
        assert isinstance(text, str)
        if isinstance(have, dt.date) or have is None:
            try:
                return dt.datetime.strptime(text, self.ais.date_literal).date()
            except ValueError:
                return dt.date(1900, 1, 1)  # an unreadable literal finds nothing
        return Decimal(text) if isinstance(have, int | Decimal) else text


def constant(reply: Reply) -> Callable[[Request], Reply]:
    return lambda _: reply


def sort_key(item: str, row: Row) -> tuple[bool, Any]:
    return row[item] is not None, row[item]


def plain(value: Any) -> Any:
    return value.strftime("%Y%m%d") if isinstance(value, dt.date) else value


def dumps(value: Any) -> bytes:
    """JSON with Decimals as numbers, digit by digit."""
    marks: dict[str, str] = {}

    def mark(number: Any) -> str:
        assert isinstance(number, Decimal)
        name = f"@decimal{len(marks)}@"
        marks[name] = format(number, "f")
        return name

    text = json.dumps(value, default=mark)
    for name, number in marks.items():
        text = text.replace(f'"{name}"', number)
    return text.encode()


def error(status: int, message: Any, more: dict[str, Any] | None = None) -> Reply:
    return Reply(status, {"message": message, "exception": "Exception", "timeStamp": ISO_STAMP, **(more or {})})


@contextmanager
def running(prefix: str = "/jderest") -> Iterator[FakeAis]:
    ais = FakeAis(prefix)
    try:
        yield ais
    finally:
        ais.wire.stop()
