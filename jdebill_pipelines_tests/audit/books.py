"""Sums over the simulators' own tables, and the rows of a report: what the tests of the audit compare.

Nothing here uses the product's queries: a total that both get wrong in the same way would be two mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from jdebill_pipelines.audit.model import Report
from jdebill_pipelines.steps.ap_ledger import ap_ledger
from jdebill_pipelines.steps.context import Mode
from jdebill_pipelines_tests.payments.loop import D, Loop

Row = dict[str, Any]


def read_ledgers(loop: Loop, *months: str) -> None:
    """Bring the copies of the ledgers up to date, as the audit's asset does first."""
    ap_ledger(loop.context("audit/month_end", Mode.FULL, "audit", months or loop.months))


def rows_of(report: Report, procedure: str) -> list[Row]:
    """All rows of a procedure."""
    return list(report.read_rows(procedure))


def day(value: Any) -> str:
    """A date of the simulator, ``YYYYMMDD``; '' for none."""
    return str(value or "")


def amount(row: Row, item: str) -> Decimal:
    """A number of a row; blank is zero."""
    return D(str(row.get(item) or 0))


def payment_days(loop: Loop) -> dict[tuple[int, str], str]:
    """The G/L date of each payment and void: of its ledger lines, else the void's or the payment's own date."""
    headers = {row["PYID"]: row for row in loop.table("F0413")}
    lines: dict[tuple[int, str], str] = {}
    for row in loop.table("F0911"):
        if row.get("PYID") and row.get("LT") == "AA":
            lines.setdefault((row["PYID"], row["DCT"]), day(row["DGJ"]))
    found = {}
    for pyid, header in headers.items():
        kind = str(header.get("DCTM"))
        found[pyid, kind] = lines.get((pyid, kind), day(header.get("DMTJ")))
        found[pyid, "PO"] = lines.get((pyid, "PO"), day(header.get("VDGJ")))
    return found


def subledger_of(loop: Loop, last: date, company: str = "00001") -> Decimal:
    """What the subledger says is owed at the end of a day, in the company's currency, added up row by row."""
    end, total = f"{last:%Y%m%d}", D(0)
    days = payment_days(loop)
    items: dict[tuple[Any, ...], list[Decimal]] = {}
    vouchers = {}
    for row in loop.table("F0411"):
        key = (row["KCO"], row["DCT"], row["DOC"], row["SFX"])
        if not row.get("SFXE"):
            vouchers[key] = row
        if row["CO"] == company and day(row["DGJ"]) <= end:
            own = amount(row, "ACR" if row.get("CRRM") == "F" else "AG")
            sums = items.setdefault(key, [D(0), D(0)])
            sums[0] += amount(row, "AG")
            sums[1] += own
    for row in loop.table("F0414"):
        key = (row["KCO"], row["DCT"], row["DOC"], row["SFX"])
        if row["CO"] != company or days[row["PYID"], row["DCTM"]] > end:
            continue
        voucher = vouchers[key]
        sums = items.setdefault(key, [D(0), D(0)])
        if voucher.get("CRRM") == "F":
            own = amount(row, "PFAP") + amount(row, "CDSA")
            sums[1] -= own
            sums[0] -= (own * amount(voucher, "CRR")).quantize(D("0.01"))
        else:
            sums[0] -= amount(row, "PAAP") + amount(row, "ADSA")
            sums[1] -= amount(row, "PAAP") + amount(row, "ADSA")
    for base, own in items.values():
        total += base if own else D(0)
    return total


def total_of(rows: Iterable[Row], name: str) -> Decimal:
    """The sum of a column of a report."""
    return sum((D(row[name]) for row in rows), D(0))
