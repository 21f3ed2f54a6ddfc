"""The public procurement data, paid in mixed ways over three months: each total is added up once more by hand.

By default one month of documents of each data set; JDEBILL_TEST_ALL_MONTHS=1 takes all of them (many minutes, and
thousands of payments).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date

import pytest

from jdebill_pipelines.orchestration.running import month_range
from jdebill_pipelines_tests.audit.books import figures
from jdebill_pipelines_tests.audit.three_months import compare, pay_in_three_months, report
from jdebill_pipelines_tests.integration_payments.ledgers import add_accounts
from jdebill_pipelines_tests.integration_payments.test_real_data_paid import configure, opened
from jdebill_pipelines_tests.payments.loop import D
from jdebill_pipelines_tests.support.world import World

# Read before the tests take such variables out of the environment.
ALL_MONTHS = bool(os.environ.get("JDEBILL_TEST_ALL_MONTHS"))
pytestmark = [pytest.mark.data, pytest.mark.timeout(3000 if ALL_MONTHS else 300)]
Opened = Callable[[str, tuple[str, ...], str], AbstractContextManager[World]]
__all__ = ["opened"]


def test_vouchers_of_a_council(opened: Opened) -> None:
    """Three months of a council: equal to both sides; its own ledger lacks the offsets, and the tie-out says so.

    The first month gives the same figures after two further ones.
    """
    days = (date(2016, 12, 30), date(2017, 1, 20), date(2017, 2, 20))
    if ALL_MONTHS:
        days = (date(2018, 1, 31), date(2018, 2, 20), date(2018, 3, 20))
    months = month_range("2016-12", f"{days[0]:%Y-%m}")
    with opened("oxford-2017", months, f"{days[0]}") as world:
        add_accounts(world, unit="1000")
        configure(world, "vouchers")
        first, before = pay_in_three_months(world, days)
        ties = compare(world, [f"{day:%Y-%m}" for day in days])
        for tie in ties:
            # The data have no batches and no automatic entries on the trade account, only what we posted has.
            assert tie["unexplained"] == tie["unbatched"] == tie["difference"] > 0
            assert tie["exception"] == "documents without a batch"
        assert ties[-1]["gl_control"] < 0, "only payments are on the trade account"
        assert figures(report(world, first.period.label)) == before


def test_orders_of_a_manufacturer(opened: Opened) -> None:
    """Three months of a manufacturer that is invoiced through orders: its vouchers are those that payments made.

    The first month gives the same figures after two further ones.
    """
    days = (date(2025, 7, 31), date(2025, 8, 20), date(2025, 9, 19))
    months = month_range("2022-04" if ALL_MONTHS else "2025-07", "2025-07")
    with opened("adventureworks", months, f"{days[0]}") as world:
        add_accounts(world, unit="100")
        configure(world, "purchase_orders")
        first, before = pay_in_three_months(world, days)
        for tie in compare(world, [f"{day:%Y-%m}" for day in days]):
            assert (tie["difference"], tie["exception"]) == (D(0), "")
        assert figures(report(world, first.period.label)) == before
