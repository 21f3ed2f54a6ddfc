"""What a JDE document becomes in BILL: one canonical struct for vouchers and purchase orders.

Belongs here: the draft of a bill or vendor credit and its payload. Does not belong here: how it is made of a voucher
(``vouchers``) or an order (``purchase_orders``), or whether it may be written (``schemas.gate``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

from jdebill_pipelines.domain.canonical import content_hash
from jdebill_pipelines.domain.gl_mapping import GlEntry, GlMap
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.suppliers import Supplier
from jdebill_pipelines.domain.verdicts import Failure

DESCRIPTION_LENGTH = 4000

Kind = Literal["bill", "vendor_credit"]
Status = Literal["due", "not_due", "held"]


class VendorTarget(msgspec.Struct, frozen=True):
    """The BILL vendor of a supplier; ``currency`` is its ``billCurrency`` ('' when BILL shows none: USD)."""

    id: str
    currency: str = ""


class BillLine(msgspec.Struct, frozen=True):
    """One line of a draft, with the JDE account it comes from and the BILL tags it will carry.

    Attributes:
        line: the line as people find it in JDE: ``JELN 3`` of F0911, ``line 2`` of F4311.
        aid: short account id, '' when the document names none.
        business_unit, object, subsidiary: the account as the document writes it.
        subledger, subledger_type: SBL, SBLT.
        amount: in the draft's currency and with the sign it has in BILL.
    """

    line: str
    aid: str
    business_unit: str
    object: str
    subsidiary: str
    subledger: str
    subledger_type: str
    amount: Decimal
    description: str
    bill_account_id: str
    bill_department_id: str

    @property
    def account_code(self) -> str:
        """The account as people write it."""
        code = ".".join(part for part in (self.business_unit, self.object, self.subsidiary) if part)
        return code or self.aid


class BillDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher or an order as it would stand in BILL.

    Attributes:
        natural_key: ``KCO-DCT-DOC`` or ``KCOO-DCTO-DOCO-SFXO``.
        period: month of the G/L date or of the order, the partition it lives in.
        status: ``due``, ``not_due`` (with ``reason``) or ``held`` (the rules themselves found ``problems``).
        supplier: address number that is paid (the payee).
        currency: of all amounts: the transaction currency.
        amount: what the bill or credit amounts to in BILL, positive; for not_due drafts what would be open.
        document_amount: what JDE says it must be: open and payable, or ordered, or received.
        gross_amount: the whole document in JDE, with JDE's sign, for control totals.
        details: for people and later steps; not part of the content.
    """

    kind: Kind
    natural_key: str
    period: str
    status: Status
    supplier: str
    company: str
    currency: str
    amount: Decimal
    document_amount: Decimal
    gross_amount: Decimal
    reason: str = ""
    vendor_id: str = ""
    vendor_currency: str = ""
    invoice_number: str = ""
    original_invoice_number: str = ""
    invoice_date: date | None = None
    due_date: date | None = None
    description: str = ""
    purchase_order: str = ""
    lines: tuple[BillLine, ...] = ()
    problems: tuple[Failure, ...] = ()
    source: str = ""
    details: dict[str, Any] = {}

    @property
    def signed_amount(self) -> Decimal:
        """The amount with JDE's sign: credits are negative."""
        return -self.amount if self.kind == "vendor_credit" else self.amount

    def content(self) -> dict[str, Any]:
        """Return the BILL payload (JSON names of API v3, Decimals, dates as ISO text, empty members left out)."""
        number, when = self.invoice_number, _iso(self.invoice_date)
        lines = [_line_content(line) for line in self.lines]
        content: dict[str, Any] = {"vendorId": self.vendor_id}
        if self.kind == "bill":
            content |= {
                "dueDate": _iso(self.due_date),
                "invoice": {"invoiceNumber": number, "invoiceDate": when},
                "billLineItems": lines,
            }
            if self.purchase_order:
                content["purchaseOrderNumber"] = self.purchase_order
        else:
            content |= {"referenceNumber": number, "creditDate": when, "vendorCreditLineItems": lines}
        if self.description:
            content["description"] = self.description
        return content

    @property
    def content_hash(self) -> str:
        """SHA-256 that names exactly this content."""
        return content_hash(self.kind, self.content())


class DraftContext(msgspec.Struct, frozen=True):
    """What both kinds of documents are read against.

    Attributes:
        suppliers: by address number.
        vendors: the BILL vendor by address number, where there is one.
        gl: the accounts.
        currencies: decimals per currency.
        companies: base currency by company (F0010.CRCD).
        settled: what BILL paid and JDE was told, by pay item key ``KCO-DCT-DOC-SFX``, with discount, in the bill's
            currency. It keeps a bill the same while its voucher's open amount falls through our own postings.
        taken: natural key of the document that already uses (address number, invoice number) in BILL.
    """

    suppliers: Mapping[str, Supplier]
    vendors: Mapping[str, VendorTarget]
    gl: GlMap
    currencies: Currencies
    companies: Mapping[str, str]
    settled: Mapping[str, Decimal] = {}
    taken: Mapping[tuple[str, str], str] = {}


def tags(entry: GlEntry | None) -> tuple[str, str]:
    """Return the BILL account and department id of an account; '' where there is none."""
    return (entry.bill_account_id, entry.bill_department_id) if entry is not None else ("", "")


def _iso(when: date | None) -> str:
    return when.isoformat() if when is not None else ""


def _line_content(line: BillLine) -> dict[str, Any]:
    named = {"chartOfAccountId": line.bill_account_id, "departmentId": line.bill_department_id}
    content: dict[str, Any] = {"amount": line.amount, "classifications": {k: v for k, v in named.items() if v}}
    if line.description:
        content["description"] = line.description
    return content
