"""The data service: reading a request, finding the rows, pages and their links.

Belongs here: BROWSE, COUNT, and dispatch of AGGREGATION. Not here: conditions, rendering, sums.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from jdebill_pipelines.sandbox.ais.aggregation import aggregate
from jdebill_pipelines.sandbox.ais.answers import AisError, Answer, RawError, data_stamp
from jdebill_pipelines.sandbox.ais.codec import Json
from jdebill_pipelines.sandbox.ais.columns import Row, TableDef
from jdebill_pipelines.sandbox.ais.conditions import Filter, read_query, resolve
from jdebill_pipelines.sandbox.ais.cursors import Cursor
from jdebill_pipelines.sandbox.ais.literals import Literals
from jdebill_pipelines.sandbox.ais.render import grid
from jdebill_pipelines.sandbox.ais.request import flag
from jdebill_pipelines.sandbox.ais.sessions import Session
from jdebill_pipelines.sandbox.ais.tables import Order, Table
from jdebill_pipelines.sandbox.ais.world import AisWorld

_MEMBERS = {
    "targetName", "targetType", "dataServiceType", "findOnEntry", "returnControlIDs", "maxPageSize",
    "enableNextPageProcessing", "nextPageTimeInterval", "outputType", "aliasNaming", "query", "queryObjectName",
    "aggregation", "having", "CurrencyProcessing", "batchDataRequest", "dataRequests", "allowCache", "cacheTime",
    "forceUpdate", "includeTimings", "formServiceDemo", "token", "deviceName", "username", "password", "psToken",
    "environment", "role", "jasserver",
}  # fmt: skip
_OUTPUTS = ("GRID_DATA", "VERSION1", "VERSION2")
_EXPIRED = {
    "sysErrors": [
        {
            "TITLE": "JAS_MSG347: The query results expired. Please run the query again.",
            "DESC": "The result set was closed because it was not read in time.",
        }
    ]
}


@dataclass(frozen=True)
class DataRequest:
    """A request that has been read."""

    table: Table
    items: tuple[str, ...]
    filter: Filter | None
    order: Order
    page_size: int | None  # None: all rows
    cursor: bool
    output: str

    @property
    def definition(self) -> TableDef:
        """The table's columns."""
        return self.table.definition


def serve(world: AisWorld, session: Session, body: Json, *, version: int) -> Answer:
    """Answer a POST to `/dataservice` (version 1) or `/v2/dataservice`.

    Raises:
        AisError: 400, 403 or 500.
    """
    unknown = set(body) - _MEMBERS
    if unknown:
        raise AisError(400, f"Invalid JSON: unrecognized field {sorted(unknown)[0]}")
    for member in ("batchDataRequest", "queryObjectName", "CurrencyProcessing"):
        if body.get(member):
            raise AisError(500, f"{member} is not available on this server")
    kind = body.get("dataServiceType")
    if kind not in ("BROWSE", "COUNT", "AGGREGATION"):
        raise AisError(400, f"Invalid JSON: dataServiceType cannot be {kind}")
    table = target(world, body)
    world.queries[table.definition.name] += 1
    request = _read(world, session, table, body, version)
    executed = flag(body.get("findOnEntry"), "findOnEntry")
    rows = find(world, request, all_rows=kind != "BROWSE") if executed else []
    if kind == "COUNT":
        return Answer({f"ds_{table.definition.name}": {"count": len(rows)}, "sysErrors": []})
    if kind == "AGGREGATION":
        return Answer(aggregate(table.definition, rows, body))
    return browse(world, session, request, rows)


def target(world: AisWorld, body: Json) -> Table:
    """The table that a request names.

    Raises:
        AisError: 400 without a name, 403 without permission, 500 for what does not exist.
    """
    name, kind = body.get("targetName"), body.get("targetType")
    if not isinstance(name, str) or kind not in ("table", "view"):
        raise AisError(400, "Invalid JSON: targetName and targetType (table or view) are required")
    if kind == "view" or name not in world.tables:
        raise AisError(500, f"The {kind} {name} does not exist or is not available")
    if name in world.switches.denied_tables:
        raise AisError(403, f"Authorization Failure: no Data Browser permission for {name}")
    return world.tables[name]


def _read(world: AisWorld, session: Session, table: Table, body: Json, version: int) -> DataRequest:
    definition = table.definition
    literals = Literals(world.switches, world.local().date(), session.user)
    output = body.get("outputType") or ("GRID_DATA" if version == 2 else "VERSION1")
    if output not in _OUTPUTS:
        raise AisError(500, f"outputType {output} is not available on this server")
    cursor = flag(body.get("enableNextPageProcessing"), "enableNextPageProcessing")
    return DataRequest(
        table=table,
        items=read_columns(definition, body.get("returnControlIDs")),
        filter=read_query(definition, body.get("query"), literals, world.switches.max_list_values),
        order=read_order(definition, body.get("aggregation")),
        page_size=_page_size(world, body.get("maxPageSize")),
        cursor=cursor and version == 2 and world.switches.next_page and not session.stateless,
        output=output,
    )


def read_columns(definition: TableDef, given: Any) -> tuple[str, ...]:
    """The columns of a pipe list, all of them for none.

    Raises:
        AisError: 400 when it is not text, 500 for an unknown column.
    """
    if given is None or given == "":
        return tuple(definition.kinds)
    if not isinstance(given, str):
        raise AisError(400, "Invalid JSON: returnControlIDs must be a string")
    return tuple(dict.fromkeys(resolve(definition, control) for control in given.split("|")))


def read_order(definition: TableDef, aggregation: Any) -> Order:
    """The sort order of `aggregation.orderBy`.

    Raises:
        AisError: 400 for a malformed one, 500 for an unknown column.
    """
    if aggregation is None:
        return ()
    given = aggregation.get("orderBy") if isinstance(aggregation, dict) else 0
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(part, dict) for part in given):
        raise AisError(400, "Invalid JSON: aggregation.orderBy must be an array of column and direction")
    order: dict[str, bool] = {}
    for part in given:
        direction = part.get("direction", "ASC")
        if direction not in ("ASC", "DESC"):
            raise AisError(400, f"Invalid JSON: unknown direction {direction}")
        order.setdefault(resolve(definition, part.get("column")), direction == "DESC")
    return tuple(order.items())


def _page_size(world: AisWorld, given: Any) -> int | None:
    cap = world.switches.max_page_cap
    if given is None or given == "":
        size: int | None = world.switches.default_rows
    elif not isinstance(given, str):
        raise AisError(400, "Invalid JSON: maxPageSize must be a string")
    elif given.strip().lower() == "no max":
        size = None
    elif given.strip().isdigit() and int(given) > 0:
        size = int(given)
    else:
        raise AisError(500, f"Invalid maxPageSize '{given}'")
    if cap is not None:
        return cap if size is None else min(size, cap)
    return size


def find(world: AisWorld, request: DataRequest, *, all_rows: bool = True) -> Sequence[Row]:
    """The rows of a request in its order, the hidden ones left out.

    Args:
        world: the installation.
        request: what is asked.
        all_rows: else, where nobody can ask for a next page, no more than the page and one row that shows that there
            is more: a database stops there, too.
    """
    table, switches = request.table, world.switches
    hidden = switches.row_security.get(table.definition.name)
    stop = not (all_rows or request.cursor or hidden or switches.unordered == "shuffled" or request.page_size is None)
    most = (request.page_size or 0) + 1 if stop else None
    rows = _matching(table, request.filter, request.order if switches.order_by else (), most)
    if hidden:
        rows = [row for row in rows if not any(str(row.get(item, "")) in values for item, values in hidden.items())]
    if switches.unordered == "shuffled" and not (request.order and switches.order_by):
        rows = list(rows)
        world.random.shuffle(rows)
    return rows


def _matching(table: Table, wanted: Filter | None, order: Order, most: int | None) -> Sequence[Row]:
    if wanted is None:
        return table.sorted(order) if order else table.rows()
    span = wanted.span
    candidates: Sequence[Row] | None
    if span is not None and order and order[0] == (span.item, False):
        candidates, order = table.between(span.item, span.low, span.high, order), ()
    else:
        candidates = wanted.source(table)
        if candidates is None or len(candidates) * 2 > len(table):
            candidates, order = (table.sorted(order) if order else table.rows()), ()
    found = list(itertools.islice((row for row in candidates if wanted.test(row)), None if order else most))
    return table.sort(found, order) if order else found


def browse(world: AisWorld, session: Session, request: DataRequest, rows: Sequence[Row]) -> Answer:
    """The first page of a result set, with a link to the next one when it was asked for."""
    size = len(rows) if request.page_size is None else request.page_size
    cursor = Cursor(
        session.token, request.definition, request.items, request.output, rows, size, 0, 0, next(world.ids),
        world.clock.now(),
    )  # fmt: skip
    page = cursor.take()
    if request.cursor and cursor.more:
        cursor.stack_id = world.cursors.next_stack()
        world.cursors.keep(cursor)
    return Answer(_page(world, cursor, page))


def next_page(world: AisWorld, session: Session, rid: str) -> Answer:
    """The next page of a result set.

    Raises:
        RawError: 500 JAS_MSG347 when it is over.
    """
    cursor = world.cursors.find(rid, session.token)
    if cursor is None:
        raise RawError(Answer(_EXPIRED, 500))
    page = cursor.take()
    cursor.state_id += 1
    if cursor.more:
        world.cursors.keep(cursor)
    else:
        world.cursors.close(cursor)
    return Answer(_page(world, cursor, page))


def _page(world: AisWorld, cursor: Cursor, rows: Sequence[Row]) -> Json:
    definition = cursor.definition
    name = f"DATABROWSE_{definition.name}"
    kept = cursor.rid in world.cursors.open
    if world.drop_rows:
        rows, world.drop_rows = rows[: max(0, len(rows) - world.drop_rows)], 0
    world.rows_sent[definition.name] += len(rows)
    data = grid(definition, cursor.items, rows, world.switches, output=cursor.output, grid_id=cursor.grid_id)
    data["summary"] = {"records": len(rows), "moreRecords": cursor.more}
    body: Json = {
        f"fs_{name}": {
            "title": f"Data Browser - {definition.name} [{definition.title}]",
            "data": {"gridData": data},
            "errors": [],
            "warnings": [],
        },
        "stackId": cursor.stack_id,
        "stateId": cursor.state_id if cursor.stack_id else 0,
        "rid": cursor.rid if cursor.stack_id else "",
        "currentApp": name,
        "timeStamp": data_stamp(world.local()),
        "sysErrors": [],
    }
    if kept:
        body["links"] = [{"rel": "next", "href": _href(world, cursor), "context": name}]
    return body


def _href(world: AisWorld, cursor: Cursor) -> str:
    """JDE AIS: the link names the AIS Server's own host and carries the token in clear text."""
    query = {
        "stackId": cursor.stack_id,
        "stateId": cursor.state_id,
        "rid": cursor.rid,
        "fullGridId": cursor.grid_id,
        "formOID": f"W{cursor.definition.name}A",
        "token": cursor.token,
        "outputType": cursor.output,
        "returnControlIDs": "|".join(f"{cursor.definition.name}.{item}" for item in cursor.items),
    }
    return f"{world.switches.link_host}/jderest/v2/dataservice/next?{urlencode(query)}"
