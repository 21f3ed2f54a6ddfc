"""Builds a connection's assets of the catalog's rows.

Belongs here: what Dagster must know of an asset. Does not belong here: the work (``steps``), the graph
(``catalog``).
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

import warnings

import dagster as dg

import jdebill_pipelines
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.orchestration import metadata, run_records
from jdebill_pipelines.orchestration.catalog import AUDIT_PATH, CATALOG, AssetRow
from jdebill_pipelines.orchestration.keys import asset_key, pool_name
from jdebill_pipelines.orchestration.partitions import months
from jdebill_pipelines.orchestration.running import step_context
from jdebill_pipelines.steps.runtime import Runtime

OWNERS = {
    "jde": ["team:data-engineering"],
    "sync": ["team:data-engineering"],
    "bill": ["team:accounts-payable"],
    "audit": ["team:controlling"],
}
KINDS = {
    "jde": {"oracle", "postgres"},
    "sync": {"python", "postgres"},
    "bill": {"bill", "postgres"},
    "audit": {"sql", "postgres"},
}
CODE_VERSION = jdebill_pipelines.CODE_VERSION


def build_assets(connection: Connection, runtime: Runtime) -> list[dg.AssetsDefinition]:
    """All assets of a connection, keys ``[connection, system, name]``."""
    with warnings.catch_warnings():
        # Single-run backfills are what makes a range of months one run; Dagster still calls the parameter beta.
        warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
        return [_asset(row, connection, runtime) for row in CATALOG]


def _asset(row: AssetRow, connection: Connection, runtime: Runtime) -> dg.AssetsDefinition:
    name = connection.name

    @dg.asset(
        key=asset_key(name, row.path),
        deps=[asset_key(name, path) for path in row.needs],
        description=row.description,
        group_name=row.lineage_group,
        kinds=KINDS[row.group],
        owners=OWNERS[row.group],
        tags={"connection": name, "writes": "yes" if row.writes else "no"},
        code_version=CODE_VERSION,
        metadata=_definition_metadata(row, name),
        partitions_def=months(connection) if row.monthly else None,
        backfill_policy=dg.BackfillPolicy.single_run() if row.monthly else None,
        pool=pool_name(name, row.system) if row.system else None,
    )
    def made(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        ctx = step_context(runtime, name, context, row.path)
        run_records.begun(ctx, context.run.job_name, context.run.tags)
        result = row.step(ctx)
        runtime.tell(name, row.path, result)
        run_records.made(ctx, row.path, result)
        version = result.data_version or ctx.store.contents.version(row.stored, ctx.periods if row.monthly else ())
        report = asset_key(name, AUDIT_PATH) if row.monthly and row.path != AUDIT_PATH else None
        found = metadata.of_result(result) | metadata.of_evidence(ctx, report)
        return dg.MaterializeResult(metadata=found, data_version=dg.DataVersion(version))

    return made


def _definition_metadata(row: AssetRow, connection: str) -> dict[str, object]:
    found: dict[str, object] = {}
    if row.tables:
        found["dagster/column_schema"] = metadata.column_schema(*row.tables)
    elif row.columns:
        found["dagster/column_schema"] = metadata.named_columns(row.columns)
    if row.columns:
        found["dagster/column_lineage"] = dg.TableColumnLineage(
            {
                column: [
                    dg.TableColumnDep(asset_key=asset_key(connection, path), column_name=of) for path, of in sources
                ]
                for column, sources in row.columns.items()
            }
        )
    return found
