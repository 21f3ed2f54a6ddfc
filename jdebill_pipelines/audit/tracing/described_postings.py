"""Postings: what a payment became in JD Edwards, by which choice of the connection and on which accounts.

Does not belong here: the documents that they made (jde_documents.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jdebill_pipelines.audit.tracing.accounts import Accounts
from jdebill_pipelines.audit.tracing.facts import amount, known
from jdebill_pipelines.audit.tracing.follow import POSTINGS
from jdebill_pipelines.audit.tracing.model import Fact, Kind, Line, Node, Ref, amount_of
from jdebill_pipelines.audit.tracing.records import Records
from jdebill_pipelines.config.connection import Connection

_ROUTES = {
    "payment": "payment of the voucher",
    "voucher": "voucher against the order's accounts, and its payment",
    "journal": "journal entry",
    "void": "void",
}


class Postings:
    """Describes postings.

    Args:
        records: drafts and writes.
        accounts: of both sides.
        connection: whose choices.
    """

    def __init__(self, records: Records, accounts: Accounts, connection: Connection) -> None:
        self._records, self._accounts, self._connection = records, accounts, connection

    def postings(self, keys: list[str]) -> Iterable[Node]:
        """Postings as they were sent, or else as they were drafted."""
        drafts = self._records.drafts(keys, POSTINGS)
        sent = self._records.sent(keys)
        linked = {(link["kind"], link["natural_key"]): link for link in self._records.links(POSTINGS, keys=keys)}
        for key in keys:
            draft = drafts.get(("posting", key))
            content = sent.get(key) or (draft["content"] if draft else {})
            details = draft["details"] if draft else {}
            currency = str(content.get("currency") or (draft["currency"] if draft else ""))
            link = linked.get(("posting", key))
            route = str(content.get("route") or details.get("route") or "")
            gross = content.get("amount", draft["amount"] if draft else None)
            yield Node(
                ref=Ref(Kind.POSTING, key),
                facts=known(
                    Fact("amount", "Amount", amount(gross), currency),
                    Fact("route", "Written as", _ROUTES.get(route, route)),
                    Fact("because", "Because", self._because(route, content, draft)),
                    Fact("decided_by", "Decided by", _state_words(details)),
                    Fact("gl_date", "G/L date", content.get("gl_date")),
                    Fact("company", "Company", str(content.get("company") or "")),
                    Fact("bank_account", "Bank account", self._bank(content)),
                    Fact("reference", "Reference", str(content.get("reference") or "")),
                    Fact("compared", "Read back", _readback(link)),
                ),
                lines=tuple(self._posting_lines(content, currency)),
            )

    def _because(self, route: str, content: Mapping[str, Any], draft: Mapping[str, Any] | None) -> str:
        """Which choice of the connection made this kind of posting."""
        if route == "void":
            reason = str(draft["details"].get("void_reason") or "") if draft else ""
            return f"{content.get('original_id')} was voided in BILL" + (f": {reason}" if reason else "")
        source = str(draft["source"]) if draft else ""
        back = self._connection.sync.writeback
        if not source:
            return f"the bill was typed into BILL (sync.writeback.other: {back.other})"
        if source.count("-") == 3:
            return f"the bill came from order {source} (sync.writeback.purchase_order: {back.purchase_order})"
        return f"the bill came from voucher {source} (sync.writeback.voucher: {back.voucher})"

    def _bank(self, content: Mapping[str, Any]) -> str:
        aid = str(content.get("bank_account") or "")
        return f"{self._accounts.code(aid)} (sync.bank_account: {aid})" if aid else ""

    def _posting_lines(self, content: Mapping[str, Any], currency: str) -> Iterable[Line]:
        for voucher in content.get("vouchers") or ():
            discount = amount_of(voucher.get("discount"))
            yield Line(
                line="{document_company}-{document_type}-{document_number} pay item {pay_item}".format_map(voucher),
                amount=amount_of(voucher["amount"]),
                currency=currency,
                text=f"discount {discount:,f}" if discount else "",
            )
        for n, line in enumerate(content.get("lines") or (), start=1):
            aid = str(line.get("account") or "")
            is_bank = aid == self._accounts.bank_account
            yield Line(
                line=f"line {n}",
                amount=amount_of(line["amount"]),
                currency=currency,
                account=self._accounts.code(aid)
                if aid
                else ".".join(str(line[k]) for k in ("business_unit", "object", "subsidiary") if line.get(k)),
                account_id=aid,
                text=str(line.get("explanation") or ""),
                why="bank account of the connection (sync.bank_account)" if is_bank else "account of the bill's line",
            )


def _state_words(details: Mapping[str, Any]) -> str:
    """What the payment's state means, by the table of docs/payment-states.md."""
    state = str(details.get("single_status") or details.get("status") or "")
    return f"{state} in BILL: {str(details['why']).rstrip('.')}" if details.get("why") else ""


def _readback(link: Mapping[str, Any] | None) -> str:
    details = link["details"] if link else {}
    if "read_back" not in details:
        return ""
    differences = int(details.get("differences") or 0)
    return "equal in JD Edwards" if not differences else f"{differences} difference(s) in JD Edwards"
