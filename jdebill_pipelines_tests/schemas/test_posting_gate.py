"""The gate of postings: one bad thing at a time, and a whole year of payments at once."""

from __future__ import annotations

import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jdebill_pipelines.domain.pay_items import read_open_items
from jdebill_pipelines.domain.payments import PaidLink, PaymentRecord
from jdebill_pipelines.domain.periods import CompanyCalendar, FiscalCalendars
from jdebill_pipelines.domain.posting_documents import LinkedDocument, PostingContext, PostingDraft, PostingRules
from jdebill_pipelines.domain.postings import build_posting_drafts
from jdebill_pipelines.domain.verdicts import Verdict
from jdebill_pipelines.domain.vouchers import VoucherRules, build_voucher_drafts
from jdebill_pipelines.schemas.posting_gate import PostingReference, judge_postings
from jdebill_pipelines_tests.domain.cases import calendars, gl_map, pay_item
from jdebill_pipelines_tests.domain.jde_csv import read_table
from jdebill_pipelines_tests.domain.payment_cases import RULES, D, payment, posting_context
from jdebill_pipelines_tests.domain.real_data import prepared

BILL_X = {"billLineItems": [{"amount": D(5), "classifications": {"chartOfAccountId": "0ca6120"}}]}


def reference(context: PostingContext, **changes: Any) -> PostingReference:
    """The gate's own view of JDE, the same as the context's unless told otherwise."""
    values: dict[str, Any] = {
        "gl": context.gl,
        "open_items": context.open_items,
        "calendars": context.calendars,
        "bank_accounts": frozenset({"00000110"}),
    }
    return PostingReference(**{**values, **changes})


def drafts_of(
    bill: str = "00nV", amount: str = "100", context: Any = None, rules: PostingRules = RULES
) -> list[PostingDraft]:
    ctx = context or posting_context(bills={"00nX": BILL_X})
    return build_posting_drafts([payment(amount, [(bill, amount)])], ctx, rules)


def found(verdicts: list[Verdict]) -> list[str]:
    """The rules that failed, over all verdicts, each explained."""
    assert all(v.passed == (not v.failures) for v in verdicts)
    failures = [f for v in verdicts for f in v.failures]
    assert all(f.reason and f.fix and "{" not in f.reason + f.fix for f in failures)
    return [f.rule for f in failures]


@pytest.mark.parametrize(("bill", "amount"), [("00nV", "100"), ("00nO", "100"), ("00nX", "5")])
def test_good_postings_pass(bill: str, amount: str) -> None:
    """Payment, voucher and journal entry pass for exactly their content."""
    context = posting_context(bills={"00nX": BILL_X})
    (draft,) = drafts_of(bill, amount, context)
    (verdict,) = judge_postings([draft], reference(context))
    assert (verdict.passed, verdict.content_hash, verdict.kind) == (True, draft.content_hash, "posting")


def test_a_voucher_that_was_paid_meanwhile_is_refused() -> None:
    """Between draft and gate somebody paid part of it in JDE."""
    context = posting_context()
    less = read_open_items([pay_item("100", "99.99")])
    assert found(judge_postings(drafts_of(context=context), reference(context, open_items=less))) == ["voucher_open"]
    gone = judge_postings(drafts_of(context=context), reference(context, open_items={}))
    assert found(gone) == ["voucher_open"]
    assert "0 is open" in gone[0].failures[0].reason


def test_two_payments_cannot_use_the_same_open_amount() -> None:
    """Two drafts made apart, each right alone: the second is refused."""
    context = posting_context()
    (first,) = drafts_of(context=context)
    (second,) = build_posting_drafts([payment("60", id="stp2")], context, RULES)
    verdicts = judge_postings([first, second], reference(context))
    assert [v.passed for v in verdicts] == [True, False]
    assert found(verdicts) == ["voucher_open"]


@pytest.mark.parametrize(
    ("bank", "banks", "says"),
    [
        ("", frozenset(), "is missing"),
        ("99999999", frozenset(), "does not exist"),
        ("00000004", frozenset({"00000004"}), "does not take postings"),
        ("00000006", frozenset({"00000006"}), "belongs to company 00002"),
        ("00000008", frozenset({"00000008"}), "takes EUR only"),
        ("00000001", frozenset({"00000110"}), "is not registered as a bank account"),
    ],
)
@pytest.mark.parametrize("bill", ["00nV", "00nO"])
def test_every_wrong_bank_account(bill: str, bank: str, banks: frozenset[str], says: str) -> None:
    """Missing, unknown, heading, other company, other currency, no bank: for payments and vouchers."""
    context = posting_context()
    drafts = drafts_of(bill, context=context, rules=PostingRules(bank_account=bank))
    verdicts = judge_postings(drafts, reference(context, bank_accounts=banks))
    assert found(verdicts) == ["bank_account"]
    assert says in verdicts[0].failures[0].reason


def test_a_site_whose_bank_table_cannot_be_read() -> None:
    """Column security on F0030: the account master alone decides."""
    context = posting_context()
    drafts = drafts_of(context=context, rules=PostingRules(bank_account="00000001"))
    assert found(judge_postings(drafts, reference(context, bank_accounts=None))) == []


def test_accounts_and_units_of_vouchers_and_journals() -> None:
    """A unit that was closed and an account that was made inactive since the bill was sent."""
    context = posting_context(bills={"00nX": BILL_X})
    gl = gl_map()
    closed = msgspec.structs.replace(gl.units["40"], posting_code="N")
    inactive = msgspec.structs.replace(gl.entries["00000002"], posting_code="I")
    now = msgspec.structs.replace(gl, units={**gl.units, "40": closed}, entries={**gl.entries, "00000002": inactive})
    order = judge_postings(drafts_of("00nO", context=context), reference(context, gl=now))
    assert [(f.rule, f.line) for f in order[0].failures] == [("unit_open", "line 2")]
    journal = judge_postings(drafts_of("00nX", "5", context), reference(context, gl=now))
    assert [(f.rule, f.line) for f in journal[0].failures] == [("account_posts", "line 1")]


def test_a_period_that_closed_meanwhile() -> None:
    """March was current when the draft was made, May is now: refused; a journal asks the ledger's calendar."""
    context = posting_context(bills={"00nX": BILL_X})
    may = calendars(current=5)
    assert found(judge_postings(drafts_of(context=context), reference(context, calendars=may))) == ["gl_date_open"]
    ledger_closed = reference(context, ledger_calendars=may)
    assert found(judge_postings(drafts_of(context=context), ledger_closed)) == []
    assert found(judge_postings(drafts_of("00nX", "5", context), ledger_closed)) == ["gl_date_open"]
    assert found(judge_postings(drafts_of(context=context), reference(context, calendars={}))) == ["gl_date_open"]


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({"amount": D(99)}, ["amount_total", "paid_amount"]),
        ({"reference": ""}, ["reference"]),
        ({"currency": "QQQ"}, ["decimals"]),
    ],
)
def test_the_gate_does_not_trust_the_drafts(change: dict[str, Any], rules: list[str]) -> None:
    """A content that does not add up, that is not what BILL paid, without reference, in no currency."""
    context = posting_context()
    (draft,) = drafts_of(context=context)
    wrong = msgspec.structs.replace(draft, content={**draft.content, **change})
    assert found(judge_postings([wrong], reference(context))) == rules


def test_a_journal_that_does_not_balance_is_refused() -> None:
    """One cent more on the debit side."""
    context = posting_context(bills={"00nX": BILL_X})
    (draft,) = drafts_of("00nX", "5", context)
    lines = [{**draft.content["lines"][0], "amount": D("5.01")}, draft.content["lines"][1]]
    wrong = msgspec.structs.replace(draft, content={**draft.content, "lines": lines})
    assert found(judge_postings([wrong], reference(context))) == ["amount_total"]


def test_what_the_rules_hold_never_passes_and_what_is_posted_is_not_judged() -> None:
    """A draft held for a closed period keeps its reason; a draft that is not due gets no verdict."""
    context = posting_context()
    held = build_posting_drafts([payment("100", processDate="2026-02-20")], context, RULES)
    assert found(judge_postings(held, reference(context))) == ["gl_date"]
    (draft,) = drafts_of(context=context)
    by_hand = msgspec.structs.replace(draft, status="held", reason="Wait for the bank.")
    assert found(judge_postings([by_hand], reference(context))) == ["held"]
    early = build_posting_drafts([payment("100", singleStatus="SCHEDULED")], context, RULES)
    assert judge_postings(early, reference(context)) == []


@pytest.mark.data
def test_a_year_of_council_payments(data_dir: Path) -> None:
    """Every bill of the council is paid, a third in two parts: every posting passes and the sum is what was paid."""
    folder = data_dir / "oxford-2017"
    ctx, gate = prepared(folder, date(2018, 6, 30))
    f0411 = read_table(folder, "F0411")
    drafts = [d for d in build_voucher_drafts(f0411, read_table(folder, "F0911"), ctx, VoucherRules()) if d.vendor_id]
    documents = {f"00n{d.natural_key}": LinkedDocument.of(d) for d in drafts}
    payments = []
    for n, draft in enumerate(drafts):
        half = (draft.amount / 2).quantize(Decimal("0.01")) if n % 3 == 0 else Decimal(0)
        for part in (half, draft.amount - half):
            if part:
                link = PaidLink(f"00n{draft.natural_key}", part)
                when = draft.due_date or date(2017, 1, 1)
                payments.append(
                    PaymentRecord(
                        id=f"stp{len(payments)}",
                        vendor_id=draft.vendor_id,
                        amount=part,
                        funding_amount=None,
                        process_date=when,
                        ended_on=when,
                        online=True,
                        single_status="CLEARED",
                        status="PAID",
                        links=(link,),
                    )
                )
    company = {**read_table(folder, "F0010")[0], "APFJ": date(2017, 1, 1), "APPN": Decimal(1)}
    calendar = CompanyCalendar.of(company, FiscalCalendars.from_rows(read_table(folder, "F0008")))
    rules = PostingRules(bank_account="00000001")
    context = PostingContext(
        documents=documents,
        open_items=read_open_items(f0411),
        gl=gate.gl,
        currencies=gate.currencies,
        calendars={"00001": calendar},
    )
    started = time.process_time()
    postings = build_posting_drafts(payments, context, rules)
    verdicts = judge_postings(postings, PostingReference(gate.gl, context.open_items, context.calendars))
    assert time.process_time() - started < 6
    assert len(postings) > 17_000
    assert {p.status for p in postings} == {"due"}
    assert all(v.passed for v in verdicts)
    settled = sum((v["amount"] for p in postings for v in p.content["vouchers"]), Decimal(0))
    assert settled == sum((p.amount for p in payments), Decimal(0)) == Decimal("60389158.61")
