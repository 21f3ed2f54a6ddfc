"""What BILL holds, as last read: a table per kind, lines and states of payments, and what changed of vendors.

The object is stored as it came (``raw``); the columns that others match and join on are generated from it, so they
cannot disagree with it. Times and dates stay text: BILL writes both in a form that sorts (``yyyy-MM-dd``, UTC).
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from jdebill_pipelines.store.schema.base import metadata, moment, text

# column -> (path in the object, kind of value); source: BILL API v3 object shapes.
PATHS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "vendors": {
        "name": ("name", "text"),
        "short_name": ("shortName", "text"),
        "account_number": ("accountNumber", "text"),
        "email": ("email", "text"),
        "phone": ("phone", "text"),
        "line1": ("address,line1", "text"),
        "city": ("address,city", "text"),
        "zip": ("address,zipOrPostalCode", "text"),
        "country": ("address,country", "text"),
        "tax_id": ("additionalInfo,taxId", "text"),
        "currency": ("billCurrency", "text"),
    },
    "bills": {
        "vendor_id": ("vendorId", "text"),
        "invoice_number": ("invoice,invoiceNumber", "text"),
        "invoice_date": ("invoice,invoiceDate", "text"),
        "due_date": ("dueDate", "text"),
        "purchase_order_number": ("purchaseOrderNumber", "text"),
        "amount": ("amount", "numeric"),
        "due_amount": ("dueAmount", "numeric"),
        "paid_amount": ("paidAmount", "numeric"),
        "scheduled_amount": ("scheduledAmount", "numeric"),
        "credit_amount": ("creditAmount", "numeric"),
        "payment_status": ("paymentStatus", "text"),
        "approval_status": ("approvalStatus", "text"),
    },
    "vendor_credits": {
        "vendor_id": ("vendorId", "text"),
        "reference_number": ("referenceNumber", "text"),
        "credit_date": ("creditDate", "text"),
        "amount": ("amount", "numeric"),
        "applied_amount": ("appliedAmount", "numeric"),
        "status": ("status", "text"),
    },
    "accounts": {
        "name": ("name", "text"),
        "number": ("account,number", "text"),
        "type": ("account,type", "text"),
        "parent_id": ("parentId", "text"),
    },
    "departments": {
        "name": ("name", "text"),
        "short_name": ("shortName", "text"),
        "parent_id": ("parentId", "text"),
    },
    "payments": {
        "vendor_id": ("vendorId", "text"),
        "process_date": ("processDate", "text"),
        "amount": ("amount", "numeric"),
        "funding_amount": ("fundingAmount", "numeric"),
        "status": ("status", "text"),
        "single_status": ("singleStatus", "text"),
        "disbursement_type": ("disbursementType", "text"),
        "transaction_number": ("transactionNumber", "text"),
        "confirmation_number": ("confirmationNumber", "text"),
    },
}
INDEXES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "vendors": (("name",), ("tax_id",)),
    "bills": (("vendor_id", "invoice_number"),),
    "vendor_credits": (("vendor_id", "reference_number"),),
    "accounts": (("number",),),
    "departments": (("name",),),
    "payments": (("period",), ("updated_time",)),
}


def _generated(name: str, path: str, kind: str) -> sa.Column[object]:
    expression = f"raw #>> '{{{path}}}'"
    if kind == "text":
        return sa.Column(name, sa.Text, sa.Computed(f"({expression})", persisted=True))
    return sa.Column(name, sa.Numeric, sa.Computed(f"(({expression})::numeric)", persisted=True))


def _mirror(kind: str) -> sa.Table:
    name = f"bill_{kind}"
    period = (
        [sa.Column("period", sa.Text, sa.Computed("\"left\"(raw #>> '{processDate}', 7)", persisted=True))]
        if kind == "payments"
        else []
    )
    return sa.Table(
        name,
        metadata,
        text("connection", primary_key=True),
        text("id", primary_key=True),
        sa.Column("raw", JSONB, nullable=False),
        *(_generated(column, path, value) for column, (path, value) in PATHS[kind].items()),
        sa.Column(
            "archived",
            sa.Boolean,
            sa.Computed("(COALESCE((raw #>> '{archived}')::boolean, false))", persisted=True),
        ),
        _generated("created_time", "createdTime", "text"),
        _generated("updated_time", "updatedTime", "text"),
        *period,
        moment("seen_at"),
        text("run_id"),
        *(sa.Index(f"ix_{name}_{'_'.join(columns)}", *columns, "connection") for columns in INDEXES[kind]),
    )


MIRROR: dict[str, sa.Table] = {kind: _mirror(kind) for kind in PATHS}

payment_lines = sa.Table(
    "bill_payment_lines",
    metadata,
    text("connection", primary_key=True),
    text("payment_id", primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True),
    text("id", default=""),
    text("bill_id", default=""),
    sa.Column("amount", sa.Numeric, nullable=False),
    sa.Column("vendor_credits", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    sa.Index("ix_bill_payment_lines_bill", "bill_id", "connection"),
)

payment_status_history = sa.Table(
    "bill_payment_status_history",
    metadata,
    sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    text("connection"),
    text("payment_id"),
    text("single_status"),
    text("status", default=""),
    text("updated_time", default=""),  # as BILL says
    moment("observed_at", now=True),
    text("source"),  # list | get | webhook | history
    text("event_id", default=""),
    text("run_id", default=""),
    sa.UniqueConstraint(
        "connection",
        "payment_id",
        "single_status",
        "status",
        "updated_time",
        name="uq_bill_payment_status_history_observation",
    ),
)

# What changed of a vendor between two readings: whom the money goes to. Account numbers are stored masked.
vendor_changes = sa.Table(
    "bill_vendor_changes",
    metadata,
    sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    text("connection"),
    text("vendor_id"),
    text("field"),  # bank_account | pay_by | address | name | tax_id
    text("before", default=""),
    text("after", default=""),
    text("updated_time", default=""),  # as BILL says
    moment("observed_at", now=True),
    text("run_id", default=""),
    sa.Index("ix_bill_vendor_changes_vendor", "vendor_id", "connection"),
)
