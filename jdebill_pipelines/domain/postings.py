"""What each payment of BILL becomes in JDE: post, reverse, wait, or ask a person.

Belongs here: one draft per payment and bill. Does not belong here: the content of a posting (``posting_routes``) or
whether JDE will take it (``schemas.posting_gate``).

Decisions: a posting is named by payment, bill and what happens, so that one invoice of a combined payment never holds
back the others and a half-done orchestration never leaves a mixture. What JDE has confirmed is not computed again: its
draft repeats what was written and is not due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.domain.keys import PostingKey
from jdebill_pipelines.domain.money import InexactAmountError, UnallocatableError, UnknownCurrencyError
from jdebill_pipelines.domain.pay_items import OverpaidError, PaidItem, spread, take
from jdebill_pipelines.domain.payment_states import Decision, classify
from jdebill_pipelines.domain.payments import PaidLink, PaymentRecord, money
from jdebill_pipelines.domain.periods import CompanyCalendar, month_of
from jdebill_pipelines.domain.posting_documents import (
    AccountShare,
    LinkedDocument,
    OpenItem,
    PostedDocument,
    PostingContext,
    PostingDraft,
    PostingRules,
    Route,
)
from jdebill_pipelines.domain.posting_routes import (
    journal_content,
    payment_content,
    shares_of_bill,
    spread_shares,
    void_content,
    voucher_content,
)
from jdebill_pipelines.domain.rows import ZERO
from jdebill_pipelines.domain.verdicts import Failure

NO_BILL = "-"
WAITS = "waits_for_reversal"  # in the details of a draft that is due as soon as a reversal is done


class _Built(msgspec.Struct):
    """A posting under construction."""

    route: Route
    company: str
    currency: str
    content: dict[str, Any]
    problems: list[Failure]
    paid: list[PaidItem]


def build_posting_drafts(
    payments: Iterable[PaymentRecord], context: PostingContext, rules: PostingRules
) -> list[PostingDraft]:
    """Return the drafts of all payments, oldest first: a ``post`` per bill, and a ``reverse`` where one is needed.

    Payments are taken in order of process date and id, and each sees what the ones before it leave open.

    Args:
        payments: each payment once, as BILL shows it now.
        context: what they are read against.
        rules: the connection's choices.
    """
    open_items: dict[str, Sequence[OpenItem]] = dict(context.open_items)
    drafts: list[PostingDraft] = []
    for payment in sorted(payments, key=lambda p: (p.process_date, p.id)):
        decision = classify(payment.single_status, payment.status, online=payment.online, post_when=rules.post_when)
        for link in payment.links or (PaidLink(NO_BILL, payment.amount),):
            post, paid = _post(payment, link, decision, context, rules, open_items)
            if post.status == "due":
                open_items.update(take(open_items, paid))
            drafts.append(post)
            posted = context.posted.get(post.natural_key)
            if decision.action == "reverse" and posted is not None:
                drafts.append(_reverse(payment, link, posted, post, context, rules))
    return _after_reversals(drafts, context)


def _after_reversals(drafts: Sequence[PostingDraft], context: PostingContext) -> list[PostingDraft]:
    """Let a payment wait whose voucher becomes open by a reversal of this batch (BILL voids and reissues at once)."""
    opened: set[str] = set()
    for draft in drafts:
        if draft.operation == "reverse" and draft.status == "due":
            undone = context.posted[f"{draft.payment_id}:{draft.bill_id}:post"].content
            parts = undone.get("vouchers", ())
            opened |= {"{document_company}-{document_type}-{document_number}".format_map(part) for part in parts}
    return [
        msgspec.structs.replace(
            draft,
            status="not_due",
            reason="waits until the payment before it is reversed in JD Edwards",
            content={},
            problems=(),
            details={**draft.details, WAITS: True},
        )
        if draft.source in opened and [p.rule for p in draft.problems] == ["voucher_open"]
        else draft
        for draft in drafts
    ]


def _post(
    payment: PaymentRecord,
    link: PaidLink,
    decision: Decision,
    context: PostingContext,
    rules: PostingRules,
    open_items: Mapping[str, Sequence[OpenItem]],
) -> tuple[PostingDraft, list[PaidItem]]:
    key = PostingKey(payment.id, link.bill_id, "post")
    document = context.documents.get(link.bill_id)
    draft = PostingDraft(
        natural_key=str(key),
        operation="post",
        period=month_of(payment.process_date),
        status="not_due",
        route=_route(document, rules),
        payment_id=payment.id,
        bill_id=link.bill_id,
        company=document.company if document else "",
        currency=document.currency if document else context.vendor_currencies.get(payment.vendor_id, "") or "USD",
        amount=link.amount,
        content={},
        supplier=document.supplier if document else context.suppliers.get(payment.vendor_id, ""),
        source=document.natural_key if document else "",
        tell=decision.tell,
        details=_details(payment, link, decision),
    )
    posted = context.posted.get(str(key))
    if posted is not None:
        return _as_posted(draft, posted, decision), []
    if decision.action == "reverse":
        return msgspec.structs.replace(draft, reason=f"{decision.why} It was never posted."), []
    if decision.action != "post":
        return msgspec.structs.replace(draft, reason=decision.why), []
    if draft.route == "none":
        return msgspec.structs.replace(draft, reason="the connection writes nothing back for such bills"), []
    built = _build(key, payment, link, document, draft, context, rules, open_items)
    if payment.linked != payment.amount:
        built.problems.append(_unlinked(payment))
    return msgspec.structs.replace(
        draft,
        status="held" if built.problems else "due",
        reason=built.problems[0].reason if built.problems else "",
        route=built.route,
        company=built.company,
        currency=built.currency,
        content=built.content,
        problems=tuple(built.problems),
    ), built.paid


def _route(document: LinkedDocument | None, rules: PostingRules) -> Route:
    if document is None:
        return rules.other
    if document.source == "F0411":
        return rules.voucher
    # JDE has the invoice already: another voucher, or an entry beside it, would book it a second time.
    return "payment" if document.vouchers and rules.purchase_order != "none" else rules.purchase_order


def _as_posted(draft: PostingDraft, posted: PostedDocument, decision: Decision) -> PostingDraft:
    """Repeat what JDE confirmed; a payment that BILL makes again after its reversal needs a person."""
    changes: dict[str, Any] = {
        "content": dict(posted.content),
        "route": posted.content["route"],
        "company": posted.content["company"],
        "currency": posted.content["currency"],
        "reason": "posted in JD Edwards",
    }
    if posted.reversed and decision.action == "post":
        failure = Failure(
            "",
            "singleStatus",
            decision.state.name,
            "The payment was reversed in JD Edwards, but BILL shows it as made.",
            "Check the payment in BILL and enter it in JD Edwards by hand if it was really made.",
            "paid_again",
        )
        changes |= {"status": "held", "problems": (failure,), "reason": failure.reason}
    elif posted.reversed:
        changes["reason"] = "posted in JD Edwards and reversed there"
    return msgspec.structs.replace(draft, **changes)


def _build(
    key: PostingKey,
    payment: PaymentRecord,
    link: PaidLink,
    document: LinkedDocument | None,
    draft: PostingDraft,
    context: PostingContext,
    rules: PostingRules,
    open_items: Mapping[str, Sequence[OpenItem]],
) -> _Built:
    built = _Built(draft.route, draft.company, draft.currency, {}, [], [])
    shares: tuple[AccountShare, ...] = document.shares if document else ()
    if document is None:
        bill = context.bills.get(link.bill_id)
        if bill is None:
            built.problems.append(_failure("billId", link.bill_id, "bill_unknown", "BILL does not say what was paid."))
            return built
        shares, built.company, found = shares_of_bill(bill, context.gl)
        built.problems.extend(found)
        if found:
            return built
    elif built.route == "journal" and document.source == "F0411":
        if not rules.payables_account:
            text = "A journal entry for a voucher needs the payables account, and the connection names none."
            built.problems.append(_failure("payables_account", "", "payables_account", text))
            return built
        shares = (AccountShare(rules.payables_account, "", "", "", link.amount, document.natural_key),)
    gl_date = _gl_date(payment.process_date, built, context, rules)
    if gl_date is None or built.problems:
        return built
    try:
        if built.route == "payment" and document is not None:
            built.paid = _paid_items(link, document, context, open_items, payment.process_date)
            built.content = payment_content(key, payment, document, built.paid, rules, gl_date)
        else:
            parts = spread_shares(link.amount, shares, context.currencies, built.currency)
            if built.route == "voucher" and document is not None:
                built.content = voucher_content(key, payment, link, document, parts, rules, gl_date)
            else:
                built.content = journal_content(key, built.company, built.currency, parts, rules, gl_date)
            if link.credits:
                text = "Vendor credits were applied, which only a payment of JD Edwards vouchers can take."
                built.problems.append(_failure("vendorCredits", str(len(link.credits)), "credit_route", text))
    except OverpaidError as error:
        text = f"JD Edwards does not have that much open: {error}."
        rule = "order_invoiced" if document is not None and document.vouchers else "voucher_open"
        built.problems.append(_failure("F0411.AAP", str(link.settled), rule, text))
    except (UnallocatableError, InexactAmountError, UnknownCurrencyError) as error:
        built.problems.append(_failure("amount", str(link.amount), "amount", f"{error}."))
    return built


def _paid_items(
    link: PaidLink,
    document: LinkedDocument,
    context: PostingContext,
    open_items: Mapping[str, Sequence[OpenItem]],
    when: date,
) -> list[PaidItem]:
    """The voucher is settled by money and credits together; each credit voucher by what was used of it."""
    vouchers = document.vouchers if document.source == "F4301" else (document.natural_key,)
    paid = spread(link.settled, [item for voucher in vouchers for item in open_items.get(voucher, ())], when)
    for credit in link.credits:
        source = context.credits.get(credit.credit_id)
        if source is None:
            raise OverpaidError(f"the vendor credit {credit.credit_id} did not come from JD Edwards")
        paid += spread(-credit.amount, open_items.get(source.natural_key, ()), when)
    return paid


def _gl_date(when: date, built: _Built, context: PostingContext, rules: PostingRules) -> date | None:
    """Return the G/L date by the connection's rule for closed periods; None after saying why there is none."""
    calendars = context.ledger_calendars if built.route == "journal" else context.calendars
    calendar: CompanyCalendar | None = calendars.get(built.company) or context.calendars.get(built.company)
    if calendar is None:
        text = f"Company {built.company or '(none)'} is not set up in JD Edwards (F0010)."
        built.problems.append(_failure("F0010.CO", built.company, "company", text))
        return None
    judged = calendar.judge(when)
    if judged.accepted:
        return when
    other = calendar.next_open(when) if rules.closed_period == "next_open" else None
    if other is None:
        text = f"The G/L date {when.isoformat()} is in no open period of company {built.company} ({judged.state})."
        built.problems.append(_failure("F0010.APPN", when.isoformat(), "gl_date", text))
    return other


def _reverse(
    payment: PaymentRecord,
    link: PaidLink,
    posted: PostedDocument,
    post: PostingDraft,
    context: PostingContext,
    rules: PostingRules,
) -> PostingDraft:
    key = PostingKey(payment.id, link.bill_id, "reverse")
    built = _Built("none", post.company, post.currency, {}, [], [])
    built.route = post.route
    # Not before the posting that it reverses.
    when = max(payment.ended_on, date.fromisoformat(str(posted.content["gl_date"])))
    gl_date = None if posted.reversed else _gl_date(when, built, context, rules)
    if gl_date is not None:
        built.content = void_content(key, posted.content, posted.remote_id, gl_date)
    status = "not_due" if posted.reversed else "held" if built.problems else "due"
    reason = "reversed in JD Edwards" if posted.reversed else built.problems[0].reason if built.problems else ""
    return msgspec.structs.replace(
        post,
        natural_key=str(key),
        operation="reverse",
        status=status,
        reason=reason,
        amount=money(posted.content["amount"]),
        content=built.content,
        problems=tuple(built.problems),
    )


def _details(payment: PaymentRecord, link: PaidLink, decision: Decision) -> dict[str, Any]:
    credits = sum((c.amount for c in link.credits), Decimal(0))
    return {
        "single_status": payment.single_status,
        "status": payment.status,
        "action": decision.action,
        "why": decision.why,
        "online": payment.online,
        "confirmation_number": payment.confirmation_number,
        "check_number": payment.check_number,
        "payment_amount": payment.amount,
        "bills_in_payment": len(payment.links),
        "credits": credits if credits != ZERO else ZERO,
        "funding_amount": payment.funding_amount if payment.funding_amount is not None else "",
        "void_reason": payment.void_reason,
    }


def _unlinked(payment: PaymentRecord) -> Failure:
    return Failure(
        "",
        "billPayments",
        str(payment.linked),
        f"The payment is over {payment.amount}, but what it pays of its bills adds up to {payment.linked}.",
        "Look at the payment in BILL; it is posted when BILL shows all bills that it pays.",
        "links_total",
    )


_FIXES = {
    "bill_unknown": "Look at the payment in BILL; run the payments of the month again once its bill can be read.",
    "payables_account": "Let the connection write payments for vouchers (sync.writeback.voucher: payment).",
    "credit_route": "Enter the credit in JD Edwards by hand, then override with a reason.",
    "voucher_open": "Find out in JD Edwards who changed or paid the voucher. Void the BILL payment if it paid twice.",
    "order_invoiced": "The order was matched to less than was paid. Match the rest of it in JD Edwards: the payment is "
    "then posted by itself. Void the BILL payment if it paid twice.",
    "company": "Correct the company of the document, or cover the company in the connection.",
    "gl_date": "Open the period in JD Edwards, or let the connection date such payments on the next open day "
    "(sync.closed_period: next_open).",
    "amount": "Correct the amounts or accounts of the document in JD Edwards.",
}


def _failure(field: str, value: str, rule: str, reason: str) -> Failure:
    return Failure("", field, value, reason, _FIXES[rule], rule)
