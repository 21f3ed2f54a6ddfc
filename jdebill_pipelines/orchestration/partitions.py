"""Months as partitions. A document lives in the month of its own business date, so a month re-runs whole."""

from __future__ import annotations

import dagster as dg

from jdebill_pipelines.config.connection import Connection

# A voucher may carry a G/L date of next month (JDE allows the next period), so one month ahead exists as well.
MONTHS_AHEAD = 2


def first_month(connection: Connection) -> str:
    """The month ``YYYY-MM`` of the connection's start date: the first partition."""
    return f"{connection.start_date:%Y-%m}"


def months(connection: Connection) -> dg.MonthlyPartitionsDefinition:
    """The monthly partitions of a connection: from the month of its start date to one month ahead of now.

    The key of a partition is the period ``YYYY-MM``; its borders are midnights in the connection's time zone.
    """
    return dg.MonthlyPartitionsDefinition(
        start_date=first_month(connection), timezone=connection.timezone, fmt="%Y-%m", end_offset=MONTHS_AHEAD
    )
