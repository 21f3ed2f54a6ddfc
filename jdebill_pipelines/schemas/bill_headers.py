"""Bills and vendor credits as a whole: supplier, vendor, currency, totals, numbers, lengths.

Belongs here: what must be true of one document. Does not belong here: its lines (``bill_lines``).

Sources: BILL API v3: a bill has no currency of its own (the vendor's ``billCurrency`` holds, USD where none is shown),
the backend takes at most 21 characters of invoice number, 100 of a credit's reference, 4000 of description, and a due
date, an invoice date and a line are required.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from jdebill_pipelines.domain.documents import DESCRIPTION_LENGTH, BillDraft
from jdebill_pipelines.domain.invoice_numbers import LIMIT
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.suppliers import Supplier
from jdebill_pipelines.domain.verdicts import Failure
from jdebill_pipelines.schemas.rules import Rule, failing_rows, failure_of, frame_of, is_true, not_blank, schema_of

DEFAULT_VENDOR_CURRENCY = "USD"

RULES = (
    Rule(
        "vendor",
        "vendor_right",
        is_true,
        "vendorId",
        "supplier",
        "Supplier {supplier} has no vendor in BILL.",
        "See the vendor list: its match is in doubt or its creation was refused. Decide there.",
    ),
    Rule(
        "currency_known",
        "currency_known",
        is_true,
        "CRCD",
        "currency",
        "The currency {currency} is unknown.",
        "Correct the currency of the document or of its company in JD Edwards.",
    ),
    Rule(
        "vendor_currency",
        "currency_right",
        is_true,
        "billCurrency",
        "vendor_currency",
        "The document is in {currency}, but the BILL vendor is billed in {vendor_currency}, and a bill has its "
        "vendor's currency.",
        "Give the supplier a separate address number for {currency}, or change the currency of the vendor in BILL "
        "while it has no bills.",
    ),
    Rule(
        "decimals",
        "amount_fits",
        is_true,
        "amount",
        "amount",
        "The amount {amount} is not an amount of {currency}.",
        "Correct the amounts of the document in JD Edwards.",
    ),
    Rule(
        "positive",
        "positive",
        is_true,
        "amount",
        "amount",
        "The amount {amount} is not above zero.",
        "Correct the document in JD Edwards.",
    ),
    Rule(
        "lines_total",
        "lines_equal",
        is_true,
        "billLineItems",
        "lines_total",
        "The lines add up to {lines_total}, the document amounts to {amount} {currency}.",
        "Correct the distribution of the document in JD Edwards.",
    ),
    Rule(
        "document_total",
        "document_equal",
        is_true,
        "amount",
        "amount",
        "The amount {amount} is not the amount of the JD Edwards document ({document_amount} {currency}).",
        "Make the drafts of this month again.",
    ),
    Rule(
        "invoice_number",
        "number_right",
        is_true,
        "invoiceNumber",
        "number",
        "The invoice number {number!r} is empty or longer than BILL takes.",
        "Correct the invoice number of the document in JD Edwards.",
    ),
    Rule(
        "description",
        "description_right",
        is_true,
        "description",
        "",
        f"The description of the document or of a line is longer than {DESCRIPTION_LENGTH} characters.",
        "Shorten the remark in JD Edwards.",
    ),
    Rule(
        "invoice_date",
        "invoice_date",
        not_blank,
        "invoiceDate",
        "",
        "The document has no invoice date.",
        "Enter the invoice date in JD Edwards.",
    ),
    Rule(
        "due_date",
        "due_date",
        not_blank,
        "dueDate",
        "",
        "The document has no due date.",
        "Enter the due date or payment terms in JD Edwards.",
    ),
)
COLUMNS = (
    "supplier vendor_right currency currency_known vendor_currency currency_right amount amount_fits positive "
    "lines_total lines_equal document_amount document_equal number number_right description_right invoice_date due_date"
)
_COLUMNS = tuple(COLUMNS.split())
_SCHEMA = schema_of(RULES, _COLUMNS)


def judge_headers(
    drafts: Sequence[BillDraft], suppliers: dict[str, Supplier], currencies: Currencies
) -> dict[int, list[Failure]]:
    """Return the failures of the documents themselves, by the draft's place in the sequence."""
    found: dict[int, list[Failure]] = {}
    rows = []
    for index, draft in enumerate(drafts):
        about_supplier = supplier_failures(draft.supplier, suppliers.get(draft.supplier))
        # Where somebody else is paid for the supplier, a hold on the supplier itself stops the payment too.
        behind = suppliers.get(str(draft.details.get("supplier") or draft.supplier))
        if behind is not None and behind.number != draft.supplier and behind.on_hold:
            about_supplier += [f for f in supplier_failures(behind.number, behind) if f.rule == "supplier_hold"]
        if draft.problems or about_supplier:
            found[index] = [*about_supplier, *draft.problems]
        rows.append(_row(draft, currencies, excused=bool(about_supplier)))
    frame = frame_of(_COLUMNS, rows)
    told = {(index, failure.rule) for index, failures in found.items() for failure in failures}
    for index, rule in failing_rows(frame, _SCHEMA, RULES):
        # A draft that its own rules hold has no lines that add up: one reason is enough.
        if (index, rule.name) in told or (drafts[index].problems and rule.name == "lines_total"):
            continue
        row = dict(zip(_COLUMNS, rows[index], strict=True))
        found.setdefault(index, []).append(failure_of(rule, row))
    return found


def supplier_failures(number: str, supplier: Supplier | None) -> list[Failure]:
    """Say why nothing may be paid to a supplier, empty when it may."""
    if supplier is None:
        return [
            Failure(
                "",
                "AN8",
                number,
                f"Address number {number} is no supplier (it has no F0401 record).",
                f"Create the supplier master record of {number} in JD Edwards.",
                "supplier_exists",
            )
        ]
    failures = list(supplier.problems)
    if supplier.on_hold:
        failures.append(
            Failure(
                "",
                "F0401.HDPY",
                supplier.hold_code,
                f"Payments to supplier {number} are on hold (hold code {supplier.hold_code}).",
                f"Release the payment hold of supplier {number} in JD Edwards when it may be paid again.",
                "supplier_hold",
            )
        )
    if supplier.inactive:
        failures.append(
            Failure(
                "",
                "F0101.AT1",
                supplier.search_type,
                f"Supplier {number} is inactive (search type {supplier.search_type}).",
                f"Move the document to another supplier, or make {number} active again in JD Edwards.",
                "supplier_active",
            )
        )
    return failures


def _row(draft: BillDraft, currencies: Currencies, *, excused: bool) -> tuple[Any, ...]:
    known = currencies.known(draft.currency)
    total = sum((line.amount for line in draft.lines), Decimal(0))
    limit = LIMIT if draft.kind == "bill" else 100
    vendor_currency = draft.vendor_currency or DEFAULT_VENDOR_CURRENCY
    longest = max([len(draft.description), *(len(line.description) for line in draft.lines)])
    return (
        draft.supplier,
        bool(draft.vendor_id) or excused,
        draft.currency,
        known,
        vendor_currency,
        not draft.vendor_id or vendor_currency == draft.currency,
        draft.amount,
        isinstance(draft.amount, Decimal) and (not known or currencies.fits(draft.amount, draft.currency)),
        draft.amount > 0,
        total,
        total == draft.amount,
        draft.document_amount,
        draft.amount == draft.document_amount,
        draft.invoice_number,
        0 < len(draft.invoice_number.strip()) <= limit,
        longest <= DESCRIPTION_LENGTH,
        draft.invoice_date.isoformat() if draft.invoice_date else "",
        draft.due_date.isoformat() if draft.due_date else "",
    )
