"""What a report says, as pairs of kind and document, and the table of what finds what.

Belongs here: reading reports. Does not belong here: faults.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jdebill_pipelines.audit.model import Report
from jdebill_pipelines.audit.pack.values import is_exception

Row = dict[str, Any]
Exceptions = Mapping[str, Sequence[Row]]
Finding = tuple[str, str]


class Reading(NamedTuple):
    """How exceptions of a procedure are read: as this kind, of what this column names, if they say this text."""

    procedure: str
    kind: str
    column: str
    text: str = ""


# What each procedure is there to find. Kinds that nobody planted are named too: the report must not say them.
READINGS = (
    Reading("posted_twice", "posted twice", "payment_id"),
    Reading("wrong_amounts", "wrong amount", "payment_id"),
    Reading("wrong_periods", "wrong period", "payment_id"),
    Reading("missing_postings", "missing posting", "payment_id"),
    Reading("voids", "voided in BILL only", "payment_id", "voided in BILL only"),
    Reading("voids", "voided in JDE only", "payment_id", "voided in JD Edwards only"),
    Reading("deleted_vouchers", "deleted unposted voucher", "document"),
    Reading("edited_after_approval", "edited after approval", "document"),
    Reading("duplicate_invoices", "disguised duplicate", "document", "same number, written differently"),
    Reading("closed_periods", "closed period", "document"),
    Reading("vendor_changes", "changed vendor bank", "vendor_id", "bank account changed"),
    Reading("journal_intact", "tampered journal row", "entry"),
    Reading("duplicate_invoices", "same number", "document", "same number"),
    Reading("duplicate_invoices", "same amount", "document", "same amount, near date"),
    Reading("vendor_changes", "changed vendor", "vendor_id"),
    Reading("voids", "void to look at", "payment_id"),
    Reading("unbacked_postings", "posting without a payment", "jde_document"),
    Reading("payments_to_decide", "payment to decide", "payment_id"),
    Reading("suppliers_alike", "suppliers alike", "numbers"),
    Reading("duties_in_bill", "duties", "payment_id"),
    Reading("duties_in_jde", "duties", "payment"),
    Reading("gate_bypass", "gate bypass", "document"),
    Reading("unknown_writes", "unknown write", "document"),
)
# Where a fault shows as well, because it puts something out of balance: what these name must be what was touched.
CONSEQUENCES = {
    "three_sided_items": ("document",),
    "batches_to_ledger": ("batch_type", "batch"),
    "integrity_items": ("document",),
    "integrity_payments": ("payment",),
    "integrity_batches": ("batch_type", "batch"),
}
# And in which totals.
TOTALS = ("tie_out", "three_sided")


def exceptions_of(report: Report) -> dict[str, list[Row]]:
    """The exceptions of each procedure: reports of a period replace one another, so they are kept."""
    return {
        result.procedure.key: [
            row for row in report.read_rows(result.procedure.key) if is_exception(row, result.procedure.rule)
        ]
        for result in report.results
        if result.outcome == "failed"
    }


def new_exceptions(before: Exceptions, after: Exceptions) -> dict[str, list[Row]]:
    """What a later report says more."""
    more = {key: [row for row in rows if row not in before.get(key, ())] for key, rows in after.items()}
    return {key: rows for key, rows in more.items() if rows}


def findings(exceptions: Exceptions) -> Counter[Finding]:
    """What the procedures found, each exception as the first kind that it can be."""
    return Counter((reading.kind, str(row[reading.column])) for reading, row in _read(exceptions))


def consequences(exceptions: Exceptions) -> set[str]:
    """The documents and batches that are out of balance."""
    return {
        " ".join(str(row[column]) for column in columns)
        for key, columns in CONSEQUENCES.items()
        for row in exceptions.get(key, ())
    }


def table(planted: Mapping[str, Sequence[str]], exceptions: Exceptions, titles: Mapping[str, str]) -> list[str]:
    """Markdown: each kind of fault, how many were planted, how many of them were found, and by which procedure.

    Args:
        planted: keys by kind, in the order of the table.
        exceptions: of the report.
        titles: of its procedures by key.
    """
    lines = ["| Fault | Planted | Found | Found by |", "|---|---|---|---|"]
    total = 0
    for kind, keys in planted.items():
        found = [(reading, row) for reading, row in _read(exceptions) if reading.kind == kind]
        hits = len({str(row[reading.column]) for reading, row in found} & set(keys))
        by = ", ".join(f"{titles[key]} (`{key}`)" for key in sorted({reading.procedure for reading, _ in found}))
        lines.append(f"| {kind} | {len(keys)} | {hits} | {by} |")
        total += hits
    return [*lines, f"| **all** | **{sum(map(len, planted.values()))}** | **{total}** | |"]


def _read(exceptions: Exceptions) -> Iterable[tuple[Reading, Row]]:
    for key, rows in exceptions.items():
        for row in rows:
            told = str(row.get("exception", ""))
            yield from [(r, row) for r in READINGS if r.procedure == key and told.startswith(r.text)][:1]
