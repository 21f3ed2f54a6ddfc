"""Writing a pack: every format in one pass over the rows.

Belongs here: the order of the work, the folder. Does not belong here: any format.

The rows of a procedure are read once, one after the other, and go to the CSV, the workbook, the page's sample and the
charts: memory does not grow with them. The folder appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jdebill_pipelines.audit.model import AuditPeriod, Procedure, Report, Result
from jdebill_pipelines.audit.pack.csv_files import CsvFile
from jdebill_pipelines.audit.pack.manifest import MANIFEST, Manifest, write_manifest
from jdebill_pipelines.audit.pack.overview import Overview, Verdict
from jdebill_pipelines.audit.pack.page import ReportPage, environment
from jdebill_pipelines.audit.pack.sample import Sample
from jdebill_pipelines.audit.pack.traces import TRACE_PAGE, TraceLinks, TraceOf
from jdebill_pipelines.audit.pack.values import is_exception, typed_row
from jdebill_pipelines.audit.pack.workbook import AuditWorkbook
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.store.journal import Head

PAGE, WORKBOOK, README = "report.html", "report.xlsx", "README.txt"
MOST_ROWS = 2_000  # of a procedure on the page
_TICK = 5_000  # rows between two words about progress

Progressed = Callable[[str, int, int | None], None]


class FolderInUse(Exception):
    """The folder of a pack has something in it already."""


class RowsMissing(Exception):
    """The stored rows of a procedure are not as many as its result says: the report must be computed again."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that was written."""

    folder: Path
    manifest: Manifest
    verdict: Verdict


def write_pack(
    report: Report,
    folder: Path,
    *,
    vault: Vault,
    journal: Head,
    packed_by: str,
    replace: bool = False,
    most_rows: int = MOST_ROWS,
    trace_of: TraceOf | None = None,
    progress: Progressed = lambda _what, _done, _total: None,
) -> Pack:
    """Write the pack of a report.

    Args:
        report: what was found; its rows are read once.
        folder: of the pack; it is made.
        vault: signs the manifest.
        journal: the end of the live journal, kept in the manifest.
        packed_by: code version.
        replace: an older pack in this folder makes way. Nothing else does.
        most_rows: of a procedure on the page; the CSV and the workbook have all.
        trace_of: follows a key that occurs in an exception; without it there is no page of traces.
        progress: called with (procedure, rows done, rows in all).

    Raises:
        FolderInUse: the folder is not empty and may not be replaced.
        RowsMissing: rows and results of the report do not agree.
        OSError: the folder cannot be written.
    """
    check_folder(folder, replace=replace)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    draft.mkdir()
    try:
        verdict = _write_files(report, draft, vault, journal, packed_by, most_rows, TraceLinks(trace_of), progress)
        manifest = write_manifest(draft, report, vault, journal, packed_by)
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Pack(folder, manifest, verdict)


def check_folder(folder: Path, *, replace: bool) -> None:
    """Make sure that a pack may be written to a folder.

    Raises:
        FolderInUse: it may not.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FolderInUse(f"{folder} is no folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).is_file():
        raise FolderInUse(f"{folder} is not empty and no pack: name another folder")
    if not replace:
        raise FolderInUse(f"{folder} holds a pack already: name another folder, or say --replace")


def _write_files(
    report: Report,
    folder: Path,
    vault: Vault,
    journal: Head,
    packed_by: str,
    most_rows: int,
    links: TraceLinks,
    progress: Progressed,
) -> Verdict:
    for name in ("csv", "queries"):
        (folder / name).mkdir()
    overview, workbook = Overview(report, journal), AuditWorkbook(report)
    page = ReportPage(report, links.link)
    with contextlib.closing(page), contextlib.ExitStack() as failed:
        failed.callback(workbook.discard)
        for result in report.results:
            key = result.procedure.key
            (folder / "queries" / f"{key}.sql").write_text(_queries(result.procedure, report.period, report), "utf-8")
            workbook.begin(result)
            sample = Sample(most_rows)
            with CsvFile(folder / "csv" / f"{key}.csv", result.procedure.columns) as csv:
                for row, exception in _rows(report, result, progress):
                    values = typed_row(row, result.procedure.columns)
                    csv.write(values)
                    workbook.write(values, exception=exception)
                    sample.offer(values, exception=exception)
                    overview.offer(result.procedure, row, values, exception=exception)
            page.add(result, sample, overview.figures(result))
        progress("workbook", 0, None)
        failed.pop_all()
        workbook.save(folder / WORKBOOK)
        public_key = vault.public_key.hex()
        traced = links.write(folder / TRACE_PAGE, report)
        page.write(folder / PAGE, overview, traced=traced, packed_by=packed_by, public_key=public_key)
    readme = environment().get_template("README.txt.j2")
    (folder / README).write_text(readme.render(report=report, traced=traced, public_key=public_key) + "\n", "utf-8")
    return overview.verdict()


def _rows(report: Report, result: Result, progress: Progressed) -> Iterator[tuple[dict[str, Any], bool]]:
    """Give the rows of a procedure with whether each is an exception; hold their numbers to the result's."""
    procedure, done, exceptions = result.procedure, 0, 0
    progress(procedure.key, 0, result.rows)
    for row in report.read_rows(procedure.key):
        exception = is_exception(row, procedure.rule)
        yield row, exception
        done += 1
        exceptions += exception
        if done % _TICK == 0:
            progress(procedure.key, done, result.rows)
    progress(procedure.key, done, result.rows)
    if (done, exceptions) != (result.rows, result.exceptions):
        raise RowsMissing(
            f"{procedure.key}: the report says {result.rows:,} rows and {result.exceptions:,} exceptions, stored are "
            f"{done:,} and {exceptions:,}; compute the report again (--recompute)"
        )


def _queries(procedure: Procedure, period: AuditPeriod, report: Report) -> str:
    """Return the queries of a procedure as a file that an auditor can read and run, parameters first."""
    parameters = "".join(f"--   :{name} = {value!r}\n" for name, value in period.parameters(report.connection).items())
    parts = [f"-- {procedure.title}\n-- Parameters:\n{parameters}"]
    for what, query in (
        ("Rows", procedure.query),
        ("Population", procedure.population),
        ("Figures", procedure.figures),
    ):
        if query.strip():
            parts.append(f"-- {what}\n{query.strip()};\n")
    return "\n".join(parts)
