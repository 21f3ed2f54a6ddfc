"""What BILL holds: mirrors, payment lines, payment status history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "jdebill"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "bill_vendors",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("raw", postgresql.JSONB(), nullable=False),
        sa.Column("name", sa.Text(), sa.Computed("(raw #>> '{name}')", persisted=True)),
        sa.Column("short_name", sa.Text(), sa.Computed("(raw #>> '{shortName}')", persisted=True)),
        sa.Column("account_number", sa.Text(), sa.Computed("(raw #>> '{accountNumber}')", persisted=True)),
        sa.Column("email", sa.Text(), sa.Computed("(raw #>> '{email}')", persisted=True)),
        sa.Column("phone", sa.Text(), sa.Computed("(raw #>> '{phone}')", persisted=True)),
        sa.Column("line1", sa.Text(), sa.Computed("(raw #>> '{address,line1}')", persisted=True)),
        sa.Column("city", sa.Text(), sa.Computed("(raw #>> '{address,city}')", persisted=True)),
        sa.Column("zip", sa.Text(), sa.Computed("(raw #>> '{address,zipOrPostalCode}')", persisted=True)),
        sa.Column("country", sa.Text(), sa.Computed("(raw #>> '{address,country}')", persisted=True)),
        sa.Column("tax_id", sa.Text(), sa.Computed("(raw #>> '{additionalInfo,taxId}')", persisted=True)),
        sa.Column("currency", sa.Text(), sa.Computed("(raw #>> '{billCurrency}')", persisted=True)),
        sa.Column(
            "archived", sa.Boolean(), sa.Computed("(COALESCE((raw #>> '{archived}')::boolean, false))", persisted=True)
        ),
        sa.Column("created_time", sa.Text(), sa.Computed("(raw #>> '{createdTime}')", persisted=True)),
        sa.Column("updated_time", sa.Text(), sa.Computed("(raw #>> '{updatedTime}')", persisted=True)),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name="pk_bill_vendors"),
        schema=SCHEMA,
    )
    op.create_index("ix_bill_vendors_name", "bill_vendors", ["name", "connection"], unique=False, schema=SCHEMA)
    op.create_index("ix_bill_vendors_tax_id", "bill_vendors", ["tax_id", "connection"], unique=False, schema=SCHEMA)
    op.create_table(
        "bill_bills",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("raw", postgresql.JSONB(), nullable=False),
        sa.Column("vendor_id", sa.Text(), sa.Computed("(raw #>> '{vendorId}')", persisted=True)),
        sa.Column("invoice_number", sa.Text(), sa.Computed("(raw #>> '{invoice,invoiceNumber}')", persisted=True)),
        sa.Column("invoice_date", sa.Text(), sa.Computed("(raw #>> '{invoice,invoiceDate}')", persisted=True)),
        sa.Column("due_date", sa.Text(), sa.Computed("(raw #>> '{dueDate}')", persisted=True)),
        sa.Column("purchase_order_number", sa.Text(), sa.Computed("(raw #>> '{purchaseOrderNumber}')", persisted=True)),
        sa.Column("amount", sa.Numeric(), sa.Computed("((raw #>> '{amount}')::numeric)", persisted=True)),
        sa.Column("due_amount", sa.Numeric(), sa.Computed("((raw #>> '{dueAmount}')::numeric)", persisted=True)),
        sa.Column("paid_amount", sa.Numeric(), sa.Computed("((raw #>> '{paidAmount}')::numeric)", persisted=True)),
        sa.Column(
            "scheduled_amount", sa.Numeric(), sa.Computed("((raw #>> '{scheduledAmount}')::numeric)", persisted=True)
        ),
        sa.Column("credit_amount", sa.Numeric(), sa.Computed("((raw #>> '{creditAmount}')::numeric)", persisted=True)),
        sa.Column("payment_status", sa.Text(), sa.Computed("(raw #>> '{paymentStatus}')", persisted=True)),
        sa.Column("approval_status", sa.Text(), sa.Computed("(raw #>> '{approvalStatus}')", persisted=True)),
        sa.Column(
            "archived", sa.Boolean(), sa.Computed("(COALESCE((raw #>> '{archived}')::boolean, false))", persisted=True)
        ),
        sa.Column("created_time", sa.Text(), sa.Computed("(raw #>> '{createdTime}')", persisted=True)),
        sa.Column("updated_time", sa.Text(), sa.Computed("(raw #>> '{updatedTime}')", persisted=True)),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name="pk_bill_bills"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_bill_bills_vendor_id_invoice_number",
        "bill_bills",
        ["vendor_id", "invoice_number", "connection"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_table(
        "bill_vendor_credits",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("raw", postgresql.JSONB(), nullable=False),
        sa.Column("vendor_id", sa.Text(), sa.Computed("(raw #>> '{vendorId}')", persisted=True)),
        sa.Column("reference_number", sa.Text(), sa.Computed("(raw #>> '{referenceNumber}')", persisted=True)),
        sa.Column("credit_date", sa.Text(), sa.Computed("(raw #>> '{creditDate}')", persisted=True)),
        sa.Column("amount", sa.Numeric(), sa.Computed("((raw #>> '{amount}')::numeric)", persisted=True)),
        sa.Column(
            "applied_amount", sa.Numeric(), sa.Computed("((raw #>> '{appliedAmount}')::numeric)", persisted=True)
        ),
        sa.Column("status", sa.Text(), sa.Computed("(raw #>> '{status}')", persisted=True)),
        sa.Column(
            "archived", sa.Boolean(), sa.Computed("(COALESCE((raw #>> '{archived}')::boolean, false))", persisted=True)
        ),
        sa.Column("created_time", sa.Text(), sa.Computed("(raw #>> '{createdTime}')", persisted=True)),
        sa.Column("updated_time", sa.Text(), sa.Computed("(raw #>> '{updatedTime}')", persisted=True)),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name="pk_bill_vendor_credits"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_bill_vendor_credits_vendor_id_reference_number",
        "bill_vendor_credits",
        ["vendor_id", "reference_number", "connection"],
        unique=False,
        schema=SCHEMA,
    )
    op.create_table(
        "bill_accounts",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("raw", postgresql.JSONB(), nullable=False),
        sa.Column("name", sa.Text(), sa.Computed("(raw #>> '{name}')", persisted=True)),
        sa.Column("number", sa.Text(), sa.Computed("(raw #>> '{account,number}')", persisted=True)),
        sa.Column("type", sa.Text(), sa.Computed("(raw #>> '{account,type}')", persisted=True)),
        sa.Column("parent_id", sa.Text(), sa.Computed("(raw #>> '{parentId}')", persisted=True)),
        sa.Column(
            "archived", sa.Boolean(), sa.Computed("(COALESCE((raw #>> '{archived}')::boolean, false))", persisted=True)
        ),
        sa.Column("created_time", sa.Text(), sa.Computed("(raw #>> '{createdTime}')", persisted=True)),
        sa.Column("updated_time", sa.Text(), sa.Computed("(raw #>> '{updatedTime}')", persisted=True)),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name="pk_bill_accounts"),
        schema=SCHEMA,
    )
    op.create_index("ix_bill_accounts_number", "bill_accounts", ["number", "connection"], unique=False, schema=SCHEMA)
    op.create_table(
        "bill_departments",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("raw", postgresql.JSONB(), nullable=False),
        sa.Column("name", sa.Text(), sa.Computed("(raw #>> '{name}')", persisted=True)),
        sa.Column("short_name", sa.Text(), sa.Computed("(raw #>> '{shortName}')", persisted=True)),
        sa.Column("parent_id", sa.Text(), sa.Computed("(raw #>> '{parentId}')", persisted=True)),
        sa.Column(
            "archived", sa.Boolean(), sa.Computed("(COALESCE((raw #>> '{archived}')::boolean, false))", persisted=True)
        ),
        sa.Column("created_time", sa.Text(), sa.Computed("(raw #>> '{createdTime}')", persisted=True)),
        sa.Column("updated_time", sa.Text(), sa.Computed("(raw #>> '{updatedTime}')", persisted=True)),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name="pk_bill_departments"),
        schema=SCHEMA,
    )
    op.create_index("ix_bill_departments_name", "bill_departments", ["name", "connection"], unique=False, schema=SCHEMA)
    op.create_table(
        "bill_payments",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("raw", postgresql.JSONB(), nullable=False),
        sa.Column("vendor_id", sa.Text(), sa.Computed("(raw #>> '{vendorId}')", persisted=True)),
        sa.Column("process_date", sa.Text(), sa.Computed("(raw #>> '{processDate}')", persisted=True)),
        sa.Column("amount", sa.Numeric(), sa.Computed("((raw #>> '{amount}')::numeric)", persisted=True)),
        sa.Column(
            "funding_amount", sa.Numeric(), sa.Computed("((raw #>> '{fundingAmount}')::numeric)", persisted=True)
        ),
        sa.Column("status", sa.Text(), sa.Computed("(raw #>> '{status}')", persisted=True)),
        sa.Column("single_status", sa.Text(), sa.Computed("(raw #>> '{singleStatus}')", persisted=True)),
        sa.Column("disbursement_type", sa.Text(), sa.Computed("(raw #>> '{disbursementType}')", persisted=True)),
        sa.Column("transaction_number", sa.Text(), sa.Computed("(raw #>> '{transactionNumber}')", persisted=True)),
        sa.Column("confirmation_number", sa.Text(), sa.Computed("(raw #>> '{confirmationNumber}')", persisted=True)),
        sa.Column(
            "archived", sa.Boolean(), sa.Computed("(COALESCE((raw #>> '{archived}')::boolean, false))", persisted=True)
        ),
        sa.Column("created_time", sa.Text(), sa.Computed("(raw #>> '{createdTime}')", persisted=True)),
        sa.Column("updated_time", sa.Text(), sa.Computed("(raw #>> '{updatedTime}')", persisted=True)),
        sa.Column("period", sa.Text(), sa.Computed("\"left\"(raw #>> '{processDate}', 7)", persisted=True)),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name="pk_bill_payments"),
        schema=SCHEMA,
    )
    op.create_index("ix_bill_payments_period", "bill_payments", ["period", "connection"], unique=False, schema=SCHEMA)
    op.create_index(
        "ix_bill_payments_updated_time", "bill_payments", ["updated_time", "connection"], unique=False, schema=SCHEMA
    )
    op.create_table(
        "bill_payment_lines",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("bill_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("vendor_credits", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "payment_id", "line", name="pk_bill_payment_lines"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_bill_payment_lines_bill", "bill_payment_lines", ["bill_id", "connection"], unique=False, schema=SCHEMA
    )
    op.create_table(
        "bill_payment_status_history",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("single_status", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("updated_time", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("run_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_bill_payment_status_history"),
        sa.UniqueConstraint(
            "connection",
            "payment_id",
            "single_status",
            "status",
            "updated_time",
            name="uq_bill_payment_status_history_observation",
        ),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "bill_payment_status_history",
        "bill_payment_lines",
        "bill_payments",
        "bill_departments",
        "bill_accounts",
        "bill_vendor_credits",
        "bill_bills",
        "bill_vendors",
    ):
        op.drop_table(table, schema=SCHEMA)
