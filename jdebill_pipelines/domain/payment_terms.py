"""Due dates from payment terms, for documents that have none of their own.

Belongs here: F0014. Does not belong here: vouchers, which carry their due date.

Source: F0014 holds per terms code (PTC) the net days to pay (NDTP), a fixed due date (DDJ) and the discount (DCP
percent within DCD days).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from jdebill_pipelines.domain.rows import Row, day, number, text


class Terms(msgspec.Struct, frozen=True):
    """One terms code.

    Attributes:
        net_days: days from the invoice date, 0 when the terms name none.
        due_day: fixed due date, or None.
        discount_percent: in percent, 0 when there is no discount.
        discount_days: days within which the discount holds.
    """

    code: str
    net_days: int
    due_day: date | None
    discount_percent: Decimal
    discount_days: int

    def due(self, invoice_date: date, default_net_days: int) -> date:
        """Return the due date; terms without days and date fall back to the connection's default."""
        if self.due_day is not None and self.due_day >= invoice_date:
            return self.due_day
        return invoice_date + timedelta(days=self.net_days or default_net_days)


def read_terms(rows: Iterable[Row]) -> dict[str, Terms]:
    """Return the terms by code. JDE keeps the discount as a fraction or as percent; up to 1 is a fraction."""
    found = {}
    for row in rows:
        code, discount = text(row, "PTC"), number(row, "DCP")
        percent = discount * 100 if discount < 1 else discount
        days = (int(number(row, "NDTP")), int(number(row, "DCD")))
        found[code] = Terms(code, days[0], day(row, "DDJ"), percent, days[1])
    return found


def due_date(terms: Terms | None, invoice_date: date, default_net_days: int) -> date:
    """Return the due date of an invoice date; an unknown terms code means the connection's default days."""
    if terms is None:
        return invoice_date + timedelta(days=default_net_days)
    return terms.due(invoice_date, default_net_days)
