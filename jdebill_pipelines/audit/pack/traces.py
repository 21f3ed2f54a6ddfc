"""Documents that occur in exceptions, followed from end to end: a second page, and the links to it.

Belongs here: which keys are followed, and the page. Does not belong here: following a document (audit/trace.py).

A chain is shown as it is known when the pack is written: it may go on after the period.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jdebill_pipelines.audit.model import Report
from jdebill_pipelines.audit.pack.page import environment, look
from jdebill_pipelines.audit.trace import Tracer
from jdebill_pipelines.audit.tracing.follow import PAYMENT_ID
from jdebill_pipelines.audit.tracing.keys import JOURNAL
from jdebill_pipelines.audit.tracing.model import Kind, Ref, Trace
from jdebill_pipelines.audit.tracing.tree import Step, tree_of
from jdebill_pipelines.audit.tracing.words import (
    account_words,
    amount_words,
    event_words,
    fact_words,
    line_words,
    tie_words,
    time_words,
)

TRACE_PAGE = "trace.html"
MOST_TRACES = 300
MOST_CHAINS = 3  # of a key that names several things
# Columns whose keys are numbers that other things have as well.
_EXACT = {"entry": JOURNAL, "journal": JOURNAL, "supplier": Kind.SUPPLIER, "vendor_id": Kind.VENDOR}
_SAFE = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True, slots=True)
class Traced:
    """A step of a chain: a document or an event, what is known of it, and what followed from it.

    Attributes:
        title: what it is, with its key.
        facts: names and values, as people read them.
        followed: the steps after it.
        tie: how it is tied to the step before.
        lines: of the document: name, amount, account on both sides, words.
        events: time and what happened.
        notes: what could not be found.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    followed: tuple[Traced, ...] = ()
    tie: str = ""
    lines: tuple[tuple[str, str, str, str], ...] = ()
    events: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


TraceOf = Callable[[str], "tuple[Traced, ...]"]


def chains_of(tracer: Tracer) -> TraceOf:
    """Return what follows keys by a tracer; a chain is followed once, whichever of its members is asked for."""
    known: dict[str, tuple[Traced, ...]] = {}

    def follow(key: str) -> tuple[Traced, ...]:
        if key not in known:
            traces = tracer.traces(key)[:MOST_CHAINS]
            known[key] = tuple(_traced(step, trace) for trace in traces for step in tree_of(trace))
            if len(traces) == 1 and not any(ref.kind.is_party for ref in traces[0].asked):
                for ref in traces[0].nodes:
                    known.setdefault(_name(ref), known[key])
        return known[key]

    return follow


def _name(ref: Ref) -> str:
    """The key as rows of a report have it; the number of a party names other things as well."""
    return f"{PAYMENT_ID}{ref.key}" if ref.kind is Kind.JDE_PAYMENT else str(ref) if ref.kind.is_party else ref.key


def _traced(step: Step, trace: Trace) -> Traced:
    node, zone = step.node, trace.timezone
    followed = tuple(_traced(below, trace) for below in step.followed)
    if step.again:
        return Traced(node.title, (("Facts", "as above"),), followed, tie_words(step.tie))
    return Traced(
        node.title,
        tuple((fact.title, fact_words(fact, zone)) for fact in node.facts),
        followed,
        tie_words(step.tie),
        tuple((x.line, amount_words(x.amount, x.currency), account_words(x), line_words(x)) for x in node.lines),
        tuple(("" if e.at is None else time_words(e.at, zone), event_words(e)) for e in node.events),
        node.notes,
    )


class TraceLinks:
    """Follows the keys of exceptions as they come, and remembers where each is on the page.

    Args:
        trace_of: gives the chain that a key belongs to, nothing for a key that nobody knows.
        most: keys that are followed; those after them are no links.
    """

    def __init__(self, trace_of: TraceOf | None, most: int = MOST_TRACES) -> None:
        self._trace_of = trace_of
        self._most = most
        self._found: dict[str, tuple[Traced, ...]] = {}

    def link(self, key: str, exception: bool, column: str = "") -> str:
        """Return the address of a key's chain, '' when it has none.

        Args:
            key: as the row has it.
            exception: the row is one; the keys of other rows are links only when an exception had them before.
            column: that it stands in, which may say what it is a key of.
        """
        if self._trace_of is None:
            return ""
        key = f"{_EXACT[column]}:{key}" if column in _EXACT else key
        if key not in self._found and exception and len(self._found) < self._most:
            self._found[key] = self._trace_of(key)
        return f"{TRACE_PAGE}#{_anchor(key)}" if self._found.get(key) else ""

    def chains(self) -> list[tuple[list[tuple[str, str]], tuple[Traced, ...]]]:
        """Return each chain once, with the anchors and the keys that lead to it."""
        grouped: dict[tuple[Traced, ...], list[tuple[str, str]]] = {}
        for key, chain in self._found.items():
            if chain:
                grouped.setdefault(chain, []).append((_anchor(key), key))
        return [(keys, chain) for chain, keys in grouped.items()]

    def write(self, path: Path, report: Report) -> bool:
        """Write the page; False, and no file, when there is nothing to show."""
        chains = self.chains()
        if not chains:
            return False
        title = f"Traced documents {report.connection} {report.period.label}"
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.writelines(
                environment()
                .get_template("trace.html.j2")
                .generate(**look(title, script=False), report=report, chains=chains)
            )
        return True


def _anchor(key: str) -> str:
    """An anchor that needs no escaping in an address; different keys have different ones."""
    return "k-" + _SAFE.sub(lambda found: f"_{ord(found[0]):x}_", key)
