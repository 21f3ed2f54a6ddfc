"""What a posting is made of: the structs between payments and JDE.

Belongs here: value objects. Does not belong here: the rules that fill them (``postings``, ``posting_routes``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

from jdebill_pipelines.domain.canonical import content_hash
from jdebill_pipelines.domain.documents import BillDraft
from jdebill_pipelines.domain.gl_mapping import GlMap
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.periods import CompanyCalendar
from jdebill_pipelines.domain.verdicts import Failure

Route = Literal["payment", "voucher", "journal", "none"]


class PostingRules(msgspec.Struct, frozen=True):
    """What the connection says about postings.

    Attributes:
        voucher, purchase_order, other: what a payment becomes, by where its bill came from; ``none`` writes nothing.
        bank_account: short account id (AID) of the JDE bank account, '' when the connection names none.
        payables_account: short account id that a journal for a voucher debits, '' when there is none.
        closed_period: hold a payment whose date is in a closed period, or date it on the first open day.
        post_when: first BILL state that posts.
    """

    voucher: Route = "payment"
    purchase_order: Route = "voucher"
    other: Route = "journal"
    bank_account: str = ""
    payables_account: str = ""
    closed_period: Literal["hold", "next_open"] = "hold"
    post_when: str = "PROCESSED"


class AccountShare(msgspec.Struct, frozen=True):
    """A JDE account with an amount, as an order's or a bill's line has it."""

    aid: str
    business_unit: str
    object: str
    subsidiary: str
    amount: Decimal
    description: str = ""
    subledger: str = ""
    subledger_type: str = ""


class LinkedDocument(msgspec.Struct, frozen=True):
    """The JDE document that a bill or vendor credit came from.

    Attributes:
        natural_key: of the voucher or order.
        source: ``F0411`` or ``F4301``.
        supplier: address number that is paid.
        shares: the accounts, needed for orders.
        vouchers: keys of the vouchers that people matched an order to in JDE.
    """

    natural_key: str
    source: Literal["F0411", "F4301"]
    supplier: str
    company: str
    currency: str
    invoice_number: str = ""
    invoice_date: date | None = None
    shares: tuple[AccountShare, ...] = ()
    vouchers: tuple[str, ...] = ()

    @classmethod
    def of(cls, draft: BillDraft) -> LinkedDocument:
        """Make it of the draft that was written."""
        shares = tuple(
            AccountShare(
                n.aid, n.business_unit, n.object, n.subsidiary, n.amount, n.description, n.subledger, n.subledger_type
            )
            for n in draft.lines
        )
        return cls(
            natural_key=draft.natural_key,
            source="F4301" if draft.source == "F4301" else "F0411",
            supplier=draft.supplier,
            company=draft.company,
            currency=draft.currency,
            invoice_number=draft.invoice_number,
            invoice_date=draft.invoice_date,
            shares=shares,
        )


class OpenItem(msgspec.Struct, frozen=True):
    """A pay item of a voucher as JDE shows it now; amounts in the transaction's currency, credits negative."""

    key: str
    open: Decimal
    discount: Decimal
    discount_until: date | None
    due: date | None


class PostedDocument(msgspec.Struct, frozen=True):
    """A posting that JDE has confirmed.

    Attributes:
        content: as it was written.
        remote_id: JDE's key of what was written, as the write recorded it.
        reversed: whether its reversal is confirmed too.
    """

    content: Mapping[str, Any]
    remote_id: str
    reversed: bool = False


class PostingContext(msgspec.Struct, frozen=True):
    """What payments are read against.

    Attributes:
        documents: the JDE document by BILL bill id.
        credits: the JDE document by BILL vendor credit id.
        open_items: pay items by voucher key, read freshly.
        posted: confirmed postings by the key of their ``post``.
        bills: bills as the API sends them, by id, for those that did not come from JDE.
        suppliers: address number by BILL vendor id.
        vendor_currencies: ``billCurrency`` by BILL vendor id.
        calendars: payables calendar by company.
        ledger_calendars: general ledger calendar by company, for journal entries.
    """

    documents: Mapping[str, LinkedDocument]
    open_items: Mapping[str, Sequence[OpenItem]]
    gl: GlMap
    currencies: Currencies
    calendars: Mapping[str, CompanyCalendar]
    ledger_calendars: Mapping[str, CompanyCalendar] = {}
    credits: Mapping[str, LinkedDocument] = {}
    posted: Mapping[str, PostedDocument] = {}
    bills: Mapping[str, Mapping[str, Any]] = {}
    suppliers: Mapping[str, str] = {}
    vendor_currencies: Mapping[str, str] = {}


class PostingDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be posted in JDE because of one payment of one bill.

    Attributes:
        natural_key: ``paymentId:billId:post`` or ``...:reverse``.
        period: month of the payment's process date, the partition it lives in.
        status: ``due``, ``not_due`` (with ``reason``), ``held`` (the rules found ``problems``).
        amount: money, transaction currency, positive.
        content: what the orchestration is given: names are ours, dates ISO text.
        source: natural key of the JDE document, '' for a bill that did not come from JDE.
        tell: who is told about the payment's state.
    """

    natural_key: str
    operation: Literal["post", "reverse"]
    period: str
    status: Literal["due", "not_due", "held"]
    route: Route
    payment_id: str
    bill_id: str
    company: str
    currency: str
    amount: Decimal
    content: dict[str, Any]
    reason: str = ""
    problems: tuple[Failure, ...] = ()
    supplier: str = ""
    source: str = ""
    tell: str = "nobody"
    details: dict[str, Any] = {}

    @property
    def content_hash(self) -> str:
        """SHA-256 that names exactly this content."""
        return content_hash("posting", self.content)
