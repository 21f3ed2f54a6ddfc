"""What `plan`, `sync` and `demo` ask of the rest of the product: three functions and the shape of their answers.

Belongs here: shapes, finding the functions. Does not belong here: the work (steps/plan.py, orchestration/runner.py).
The shapes are protocols: whatever has these attributes fits, so that nothing has to import the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from jdebill_pipelines.cli.output import Progressed
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.steps.context import CheckOutcome, StepResult


class PlanRow(Protocol):
    """One document or reference, and what a sync would do with it now."""

    @property
    def kind(self) -> str:
        """Kind of thing: vendor, bill, vendor_credit, account, department."""
        ...

    @property
    def natural_key(self) -> str:
        """Its key in JDE."""
        ...

    @property
    def action(self) -> str:
        """What would happen: create, update, archive, restore, skip (nothing to do, or not due), hold."""
        ...

    @property
    def reason(self) -> str:
        """Why, in words a clerk understands."""
        ...

    @property
    def period(self) -> str:
        """Month ``YYYY-MM``, '' for what has none."""
        ...

    @property
    def party(self) -> str:
        """Supplier's number."""
        ...

    @property
    def amount(self) -> Decimal | None:
        """Amount in ``currency``, None for what has none."""
        ...

    @property
    def currency(self) -> str:
        """ISO code."""
        ...


class Plan(Protocol):
    """What a sync would do."""

    @property
    def mode(self) -> str:
        """How it would read: full or delta."""
        ...

    @property
    def periods(self) -> Sequence[str]:
        """The months it would touch."""
        ...

    @property
    def rows(self) -> Sequence[PlanRow]:
        """Everything it looked at, in the order of kind, month, key."""
        ...


class FailedCheck(Protocol):
    """A check that did not pass."""

    @property
    def asset(self) -> str:
        """Path of the asset, such as ``sync/bill_drafts``."""
        ...

    @property
    def check(self) -> str:
        """Name of the check."""
        ...

    @property
    def outcome(self) -> CheckOutcome:
        """What it found."""
        ...


class SyncSummary(Protocol):
    """How a sync ended."""

    @property
    def run_id(self) -> str:
        """The Dagster run; '' when nothing was due and none was started."""
        ...

    @property
    def succeeded(self) -> bool:
        """Whether the run ended well; a failed blocking check makes it False."""
        ...

    @property
    def other_side_failed(self) -> bool:
        """Whether it failed because JDE, BILL or the database did not do their part."""
        ...

    @property
    def error(self) -> str:
        """Why it failed, one line; '' when it did not."""
        ...

    @property
    def mode(self) -> str:
        """How it read: full or delta."""
        ...

    @property
    def periods(self) -> Sequence[str]:
        """The months of the run."""
        ...

    @property
    def results(self) -> Mapping[str, StepResult]:
        """What each asset did, by path, in the order they were made."""
        ...

    @property
    def failed_checks(self) -> Sequence[FailedCheck]:
        """The checks that did not pass, also those that only warn."""
        ...


class MakePlan(Protocol):
    """Finds out what a sync would do; writes nothing outside and leaves no draft."""

    def __call__(
        self, settings: Settings, connection_name: str, periods: Sequence[str] | None, *, progress: Progressed
    ) -> Plan:
        """Make the plan.

        Args:
            settings: with a database URL.
            connection_name: a connection that exists.
            periods: months for a full read, None for what the delta run would do now.
            progress: called with (what, done, total).
        """
        ...


class RunSync(Protocol):
    """Runs the main flow in this process and waits for its end."""

    def __call__(
        self,
        settings: Settings,
        connection_name: str,
        periods: Sequence[str] | None,
        *,
        actor: str,
        progress: Progressed,
    ) -> SyncSummary:
        """Run it.

        Args:
            settings: with a database URL.
            connection_name: a connection that exists.
            periods: months of a full run, None for the delta run that the schedule makes.
            actor: who asked, for the journal.
            progress: called with (what, done, total).
        """
        ...


class RunPayments(Protocol):
    """Brings the payments that webhooks told of back to JDE in this process and waits for the end."""

    def __call__(self, settings: Settings, connection_name: str, *, actor: str, progress: Progressed) -> SyncSummary:
        """Run what the due sensor would start.

        Args:
            settings: with a database URL.
            connection_name: a connection that exists.
            actor: who asked, for the journal.
            progress: called with (what, done, total).
        """
        ...


def make_plan() -> MakePlan:
    """Return the planner. Imported late: Dagster takes more than a second, and `--help` must not wait for it."""
    from jdebill_pipelines.steps.plan import make_plan as found

    return found


def run_sync() -> RunSync:
    """Return the runner, imported late as the planner."""
    from jdebill_pipelines.orchestration.runner import run_sync as found

    return found


def run_payments() -> RunPayments:
    """Return the runner of payments, imported late as the planner."""
    from jdebill_pipelines.orchestration.runner import run_payments as found

    return found
