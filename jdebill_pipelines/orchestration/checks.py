"""The asset checks of a connection: what fails, with the rows, and what must stop the writing.

Belongs here: checks as Dagster sees them. Does not belong here: the verdicts; a check reads what the step stored, and
what is written is decided by the stored verdicts whether a check runs or not.
"""
# No postponed annotations here: Dagster reads the context's annotation as it stands.

from collections.abc import Callable
from dataclasses import dataclass, replace

import dagster as dg

from jdebill_pipelines.audit import checks as audit_checks
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.orchestration import metadata, run_records
from jdebill_pipelines.orchestration.catalog import AUDIT_PATH, CATALOG
from jdebill_pipelines.orchestration.keys import asset_key
from jdebill_pipelines.orchestration.running import step_context
from jdebill_pipelines.steps import checks, posting_checks
from jdebill_pipelines.steps.context import CheckOutcome, StepContext
from jdebill_pipelines.steps.runtime import Runtime


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check: its asset, its name, what it asks, whether what follows waits for it."""

    path: str
    name: str
    ask: Callable[[StepContext], CheckOutcome]
    description: str
    blocking: bool = False


CHECKS: tuple[CheckRow, ...] = (
    CheckRow(
        "jde/vouchers",
        "distribution_balances",
        checks.distribution_balances,
        "The G/L distribution of every voucher adds up to its gross amount without tax, to the cent.",
    ),
    CheckRow(
        "sync/vendor_map",
        "suppliers_are_complete",
        checks.vendor_rows,
        "Every supplier that gets a vendor has a name and an address that BILL takes, and fits one vendor at most.",
    ),
    CheckRow(
        "sync/vendor_map",
        "gate",
        checks.vendor_gate,
        "Supplier data is there and fresh enough to write vendors.",
        blocking=True,
    ),
    CheckRow(
        "sync/bill_drafts",
        "rows_are_valid",
        checks.bill_rows,
        "Account, business unit, department, vendor, currency and totals of every line are valid on both sides.",
    ),
    CheckRow(
        "sync/bill_drafts",
        "gate",
        checks.bill_gate,
        "Reference data is there and fresh, and no more documents are invalid than the connection tolerates.",
        blocking=True,
    ),
    CheckRow(
        "bill/bills",
        "nothing_uncertain",
        checks.nothing_uncertain,
        "No write of unknown outcome is left: every bill that was sent is confirmed or refused.",
    ),
    CheckRow(
        "sync/posting_drafts",
        "rows_are_valid",
        posting_checks.posting_rows,
        "Voucher, amount, account, business unit, bank account and G/L date of every posting are valid in JD Edwards.",
    ),
    CheckRow(
        "sync/posting_drafts",
        "payments_need_no_person",
        posting_checks.payments_need_no_person,
        "No payment is in a state that only a person can decide about.",
    ),
    CheckRow(
        "sync/posting_drafts",
        "gate",
        posting_checks.posting_gate,
        "Reference data is there and fresh, and no more postings are invalid than the connection tolerates.",
        blocking=True,
    ),
    CheckRow(
        "jde/postings",
        "posting_matches_jde",
        posting_checks.posting_matches_jde,
        "What JD Edwards holds of every posting, read back, is what was sent: amounts, accounts, dates.",
    ),
    CheckRow(
        "jde/postings",
        "nothing_uncertain",
        posting_checks.nothing_uncertain,
        "No posting of unknown outcome is left: every one is in JD Edwards or certainly is not.",
    ),
    CheckRow(
        AUDIT_PATH,
        "sums_are_equal",
        audit_checks.sums_are_equal,
        "Subledger, control account and BILL agree at the cut-off, or every difference is explained.",
    ),
    CheckRow(
        AUDIT_PATH,
        "every_payment_posted_once",
        audit_checks.posted_once,
        "Every payment that BILL made in the period is in JD Edwards once, with its amount.",
    ),
    CheckRow(
        AUDIT_PATH,
        "no_posting_without_payment",
        audit_checks.nothing_unpaid,
        "Nothing is posted in JD Edwards without a payment in BILL that stands.",
    ),
    CheckRow(
        AUDIT_PATH,
        "journal_verifies",
        audit_checks.journal_verifies,
        "The journal is as it was written, from its first entry to its last.",
    ),
    CheckRow(
        AUDIT_PATH,
        "period_was_closed",
        audit_checks.period_was_closed,
        "The companies' payables period was over when the period was reported.",
    ),
)


_MONTHLY = {asset.path for asset in CATALOG if asset.monthly}


def build_checks(connection: Connection, runtime: Runtime) -> list[dg.AssetChecksDefinition]:
    """All checks of a connection."""
    return [_check(row, connection.name, runtime) for row in CHECKS]


def _check(row: CheckRow, connection: str, runtime: Runtime) -> dg.AssetChecksDefinition:
    key, monthly = asset_key(connection, row.path), row.path in _MONTHLY

    @dg.asset_check(asset=key, name=row.name, description=row.description, blocking=row.blocking)
    def asked(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        ctx = step_context(runtime, connection, context, row.path)
        if monthly and not ctx.periods:
            # Executed alone: Dagster gives a check no partition. It is then asked of every month there is.
            ctx = replace(ctx, periods=tuple(sorted(context.instance.get_materialized_partitions(key))))
        run_records.begun(ctx, context.run.job_name, context.run.tags)
        outcome = row.ask(ctx)
        run_records.checked(ctx, row.path, row.name, outcome)
        return dg.AssetCheckResult(
            passed=outcome.passed,
            severity=dg.AssetCheckSeverity.WARN if outcome.warn_only else dg.AssetCheckSeverity.ERROR,
            description=outcome.summary,
            metadata=metadata.of_check(outcome),
        )

    return asked
