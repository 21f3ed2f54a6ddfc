"""What a payment becomes in JDE: voucher payments, vouchers against orders, journal entries, and their reversal."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdebill_pipelines.domain.pay_items import OverpaidError, settled_by, spread, take
from jdebill_pipelines.domain.payments import PaymentRecord
from jdebill_pipelines.domain.posting_documents import OpenItem, PostedDocument, PostingDraft, PostingRules
from jdebill_pipelines.domain.postings import WAITS, build_posting_drafts
from jdebill_pipelines_tests.domain.cases import calendars, pay_item
from jdebill_pipelines_tests.domain.payment_cases import RULES, D, payment, posting_context

POST = "stp01QWMZKTRVB5hx8nd:00nV:post"


def one(record: PaymentRecord, context: Any = None, rules: PostingRules = RULES) -> PostingDraft:
    """The one draft of one payment."""
    (draft,) = build_posting_drafts([record], context or posting_context(), rules)
    return draft


def paid(draft: PostingDraft) -> list[tuple[int, str, Any, Any]]:
    """Pay items of a voucher payment: number, suffix, money, discount."""
    return [(v["document_number"], v["pay_item"], v["amount"], v["discount"]) for v in draft.content["vouchers"]]


def test_a_paid_voucher_becomes_exactly_this_payment() -> None:
    """Everything that the payment orchestration is given."""
    draft = one(payment("100"))
    assert (draft.status, draft.natural_key, draft.period, draft.amount) == ("due", POST, "2026-03", D(100))
    assert draft.content == {
        "route": "payment",
        "reference": draft.content["reference"],
        "company": "00001",
        "currency": "USD",
        "gl_date": "2026-03-20",
        "payee": "4242",
        "bank_account": "00000110",
        "payment_date": "2026-03-20",
        "amount": D(100),
        "vouchers": [
            {
                "document_company": "00001",
                "document_type": "PV",
                "document_number": 1001,
                "pay_item": "001",
                "amount": D(100),
                "discount": D(0),
            }
        ],
    }
    assert draft.content["reference"].startswith("stp01QWMZKTRVB5hx8nd/")


def test_part_payments_pay_the_oldest_items_first() -> None:
    """Two part payments in one batch: the second sees what the first left open; the last one takes the credit item."""
    items = [
        pay_item("60", SFX="002", DDJ=date(2026, 4, 1)),
        pay_item("50", SFX="001", DDJ=date(2026, 5, 1)),
        pay_item("-10", SFX="003", DDJ=date(2026, 3, 1)),
    ]
    first, second = payment("70"), payment("30", id="stp2", processDate="2026-03-22")
    drafts = build_posting_drafts([second, first], posting_context(*items), RULES)
    assert [d.payment_id for d in drafts] == ["stp01QWMZKTRVB5hx8nd", "stp2"]
    assert paid(drafts[0]) == [(1001, "002", D(60), 0), (1001, "001", D(10), 0)]
    assert paid(drafts[1]) == [(1001, "003", D(-10), 0), (1001, "001", D(40), 0)]
    third = build_posting_drafts(
        [first, second, payment("1", id="stp3", processDate="2026-03-23")], posting_context(*items), RULES
    )
    assert [p.rule for p in third[2].problems] == ["voucher_open"]


def test_a_payment_short_by_the_granted_discount_takes_it() -> None:
    """98 of 100 with 2 discount until the day: taken; a day later it is a part payment."""
    granted = pay_item("100", ADSC="2", DDNJ=date(2026, 3, 20))
    assert paid(one(payment("98"), posting_context(granted))) == [(1001, "001", D(98), D(2))]
    late = pay_item("100", ADSC="2", DDNJ=date(2026, 3, 19))
    assert paid(one(payment("98"), posting_context(late))) == [(1001, "001", D(98), 0)]


def test_vendor_credits_settle_their_voucher_too() -> None:
    """80 in money and 20 of a credit: the voucher is paid whole, the credit voucher by 20, 80 leaves the bank."""
    record = payment(
        "80",
        billPayments=[{"billId": "00nV", "amount": D(80), "vendorCredits": [{"id": "vcrC", "amount": D(20)}]}],
    )
    credit = pay_item("-50", DOC="2001", DCT="PD")
    draft = one(record, posting_context(pay_item("100"), credit))
    assert paid(draft) == [(1001, "001", D(100), 0), (2001, "001", D(-20), 0)]
    assert draft.content["amount"] == D(80)
    unknown = one(record, posting_context(pay_item("100"), credit, credits={}))
    assert unknown.status == "held"


def test_a_combined_payment_has_one_posting_per_bill() -> None:
    """A voucher, an order and a bill that JDE does not know, in one payment: three postings, three ways."""
    bill = {
        "id": "00nX",
        "classifications": {"departmentId": "0de30"},
        "billLineItems": [{"amount": D(5), "classifications": {"chartOfAccountId": "0ca6120"}}],
    }
    record = payment("205", [("00nV", "100"), ("00nO", "100"), ("00nX", "5")])
    drafts = build_posting_drafts([record], posting_context(bills={"00nX": bill}), RULES)
    assert [(d.route, d.status, d.amount) for d in drafts] == [
        ("payment", "due", D(100)),
        ("voucher", "due", D(100)),
        ("journal", "due", D(5)),
    ]
    voucher, journal = drafts[1].content, drafts[2].content
    assert [(n["account"], n["amount"]) for n in voucher["lines"]] == [
        ("00000001", D("66.67")),
        ("00000003", D("33.33")),
    ]
    assert (voucher["order_type"], voucher["order_number"], voucher["bank_account"]) == ("OP", 12, "00000110")
    assert [(n["account"], n["amount"]) for n in journal["lines"]] == [("00000002", D(5)), ("00000110", D(-5))]
    assert journal["company"] == "00001"
    assert len({d.content["reference"] for d in drafts}) == 3


def test_a_part_payment_of_an_order_is_spread_over_its_accounts() -> None:
    """50.01 of 100: both accounts get their share, to the cent."""
    draft = one(payment("50.01", [("00nO", "50.01")]))
    assert [n["amount"] for n in draft.content["lines"]] == [D("33.34"), D("16.67")]


@pytest.mark.parametrize(
    ("single", "reason"),
    [
        ("SCHEDULED", "Created, waits for its process date; can be cancelled. Postings are made from PROCESSED on."),
        ("VOIDED", "Voided and credited to the payer. It was never posted."),
        ("DISBURSEMENT_ON_HOLD", "BILL holds the disbursement (risk); nobody knows whether it goes on."),
    ],
)
def test_what_is_not_posted_says_why(single: str, reason: str) -> None:
    """Too early, undone before it was posted, doubtful."""
    draft = one(payment("100", singleStatus=single))
    assert (draft.status, draft.reason) == ("not_due", reason)


def confirmed(**changes: Any) -> dict[str, PostedDocument]:
    """The posting of ``payment("100")`` as JDE confirmed it."""
    return {POST: PostedDocument(one(payment("100")).content, "PN-90001", **changes)}


def test_what_postings_have_settled() -> None:
    """Money and discount by pay item; a reversed posting settles nothing, a journal entry neither."""
    granted = one(payment("98"), posting_context(pay_item("100", ADSC="2", DDNJ=date(2026, 3, 20))))
    order = one(payment("100", [("00nO", "100")]))
    posted = [PostedDocument(granted.content, "PN-1"), PostedDocument(order.content, "PV-2")]
    assert settled_by(posted) == {"00001-PV-1001-001": D(100)}
    assert settled_by([PostedDocument(granted.content, "PN-1", reversed=True)]) == {}


def test_a_confirmed_posting_is_never_computed_again() -> None:
    """After the posting nothing is open; the draft repeats what was written and asks for nothing."""
    context = posting_context(pay_item("100", "0", PST="P"), posted=confirmed())
    draft = one(payment("100"), context)
    assert (draft.status, draft.reason) == ("not_due", "posted in JD Edwards")
    assert draft.content_hash == one(payment("100")).content_hash


def test_a_payment_made_again_waits_for_the_reversal() -> None:
    """BILL voids and reissues at once: the voucher is still closed, so the new payment waits; nobody is asked.

    Where nothing is reversed any more, a closed voucher stays a person's business.
    """
    voided = payment("100", singleStatus="VOIDED", status="VOID")
    again = payment("100", id="stp2", processDate="2026-03-25")
    closed = pay_item("100", "0", PST="P")
    drafts = build_posting_drafts([voided, again], posting_context(closed, posted=confirmed()), RULES)
    assert [(d.operation, d.status) for d in drafts] == [("post", "not_due"), ("reverse", "due"), ("post", "not_due")]
    assert drafts[2].details[WAITS] is True
    assert (drafts[2].problems, drafts[2].content) == ((), {})
    opened = posting_context(pay_item("100"), posted=confirmed(reversed=True))
    assert build_posting_drafts([voided, again], opened, RULES)[2].status == "due"
    done = posting_context(closed, posted=confirmed(reversed=True))
    assert build_posting_drafts([voided, again], done, RULES)[2].problems[0].rule == "voucher_open"


def test_a_void_after_posting_reverses_it_once() -> None:
    """The reversal names what it undoes, is dated on the day of the void in the connection's zone, and happens once."""
    record = payment("100", singleStatus="VOIDED", status="VOID")
    assert record.ended_on == date(2026, 3, 21)
    post, reverse = build_posting_drafts([record], posting_context(posted=confirmed()), RULES)
    assert (post.status, reverse.status, reverse.operation) == ("not_due", "due", "reverse")
    assert reverse.natural_key == "stp01QWMZKTRVB5hx8nd:00nV:reverse"
    assert reverse.content == {
        "route": "void",
        "reference": reverse.content["reference"],
        "company": "00001",
        "currency": "USD",
        "gl_date": "2026-03-21",
        "amount": D(100),
        "original_route": "payment",
        "original_reference": post.content["reference"],
        "original_id": "PN-90001",
    }
    assert reverse.content["reference"] != post.content["reference"]
    again = build_posting_drafts([record], posting_context(posted=confirmed(reversed=True)), RULES)
    assert [d.status for d in again] == ["not_due", "not_due"]


def test_a_reversal_is_never_dated_before_its_posting() -> None:
    """The payment was dated ahead and voided before that day."""
    record = payment("100", singleStatus="CANCELED", updatedTime="2026-03-01T10:00:00.000+00:00")
    _, reverse = build_posting_drafts([record], posting_context(posted=confirmed()), RULES)
    assert reverse.content["gl_date"] == "2026-03-20"


def test_a_payment_that_comes_back_after_its_reversal_needs_a_person() -> None:
    """BILL says paid, JDE has posted and reversed: nothing is posted, somebody looks."""
    draft = one(payment("100"), posting_context(posted=confirmed(reversed=True)))
    assert (draft.status, [p.rule for p in draft.problems]) == ("held", ["paid_again"])


def test_failures_after_posting_leave_the_posting() -> None:
    """A cleared payment that comes back is reviewed, not reversed: the money's way is not known yet."""
    record = payment("100", singleStatus="DISBURSEMENT_FAILED_ACTION_NEEDED")
    (draft,) = build_posting_drafts([record], posting_context(posted=confirmed()), RULES)
    assert (draft.status, draft.tell, draft.details["action"]) == ("not_due", "ap", "review")


def test_closed_periods_by_the_connections_rule() -> None:
    """A payment in February with March current: held, or dated on 1 March; a reversal alike."""
    record = payment("100", processDate="2026-02-20")
    assert [p.rule for p in one(record).problems] == ["gl_date"]
    moved = one(record, rules=PostingRules(bank_account="00000110", closed_period="next_open"))
    assert (moved.content["gl_date"], moved.content["payment_date"]) == ("2026-03-01", "2026-02-20")
    assert moved.period == "2026-02"
    posted = confirmed()
    voided = payment("100", singleStatus="VOIDED")
    _, held = build_posting_drafts([voided], posting_context(posted=posted, calendars=calendars(current=5)), RULES)
    assert (held.status, [p.rule for p in held.problems]) == ("held", ["gl_date"])


def test_each_way_can_be_switched() -> None:
    """Nothing for other bills; journals for orders and for vouchers, which need the payables account."""
    nothing = PostingRules(other="none", bank_account="00000110")
    assert one(payment("5", [("00nX", "5")]), rules=nothing).status == "not_due"
    journals = PostingRules(voucher="journal", purchase_order="journal", bank_account="00000110")
    order = one(payment("100", [("00nO", "100")]), rules=journals)
    assert [n["amount"] for n in order.content["lines"]] == [D("66.67"), D("33.33"), D(-100)]
    assert [p.rule for p in one(payment("100"), rules=journals).problems] == ["payables_account"]
    named = PostingRules(voucher="journal", bank_account="00000110", payables_account="00000002")
    assert [n["account"] for n in one(payment("100"), rules=named).content["lines"]] == ["00000002", "00000110"]


def test_bills_that_jde_does_not_know() -> None:
    """Unreadable bill, account that stands for several JDE accounts, payment without a bill: held, each with a fix."""
    unknown = one(payment("5", [("00nX", "5")]))
    assert [p.rule for p in unknown.problems] == ["bill_unknown"]
    no_department = {"billLineItems": [{"amount": D(5), "classifications": {"chartOfAccountId": "0ca6110"}}]}
    ambiguous = one(payment("5", [("00nX", "5")]), posting_context(bills={"00nX": no_department}))
    only_one = {"billLineItems": [{"amount": D(5), "classifications": {"chartOfAccountId": "0ca6120"}}]}
    assert one(payment("5", [("00nX", "5")]), posting_context(bills={"00nX": only_one})).status == "due"
    assert [p.rule for p in ambiguous.problems] == ["reverse_mapping"]
    nothing = one(payment("5", []))
    assert (nothing.status, nothing.bill_id) == ("held", "-")
    assert all(p.fix for d in (unknown, ambiguous, nothing) for p in d.problems)


def test_a_payment_whose_bills_do_not_add_up_waits() -> None:
    """BILL shows only one of two bills yet: nothing is posted until the sum is right."""
    draft = one(payment("150", [("00nV", "100")]))
    assert (draft.status, [p.rule for p in draft.problems]) == ("held", ["links_total"])


def test_payments_as_the_api_sends_them() -> None:
    """One bill by billId, two links to one bill, times in the connection's zone, no float."""
    single = payment("100", billPayments=None, billId="00nV")
    assert [(n.bill_id, n.amount) for n in single.links] == [("00nV", D(100))]
    double = payment("100", [("00nV", "60"), ("00nV", "40")])
    assert [(n.bill_id, n.amount) for n in double.links] == [("00nV", D(100))]
    raw = {"id": "stp1", "amount": "10.50", "processDate": "2026-03-20", "updatedTime": "2026-03-21T02:00:00.000+00:00"}
    assert PaymentRecord.of(raw, ZoneInfo("America/Denver")).ended_on == date(2026, 3, 20)
    with pytest.raises(TypeError):
        PaymentRecord.of({**raw, "amount": 10.5})


def test_offline_payments_post_like_others() -> None:
    """Recorded in BILL, made elsewhere: posted on its date though there is no single status."""
    draft = one(payment("100", onlinePayment=False, singleStatus=None))
    assert (draft.status, draft.details["online"]) == ("due", False)


cents = st.integers(-10_000, 10_000).map(lambda n: D(n).scaleb(-2))


@given(st.lists(cents, max_size=8), st.lists(st.integers(1, 10_000).map(lambda n: D(n).scaleb(-2)), max_size=5))
def test_payments_never_settle_more_than_is_open(opens: list[Any], payments: list[Any]) -> None:
    """Any open items, any payments in turn: what is accepted adds up exactly and nothing goes below zero."""
    items = [OpenItem(f"00001-PV-7-{n:03d}", o, D(0), None, date(2026, 1, 1 + n)) for n, o in enumerate(opens)]
    state: dict[str, Any] = {"00001-PV-7": items}
    for amount in payments:
        total = sum((i.open for i in state["00001-PV-7"]), D(0))
        if amount > total:
            with pytest.raises(OverpaidError):
                spread(amount, state["00001-PV-7"], date(2026, 1, 1))
            continue
        parts = spread(amount, state["00001-PV-7"], date(2026, 1, 1))
        assert sum(p.amount for p in parts) == amount
        before = {i.key: i.open for i in state["00001-PV-7"]}
        assert all(abs(p.amount) <= abs(before[p.key]) and p.amount * before[p.key] > 0 for p in parts)
        state.update(take(state, parts))
        assert sum((i.open for i in state["00001-PV-7"]), D(0)) == total - amount
