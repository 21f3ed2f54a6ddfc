"""Reports of the audit as they are stored: a header, one result per procedure, and the procedures' rows.

Belongs here: computing rows inside the database and reading them in bounded memory. Does not belong here: what is asked
(audit/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from jdebill_pipelines.store.engine import encode_json
from jdebill_pipelines.store.journal import Entry, Journal
from jdebill_pipelines.store.scope import Part, Row

_CHUNK = 2_000
NOTES = "audit"  # the gate under which notes on findings stand among the overrides


class StoredReport(msgspec.Struct, frozen=True, kw_only=True):
    """The header of a report."""

    id: int
    period: str
    first_day: date
    last_day: date
    run_id: str
    code_version: str
    header: dict[str, Any]
    created_at: datetime


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a procedure found, in the order of the report."""

    procedure: str
    outcome: str
    population: int
    row_count: int
    exceptions: int
    figures: dict[str, Any]


class AuditReports(Part):
    """The reports of one connection."""

    def create(
        self,
        tx: sa.Connection,
        period: str,
        first: date,
        last: date,
        *,
        run_id: str,
        code_version: str,
        header: Mapping[str, Any],
    ) -> int:
        """Begin a report in the caller's transaction; returns its id. Rows of older reports of the period go away."""
        self.run(
            tx,
            "DELETE FROM jdebill.audit_rows USING jdebill.audit_reports r WHERE r.id = report_id "
            "AND r.connection = :connection AND r.period = :period",
            period=period,
        )
        return int(
            self.run(
                tx,
                "INSERT INTO jdebill.audit_reports (connection, period, first_day, last_day, run_id, code_version, "
                "header) VALUES (:connection, :period, :first, :last, :run_id, :code_version, CAST(:header AS jsonb)) "
                "RETURNING id",
                period=period,
                first=first,
                last=last,
                run_id=run_id,
                code_version=code_version,
                header=encode_json(dict(header)),
            ).scalar_one()
        )

    def fill(self, tx: sa.Connection, report_id: int, procedure: str, query: str, parameters: Mapping[str, Any]) -> int:
        """Store the rows of a query under a procedure, inside the database; returns how many.

        Args:
            tx: the transaction of the report.
            report_id: whose rows.
            procedure: its key.
            query: of the product's own procedures; nothing from outside is part of its text.
            parameters: of the query.
        """
        done = tx.execute(
            sa.text(
                "INSERT INTO jdebill.audit_rows (report_id, procedure, ordinal, row) "  # noqa: S608
                f"SELECT :_report, :_procedure, row_number() OVER (), to_jsonb(q) FROM ({query}) AS q"
            ),
            {**parameters, "_report": report_id, "_procedure": procedure},
        )
        return int(done.rowcount)

    def exceptions(self, tx: sa.Connection, report_id: int, procedure: str, *, flagged: bool) -> int:
        """Return how many stored rows of a procedure are exceptions.

        Args:
            tx: the transaction of the report.
            report_id: whose rows.
            procedure: its key.
            flagged: only those with a text in ``exception`` count; False: each row counts.
        """
        condition = "AND coalesce(row->>'exception', '') <> ''" if flagged else ""
        counted = tx.execute(
            sa.text(
                "SELECT count(*) FROM jdebill.audit_rows "  # noqa: S608 - one of two constants
                f"WHERE report_id = :report AND procedure = :procedure {condition}"
            ),
            {"report": report_id, "procedure": procedure},
        )
        return int(counted.scalar_one())

    def add_result(
        self,
        tx: sa.Connection,
        report_id: int,
        ordinal: int,
        procedure: str,
        *,
        outcome: str,
        population: int,
        rows: int,
        exceptions: int,
        figures: Mapping[str, Any],
    ) -> None:
        """Store what a procedure found."""
        tx.execute(
            sa.text(
                "INSERT INTO jdebill.audit_results (report_id, procedure, ordinal, outcome, population, row_count, "
                "exceptions, figures) VALUES (:report, :procedure, :ordinal, :outcome, :population, :rows, "
                ":exceptions, CAST(:figures AS jsonb))"
            ),
            {
                "report": report_id,
                "procedure": procedure,
                "ordinal": ordinal,
                "outcome": outcome,
                "population": population,
                "rows": rows,
                "exceptions": exceptions,
                "figures": encode_json(dict(figures)),
            },
        )

    def unbalanced_batches(self) -> list[tuple[str, Decimal]]:
        """Return the batches (type, number) whose posted lines, as far as we hold them, do not net to zero."""
        found = self.select(
            "SELECT icut, icu FROM jdebill.aud_f0911 WHERE connection = :connection AND lt = 'AA' AND post = 'P' "
            "AND icu <> 0 GROUP BY icut, icu HAVING sum(aa) <> 0 ORDER BY icut, icu"
        )
        return [(row["icut"], row["icu"]) for row in found]

    def latest(self, period: str) -> StoredReport | None:
        """Return the latest report of a period."""
        found = self.select(f"{_SELECT} AND period = :period ORDER BY id DESC LIMIT 1", period=period)
        return StoredReport(**found[0]) if found else None

    def all(self) -> list[StoredReport]:
        """Return every report, latest first."""
        return [StoredReport(**row) for row in self.select(f"{_SELECT} ORDER BY id DESC")]

    def results(self, report_id: int) -> list[StoredResult]:
        """Return what the procedures found, in the order of the report."""
        found = self.select(
            "SELECT procedure, outcome, population, row_count, exceptions, figures FROM jdebill.audit_results "
            "JOIN jdebill.audit_reports r ON r.id = report_id AND r.connection = :connection "
            "WHERE report_id = :report ORDER BY ordinal",
            report=report_id,
        )
        return [StoredResult(**row) for row in found]

    def rows(self, report_id: int, procedure: str) -> Iterator[Row]:
        """Give the rows of a procedure in order, in bounded memory."""
        with self.scope.engine.connect() as connection:
            stream = connection.execution_options(stream_results=True, yield_per=_CHUNK)
            result = self.run(
                stream,
                "SELECT row FROM jdebill.audit_rows JOIN jdebill.audit_reports r ON r.id = report_id "
                "AND r.connection = :connection WHERE report_id = :report AND procedure = :procedure ORDER BY ordinal",
                report=report_id,
                procedure=procedure,
            )
            for row in result:
                yield row[0]

    def note(self, key: str, who: str, reason: str) -> None:
        """Record what a person found out about a finding, journaled; a later note replaces an earlier one.

        Args:
            key: of the finding, as its procedure names it (``fix`` says how).
            who: the person's name.
            reason: what was found out.

        Raises:
            ValueError: no key, name or reason.
        """
        if not key.strip() or not who.strip() or not reason.strip():
            raise ValueError("a note needs the finding's key, a person's name and a reason")
        with self.scope.transaction() as tx:
            self.run(
                tx,
                "INSERT INTO jdebill.overrides (connection, gate, kind, natural_key, rule, content_hash, who, reason) "
                "VALUES (:connection, :gate, 'finding', :key, 'note', '', :who, :reason) "
                "ON CONFLICT (connection, gate, kind, natural_key, rule, content_hash) "
                "DO UPDATE SET who = excluded.who, reason = excluded.reason, at = now()",
                gate=NOTES,
                key=key.strip(),
                who=who.strip(),
                reason=reason.strip(),
            )
            entry = Entry(
                event="note",
                kind="finding",
                natural_key=key.strip(),
                actor=who.strip(),
                body={"gate": NOTES, "rule": "note", "reason": reason.strip()},
            )
            Journal(self.scope).append([entry], tx=tx)


_SELECT = (
    "SELECT id, period, first_day, last_day, run_id, code_version, header, created_at "
    "FROM jdebill.audit_reports WHERE connection = :connection"
)
