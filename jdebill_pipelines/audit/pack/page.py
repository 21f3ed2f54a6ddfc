"""The page: one HTML file that needs nothing else, for the screen and for paper.

Belongs here: rendering. Does not belong here: what the summary says and what is charted (overview.py).

Sections are rendered while the rows go by and wait in a temporary file: the summary, which stands first, is known last.
The page's policy allows its own style and script by their hashes and nothing else; every value is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from jdebill_pipelines.audit.model import Column, Report, Result, Rule, Section, Shape
from jdebill_pipelines.audit.pack.overview import Overview
from jdebill_pipelines.audit.pack.sample import Sample, SampledRow
from jdebill_pipelines.audit.pack.values import CAUSES, RIGHT_ALIGNED, currency_columns, heading, people_text

TEMPLATES = Path(__file__).parent / "templates"
_PRINTED_ROWS, _PRINTED_EXCEPTIONS = 30, 300
_PRINTED_COLUMNS = 14
_LEAST_TELLING = {"e": 0, "r": 1, "d": 1, "n": 2}  # what is wrong first, then amounts and dates, then keys
_RULES = {
    Rule.NO_ROWS: "Every row is an exception.",
    Rule.FLAGGED: "The rows are the whole population; one with a text under Exception is an exception.",
    Rule.EVIDENCE: "The rows are evidence and can be no exception by themselves.",
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # HTML has no place for them
_TIGHT = (Shape.TIME, Shape.KEY)

LinkOf = Callable[[str, bool, str], str]


def environment() -> jinja2.Environment:
    """Return the templates: everything escaped, a missing value an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def look(title: str, *, script: bool) -> dict[str, Any]:
    """Return what the head of a page needs: title, style, and their hashes for the policy.

    Args:
        title: of the page, also at the foot of each printed one.
        script: the page has the script that filters and sorts.
    """
    foot = (
        "@page { @bottom-left { content: %s; font: 7pt sans-serif; color: #55606e } "
        '@bottom-right { content: counter(page) " / " counter(pages); font: 7pt sans-serif; color: #55606e } }'
    )
    css = "\n" + (TEMPLATES / "report.css").read_text("utf-8") + foot % _css_string(title) + "\n"
    js = "\n" + (TEMPLATES / "report.js").read_text("utf-8") if script else ""
    return {
        "title": title,
        "css": Markup(css),  # noqa: S704 - our own file and an escaped title
        "js": Markup(js),  # noqa: S704 - our own file
        "css_hash": _hash(css),
        "js_hash": _hash(js) if script else "",
    }


class ReportPage:
    """Renders the page of a report.

    Args:
        report: whose.
        link_of: gives the address that a key leads to, '' for none; its other arguments tell whether the row is an
            exception, and the column.
    """

    def __init__(self, report: Report, link_of: LinkOf) -> None:
        self._report = report
        self._link_of = link_of
        self._templates = environment()
        self._body = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by close()
        self._section: Section | None = None

    def add(self, result: Result, sample: Sample, figures: Sequence[tuple[str, str]]) -> None:
        """Render the section of a procedure.

        Args:
            result: what it found.
            sample: its rows for the page.
            figures: its totals in words: name and value.
        """
        procedure = result.procedure
        chosen = sample.rows()
        rows, unprinted = self._rows(chosen, procedure.columns)
        new_section = procedure.section is not self._section
        self._section = procedure.section
        self._body.write(
            self._templates.get_template("procedure.html.j2").render(
                procedure=procedure,
                result=result,
                figures=figures,
                rule=_RULES[procedure.rule],
                heads=heads(procedure.columns),
                rows=rows,
                shown=len(chosen),
                missing=sample.seen - len(chosen),
                unprinted=unprinted,
                narrowed=len(procedure.columns) - _PRINTED_COLUMNS,
                new_section=new_section,
            )
        )

    def write(self, path: Path, overview: Overview, *, traced: bool, packed_by: str, public_key: str) -> None:
        """Write the page: summary, sections, foot."""
        report = self._report
        sections: dict[str, list[Result]] = {}
        for result in report.results:
            sections.setdefault(result.procedure.section.value, []).append(result)
        words = look(f"Month-end audit {report.connection} {report.period.label}", script=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            for part in self._templates.get_template("top.html.j2").generate(
                **words,
                report=report,
                sections=list(sections.items()),
                trace=traced,
                verdict=overview.verdict(),
                tiles=overview.tiles(),
                summary_tables=[summary_table(*table) for table in overview.tables()],
                with_exceptions=[result for result in report.results if result.exceptions],
                charts=overview.charts(),
                cover=overview.cover(),
                header_tables=[summary_table(*table) for table in overview.header_tables()],
            ):
                file.write(part)
            self._body.seek(0)
            shutil.copyfileobj(self._body, file)
            foot = self._templates.get_template("bottom.html.j2")
            file.write(foot.render(**words, packed_by=packed_by, public_key=public_key))

    def close(self) -> None:
        """Forget what was rendered."""
        self._body.close()

    def _rows(self, chosen: Sequence[SampledRow], columns: Sequence[Column]) -> tuple[Markup, int]:
        """Return the rows as markup, and how many of them are for the screen only."""
        parts, unprinted, exceptions = [], 0, 0
        currencies = currency_columns(columns)
        for at, row in enumerate(chosen):
            exceptions += row.exception
            printed = at < _PRINTED_ROWS or (row.exception and exceptions <= _PRINTED_EXCEPTIONS)
            unprinted += not printed
            names = ("x " if row.exception else "") + ("" if printed else "s")
            cells = cells_html(row, columns, currencies, self._link_of)
            parts.append(f'<tr class="{names.strip()}">{cells}</tr>\n' if names else f"<tr>{cells}</tr>\n")
        return Markup("".join(parts)), unprinted  # noqa: S704 - every cell is escaped


def heads(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return the headings of a table."""
    kinds = kinds_of(columns)
    return [{"title": heading(column), "kind": kind} for column, kind in zip(columns, kinds, strict=True)]


def kinds_of(columns: Sequence[Column]) -> list[str]:
    """Return the classes of each column's cells; of a wide table the least telling columns are not for paper (o)."""
    kinds = [_kind(column) for column in columns]
    currencies = set(currency_columns(columns).values())
    telling = sorted(
        range(len(columns)), key=lambda at: (0 if at in currencies else _LEAST_TELLING.get(kinds[at], 3), at)
    )
    screen_only = set(telling[_PRINTED_COLUMNS:])
    return [f"{kind} o".strip() if at in screen_only else kind for at, kind in enumerate(kinds)]


def cells_html(row: SampledRow, columns: Sequence[Column], currencies: Mapping[int, int], link_of: LinkOf) -> str:
    """Return the cells of a row as markup, escaped."""
    parts, kinds = [], kinds_of(columns)
    for at, (value, column) in enumerate(zip(row.values, columns, strict=True)):
        currency = str(row.values[currencies[at]] or "") if at in currencies else ""
        text = _CONTROLS.sub("\ufffd", people_text(value, column.shape, currency))
        shown = str(escape(text))
        if column.shape is Shape.KEY and text and (href := link_of(text, row.exception, column.name)):
            shown = f'<a href="{escape(href)}">{shown}</a>'
        kind = kinds[at]
        parts.append(f'<td class="{kind}">{shown}</td>' if kind else f"<td>{shown}</td>")
    return "".join(parts)


def summary_table(
    key: str, title: str, columns: Sequence[Column], rows: Sequence[SampledRow], more: int
) -> Mapping[str, Any]:
    """Return a small table without controls, as the templates take it."""
    currencies = currency_columns(columns)
    body = "".join(
        f'<tr class="x">{cells}</tr>\n' if row.exception else f"<tr>{cells}</tr>\n"
        for row in rows
        for cells in [cells_html(row, columns, currencies, lambda _key, _exception, _column: "")]
    )
    return {"key": key, "title": title, "heads": heads(columns), "rows": Markup(body), "more": more}  # noqa: S704 - escaped


def _kind(column: Column) -> str:
    """Class of a column's cells: r aligned to the right, n in one line, d in one line on paper too, e what is wrong."""
    if column.name in CAUSES:
        return "e"
    if column.shape is Shape.DATE:
        return "d"
    return "r" if column.shape in RIGHT_ALIGNED else "n" if column.shape in _TIGHT else ""


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _css_string(text: str) -> str:
    """Every character that is no letter, digit or blank is written by its number: nothing ends the string early."""
    return '"' + "".join(c if c.isalnum() or c == " " else f"\\{ord(c):06x}" for c in text) + '"'
