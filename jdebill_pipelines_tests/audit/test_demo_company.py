"""The demo company, smaller, paid in mixed ways over three months: each total is added up once more by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from jdebill_pipelines.orchestration.running import month_range
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines_tests.audit.books import figures
from jdebill_pipelines_tests.audit.three_months import compare, pay_in_three_months, report
from jdebill_pipelines_tests.payments.loop import D
from jdebill_pipelines_tests.support.fixtures import open_world


def test_three_months_of_the_demo_company(
    loop_database: str, tmp_path: Path, dagster_folder: Path, clean_environment: None
) -> None:
    """Vouchers, orders and credits in several currencies: subledger, control account and BILL are equal each month.

    The first month gives the same figures after two further ones.
    """
    days = (date(2026, 6, 30), date(2026, 7, 20), date(2026, 8, 20))
    with SandboxProcess.start(company="demo", today=days[0], documents=300, suppliers=40) as sandbox:
        months = month_range("2026-01", "2026-06")
        world = open_world(sandbox, loop_database, tmp_path, dagster_folder, months)
        try:
            first, before = pay_in_three_months(world, days)
            for tie in compare(world, [f"{day:%Y-%m}" for day in days]):
                assert (tie["unexplained"], tie["exception"]) == (D(0), "")
            assert figures(report(world, first.period.label)) == before
        finally:
            world.engine.dispose()
