"""What the top of the page says: matched or not and by how much, the small tables, the charts, the cover.

Belongs here: what is taken from which procedure's rows as they go by. Does not belong here: markup, geometry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jdebill_pipelines.audit.model import Column, Procedure, Report, Result, Section, Shape
from jdebill_pipelines.audit.pack.charts import Chart
from jdebill_pipelines.audit.pack.glance import Glance
from jdebill_pipelines.audit.pack.sample import SampledRow
from jdebill_pipelines.audit.pack.values import Value, exact_text, people_text, typed
from jdebill_pipelines.domain.money import ISO_DECIMALS
from jdebill_pipelines.store.journal import Head

# Shown in the summary, per company and currency, with these of their columns.
SUMMARY_PROCEDURES = {
    "tie_out": ("company", "currency", "subledger", "gl_control", "difference", "unexplained", "exception"),
    "three_sided": (
        "company",
        "currency",
        "jde_open",
        "bill_open",
        "difference",
        "in_transit",
        "timing",
        "unexplained",
        "exception",
    ),
}
_SUMMARY_ROWS = 40
_COVER_WORDS = {"journal": "Journal's end when computed", "cut_off": "Cut-off", "as_of_rule": "As-of rule"}
_FIRST_COLUMNS = ("system", "table", "name")  # of a table of the header; JSON does not keep the order
_BY_HOW_MUCH = ("unexplained", "difference")  # the first of these that a tie-out has says by how much it fails

Table = tuple[str, str, Sequence[Column], Sequence[SampledRow], int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first thing that a controller reads; ``tone`` is good, warn or bad."""

    tone: str
    headline: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with its label."""

    value: str
    label: str
    bad: bool = False


class Overview:
    """Collects what the summary says while the rows of the procedures go by.

    Args:
        report: whose.
        journal: the end of the journal when the pack is made.
    """

    def __init__(self, report: Report, journal: Head) -> None:
        self._report = report
        self._journal = journal
        self._glance = Glance()
        self._tables: dict[str, list[SampledRow]] = {}
        self._seen: Counter[str] = Counter()
        self._off: dict[tuple[str, str, str], Decimal] = {}

    def offer(self, procedure: Procedure, row: Mapping[str, Any], values: Sequence[Value], *, exception: bool) -> None:
        """Look at the next row of a procedure.

        Args:
            procedure: whose.
            row: as it is stored.
            values: typed, in the order of the columns.
            exception: it is one.
        """
        self._seen[procedure.key] += 1
        self._glance.offer(procedure, row, exception=exception)
        if procedure.key in SUMMARY_PROCEDURES:
            kept = self._tables.setdefault(procedure.key, [])
            if len(kept) < _SUMMARY_ROWS:
                kept.append(SampledRow(self._seen[procedure.key], values, exception))
        if procedure.section is Section.TIE_OUT and exception:
            self._note_difference(procedure, row)

    def verdict(self) -> Verdict:
        """Say whether the books match, by how much not, and what else needs a person."""
        ties = [result for result in self._report.results if result.procedure.section is Section.TIE_OUT]
        failed = [result for result in self._report.results if result.outcome == "failed"]
        untied = [result for result in ties if result.outcome == "failed"]
        others = len(failed) - len(untied)
        found = sum(result.exceptions for result in failed)
        rest = f"{found:,} exception{_s(found)} in {len(failed)} of {len(self._report.results)} procedures."
        if untied:
            lines = [
                f"{title}: off by {self._amounts(title)}"
                if self._amounts(title)
                else f"{title}: {count:,} exception{_s(count)}"
                for title, count in ((result.procedure.title, result.exceptions) for result in untied)
            ]
            return Verdict("bad", "Not matched", [*lines, rest])
        matched = "Matched" if ties else "Not tied out"
        words = "The tie-outs agree to the cent for every company and currency." if ties else "No tie-out was made."
        if others:
            return Verdict("warn", f"{matched}, with {found:,} exception{_s(found)}", [words, rest])
        return Verdict("good" if ties else "warn", matched, [words, "Every procedure that can fail has passed."])

    def tiles(self) -> list[Tile]:
        """Give the numbers at the top."""
        outcomes = Counter(result.outcome for result in self._report.results)
        exceptions = sum(result.exceptions for result in self._report.results)
        rows = sum(result.rows for result in self._report.results)
        return [
            Tile(f"{exceptions:,}", "exceptions", bad=bool(exceptions)),
            Tile(f"{outcomes['failed']:,}", "procedures failed", bad=bool(outcomes["failed"])),
            Tile(f"{outcomes['passed']:,}", "procedures passed"),
            Tile(f"{outcomes['evidence']:,}", "tables of evidence"),
            Tile(f"{rows:,}", "rows of evidence in all"),
        ]

    def tables(self) -> list[Table]:
        """Give the procedures that are shown in the summary itself."""
        procedures = {result.procedure.key: result.procedure for result in self._report.results}
        shown = [key for key in SUMMARY_PROCEDURES if key in self._tables]
        return [self._summary_table(procedures[key], self._tables[key]) for key in shown]

    def _summary_table(self, procedure: Procedure, rows: Sequence[SampledRow]) -> Table:
        wanted = SUMMARY_PROCEDURES[procedure.key]
        at = [place for place, column in enumerate(procedure.columns) if column.name in wanted]
        columns = [procedure.columns[place] for place in at]
        chosen = [SampledRow(row.number, [row.values[place] for place in at], row.exception) for row in rows]
        return procedure.key, procedure.title, columns, chosen, self._seen[procedure.key] - len(rows)

    def charts(self) -> list[Chart]:
        """Give the charts that there is something to draw for."""
        return self._glance.charts(self._report.results)

    def cover(self) -> list[tuple[str, str]]:
        """Give what the cover says in pairs: the report, the parameters, the journal, and the header's plain values."""
        report, period = self._report, self._report.period
        return [
            ("Connection", report.connection),
            ("Period", f"{period.label}: {period.first} to {period.last}"),
            ("Companies", ", ".join(period.companies)),
            ("Time zone", period.timezone),
            ("Connection's start", str(period.start)),
            ("Computed", f"{report.created_at:%Y-%m-%d %H:%M:%S} UTC"),
            ("Run", report.run_id or "-"),
            ("Code version", report.code_version or "-"),
            ("Journal's end when packed", _end({"seq": self._journal.seq, "hash": self._journal.hash})),
            ("Payments count from", period.post_when),
            *(
                (_COVER_WORDS.get(name, _words(name)), _end(value) if name == "journal" else _plain(value))
                for name, value in report.header.items()
                if name != "parameters" and not _is_table(value)
            ),
        ]

    def header_tables(self) -> list[Table]:
        """Give what the header has as tables, such as the extracts with their times and row counts."""
        return [_header_table(name, value) for name, value in self._report.header.items() if _is_table(value)]

    def figures(self, result: Result) -> list[tuple[str, str]]:
        """Give the totals of a procedure in words; what is no plain value is left to the charts."""
        plain = ((name, value) for name, value in result.figures.items() if not isinstance(value, dict | list))
        return [(_words(name), _plain(value)) for name, value in plain if value is not None]

    def _note_difference(self, procedure: Procedure, row: Mapping[str, Any]) -> None:
        for name in _BY_HOW_MUCH:
            amount = typed(row.get(name), Shape.AMOUNT)
            if isinstance(amount, Decimal):
                key = (procedure.title, str(row.get("company") or ""), str(row.get("currency") or ""))
                self._off[key] = self._off.get(key, Decimal(0)) + amount
                return

    def _amounts(self, title: str) -> str:
        return "; ".join(
            f"{people_text(amount, Shape.AMOUNT, currency)} {currency}".strip()
            + (f" in company {company}" if company else "")
            for (of, company, currency), amount in sorted(self._off.items())
            if of == title
        )


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _end(head: Mapping[str, Any]) -> str:
    return f"entry {head['seq']:,}, {head['hash']}"


def _words(name: str) -> str:
    """``extracted_at`` reads ``Extracted at``; a currency's code stays as it is."""
    text = name.replace("_", " ").strip()
    return text if text in ISO_DECIMALS else text[:1].upper() + text[1:]


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return people_text(value, Shape.AMOUNT)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, dict):
        return "; ".join(f"{_words(str(name))} {_plain(inner)}" for name, inner in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value) or "-"
    return exact_text(typed(value, Shape.TEXT)) or "-"


def _is_table(value: Any) -> bool:
    """A list of objects, or an object of objects."""
    if isinstance(value, dict):
        return bool(value) and all(isinstance(inner, dict) for inner in value.values())
    return isinstance(value, list) and bool(value) and all(isinstance(inner, dict) for inner in value)


def _header_table(name: str, value: Any) -> Table:
    rows = [{"name": key, **inner} for key, inner in value.items()] if isinstance(value, dict) else value
    names = list(dict.fromkeys(column for row in rows for column in row))
    names.sort(
        key=lambda column: (
            column not in _FIRST_COLUMNS,
            _FIRST_COLUMNS.index(column) if column in _FIRST_COLUMNS else 0,
        )
    )
    columns = [Column(column, _words(column), _shape_of([row.get(column) for row in rows])) for column in names]
    sampled = [
        SampledRow(at, [typed(row.get(column.name), column.shape) for column in columns], False)
        for at, row in enumerate(rows, 1)
    ]
    return "sources", _words(name), columns, sampled, 0


def _shape_of(values: Sequence[Any]) -> Shape:
    """The shape of a header's column: numbers and amounts (decimals as text) are aligned as such."""
    found = [value for value in values if value not in (None, "")]
    if found and all(isinstance(value, int) and not isinstance(value, bool) for value in found):
        return Shape.NUMBER
    amounts = found and all(isinstance(typed(value, Shape.AMOUNT), Decimal) and "." in str(value) for value in found)
    return Shape.AMOUNT if amounts else Shape.TEXT
