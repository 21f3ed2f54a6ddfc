"""Reads JDE tables into staging, whole or only what changed.

Belongs here: the assets ``jde/...``. Does not belong here: what the rows mean (``domain``) or how AIS pages (``jde``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.periods import month_bounds, month_of
from jdebill_pipelines.domain.tables import JdeTable
from jdebill_pipelines.jde.where import Where, all_of, any_of, between, ge
from jdebill_pipelines.steps.context import Mode, StepContext, StepResult
from jdebill_pipelines.steps.observations import observe_periods

Row = Sequence[Any]
Page = list[tuple[Any, ...]]
MonthOf = Callable[[Row], str | None]

# Changes are read again from a day before the watermark: UPMJ/UPMT are the JDE server's local time, and a program may
# stamp a row some time before it commits it.
OVERLAP = timedelta(days=1)


def companies(ctx: StepContext) -> StepResult:
    """Snapshot of companies, fiscal calendars, currencies and payment terms (F0010, F0008, F0013, F0014)."""
    result = _snapshots(ctx, (t.F0010, None), (t.F0008, None), (t.F0013, None), (t.F0014, None))
    observe_periods(ctx)
    return result


def accounts(ctx: StepContext) -> StepResult:
    """Snapshot of the account master (F0901) of the connection's companies, and of the bank accounts (F0030)."""
    return _snapshots(ctx, (t.F0901, any_of("CO", ctx.connection.jde.companies)), (t.F0030, None))


def business_units(ctx: StepContext) -> StepResult:
    """Snapshot of the business units (F0006). Not limited to a company: an account may belong to a unit of another."""
    return _snapshots(ctx, (t.F0006, None))


def suppliers(ctx: StepContext) -> StepResult:
    """Suppliers (F0401) with the address book, names, telephones, addresses and e-mails of exactly these numbers."""
    result = StepResult()
    client = ctx.jde()
    column = list(t.F0401.columns).index("AN8")
    numbers: list[Decimal] = []

    def suppliers_seen() -> Iterator[Page]:
        for page in client.browse(t.F0401):
            numbers.extend(row[column] for row in page)
            yield page

    _replace(ctx, t.F0401, suppliers_seen(), result)
    for table in (t.F0101, t.F0111, t.F0115, t.F0116, t.F01151):
        _replace(ctx, table, client.fetch_by_keys(table, "AN8", numbers), result)
    return result


def vouchers(ctx: StepContext) -> StepResult:
    """Pay items (F0411) of the months by G/L date, with their distribution lines (F0911)."""
    kinds = ctx.connection.jde.voucher_document_types
    if ctx.mode is Mode.DELTA:
        return _changed_documents(
            ctx, (t.F0411, t.F0911), ("DOC", "DCT", "KCO"), _lines_of_vouchers, any_of("DCT", kinds)
        )
    result = StepResult()
    bounds = _bounds(ctx.periods)
    for table in (t.F0411, t.F0911):
        where = all_of(between("DGJ", *bounds), any_of("DCT", kinds))
        load = ctx.store.staging.load_period(
            table, ctx.periods, ctx.jde().browse(table, where), run_id=ctx.run_id, extracted_at=ctx.now
        )
        result.add(table.name, load.read)
    return result


def purchase_orders(ctx: StepContext) -> StepResult:
    """Orders (F4301) of the months by order date, with lines, approvals and receipts (F4311, F4209, F43121)."""
    if ctx.mode is Mode.DELTA:
        tables = (t.F4301, t.F4311, t.F43121)
        return _changed_documents(ctx, tables, ("DOCO", "DCTO", "KCOO", "SFXO"), _children_of_orders, None)
    result = StepResult()
    key = [list(t.F4301.columns).index(item) for item in ("DOCO", "DCTO", "KCOO", "SFXO")]
    ordered = list(t.F4301.columns).index("TRDJ")
    months: dict[tuple[Any, ...], str] = {}

    def orders() -> Iterator[Page]:
        for page in ctx.jde().browse(t.F4301, between("TRDJ", *_bounds(ctx.periods))):
            for row in page:
                months[tuple(row[i] for i in key)] = month_of(row[ordered])
            yield page

    load = ctx.store.staging.load_period(t.F4301, ctx.periods, orders(), run_id=ctx.run_id, extracted_at=ctx.now)
    result.add(t.F4301.name, load.read)
    _load_order_children(ctx, months, result)
    return result


def _load_order_children(ctx: StepContext, months: dict[tuple[Any, ...], str], result: StepResult) -> None:
    """Replace lines, approvals and receipts of whole months of orders; they live in the month of their order."""
    numbers = sorted({key[0] for key in months})
    for table in (t.F4311, t.F4209, t.F43121):
        month = _month_of_order(table, months)
        pages = _only(ctx.jde().fetch_by_keys(table, "DOCO", numbers), _known(month))
        load = ctx.store.staging.load_period(
            table,
            ctx.periods,
            pages,
            run_id=ctx.run_id,
            extracted_at=ctx.now,
            periods_of=_month(month),
        )
        result.add(table.name, load.read)


def _month_of_order(table: JdeTable, months: dict[tuple[Any, ...], str]) -> MonthOf:
    positions = [list(table.columns).index(item) for item in ("DOCO", "DCTO", "KCOO", "SFXO")]
    return lambda row: months.get(tuple(row[i] for i in positions))


def _known(month: MonthOf) -> Callable[[Row], bool]:
    return lambda row: month(row) is not None


def _month(month: MonthOf) -> Callable[[Row], str]:
    return lambda row: str(month(row))


def _only(pages: Iterable[Page], keep: Callable[[tuple[Any, ...]], bool]) -> Iterator[Page]:
    for page in pages:
        yield [row for row in page if keep(row)]


def _changed_documents(
    ctx: StepContext,
    tables: tuple[JdeTable, ...],
    document: tuple[str, ...],
    children: Callable[[StepContext, list[tuple[Any, ...]], list[Decimal], StepResult], None],
    where: Where | None,
) -> StepResult:
    """Merge the documents of which anything changed since the watermark: all their rows are read again.

    Args:
        ctx: of the asset.
        tables: the document's own table first, then those whose change is a change of the document.
        document: the items that name a document, its number first.
        children: reads what belongs to the documents.
        where: limits the rows of every table.
    """
    result = StepResult()
    since = _since(ctx)
    keys: set[tuple[Any, ...]] = set()
    for table in tables:
        assert table.updated_date is not None
        changed = ge(table.updated_date, since) if where is None else all_of(where, ge(table.updated_date, since))
        columns = [item for item in table.columns if item in {*table.key, *document}]
        positions = [columns.index(item) for item in document]
        for page in ctx.jde().browse(table, changed, columns=columns):
            keys |= {tuple(row[i] for i in positions) for row in page}
    head, numbers = tables[0], sorted({key[0] for key in keys})
    positions = [list(head.columns).index(item) for item in document]
    pages = _only(
        ctx.jde().fetch_by_keys(head, document[0], numbers), lambda row: tuple(row[i] for i in positions) in keys
    )
    load = ctx.store.staging.merge_children(
        head, document, sorted(keys), pages, run_id=ctx.run_id, extracted_at=ctx.now
    )
    result.add(head.name, load.read)
    children(ctx, sorted(keys), numbers, result)
    return result


def _lines_of_vouchers(
    ctx: StepContext, keys: list[tuple[Any, ...]], numbers: list[Decimal], result: StepResult
) -> None:
    wanted = set(keys)
    positions = [list(t.F0911.columns).index(item) for item in ("DOC", "DCT", "KCO")]
    pages = _only(
        ctx.jde().fetch_by_keys(t.F0911, "DOC", numbers), lambda row: tuple(row[i] for i in positions) in wanted
    )
    load = ctx.store.staging.merge_children(
        t.F0911, ("DOC", "DCT", "KCO"), keys, pages, run_id=ctx.run_id, extracted_at=ctx.now
    )
    result.add(t.F0911.name, load.read)


def _children_of_orders(
    ctx: StepContext, keys: list[tuple[Any, ...]], numbers: list[Decimal], result: StepResult
) -> None:
    document = ("DOCO", "DCTO", "KCOO", "SFXO")
    months = ctx.store.staging.periods_by_key(t.F4301, document, keys)
    for table in (t.F4311, t.F4209, t.F43121):
        month = _month_of_order(table, months)
        pages = _only(ctx.jde().fetch_by_keys(table, "DOCO", numbers), _known(month))
        load = ctx.store.staging.merge_children(
            table,
            document,
            keys,
            pages,
            run_id=ctx.run_id,
            extracted_at=ctx.now,
            periods_of=_month(month),
        )
        result.add(table.name, load.read)


def _snapshots(ctx: StepContext, *wanted: tuple[JdeTable, Where | None]) -> StepResult:
    result = StepResult()
    for table, where in wanted:
        _replace(ctx, table, ctx.jde().browse(table, where), result)
    return result


def _replace(ctx: StepContext, table: JdeTable, pages: Iterable[Sequence[tuple[Any, ...]]], result: StepResult) -> None:
    load = ctx.store.staging.replace_snapshot(table, pages, run_id=ctx.run_id, extracted_at=ctx.now)
    result.add(table.name, load.read)
    ctx.log.info("%s: %d rows staged, %d removed", table.name, load.written, load.removed)


def _bounds(periods: Sequence[str]) -> tuple[date, date]:
    """First day of the first and last day of the last month. Periods of a run are contiguous."""
    return month_bounds(periods[0])[0], month_bounds(periods[-1])[1]


def _since(ctx: StepContext) -> date:
    """The day from which changes are read, in the JDE server's calendar."""
    return ctx.since.date() - OVERLAP if ctx.since is not None else ctx.connection.start_date


__all__ = ["accounts", "business_units", "companies", "purchase_orders", "suppliers", "vouchers"]
