"""Purchase orders: what approved means, what counts, when it is due."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from jdebill_pipelines.domain.documents import BillDraft
from jdebill_pipelines.domain.keys import OrderLink
from jdebill_pipelines.domain.purchase_orders import OrderRules, OrderTables, billed_orders, build_order_drafts
from jdebill_pipelines.domain.tables import F0014, F4209, F4301, F4311, F43121
from jdebill_pipelines_tests.domain.cases import D, context
from jdebill_pipelines_tests.domain.jde_csv import blank

KEY: dict[str, Any] = {"KCOO": "00001", "DOCO": "12", "DCTO": "OP", "SFXO": "000"}
RULES = OrderRules(approved_next_status={"OP": ("280", "400")})


def header(**changes: Any) -> dict[str, Any]:
    values = {**KEY, "AN8": "4242", "TRDJ": date(2026, 3, 10), "PTC": "N30", "CRRM": "D", "CRCD": "USD"}
    return blank(F4301, **{**values, **changes})


def line(amount: str, n: str = "1", **changes: Any) -> dict[str, Any]:
    values = {
        **KEY,
        "LNID": n,
        "CO": "00001",
        "AN8": "4242",
        "NXTR": "280",
        "UORG": "1",
        "UOPN": "1",
        "AEXP": amount,
        "AOPN": amount,
        "AID": "00000001",
        "OMCU": "30",
        "OBJ": "6110",
        "DSC1": "Valve kit",
    }
    return blank(F4311, **{**values, **changes})


def hold(**changes: Any) -> dict[str, Any]:
    values = {**KEY, "HCOD": "**", "RPER": "77", "ASTS": "1N", "RDJ": date(2026, 3, 10), "RDT": 90000}
    return blank(F4209, **{**values, **changes})


def receipt(amount: str, n: str = "1", **changes: Any) -> dict[str, Any]:
    values = {**KEY, "MATC": "1", "LNID": n, "NLIN": "1", "RCDJ": date(2026, 3, 20), "AREC": amount}
    return blank(F43121, **{**values, **changes})


def one(lines: list[dict[str, Any]], rules: OrderRules = RULES, vouchered: Any = None, **tables: Any) -> BillDraft:
    """The one draft of one order."""
    head = tables.pop("head", header())
    (draft,) = build_order_drafts(
        OrderTables(f4301=[head], f4311=lines, **tables), context(), rules, vouchered=vouchered
    )
    return draft


def test_an_approved_order_becomes_exactly_this_bill() -> None:
    """Number from the order's key, due by the terms, one line per order line with its account's tags."""
    terms = [blank(F0014, PTC="N30", NDTP="30")]
    draft = one([line("10.50"), line("20", "2.000", AID="", OBJ="6120")], f0014=terms)
    assert (draft.status, draft.reason) == ("due", "")
    content = draft.content()
    assert content["invoice"] == {"invoiceNumber": "OP12-00001", "invoiceDate": "2026-03-10"}
    assert content["dueDate"] == "2026-04-09"
    assert content["purchaseOrderNumber"] == "OP-12"
    assert [(n["amount"], n["classifications"]["chartOfAccountId"]) for n in content["billLineItems"]] == [
        (D("10.50"), "0ca6110"),
        (D(20), "0ca6120"),
    ]
    assert [n.line for n in draft.lines] == ["line 1", "line 2"]


@pytest.mark.parametrize(
    ("lines", "tables", "reason"),
    [
        ([line("1", NXTR="230")], {}, "line 1 is not approved (next status 230)"),
        ([line("1"), line("1", "2", NXTR="")], {}, "line 2 is not approved (next status blank)"),
        ([line("1")], {"head": header(HOLD="B1")}, "the order is on hold (hold code B1)"),
        ([line("1")], {"f4209": [hold()]}, "approval by 77 is pending"),
        ([line("1")], {"f4209": [hold(HCOD="C1", ASTS="", RDJ=None)]}, "hold C1 is not released"),
        ([line("1", NXTR="999", UOPN="0", AOPN="0")], {}, "all lines are cancelled or rejected"),
        ([], {}, "the order has no lines"),
        ([line("0", AOPN="0")], {}, "the order amounts to nothing"),
        ([line("1", DCTO="OR")], {"head": header(DCTO="OR")}, "order type OR is not sent to BILL"),
    ],
)
def test_orders_that_wait_say_why(lines: list[dict[str, Any]], tables: dict[str, Any], reason: str) -> None:
    """Unapproved lines, holds, pending approvals, cancelled lines: each reason in words."""
    draft = one(lines, **tables)
    assert (draft.status, draft.reason) == ("not_due", reason)
    assert draft.lines == ()


def test_history_of_approvals_does_not_hold_an_order() -> None:
    """Rows stay as history: a later approval by the same person, or a released hold, lets the order pass."""
    later = hold(ASTS="1A", RDJ=date(2026, 3, 11))
    same_moment = hold(ASTS="1A")
    released = hold(HCOD="C1", ASTS="", RDJ=date(2026, 3, 12), RDC="R")
    for rows in ([hold(), later], [hold(), same_moment], [released], [hold(ASTS="2R")], [hold(ASTS="3N")]):
        assert one([line("1")], f4209=rows).status == "due"
    assert one([line("1")], f4209=[hold(ASTS="1A"), hold(RDJ=date(2026, 3, 12))]).status == "not_due"
    assert one([line("1")], f4209=[hold(ASTS="1A"), hold(RPER="78")]).reason == "approval by 78 is pending"


def test_cancelled_short_closed_and_amount_only_lines() -> None:
    """Cancelled lines are out, a line closed short counts what was received, an amount-only line its open amount."""
    lines = [
        line("10"),
        line("50", "2", NXTR="999", UOPN="0", AOPN="0"),
        line("30", "3", NXTR="999", CNDJ=date(2026, 3, 20), UOPN="0", UREC="1", AOPN="0", AREC="12"),
        line("0", "4", UORG="0", UOPN="0", AOPN="7", AREC="3"),
        line("40", "5", NXTR="999", UOPN="0", UREC="1", AOPN="0", AREC="40"),
    ]
    draft = one(lines)
    assert [(n.line, n.amount) for n in draft.lines] == [
        ("line 1", D(10)),
        ("line 3", D(12)),
        ("line 4", D(10)),
        ("line 5", D(40)),
    ]
    assert draft.amount == D(72)


def test_received_basis_bills_what_came() -> None:
    """Receipts count per line, reversals take them back, the invoice date is the last receipt; none means wait."""
    rules = OrderRules(approved_next_status={"OP": ("280",)}, basis="received", default_net_days=10)
    receipts = [receipt("6"), receipt("3", RCDJ=date(2026, 3, 25)), receipt("1", MATC="3"), receipt("9", MATC="2")]
    draft = one([line("10"), line("5", "2")], rules, f43121=receipts)
    assert [n.amount for n in draft.lines] == [D(8)]
    assert (draft.invoice_date, draft.due_date) == (date(2026, 3, 25), date(2026, 4, 4))
    assert one([line("10")], rules).reason == "nothing has been received yet"


def test_foreign_orders_use_foreign_amounts() -> None:
    """An EUR order counts its foreign extended amounts and receipts."""
    head = header(AN8="4343", CRRM="F", CRCD="EUR")
    lines = [line("11", FEA="10", FAP="10")]
    draft = one(lines, head=head)
    assert (draft.currency, draft.amount, draft.vendor_currency) == ("EUR", D(10), "EUR")
    rules = OrderRules(approved_next_status={"OP": ("280",)}, basis="received")
    got = one(lines, rules, head=head, f43121=[receipt("5.50", FREC="5")])
    assert got.amount == D(5)


@pytest.mark.parametrize(
    ("terms", "due"),
    [
        ([], date(2026, 4, 9)),
        ([{"PTC": "N30", "NDTP": "15"}], date(2026, 3, 25)),
        ([{"PTC": "N30", "DDJ": date(2026, 6, 1)}], date(2026, 6, 1)),
        ([{"PTC": "N30", "DDJ": date(2026, 1, 1), "NDTP": "5"}], date(2026, 3, 15)),
    ],
)
def test_due_dates_come_from_the_terms(terms: list[dict[str, Any]], due: date) -> None:
    """Net days, a fixed date that has not passed, and the default for terms that F0014 does not have."""
    assert one([line("1")], f0014=[blank(F0014, **t) for t in terms]).due_date == due


def test_an_order_is_not_billed_beside_its_voucher() -> None:
    """When the voucher went to BILL first the order stays out; due and linked orders keep their vouchers out."""
    link = OrderLink("00001", "OP", 12)
    draft = one([line("1")], vouchered={link: "00001-PV-9"})
    assert draft.reason == "its voucher 00001-PV-9 is already a bill"
    due = one([line("1")])
    assert billed_orders([due, draft], ["00001-OP-13-000"]) == {
        link: "00001-OP-12-000",
        OrderLink("00001", "OP", 13): "00001-OP-13-000",
    }
    assert billed_orders([draft], []) == {}
