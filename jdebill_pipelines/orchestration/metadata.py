"""Turns what a step or a check found into what Dagster shows.

Belongs here: rendering of results as Dagster metadata. Does not belong here: any decision about the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from jdebill_pipelines.domain.money import in_words
from jdebill_pipelines.domain.tables import JdeTable, Kind
from jdebill_pipelines.steps.context import CheckOutcome, StepContext, StepResult

MAX_ROWS = 50

_COLUMN_TYPES = {Kind.TEXT: "text", Kind.NUMBER: "numeric", Kind.DATE: "date", Kind.TIME: "integer (HHMMSS)"}


def _scalar(value: Any) -> str | int | bool | None:
    """A value as a table cell: amounts as exact text, never a float."""
    if value is None or isinstance(value, bool | int):
        return value
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def table(rows: Sequence[Mapping[str, Any]], *, limit: int = MAX_ROWS) -> dg.TableMetadataValue:
    """Rows as a table in the UI, at most ``limit`` of them."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    kinds = {name: "int" if all(isinstance(row.get(name), int) for row in rows) else "string" for name in columns}
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: _scalar(row.get(name, "")) for name in columns}) for row in rows[:limit]],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, kinds[name]) for name in columns]),
    )


def of_result(result: StepResult) -> dict[str, Any]:
    """Metadata of a materialization: counts, totals per currency, facts, small tables."""
    metadata: dict[str, Any] = {f"count/{name}": n for name, n in result.counts.items()}
    if (rows := result.counts.get("rows", result.counts.get("documents"))) is not None:
        metadata["dagster/row_count"] = rows
    for name, per_currency in result.totals.items():
        for currency, amount in sorted(per_currency.items()):
            metadata[f"total/{name} {currency or 'base'}"] = in_words(amount, currency)
    metadata |= {f"fact/{name}": text for name, text in result.facts.items()}
    for title, rows_ in result.tables.items():
        if rows_:
            metadata[title] = table(rows_)
    if result.needs_person:
        metadata["needs a person"] = dg.MetadataValue.md("\n".join(f"- {line}" for line in result.needs_person))
    return metadata


def of_evidence(ctx: StepContext, report: dg.AssetKey | None) -> dict[str, Any]:
    """Where the evidence of a materialization is: its journal entries, what is held, the report of its month.

    Args:
        ctx: of the materialization.
        report: the asset that reports the months of this one, None when none does.
    """
    first, last, n = ctx.store.journal.span(ctx.run_id, ctx.asset_key)
    held = sum(ctx.store.quarantine.counts(ctx.periods or None).values())
    found: dict[str, Any] = {}
    if n:
        entries = f"{n:,} entries from {first:,} to {last:,}"
        found["journal"] = dg.MetadataValue.md(f"{entries}; `jdebill audit verify {ctx.name}` checks the chain")
    if held:
        found["quarantine"] = dg.MetadataValue.md(f"{held:,} held; `jdebill quarantine list {ctx.name}` says why")
    if report is not None:
        found["month-end report"] = dg.MetadataValue.asset(report)
    return found


def of_check(outcome: CheckOutcome) -> dict[str, Any]:
    """Metadata of a check: how many rows fail, and the first of them as a table."""
    metadata: dict[str, Any] = {"failing rows": outcome.total}
    metadata |= dict(outcome.facts)
    if outcome.rows:
        metadata["failures"] = table(outcome.rows)
    return metadata


def named_columns(names: Iterable[str]) -> dg.TableSchema:
    """Columns of what is made here; the type follows from what the name ends in."""
    kinds = {"amount": "numeric", "date": "date"}
    found = (
        (name, next((kind for end, kind in kinds.items() if name.lower().endswith(end)), "text")) for name in names
    )
    return dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in found])


def column_schema(*tables: JdeTable) -> dg.TableSchema:
    """The columns of staged JDE tables, each named ``TABLE.ITEM``."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=f"{t.name}.{item}",
                type=_COLUMN_TYPES[kind],
                constraints=dg.TableColumnConstraints(nullable=kind is Kind.DATE, unique=t.key == (item,)),
            )
            for t in tables
            for item, kind in t.columns.items()
        ]
    )
