"""What a report is made of: procedures, each one query with its words, and the period that they are asked for.

Belongs here: the vocabulary that procedures, the runner and the pack share. Does not belong here: any procedure, any
rendering.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class Section(StrEnum):
    """Where a procedure stands in the report, in the report's order."""

    TIE_OUT = "Tie-out"
    TRACE = "Payment trace"
    REVERSALS = "Voids, cancels and reissues"
    CUT_OFF = "Cut-off"
    DUPLICATES = "Duplicates"
    VALIDATION = "Validation and overrides"
    DUTIES = "Segregation of duties and vendor changes"
    INTEGRITY = "JD Edwards integrity"
    OPERATIONS = "Operations"


class Shape(StrEnum):
    """How the values of a column are shown and typed in CSV, Excel and HTML."""

    TEXT = "text"
    AMOUNT = "amount"  # exact decimal in the currency of the row, major units
    NUMBER = "number"  # whole number
    DATE = "date"  # ISO date
    TIME = "time"  # ISO 8601 in UTC
    KEY = "key"  # a key that ``trace`` understands: shown as a link


class Rule(StrEnum):
    """When a procedure fails."""

    NO_ROWS = "no_rows"  # every row is an exception
    FLAGGED = "flagged"  # the rows are the whole population; those with a non-empty ``exception`` are exceptions
    EVIDENCE = "evidence"  # rows are shown and prove nothing by themselves


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a procedure's rows: the name in the query, the title for people, and the shape.

    Attributes:
        currency: of an amount, the column that names its currency; '' is the nearest one before it that is called
            ``currency`` or ends with ``_currency``, ``-`` is none (the amount is then in no total per currency).
    """

    name: str
    title: str
    shape: Shape = Shape.TEXT
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Procedure:
    """One audit procedure.

    Attributes:
        key: stable name, also the name of its CSV and its sheet, such as ``tie_out``. At most 31 characters.
        section: where it stands.
        title: for people.
        objective: what it proves, and for which assertion (completeness, accuracy, authorisation, cut-off, ...).
        method: how, in words, with the source of the rule.
        population: SQL that counts what was examined: one row, one column.
        query: SQL of the rows. It may use the parameters of ``AuditPeriod.parameters`` only, names every column of
            ``columns``, and has an ORDER BY that leaves nothing to chance: two reports over the same data are equal.
        columns: of the query, in order.
        rule: when it fails.
        figures: SQL that gives one row of totals for the summary and the charts; '' for none.
        fix: what to do about an exception.
    """

    key: str
    section: Section
    title: str
    objective: str
    method: str
    population: str
    query: str
    columns: tuple[Column, ...]
    rule: Rule
    figures: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class AuditPeriod:
    """The period of a report, and its cut-off.

    Attributes:
        label: ``2026-10`` or, of the company's own calendar (F0008), ``2026-P10``.
        first, last: its days; the cut-off is the end of ``last`` by G/L date.
        timezone: the connection's zone: of BILL's process dates and of run times.
        start: the connection's start: before it nothing was brought to BILL.
        companies: of the connection.
        post_when: the first state of a payment in BILL that the connection posts to JDE.
    """

    label: str
    first: date
    last: date
    timezone: str
    start: date
    companies: tuple[str, ...]
    post_when: str = "PROCESSED"

    def parameters(self, connection: str) -> dict[str, Any]:
        """The parameters of every query: connection, period, first, last, timezone, start, companies, post_when."""
        return {
            "connection": connection,
            "period": self.label,
            "first": self.first,
            "last": self.last,
            "timezone": self.timezone,
            "start": self.start,
            "companies": list(self.companies),
            "post_when": self.post_when,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What a procedure found.

    Attributes:
        outcome: ``passed``, ``failed`` or ``evidence``.
        population: how many were examined.
        rows: how many rows its query gave.
        exceptions: how many of them are exceptions.
        figures: totals; amounts are Decimal.
    """

    procedure: Procedure
    outcome: str
    population: int
    rows: int
    exceptions: int
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A stored report: who, what, when, and the results in the order of the report.

    Attributes:
        header: everything else that the cover says: extract times and row counts per table, parameters, the journal's
            head, the as-of rule.
        read_rows: gives the rows of a procedure one after the other, as they are stored; amounts are Decimal, dates
            and times ISO text.
    """

    id: int
    connection: str
    period: AuditPeriod
    run_id: str
    code_version: str
    created_at: datetime
    header: dict[str, Any]
    results: tuple[Result, ...]
    read_rows: Callable[[str], Any]
