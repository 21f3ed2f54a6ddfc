"""From what a run left behind to alerts: failed checks, failed runs, held documents, work that was given up.

Belongs here: names of causes and words. Does not belong here: finding them (orchestration), windows (store), sending.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jdebill_pipelines.domain.alerts import MAX_ROWS, AlertContent, fingerprint, rows_of
from jdebill_pipelines.store.due import DueWork
from jdebill_pipelines.store.quarantine import HeldRow

ENGINEERS = "team:data-engineering"
# What differs from one occurrence of a cause to the next: ids, numbers, times, quoted values.
_CHANGING = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{12,}\b|\d+|'[^']*'|\"[^\"]*\"")
_CAUSE_LENGTH = 120
_MESSAGE_LENGTH = 600


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert to be offered: the name of its cause, one line, and the content."""

    fingerprint: str
    subject: str
    content: AlertContent


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that failed in a run.

    Attributes:
        asset: path without the connection, such as ``sync/bill_drafts``.
        severity: ``ERROR`` or ``WARN``.
        total: failing rows in all; 0 when the check does not say.
    """

    asset: str
    name: str
    summary: str
    severity: str
    owner: str = ENGINEERS
    rows: Sequence[Mapping[str, Any]] = ()
    total: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FailedStep:
    """A step that raised: its name, the error's class and text."""

    step: str
    error: str
    message: str


def check_failed(check: FailedCheck, run_id: str) -> Alert:
    """An alert about a failed check, whatever its severity."""
    count = check.total or len(check.rows)
    rows = f" ({count} row{'' if count == 1 else 's'})" if count else ""
    return Alert(
        fingerprint("check", check.asset, check.name),
        f"check failed: {check.asset} {check.name}{rows}",
        AlertContent(
            what=check.summary or "The check failed.",
            where=f"{check.asset}, check {check.name}, {check.severity.lower()}",
            fix=_advice(check.rows),
            owner=check.owner,
            rows=rows_of(check.rows),
            total=count,
            run_id=run_id,
            facts=dict(check.facts),
        ),
    )


def run_failed(job: str, run_id: str, steps: Sequence[FailedStep], message: str) -> Alert:
    """An alert about a failed run; the cause is the first error without what changes from run to run."""
    first = steps[0] if steps else FailedStep("", "", message)
    text = _short(first.message) or "no message"
    where = f"job {job}" + (f", step {first.step}" if first.step else "")
    return Alert(
        fingerprint("run", first.error or "run", cause_of(first.message)),
        f"run failed: {job}" + (f", {first.step}" if first.step else ""),
        AlertContent(
            what=f"{first.error}: {text}" if first.error else text,
            where=where,
            fix="Open the run, correct the cause, then re-execute it. Nothing is written twice.",
            owner=ENGINEERS,
            rows=rows_of([{"step": s.step, "error": s.error, "message": _short(s.message)} for s in steps]),
            total=len(steps),
            run_id=run_id,
        ),
    )


def run_canceled(job: str, run_id: str) -> Alert:
    """An alert about a run that was canceled."""
    return Alert(
        fingerprint("run", "canceled", job),
        f"run canceled: {job}",
        AlertContent(
            what="A run was canceled; what it had not done yet is not done.",
            where=f"job {job}",
            fix="If nobody meant it, re-execute the run. Nothing is written twice.",
            owner=ENGINEERS,
            run_id=run_id,
        ),
    )


def quarantine_grew(gate: str, held: Sequence[HeldRow], run_id: str, *, owner: str) -> Alert:
    """An alert about documents that a run put into the quarantine."""
    documents = len({(row.kind, row.natural_key) for row in held})
    rows = [
        {
            "document": row.natural_key,
            "party": row.party,
            "amount": row.amount,
            "currency": row.currency,
            "line": row.line,
            "field": row.field,
            "value": row.value,
            "reason": row.reason,
            "fix": row.fix,
        }
        for row in held
    ]
    return Alert(
        fingerprint("quarantine", gate),
        f"{documents} document{'' if documents == 1 else 's'} held: {gate}",
        AlertContent(
            what=f"{documents} document(s) of {gate} are held back and not written.",
            where=f"quarantine of {gate}",
            fix="See all causes with: jdebill quarantine list. Corrected documents leave by themselves.",
            owner=owner,
            rows=rows_of(rows),
            total=len(rows),
            run_id=run_id,
        ),
    )


def work_given_up(work: DueWork) -> Alert:
    """An alert about due work that failed so often that it is not tried again by itself."""
    facts = {"months": ", ".join(work.periods), "last error": _short(work.last_error), "due since": f"{work.oldest}"}
    return Alert(
        fingerprint("due", work.flow),
        f"given up after {work.attempts} attempts: {work.flow}",
        AlertContent(
            what=f"Work of the flow {work.flow} failed {work.attempts} times and is not tried again by itself.",
            where=f"due work {', '.join(str(i) for i in work.ids[:MAX_ROWS])}",
            fix="Correct the cause, then run the months again: jdebill sync NAME --from YYYY-MM --to YYYY-MM.",
            owner=ENGINEERS,
            rows=rows_of([{"id": entity} for entity in work.entities]),
            total=len(work.entities),
            facts={name: value for name, value in facts.items() if value},
        ),
    )


def cause_of(message: str) -> str:
    """A message without what changes from one occurrence to the next."""
    first = next((line.strip() for line in message.splitlines() if line.strip()), "")
    return _CHANGING.sub("#", first)[:_CAUSE_LENGTH]


def _advice(rows: Sequence[Mapping[str, Any]]) -> str:
    """The one fix that all rows have in common; with several, each row says its own."""
    fixes = {str(row["fix"]) for row in rows if row.get("fix")}
    return fixes.pop() if len(fixes) == 1 else "Each row says what to do." if fixes else "Look at the check in the run."


def _short(message: str) -> str:
    text = " ".join(message.split())
    return text if len(text) <= _MESSAGE_LENGTH else text[: _MESSAGE_LENGTH - 1] + "…"
