"""What the demo shows: chapters for people, one object for programs.

Belongs here: rendering. Does not belong here: what happened (demo.py, demo_payments.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

from jdebill_pipelines.cli import ports
from jdebill_pipelines.cli.demo_clerk import Way
from jdebill_pipelines.cli.demo_payments import WayBack
from jdebill_pipelines.cli.demo_tie_out import Line
from jdebill_pipelines.cli.fates import Fate
from jdebill_pipelines.cli.output import money, note, print_table, stdout, totals_in_words
from jdebill_pipelines.cli.sync import print_assets, summary_as_data

_PAYMENTS = ("bill/payments", "sync/posting_drafts", "jde/postings")
_WRITTEN = ("bill/vendors", "bill/accounts", "bill/departments", "bill/bills", "jde/postings")
_WRITES = ("created", "updated", "archived", "posted", "reversed")
_SHOWN_SUPPLIERS = 10


def chapter(number: int, title: str) -> None:
    """Print a heading."""
    click.echo()
    stdout().print(Text(f"{number}. {title}", style="bold"))


def print_documents(name: str, first: ports.SyncSummary, second: ports.SyncSummary, became: Sequence[Fate]) -> None:
    """Print the way to BILL: the run, the run after it, and the documents that need care."""
    chapter(1, "Suppliers and documents go to BILL")
    print_assets(name, first)
    _print_failure(first)
    chapter(2, "The same again: nothing has changed, nothing is written")
    written = {f"{path} {what}": n for path in _WRITTEN for what, n in _writes(second, path).items()}
    click.echo(", ".join(f"{n:,} {what}" for what, n in written.items()) or "Nothing was written.")
    _print_failure(second)
    chapter(3, "Documents that need care, and what became of them")
    print_table(
        ["Document", "Case", "Became", "Why"],
        [(f.key, f.case, f.outcome or "?", f.reason if f.outcome in ("held", "not due") else f.why) for f in became],
    )
    for fate in became:
        if not fate.as_expected:
            note(f"Not as expected: {fate.key} ({fate.case}) is {fate.outcome or '?'}, not {fate.expected}.")


def print_way_back(name: str, found: WayBack) -> None:
    """Print the way back: the clerk, the webhooks, the postings, the void, the comparison."""
    chapter(4, "The AP clerk pays in BILL")
    print_table(
        ["Bills paid", "Bills", "Payments", "Amount"],
        [(way.name, way.bills, len(way.payments), totals_in_words(way.totals)) for way in found.ways],
        right=["Bills", "Payments"],
    )
    chapter(5, "BILL tells of it, and the payments return to JD Edwards")
    click.echo(f"{found.paid.sent:,} signed webhooks to {found.url}: {found.paid.stored:,} verified and stored.")
    print_assets(name, found.posted, titled=False)
    _print_failure(found.posted)
    if found.reversed is None or found.voided is None:
        return
    chapter(6, "One payment is voided in BILL, and taken back in JD Edwards")
    print_table(
        [f"Voucher {found.voucher}", "Payment in BILL", "Open in JD Edwards", "Paid in JD Edwards"],
        [(m.when, m.state, money(m.open, found.currency), money(m.paid, found.currency)) for m in found.moments],
        right=["Open in JD Edwards", "Paid in JD Edwards"],
    )
    _print_failure(found.reversed)
    chapter(7, "What BILL paid, and what JD Edwards' tables say was paid")
    print_table(
        ["Currency", "Suppliers", "Payments", "BILL", "F0414 payments", "F0911 bank account", "Equal"],
        [
            (
                line.currency,
                line.suppliers,
                line.payments,
                money(line.bill, line.currency),
                money(line.payments_table, line.currency),
                money(line.ledger, line.currency),
                line.equal,
            )
            for line in found.lines
        ],
        right=["Suppliers", "Payments", "BILL", "F0414 payments", "F0911 bank account"],
    )
    for line in found.lines:
        if line.differing:
            shown = ", ".join(line.differing[:_SHOWN_SUPPLIERS])
            note(f"Not equal: {line.currency}, {len(line.differing)} supplier(s): {shown}")
    if found.equal:
        click.echo("Equal to the cent, in total and for every supplier, after the void.")


def as_data(
    suppliers: int, first: ports.SyncSummary, second: ports.SyncSummary, became: Sequence[Fate], back: WayBack | None
) -> dict[str, Any]:
    """Return everything for JSON."""
    return {
        "suppliers": suppliers,
        "first": summary_as_data(first),
        "second": summary_as_data(second),
        "awkward": [{**asdict(fate), "as_expected": fate.as_expected} for fate in became],
        "way_back": None if back is None else _way_back_data(back),
    }


def _way_back_data(found: WayBack) -> dict[str, Any]:
    return {
        "webhook_url": found.url,
        "clerk": [_way_data(way) for way in found.ways],
        "webhooks": {"paid": asdict(found.paid), "voided": None if found.voided is None else asdict(found.voided)},
        "posted": summary_as_data(found.posted),
        "void": {
            "voucher": found.voucher,
            "currency": found.currency,
            "moments": [asdict(moment) for moment in found.moments],
            "taken_back": found.taken_back,
        },
        "reversed": None if found.reversed is None else summary_as_data(found.reversed),
        "ledger": [_line_data(line) for line in found.lines],
        "equal": found.equal,
    }


def _way_data(way: Way) -> dict[str, Any]:
    return {"way": way.name, "bills": way.bills, "payments": len(way.payments), "totals": way.totals}


def _line_data(line: Line) -> dict[str, Any]:
    return {**asdict(line), "equal": line.equal}


def _writes(summary: ports.SyncSummary, path: str) -> dict[str, int]:
    counts = summary.results[path].counts if path in summary.results else {}
    return {what: n for what, n in counts.items() if what in _WRITES and n}


def _print_failure(summary: ports.SyncSummary) -> None:
    for path, result in summary.results.items():
        for line in result.needs_person:
            click.echo(f"Needs a person: {path}: {line}")
    if summary.error:
        note(f"Failed: {summary.error}")
