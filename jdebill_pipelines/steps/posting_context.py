"""What payments are read against: the documents behind bills, what is open in JDE now, what was posted already.

Belongs here: gathering it. Does not belong here: the rules (``domain.postings``), storing drafts (``posting_drafts``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.gl_mapping import GlMap
from jdebill_pipelines.domain.keys import BadKeyError, OrderKey, VoucherKey
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.pay_items import PaidItem, read_open_items, take
from jdebill_pipelines.domain.payment_states import classify
from jdebill_pipelines.domain.payments import PaymentRecord, money
from jdebill_pipelines.domain.periods import CompanyCalendar, FiscalCalendars
from jdebill_pipelines.domain.posting_documents import (
    AccountShare,
    LinkedDocument,
    OpenItem,
    PostedDocument,
    PostingContext,
    PostingRules,
)
from jdebill_pipelines.domain.purchase_orders import orders_of_vouchers
from jdebill_pipelines.jde.where import any_of
from jdebill_pipelines.steps import gl as gl_step
from jdebill_pipelines.steps.bill_drafts import GATE as BILL_GATE
from jdebill_pipelines.steps.context import StepContext
from jdebill_pipelines.steps.jde_senders import POSTING, VOUCHER
from jdebill_pipelines.store.drafts import StoredDraft
from jdebill_pipelines.transport.errors import NotFound


class Known(msgspec.Struct, frozen=True):
    """What the ledger knows of the postings of some payments.

    Attributes:
        posted: confirmed postings by the key of their ``post``; of an order's one whose payment is still missing, the
            voucher.
        vouchers: remote id of the voucher that was entered for a posting, by the key of its ``post``.
        half: keys of posts whose voucher is entered and whose payment is not.
        undone: parts that are reversed, as (kind, key of the ``post``).
        in_flight: keys (``post`` or ``reverse``) of writes that nobody knows the outcome of.
    """

    posted: Mapping[str, PostedDocument]
    vouchers: Mapping[str, str]
    half: frozenset[str]
    undone: frozenset[tuple[str, str]]
    in_flight: frozenset[str]


def rules_of(ctx: StepContext) -> PostingRules:
    """The connection's choices."""
    sync = ctx.connection.sync
    return PostingRules(
        voucher=sync.writeback.voucher,
        purchase_order=sync.writeback.purchase_order,
        other=sync.writeback.other,
        bank_account=sync.bank_account or "",
        closed_period=sync.closed_period,
        post_when=sync.post_when,
    )


def known(ctx: StepContext, payments: Sequence[PaymentRecord]) -> Known:
    """What was posted of these payments, wholly or half."""
    keys = [f"{p.id}:{bill_id}:post" for p in payments for bill_id in _bills_of(p)]
    reverses = [f"{key.rsplit(':', 1)[0]}:reverse" for key in keys]
    writes = ctx.store.writes
    posts = {w.natural_key: w for w in writes.confirmed(POSTING, keys)}
    vouchers = {w.natural_key: w for w in writes.confirmed(VOUCHER, keys)}
    undone = {
        (kind, f"{key.rsplit(':', 1)[0]}:post")
        for kind in (POSTING, VOUCHER)
        for key in ctx.store.links.get(kind, reverses)
    }
    posted = {}
    for key, write in {**vouchers, **posts}.items():
        parts = [kind for kind, found in ((POSTING, posts), (VOUCHER, vouchers)) if key in found]
        posted[key] = PostedDocument(write.content, write.remote_id, all((kind, key) in undone for kind in parts))
    in_flight = {w.natural_key for w in writes.open_writes((POSTING, VOUCHER)) if w.state != "intended"}
    return Known(
        posted=posted,
        vouchers={key: w.remote_id for key, w in vouchers.items()},
        half=frozenset(vouchers.keys() - posts.keys()),
        undone=frozenset(undone),
        in_flight=frozenset(in_flight),
    )


def gather(
    ctx: StepContext, payments: Sequence[PaymentRecord], ledger: Known, gl: GlMap, frozen: Iterable[StoredDraft]
) -> PostingContext:
    """Gather everything that the rules read payments against; JDE is asked for what is open now.

    Args:
        ctx: of the asset.
        payments: that are drafted.
        ledger: what is known of their postings.
        gl: the accounts.
        frozen: drafts of postings whose outcome nobody knows: what they settle is not open for others.
    """
    ready = [p for p in payments if _posts(ctx, p)]
    new = [p for p in ready if any(f"{p.id}:{b}:post" not in ledger.posted for b in _bills_of(p))]
    bill_ids = {link.bill_id for p in payments for link in p.links}
    credit_ids = {c.credit_id for p in new for link in p.links for c in link.credits}
    documents = _documents(ctx, "bill", bill_ids)
    credits_ = _documents(ctx, "vendor_credit", credit_ids)
    needed = [documents[link.bill_id] for p in new for link in p.links if link.bill_id in documents]
    matched = _matched(ctx, needed)
    open_items = _open_items(ctx, [*needed, *credits_.values()], [v for found in matched.values() for v in found])
    documents |= {
        bill_id: msgspec.structs.replace(document, vouchers=tuple(str(v) for v in found if str(v) in open_items))
        for bill_id, document in documents.items()
        if (found := matched.get(document.natural_key))
    }
    for draft in frozen:
        if draft.operation == "post" and draft.content.get("route") == "payment":
            open_items.update(take(open_items, _paid(draft.content)))
    others = {link.bill_id for p in new for link in p.links if link.bill_id not in documents}
    vendors = ctx.store.links.by_remote("vendor")
    currencies = {row["id"]: str(row["raw"].get("billCurrency") or "") for row in ctx.store.mirror.read("vendors")}
    calendars, ledger_calendars = _calendars(ctx)
    return PostingContext(
        documents=documents,
        open_items=open_items,
        gl=gl,
        currencies=Currencies.from_rows(ctx.store.staging.read(t.F0013)),
        calendars=calendars,
        ledger_calendars=ledger_calendars,
        credits=credits_,
        posted=ledger.posted,
        bills=_bills(ctx, others),
        suppliers={remote: link.natural_key for remote, link in vendors.items()},
        vendor_currencies=currencies,
    )


def bank_accounts(ctx: StepContext) -> frozenset[str] | None:
    """Short ids of the company's bank accounts (F0030, type G); None when the table cannot be read."""
    if ctx.store.staging.count(t.F0030) == 0:
        return None
    return frozenset(aid for (aid,) in ctx.store.staging.rows(t.F0030, where={"BKTP": "G"}, columns=("AID",)))


def mapped(ctx: StepContext) -> GlMap:
    """The accounts, as staging has them."""
    return gl_step.mapped(ctx)


def _posts(ctx: StepContext, payment: PaymentRecord) -> bool:
    decision = classify(
        payment.single_status, payment.status, online=payment.online, post_when=ctx.connection.sync.post_when
    )
    return decision.action == "post"


def _bills_of(payment: PaymentRecord) -> list[str]:
    return [link.bill_id for link in payment.links]


def _documents(ctx: StepContext, kind: str, remote_ids: Iterable[str]) -> dict[str, LinkedDocument]:
    """The JDE documents behind bills or credits, as they were drafted last."""
    links = ctx.store.links.by_remote(kind, sorted(set(remote_ids)))
    drafts = {
        draft.natural_key: draft
        for draft in ctx.store.drafts.read(
            BILL_GATE, keys=[link.natural_key for link in links.values()], kinds=["bill", "vendor_credit"]
        )
    }
    return {remote: _document(drafts[link.natural_key]) for remote, link in links.items() if link.natural_key in drafts}


def _document(draft: StoredDraft) -> LinkedDocument:
    content, details = draft.content, draft.details
    when = (content.get("invoice") or {}).get("invoiceDate") or content.get("creditDate")
    return LinkedDocument(
        natural_key=draft.natural_key,
        source="F4301" if draft.source == "F4301" else "F0411",
        supplier=draft.party,
        company=str(details.get("company") or ""),
        currency=draft.currency,
        invoice_number=str(details.get("invoice_number") or ""),
        invoice_date=date.fromisoformat(when) if when else None,
        shares=tuple(
            AccountShare(
                aid=str(line.get("aid") or ""),
                business_unit=str(line.get("business_unit") or ""),
                object=str(line.get("object") or ""),
                subsidiary=str(line.get("subsidiary") or ""),
                amount=money(line["amount"]),
                description=str(line.get("description") or ""),
                subledger=str(line.get("subledger") or ""),
                subledger_type=str(line.get("subledger_type") or ""),
            )
            for line in details.get("lines") or ()
        ),
    )


def _matched(ctx: StepContext, documents: Iterable[LinkedDocument]) -> dict[str, list[VoucherKey]]:
    """The vouchers that people matched orders to, by order, as JDE has them now; those that we entered left out."""
    orders = {OrderKey.parse(d.natural_key) for d in documents if d.source == "F4301"}
    if not orders:
        return {}
    columns = list(t.F43121.columns)
    numbers = sorted({order.number for order in orders})
    pages = ctx.jde().fetch_by_keys(t.F43121, "DOCO", numbers, where=any_of("MATC", ["2"]))
    found = orders_of_vouchers(dict(zip(columns, row, strict=True)) for page in pages for row in page)
    ours = ctx.store.links.by_remote(VOUCHER, sorted(map(str, found)))
    matched: dict[str, list[VoucherKey]] = {}
    for voucher, order in sorted(found.items()):
        if order in orders and str(voucher) not in ours:
            matched.setdefault(str(order), []).append(voucher)
    return matched


def _open_items(
    ctx: StepContext, documents: Iterable[LinkedDocument], more: Iterable[VoucherKey]
) -> dict[str, list[OpenItem]]:
    """The pay items of vouchers as JDE has them now."""
    vouchers = set(more)
    for document in documents:
        try:
            OrderKey.parse(document.natural_key)
        except BadKeyError:
            vouchers.add(VoucherKey.parse(document.natural_key))
    if not vouchers:
        return {}
    columns = list(t.F0411.columns)
    where = any_of("DCT", sorted({v.type for v in vouchers}))
    pages = ctx.jde().fetch_by_keys(t.F0411, "DOC", sorted({v.number for v in vouchers}), where=where)
    rows = [dict(zip(columns, row, strict=True)) for page in pages for row in page]
    return read_open_items(row for row in rows if VoucherKey.of(row) in vouchers)


def _paid(content: Mapping[str, Any]) -> list[PaidItem]:
    return [
        PaidItem(
            "{document_company}-{document_type}-{document_number}-{pay_item}".format_map(v),
            money(v["amount"]),
            money(v["discount"]),
        )
        for v in content["vouchers"]
    ]


def _bills(ctx: StepContext, bill_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Bills that did not come from JDE, read whole: their lines say what was bought."""
    found = {}
    for bill_id in sorted(b for b in bill_ids if b):
        try:
            bill = ctx.bill().bills.get(bill_id)
        except NotFound:
            continue
        found[bill_id] = msgspec.to_builtins(bill, builtin_types=(Decimal,))
    return found


def _calendars(ctx: StepContext) -> tuple[dict[str, CompanyCalendar], dict[str, CompanyCalendar]]:
    fiscal = FiscalCalendars.from_rows(ctx.store.staging.read(t.F0008))
    companies = ctx.store.staging.read(t.F0010)
    return (
        {row["CO"]: CompanyCalendar.of(row, fiscal, "ap") for row in companies},
        {row["CO"]: CompanyCalendar.of(row, fiscal, "gl") for row in companies},
    )
