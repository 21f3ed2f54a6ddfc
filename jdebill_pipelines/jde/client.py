"""The JD Edwards client: everything that the rest of the project asks of an AIS Server.

Belongs here: the facade. Does not belong here: how any of it is done (the other modules of this package).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from jdebill_pipelines.domain.tables import JdeTable, Kind
from jdebill_pipelines.jde.config import AisConfig, AisCredentials, TokenCache
from jdebill_pipelines.jde.contracts import OrchestrationContract
from jdebill_pipelines.jde.dataservice import DataService, Query
from jdebill_pipelines.jde.extraction import Abilities, Paging, children, extract
from jdebill_pipelines.jde.grid import Row
from jdebill_pipelines.jde.login import Login
from jdebill_pipelines.jde.orchestrator import Orchestrator
from jdebill_pipelines.jde.probe import DateProbe
from jdebill_pipelines.jde.results import OrchestrationResult
from jdebill_pipelines.jde.server import ServerInfo
from jdebill_pipelines.jde.session import AisSession
from jdebill_pipelines.jde.where import Where


class AisClient:
    """A client of one AIS Server, environment and user; threads may share it.

    Args:
        config: see :class:`AisConfig`.
        credentials: see :class:`AisCredentials`.
        token_cache: shares the login with other clients and processes; None = a login of its own.
        sleep, clock: injectable; clock gives seconds since the epoch.
    """

    def __init__(
        self,
        config: AisConfig,
        credentials: AisCredentials,
        *,
        token_cache: TokenCache | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._session = AisSession(config, credentials, cache=token_cache, sleep=sleep, clock=clock)
        self._probe = DateProbe(self._session)
        self._service = DataService(self._session, lambda query: self._probe.literal(self._service, query))
        self._orchestrator = Orchestrator(self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def login(self) -> Login:
        """Log in, unless that was done; the user's formats come with it.

        Raises:
            AuthenticationError: 403 (user, password, role, environment), or 405 (Allowed Hosts).
            ApiError: see ``transport.errors``.
        """
        return self._session.login()

    def logout(self) -> None:
        """End the session, also for those who share it. Never raises."""
        self._session.logout()

    def close(self) -> None:
        """Log out (unless the login is shared) and close the connections. Never raises."""
        self._session.close()

    def server_info(self) -> ServerInfo:
        """What the server is and can; needs no login.

        Raises:
            PermanentError: it lacks something without which nothing works.
        """
        return self._session.server_info()

    def browse(
        self,
        table: JdeTable,
        where: Where | None = None,
        *,
        columns: Sequence[str] | None = None,
        page_size: int | None = None,
        paging: Paging = "auto",
    ) -> Iterator[list[Row]]:
        """Read the rows of a table, page by page, each row once.

        Pages are read ahead of the consumer, in up to ``parallel_calls`` lanes; the order is that of the paging key
        where the table has one.

        Args:
            table: the table.
            where: conditions; dates in them are written in the format that a probe has proven.
            columns: data items wanted, in order; default all of ``table.columns``.
            page_size: rows per page; default as configured.
            paging: ``auto``; ``keyset`` or ``cursor`` to force one.

        Yields:
            Lists of rows: TEXT ``str`` trimmed, NUMBER ``Decimal``, DATE ``date`` or None, TIME ``int`` HHMMSS in the
            JDE server's zone.

        Raises:
            Refused: the query is wrong.
            PermanentError: the rows cannot be had completely.
            ApiError: see ``transport.errors``.
        """
        wanted = tuple(columns) if columns is not None else tuple(table.columns)
        query = self._query(table, where, wanted, page_size)
        return _project(extract(self._service, query, paging, self._abilities()), len(wanted), len(query.columns))

    def fetch_by_keys(
        self,
        table: JdeTable,
        item: str,
        keys: Iterable[Decimal | int],
        *,
        where: Where | None = None,
        columns: Sequence[str] | None = None,
        page_size: int | None = None,
    ) -> Iterator[list[Row]]:
        """Read the rows whose ``item`` is one of the keys, such as the distribution lines of known documents.

        Args:
            table: the table.
            item: a numeric data item of it, such as ``DOC``.
            keys: values; each is asked once.
            where: further conditions.
            columns, page_size: as in :meth:`browse`.

        Yields:
            As :meth:`browse`.

        Raises:
            ValueError: ``item`` is not a numeric column.
            ApiError: see ``transport.errors``.
        """
        if table.columns.get(item) is not Kind.NUMBER:
            raise ValueError(f"{table.name}.{item} is not a numeric column")
        wanted = tuple(columns) if columns is not None else tuple(table.columns)
        query = self._query(table, where, wanted, page_size, item)
        found = children(self._service, query, item, keys, self._abilities(), self.config.list_chunk)
        return _project(found, len(wanted), len(query.columns))

    def count(self, table: JdeTable, where: Where | None = None) -> int | None:
        """How many rows there are, or None when the server's answer cannot be read (JDE does not document its form)."""
        return self._service.count(table, where)

    def first_rows(
        self, table: JdeTable, where: Where | None = None, *, columns: Sequence[str] | None = None, limit: int = 1
    ) -> list[Row]:
        """At most so many rows, in no particular order: for probes and look-ups."""
        wanted = tuple(columns) if columns is not None else tuple(table.columns)
        query = self._query(table, where, wanted, limit)
        return [row[: len(wanted)] for row in self._service.first(query).rows[:limit]]

    def probe_date_format(self, table: JdeTable) -> str:
        """Prove the date literal of conditions on rows of a table; the Java pattern, remembered for the session.

        Raises:
            PermanentError: no known format finds a row by its own date.
        """
        return self._probe.pattern(self._service, Query(table, tuple(table.key)))

    def orchestrate(self, name: str, inputs: Mapping[str, Any], *, expects: Sequence[str] = ()) -> OrchestrationResult:
        """Call an orchestration once.

        Args:
            name: as imported by the CNC.
            inputs: plain JSON; a ``Decimal`` becomes an exact number, a ``date`` ISO text. Floats are refused.
            expects: outputs without which it has not done its work. An answer that has them is a success even when JDE
                complained besides; an answer without them is not one.

        Raises:
            OrchestrationFailed: JD Edwards said so. Unless its ``outcome`` is ``refused``, steps may have written: look
                in JD Edwards before sending again.
            UnknownOutcome: a time-out, a reset, a page of a proxy, an answer without the expected outputs.
            TransientError: with ``not_executed``: the server could not be reached.
            PermanentError: refused before it ran.
            TypeError: an input is a float.
        """
        return self._orchestrator.call(name, inputs, expects=expects)

    def discover(self) -> dict[str, OrchestrationContract]:
        """The orchestrations that this user may see, by name.

        Raises:
            ApiError: see ``transport.errors``.
        """
        return self._orchestrator.discover()

    def _query(
        self, table: JdeTable, where: Where | None, wanted: tuple[str, ...], size: int | None, *needed: str
    ) -> Query:
        unknown = [item for item in wanted if item not in table.columns]
        if unknown:
            raise ValueError(f"{table.name} has no columns {', '.join(unknown)}")
        page = (table.page_key,) if table.page_key else ()
        columns = tuple(dict.fromkeys((*wanted, *table.key, *page, *needed)))
        return replace(Query(table, columns, where), size=size or self.config.page_size)

    def _abilities(self) -> Abilities:
        info = self.server_info()
        return Abilities(info.can("nextPage"), info.can("dataServiceOrderBy"), self.config.parallel_calls)


def _project(pages: Iterator[list[Row]], wanted: int, asked: int) -> Iterator[list[Row]]:
    """Cut off the key columns that were asked for besides the wanted ones."""
    return pages if wanted == asked else ([row[:wanted] for row in page] for page in pages)
