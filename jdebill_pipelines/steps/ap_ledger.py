"""Reads JDE's payables and general ledger whole, for the audit: all document types, before and after any period.

Belongs here: what is read again and when. Does not belong here: what the rows mean (audit/procedures).

The first time everything is read. After that what changed (UPMJ, from a day before the last reading), and the months
of the run whole and what waited for the post in the others, because only that finds what disappeared: JDE deletes
unposted documents without a trace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from jdebill_pipelines.domain.periods import month_bounds
from jdebill_pipelines.domain.tables import AUDITED, JdeTable
from jdebill_pipelines.jde.where import Where, all_of, any_of, between, ge, starts_with
from jdebill_pipelines.steps.context import StepContext, StepResult
from jdebill_pipelines.steps.extract import OVERLAP
from jdebill_pipelines.transport.errors import PermanentError

# Watermark of the extraction that read a table from its first row to its last.
WHOLE = "whole"
# Actual amounts, in the company's currency and in the document's.
LEDGERS = ("AA", "CA")
DOCUMENT = ("DOC", "DCT", "KCO")
# Post code of a row that waits for the post; JDE deletes no other.
WAITS = ""
Page = Sequence[tuple[Any, ...]]


def ap_ledger(ctx: StepContext) -> StepResult:
    """Bring the audit's copies of F0411, F0911, F0414, F0413, F0011, F0902 and F0012 up to date."""
    result = StepResult()
    companies = any_of("CO", ctx.connection.jde.companies)
    _documents(ctx, AUDITED["F0411"], companies, result)
    _documents(ctx, AUDITED["F0911"], all_of(companies, any_of("LT", LEDGERS)), result)
    _other_companies(ctx, result)
    _payments(ctx, companies, result)
    _batches(ctx, result)
    _snapshot(ctx, AUDITED["F0902"], all_of(companies, any_of("LT", LEDGERS)), result)
    _instructions(ctx, result)
    return result


def _documents(ctx: StepContext, table: JdeTable, where: Where, result: StepResult) -> None:
    """A table whose rows have a G/L date: what changed, the months whole, and what waited for the post in others."""
    if _first(ctx, table, where, result):
        return
    _merge(ctx, table, ctx.jde().browse(table, all_of(where, _changed(ctx, table))), result)
    first, last = month_bounds(ctx.periods[0])[0], month_bounds(ctx.periods[-1])[1]
    pages = ctx.jde().browse(table, all_of(where, between("DGJ", first, last)))
    _note(result, table, _load_months(ctx, table, pages))
    waiting = ctx.store.staging.rows(table, where={"POST": WAITS}, columns=(*DOCUMENT, "DGJ"))
    keys = {tuple(key) for *key, day in waiting if day is None or f"{day:%Y-%m}" not in ctx.periods}
    _note(result, table, _read_again(ctx, table, DOCUMENT, keys, where))


def _read_again(
    ctx: StepContext, table: JdeTable, items: Sequence[str], keys: Collection[tuple[Any, ...]], where: Where | None
) -> int:
    """Read documents or payments by their keys, of which the first is a number; what JDE does not hold goes away."""
    position = [list(table.columns).index(item) for item in items]
    found = ctx.jde().fetch_by_keys(table, items[0], sorted({key[0] for key in keys}), where=where)
    load = ctx.store.staging.merge_children(
        table, items, sorted(keys), _only(found, position, keys), run_id=ctx.run_id, extracted_at=ctx.now
    )
    if load.removed:
        ctx.log.info("%s: %d rows are gone in JD Edwards", table.name, load.removed)
    return load.read


def _other_companies(ctx: StepContext, result: StepResult) -> None:
    """The lines that batches of ours have in companies of others: without them such a batch does not net to zero."""
    table = AUDITED["F0911"]
    batches = set(ctx.store.audit.unbalanced_batches())
    if not batches:
        return
    position = [list(table.columns).index(item) for item in ("ICUT", "ICU")]
    own = list(table.columns).index("CO")
    companies = set(ctx.connection.jde.companies)
    pages = ctx.jde().fetch_by_keys(table, "ICU", sorted({n for _, n in batches}), where=any_of("LT", LEDGERS))
    others = ([row for row in page if row[own] not in companies] for page in _only(pages, position, batches))
    _merge(ctx, table, others, result)


def _payments(ctx: StepContext, companies: Where, result: StepResult) -> None:
    """Payments and what they paid. A header names no company: those of other companies are kept and mean nothing."""
    headers, details = AUDITED["F0413"], AUDITED["F0414"]
    first = _first(ctx, details, companies, result)
    if _first(ctx, headers, None, result) and first:
        return
    if not first:
        _merge(ctx, details, ctx.jde().browse(details, all_of(companies, _changed(ctx, details))), result)
    _merge(ctx, headers, ctx.jde().browse(headers, _changed(ctx, headers)), result)
    waiting = set(ctx.store.staging.rows(details, where={"POST": WAITS}, columns=("PYID",)))
    _note(result, headers, _read_again(ctx, headers, ("PYID",), waiting, None))
    known = {pyid for (pyid,) in ctx.store.staging.rows(headers, periods=ctx.periods, columns=("PYID",))}
    known |= {pyid for (pyid,) in waiting}
    begin, end = month_bounds(ctx.periods[0])[0], month_bounds(ctx.periods[-1])[1]
    column = list(headers.columns).index("PYID")
    seen: set[Decimal] = set()

    def of_months() -> Iterator[Page]:
        for page in ctx.jde().browse(headers, between("DMTJ", begin, end)):
            seen.update(row[column] for row in page)
            yield page

    _note(result, headers, _load_months(ctx, headers, of_months()))
    # Also of the headers that are gone: what is left of their details is gone or a finding.
    numbers = sorted(known | seen)
    rows = ctx.jde().fetch_by_keys(details, "PYID", numbers, where=companies)
    load = ctx.store.staging.merge_children(
        details, ("PYID",), [(n,) for n in numbers], rows, run_id=ctx.run_id, extracted_at=ctx.now
    )
    _note(result, details, load.read)


def _batches(ctx: StepContext, result: StepResult) -> None:
    """Batch headers: what changed, and those of the months' documents."""
    table = AUDITED["F0011"]
    if _first(ctx, table, None, result):
        return
    _merge(ctx, table, ctx.jde().browse(table, _changed(ctx, table)), result)
    keys: set[tuple[str, Decimal]] = set()
    for name in ("F0411", "F0413"):
        keys |= set(ctx.store.staging.rows(AUDITED[name], periods=ctx.periods, columns=("ICUT", "ICU")))
    wanted = sorted(key for key in keys if key[1])
    position = [list(table.columns).index(item) for item in ("ICUT", "ICU")]
    rows = _only(ctx.jde().fetch_by_keys(table, "ICU", sorted({n for _, n in wanted})), position, set(wanted))
    load = ctx.store.staging.merge_children(
        table, ("ICUT", "ICU"), wanted, rows, run_id=ctx.run_id, extracted_at=ctx.now
    )
    _note(result, table, load.read)


def _only(
    pages: Iterable[list[tuple[Any, ...]]], position: Sequence[int], wanted: Collection[tuple[Any, ...]]
) -> Iterator[Page]:
    for page in pages:
        yield [row for row in page if tuple(row[i] for i in position) in wanted]


def _snapshot(ctx: StepContext, table: JdeTable, where: Where, result: StepResult) -> None:
    pages = ctx.jde().browse(table, where)
    load = ctx.store.staging.replace_snapshot(table, pages, run_id=ctx.run_id, extracted_at=ctx.now, watermark=WHOLE)
    _note(result, table, load.read)


def _instructions(ctx: StepContext, result: StepResult) -> None:
    """The instructions that name the trade accounts. A role need not read them: the ledger shows the accounts too."""
    table = AUDITED["F0012"]
    try:
        pages = list(ctx.jde().browse(table, starts_with("ITEM", "PC")))
    except PermanentError as error:
        ctx.log.warning("F0012 cannot be read; the trade accounts are taken from the ledger: %s", error)
        result.facts["F0012"] = "not readable: the trade accounts are taken from the ledger"
        pages = []
    load = ctx.store.staging.replace_snapshot(table, pages, run_id=ctx.run_id, extracted_at=ctx.now, watermark=WHOLE)
    _note(result, table, load.read)


def _first(ctx: StepContext, table: JdeTable, where: Where | None, result: StepResult) -> bool:
    """Read a table whole when it never was; says whether it did."""
    if ctx.store.staging.last_extraction(table) is not None:
        return False
    load = ctx.store.staging.merge(
        table, ctx.jde().browse(table, where), run_id=ctx.run_id, extracted_at=ctx.now, watermark=WHOLE
    )
    ctx.log.info("%s: read whole, %d rows", table.name, load.read)
    _note(result, table, load.read)
    return True


def _merge(ctx: StepContext, table: JdeTable, pages: Iterable[Page], result: StepResult) -> None:
    load = ctx.store.staging.merge(table, pages, run_id=ctx.run_id, extracted_at=ctx.now)
    _note(result, table, load.read)


def _load_months(ctx: StepContext, table: JdeTable, pages: Iterable[Page]) -> int:
    load = ctx.store.staging.load_period(table, ctx.periods, pages, run_id=ctx.run_id, extracted_at=ctx.now)
    if load.removed:
        ctx.log.info("%s: %d rows are gone in JD Edwards", table.name, load.removed)
    return load.read


def _changed(ctx: StepContext, table: JdeTable) -> Where:
    """Rows that changed since the last reading, in the JDE server's calendar."""
    last = ctx.store.staging.last_extraction(table)
    assert last is not None
    assert table.updated_date is not None
    return ge(table.updated_date, last.extracted_at.date() - OVERLAP - timedelta(days=1))


def _note(result: StepResult, table: JdeTable, rows: int) -> None:
    result.add(table.name, rows)
