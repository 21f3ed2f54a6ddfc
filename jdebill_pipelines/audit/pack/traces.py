"""Documents that occur in exceptions, followed from end to end: a second page, and the links to it.

Belongs here: which keys are followed, and the page. Does not belong here: following a document (audit/trace.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jdebill_pipelines.audit.model import Report
from jdebill_pipelines.audit.pack.page import environment, look

TRACE_PAGE = "trace.html"
MOST_TRACES = 300
_SAFE = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True, slots=True)
class Traced:
    """A step of a chain: a document or an event, what is known of it, and what followed from it.

    Attributes:
        title: what it is, with its key.
        facts: names and values, as people read them.
        followed: the steps after it.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    followed: tuple[Traced, ...] = ()


TraceOf = Callable[[str], "tuple[Traced, ...]"]


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

    def link(self, key: str, exception: bool) -> str:
        """Return the address of a key's chain, '' when it has none.

        Args:
            key: as the row has it.
            exception: the row is one; the keys of other rows are links only when an exception had them before.
        """
        if self._trace_of is None:
            return ""
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
