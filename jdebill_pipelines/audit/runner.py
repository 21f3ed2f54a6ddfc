"""Computing a report and reading it again.

Belongs here: one transaction from the header to the last procedure. Does not belong here: any procedure.

Everything is computed inside PostgreSQL, in one transaction with one snapshot of the data (REPEATABLE READ): the
procedures of a report cannot contradict one another, and the memory of this process does not grow with the month.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

import jdebill_pipelines
from jdebill_pipelines.audit.model import AuditPeriod, Procedure, Report, Result, Rule
from jdebill_pipelines.audit.period import audit_period
from jdebill_pipelines.audit.procedures import PROCEDURES
from jdebill_pipelines.audit.sources import sources_of
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain.tables import AUDITED
from jdebill_pipelines.steps.context import StepContext
from jdebill_pipelines.store.audit import StoredReport
from jdebill_pipelines.store.store import Store

AS_OF_RULE = (
    "Open amount = gross + adjustments - payments, each counted when its G/L date is not after the cut-off; a void by "
    "its own G/L date (F0413.VDGJ). Open amounts and pay statuses of today are not used, so a past period gives the "
    "same figures whenever it is reported (JD Edwards, as-of processing)."
)


class LedgersNotRead(ValueError):
    """There is no copy of JDE's ledgers yet: a report of nothing would agree with itself."""


# Hash joins over whole ledgers, within bounds: a join that does not fit goes to disk. PostgreSQL cannot know how many
# rows the parts of a procedure will have; where it takes many for few, a nested loop compares every one with every one.
_SETTINGS = ("SET LOCAL work_mem = '16MB'", "SET LOCAL jit = off", "SET LOCAL enable_nestloop = off")


def run_report(
    source: StepContext | Store,
    connection: Connection,
    period: AuditPeriod | str,
    run_id: str = "",
    code_version: str = "",
    procedures: Sequence[Procedure] = PROCEDURES,
) -> Report:
    """Compute a report and store it; the rows of older reports of the period are replaced.

    Args:
        source: the store of the connection, or the context of a step.
        connection: its configuration.
        period: of the report, or its label.
        run_id: who computes; '' makes one up.
        code_version: '' is this code's.
        procedures: in the order of the report.

    Raises:
        UnknownPeriod: the label names no period.
        LedgersNotRead: the copies of JDE's ledgers are missing.
    """
    store = source.store if isinstance(source, StepContext) else source
    if isinstance(source, StepContext) and not run_id:
        run_id = source.run_id
    chosen = audit_period(store, connection, period) if isinstance(period, str) else period
    missing = [table.name for table in AUDITED.values() if store.staging.last_extraction(table) is None]
    if missing:
        raise LedgersNotRead(
            f"{', '.join(missing)} of JD Edwards were never read for the audit: materialize audit/month_end first"
        )
    refresh_statistics(store)
    parameters = chosen.parameters(store.connection)
    with store.engine.connect() as plain:
        tx = plain.execution_options(isolation_level="REPEATABLE READ")
        with tx.begin():
            for setting in _SETTINGS:
                tx.exec_driver_sql(setting)
            report_id = store.audit.create(
                tx,
                chosen.label,
                chosen.first,
                chosen.last,
                run_id=run_id or f"audit-{uuid.uuid4().hex[:12]}",
                code_version=code_version or jdebill_pipelines.CODE_VERSION,
                header=_header(tx, store, chosen),
            )
            for ordinal, procedure in enumerate(procedures, start=1):
                _perform(tx, store, report_id, ordinal, procedure, parameters)
    report = load_report(store, connection, chosen.label)
    assert report is not None
    return report


def load_report(store: Store, connection: Connection, label: str) -> Report | None:
    """Return the latest stored report of a period, None when there is none.

    Results of procedures that the code does not know any more are left out.
    """
    stored = store.audit.latest(label.strip().upper())
    return None if stored is None else _report(store, connection, stored)


def _report(store: Store, connection: Connection, stored: StoredReport) -> Report:
    known = {procedure.key: procedure for procedure in PROCEDURES}
    parameters = stored.header.get("parameters", {})
    period = AuditPeriod(
        label=stored.period,
        first=stored.first_day,
        last=stored.last_day,
        timezone=parameters.get("timezone", connection.timezone),
        start=connection.start_date,
        companies=tuple(parameters.get("companies", connection.jde.companies)),
        post_when=parameters.get("post_when", connection.sync.post_when),
    )
    return Report(
        id=stored.id,
        connection=store.connection,
        period=period,
        run_id=stored.run_id,
        code_version=stored.code_version,
        created_at=stored.created_at,
        header=stored.header,
        results=tuple(
            Result(
                procedure=known[row.procedure],
                outcome=row.outcome,
                population=row.population,
                rows=row.row_count,
                exceptions=row.exceptions,
                figures=row.figures,
            )
            for row in store.audit.results(stored.id)
            if row.procedure in known
        ),
        read_rows=lambda key: store.audit.rows(stored.id, key),
    )


def _perform(
    tx: sa.Connection,
    store: Store,
    report_id: int,
    ordinal: int,
    procedure: Procedure,
    parameters: dict[str, Any],
) -> None:
    rows = store.audit.fill(tx, report_id, procedure.key, procedure.query, parameters)
    population = int(tx.execute(sa.text(procedure.population), parameters).scalar_one() or 0)
    exceptions = store.audit.exceptions(tx, report_id, procedure.key, flagged=procedure.rule is Rule.FLAGGED)
    if procedure.rule is Rule.EVIDENCE:
        exceptions, outcome = 0, "evidence"
    else:
        outcome = "failed" if exceptions else "passed"
    figures: dict[str, Any] = {}
    if procedure.figures:
        figures = {str(k): v for k, v in tx.execute(sa.text(procedure.figures), parameters).mappings().one().items()}
    store.audit.add_result(
        tx,
        report_id,
        ordinal,
        procedure.key,
        outcome=outcome,
        population=population,
        rows=rows,
        exceptions=exceptions,
        figures=figures,
    )


def _header(tx: sa.Connection, store: Store, period: AuditPeriod) -> dict[str, Any]:
    head = store.journal.head(tx)
    parameters = period.parameters(store.connection)
    return {
        "as_of_rule": AS_OF_RULE,
        "cut_off": f"{period.last.isoformat()} 24:00 {period.timezone}, by G/L date and by BILL's process date",
        "parameters": {
            name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in parameters.items()
        },
        "journal": {"seq": head.seq, "hash": head.hash},
        "sources": sources_of(tx, store.connection),
    }


def refresh_statistics(store: Store) -> None:
    """Let PostgreSQL look at what the last run loaded: without that it plans joins for empty tables."""
    tables = [table.staging_name for table in AUDITED.values()]
    tables += ["bill_payments", "bill_payment_lines", "bill_bills", "bill_vendors", "bill_payment_status_history"]
    tables += ["links", "writes", "drafts"]
    with store.engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        for table in tables:
            connection.exec_driver_sql(f"ANALYZE jdebill.{table}")
