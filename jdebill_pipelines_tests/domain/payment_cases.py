"""Payments of BILL and the JDE documents behind their bills, for the tests of postings."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.pay_items import read_open_items
from jdebill_pipelines.domain.payments import PaymentRecord
from jdebill_pipelines.domain.posting_documents import AccountShare, LinkedDocument, PostingContext, PostingRules
from jdebill_pipelines_tests.domain.cases import calendars, gl_map, pay_item

D = Decimal
RULES = PostingRules(bank_account="00000110")
VOUCHER = LinkedDocument("00001-PV-1001", "F0411", "4242", "00001", "USD")
CREDIT = LinkedDocument("00001-PD-2001", "F0411", "4242", "00001", "USD")
ORDER = LinkedDocument(
    "00001-OP-12-000",
    "F4301",
    "4242",
    "00001",
    "USD",
    "OP12-00001",
    date(2026, 3, 10),
    (
        AccountShare("00000001", "30", "6110", "", D("66.67"), "Valve kit"),
        AccountShare("00000003", "40", "6110", "", D("33.33")),
    ),
)


def payment(amount: str, bills: list[tuple[str, str]] | None = None, **changes: Any) -> PaymentRecord:
    """A processed payment of 20 March 2026, read from what the API sends."""
    links = [("00nV", amount)] if bills is None else bills
    raw = {
        "id": "stp01QWMZKTRVB5hx8nd",
        "vendorId": "00901A",
        "amount": D(amount),
        "processDate": "2026-03-20",
        "status": "PAID",
        "singleStatus": "PROCESSED",
        "onlinePayment": True,
        "billPayments": [{"id": f"blp{n}", "billId": b, "amount": D(a)} for n, (b, a) in enumerate(links)],
        "updatedTime": "2026-03-21T02:00:00.000+00:00",
    }
    return PaymentRecord.of({**raw, **changes})


def posting_context(*items: dict[str, Any], **changes: Any) -> PostingContext:
    """Voucher 1001 behind bill 00nV, order 12 behind 00nO, credit 2001 behind vcrC."""
    values: dict[str, Any] = {
        "documents": {"00nV": VOUCHER, "00nO": ORDER},
        "credits": {"vcrC": CREDIT},
        "open_items": read_open_items(items or [pay_item("100")]),
        "gl": gl_map(),
        "currencies": Currencies(),
        "calendars": calendars(),
        "suppliers": {"00901A": "4242"},
        "vendor_currencies": {"00901A": "USD"},
    }
    return PostingContext(**{**values, **changes})
