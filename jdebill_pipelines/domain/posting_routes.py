"""The content of each kind of posting: voucher payment, voucher against an order's accounts, journal entry.

Belongs here: what the orchestrations are given. Does not belong here: whether a payment is posted at all
(``postings``).

Every content carries ``route``, ``reference`` (for the JDE remark, at most 30 characters), ``company``, ``gl_date`` and
``currency``. A voucher posting says which bank account paid it and when, because BILL has paid it already: in JDE it is
a payment without matching voucher, and no voucher is left open that a payment run could pay again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from jdebill_pipelines.domain.gl_mapping import GlEntry, GlMap
from jdebill_pipelines.domain.keys import OrderKey, PayItemKey, PostingKey, external_reference
from jdebill_pipelines.domain.money import Currencies, UnallocatableError, allocate
from jdebill_pipelines.domain.pay_items import PaidItem
from jdebill_pipelines.domain.payments import PaidLink, PaymentRecord, money
from jdebill_pipelines.domain.posting_documents import AccountShare, LinkedDocument, PostingRules
from jdebill_pipelines.domain.rows import ZERO
from jdebill_pipelines.domain.verdicts import Failure

INVOICE_LENGTH = 25  # F0411.VINV


def payment_content(
    key: PostingKey,
    payment: PaymentRecord,
    document: LinkedDocument,
    paid: Sequence[PaidItem],
    rules: PostingRules,
    gl_date: date,
) -> dict[str, Any]:
    """Return a payment of existing vouchers; credits are vouchers with negative amounts."""
    vouchers = []
    for item in paid:
        name = PayItemKey.parse(item.key)
        vouchers.append(
            {
                "document_company": name.company,
                "document_type": name.type,
                "document_number": name.number,
                "pay_item": name.suffix,
                "amount": item.amount,
                "discount": item.discount,
            }
        )
    return {
        **_head("payment", key, document.company, document.currency, gl_date),
        "payee": document.supplier,
        "bank_account": rules.bank_account,
        "payment_date": payment.process_date.isoformat(),
        "amount": sum((item.amount for item in paid), ZERO),
        "vouchers": vouchers,
    }


def voucher_content(
    key: PostingKey,
    payment: PaymentRecord,
    link: PaidLink,
    document: LinkedDocument,
    shares: Sequence[AccountShare],
    rules: PostingRules,
    gl_date: date,
) -> dict[str, Any]:
    """Return a paid voucher against the accounts of a purchase order."""
    order = OrderKey.parse(document.natural_key)
    head = _head("voucher", key, document.company, document.currency, gl_date)
    whole = link.amount == sum((share.amount for share in document.shares), ZERO)
    return {
        **head,
        "supplier": document.supplier,
        "invoice_number": document.invoice_number if whole else _part_number(document, head["reference"]),
        "invoice_date": (document.invoice_date or payment.process_date).isoformat(),
        "payment_date": payment.process_date.isoformat(),
        "bank_account": rules.bank_account,
        "amount": link.amount,
        "order_company": order.company,
        "order_type": order.type,
        "order_number": order.number,
        "order_suffix": order.suffix,
        "lines": [_line(share) for share in shares],
    }


def journal_content(
    key: PostingKey,
    company: str,
    currency: str,
    shares: Sequence[AccountShare],
    rules: PostingRules,
    gl_date: date,
) -> dict[str, Any]:
    """Return a journal entry that debits the shares and credits the bank account; its lines add up to zero."""
    total = sum((share.amount for share in shares), ZERO)
    bank = AccountShare(rules.bank_account, "", "", "", -total, "Paid through BILL")
    lines = [_line(share) for share in (*shares, bank)]
    return {**_head("journal", key, company, currency, gl_date), "amount": total, "lines": lines}


def void_content(key: PostingKey, posted: Mapping[str, Any], remote_id: str, gl_date: date) -> dict[str, Any]:
    """Return the reversal of a confirmed posting; that of a journal entry is an entry with the opposite lines."""
    content = {
        **_head("void", key, str(posted["company"]), str(posted["currency"]), gl_date),
        "amount": money(posted["amount"]),
        "original_route": posted["route"],
        "original_reference": posted["reference"],
        "original_id": remote_id,
    }
    if posted["route"] == "journal":
        content["lines"] = [{**line, "amount": -money(line["amount"])} for line in posted["lines"]]
    return content


def spread_shares(
    amount: Decimal, shares: Sequence[AccountShare], currencies: Currencies, currency: str
) -> tuple[AccountShare, ...]:
    """Spread a (part) payment over accounts in proportion to their amounts.

    Raises:
        UnallocatableError: there are no accounts or they add up to nothing.
        UnknownCurrencyError: the currency is unknown.
    """
    if not shares:
        raise UnallocatableError(f"{amount} cannot be spread: the document has no accounts")
    parts = allocate(amount, [share.amount for share in shares], currencies.decimals(currency))
    return tuple(
        AccountShare(s.aid, s.business_unit, s.object, s.subsidiary, part, s.description, s.subledger, s.subledger_type)
        for s, part in zip(shares, parts, strict=True)
        if part != 0
    )


def shares_of_bill(bill: Mapping[str, Any], gl: GlMap) -> tuple[tuple[AccountShare, ...], str, list[Failure]]:
    """Return the JDE accounts of a bill that did not come from JDE, their company, and what cannot be resolved.

    A BILL account and department stand for the one posting JDE account that the mapping gives them; when several or
    none do, a person must say which.
    """
    back: dict[tuple[str, str], list[GlEntry]] = {}
    for entry in gl.entries.values():
        if entry.posting_code in ("", "L", "S", "X") and entry.bill_account_id:
            back.setdefault((entry.bill_account_id, entry.bill_department_id), []).append(entry)
            if entry.bill_department_id:
                back.setdefault((entry.bill_account_id, ""), []).append(entry)
    shares, companies, problems = [], set(), []
    header = bill.get("classifications") or {}
    for n, line in enumerate(bill.get("billLineItems") or (), start=1):
        named = {**header, **(line.get("classifications") or {})}
        pair = (str(named.get("chartOfAccountId") or ""), str(named.get("departmentId") or ""))
        found = back.get(pair, []) if pair[0] else []
        if len(found) != 1:
            many = f"{len(found)} JD Edwards accounts" if found else "no JD Edwards account"
            problems.append(
                Failure(
                    f"line {n}",
                    "chartOfAccountId",
                    " ".join(p for p in pair if p),
                    f"The BILL account and department of the line stand for {many}.",
                    "Choose an account and department on the bill in BILL that stand for one JD Edwards account.",
                    "reverse_mapping",
                )
            )
            continue
        entry = found[0]
        companies.add(entry.company)
        shares.append(
            AccountShare(
                entry.aid,
                entry.business_unit,
                entry.object,
                entry.subsidiary,
                money(line.get("amount")),
                str(line.get("description") or ""),
            )
        )
    if len(companies) > 1:
        problems.append(
            Failure(
                "",
                "F0901.CO",
                ", ".join(sorted(companies)),
                "The lines of the bill belong to several companies.",
                "Split the bill in BILL, one per company.",
                "one_company",
            )
        )
    return tuple(shares), min(companies, default=""), problems


def _part_number(document: LinkedDocument, reference: str) -> str:
    """Return an invoice number of its own for a part payment: JDE checks that a supplier's numbers are unique."""
    return f"{document.invoice_number[: INVOICE_LENGTH - 10]}/{reference[-9:]}"


def _head(route: str, key: PostingKey, company: str, currency: str, gl_date: date) -> dict[str, Any]:
    return {
        "route": route,
        "reference": external_reference(key),
        "company": company,
        "currency": currency,
        "gl_date": gl_date.isoformat(),
    }


def _line(share: AccountShare) -> dict[str, Any]:
    fields: Iterable[tuple[str, Any]] = (
        ("account", share.aid),
        ("business_unit", share.business_unit),
        ("object", share.object),
        ("subsidiary", share.subsidiary),
        ("subledger", share.subledger),
        ("subledger_type", share.subledger_type),
        ("explanation", share.description[:30]),
    )
    return {"amount": share.amount, **{name: value for name, value in fields if value}}
