"""A chain in words: amounts with their currency, times in UTC and in the connection's zone.

Belongs here: what terminal and page have in common. Does not belong here: how either looks.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from jdebill_pipelines.audit.model import Shape
from jdebill_pipelines.audit.pack.values import people_text
from jdebill_pipelines.audit.tracing.model import Event, Fact, Line, Run, Tie

RUN_LETTERS = 8  # of a run's id, where the whole one is shown below


def amount_words(amount: Decimal | None, currency: str) -> str:
    """Return an amount as people read it, with its currency: ``1,360.10 USD``; '' for none."""
    return "" if amount is None else f"{people_text(amount, Shape.AMOUNT, currency)} {currency}".rstrip()


def time_words(at: datetime, timezone: str) -> str:
    """Return a time in UTC and, when that is another, in a zone: ``2026-11-29 06:22:31 UTC (11-28 23:22 MST)``."""
    utc, local = at.astimezone(UTC), at.astimezone(ZoneInfo(timezone))
    words = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    if local.utcoffset() == utc.utcoffset():
        return words
    day = "" if local.date() == utc.date() else f"{local:%m-%d} "
    return f"{words} ({day}{local:%H:%M} {local:%Z})"


def fact_words(fact: Fact, timezone: str) -> str:
    """Return the value of a fact."""
    value = fact.value
    if isinstance(value, Decimal):
        return amount_words(value, fact.currency)
    if isinstance(value, datetime):
        return time_words(value, timezone)
    return value.isoformat() if isinstance(value, date) else str(value)


def tie_words(tie: Tie | None) -> str:
    """Return how a thing is tied to the one above it, with the amount."""
    if tie is None:
        return ""
    return f"{tie.what} {amount_words(tie.amount, tie.currency)}".strip()


def account_words(line: Line) -> str:
    """Return the account of a line on both sides: ``150.8610 = 8610 Rent, department 150 Legal``."""
    bill = line.bill_account + (f", department {line.department}" if line.department else "")
    return " = ".join(part for part in (line.account, f"BILL {bill}" if bill else "") if part)


def line_words(line: Line) -> str:
    """Return what a line says beside its account and amount."""
    return " \u00b7 ".join(part for part in (line.text, line.why) if part)


def event_words(event: Event) -> str:
    """Return what happened, by whom, in which run and why."""
    by = f" by {event.who}" if event.who else ""
    amount = f" {amount_words(event.amount, event.currency)}" if event.amount is not None else ""
    known = [f"run {event.run_id[:RUN_LETTERS]}"] if event.run_id else []
    known += [f"journal entry {event.journal}"] if event.journal else []
    within = f" ({', '.join(known)})" if known else ""
    return f"{event.what}{amount}{by}{within}" + (f": {event.why}" if event.why else "")


def run_words(run: Run, timezone: str) -> str:
    """Return who ran what, when, with which code, and how it ended."""
    by = f" by {run.actor}" if run.actor else ""
    return (
        f"{run.run_id} {run.flow} {run.mode}{by}, {time_words(run.started_at, timezone)}, "
        f"code {run.code_version or 'unknown'}, {run.status}"
    )
