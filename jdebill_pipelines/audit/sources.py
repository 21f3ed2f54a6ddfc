"""What a report was computed from: when each copy was made, how many rows it has, what they add up to.

Belongs here: the table of sources on the cover. Does not belong here: making the copies (steps/ap_ledger.py).
"""

# ruff: noqa: S608 - names of our own tables
from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from jdebill_pipelines.domain.tables import AUDITED
from jdebill_pipelines.store.schema.mirror import MIRROR

# The column whose sum is the control total of a table: all currencies together, to be compared and not to be read.
_CONTROLS = {"F0411": "ag", "F0911": "aa", "F0413": "paap", "F0414": "paap"}
_BILL_CONTROLS = {"bills": "amount", "payments": "amount"}
_BILL = ("vendors", "bills", "vendor_credits", "payments")


def sources_of(tx: sa.Connection, connection: str) -> list[dict[str, Any]]:
    """Return one row per table: system, rows, control total, when it was read last and how.

    Args:
        tx: the transaction of the report, so that the totals are of the rows that the procedures see.
        connection: whose copies.
    """
    return [*_jde(tx, connection), *_bill(tx, connection)]


def _jde(tx: sa.Connection, connection: str) -> list[dict[str, Any]]:
    found = []
    for name, table in AUDITED.items():
        total = f"sum({_CONTROLS[name]})" if name in _CONTROLS else "NULL::numeric"
        row = tx.execute(
            sa.text(f"SELECT count(*), {total} FROM jdebill.{table.staging_name} WHERE connection = :connection"),
            {"connection": connection},
        ).one()
        log = tx.execute(
            sa.text(
                "SELECT max(extracted_at), max(extracted_at) FILTER (WHERE watermark = 'whole') "
                "FROM jdebill.extractions WHERE connection = :connection AND table_name = :name"
            ),
            {"connection": connection, "name": table.log_name},
        ).one()
        found.append(_row("JD Edwards", name, row[0], row[1], log[0], log[1]))
    return found


def _bill(tx: sa.Connection, connection: str) -> list[dict[str, Any]]:
    found = []
    for kind in _BILL:
        total = f"sum({_BILL_CONTROLS[kind]})" if kind in _BILL_CONTROLS else "NULL::numeric"
        row = tx.execute(
            sa.text(
                f"SELECT count(*), {total}, max(seen_at) FROM jdebill.{MIRROR[kind].name} "
                "WHERE connection = :connection"
            ),
            {"connection": connection},
        ).one()
        found.append(_row("BILL", kind.replace("_", " "), row[0], row[1], row[2], None))
    return found


def _row(system: str, table: str, rows: int, total: Any, read: Any, whole: Any) -> dict[str, Any]:
    return {
        "system": system,
        "table": table,
        "rows": rows,
        "control_total": "" if total is None else format(total, "f"),
        "read_last": "" if read is None else f"{read:%Y-%m-%d %H:%M:%S}Z",
        "read_whole": "" if whole is None else f"{whole:%Y-%m-%d %H:%M:%S}Z",
    }
