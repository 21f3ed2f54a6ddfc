"""The assets of one connection as a table: what each holds, what it needs, which step makes it.

Belongs here: the shape of the lineage graph. Does not belong here: how an asset is built of a row (``assets``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jdebill_pipelines.audit.month_end import month_end
from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.tables import JdeTable
from jdebill_pipelines.steps import bill_drafts, bills, extract, gl, payments, posting_drafts, postings, vendors
from jdebill_pipelines.steps.bill_drafts import KINDS as DOCUMENTS
from jdebill_pipelines.steps.context import StepContext, StepResult
from jdebill_pipelines.steps.jde_senders import KINDS as POSTINGS
from jdebill_pipelines.store.contents import Stored


@dataclass(frozen=True, slots=True)
class AssetRow:
    """One asset.

    Attributes:
        path: key without the connection, for example ``jde/vouchers``.
        step: makes it.
        description: for business readers.
        needs: paths of the assets it is made of.
        monthly: partitioned by month.
        tables: the JDE tables it holds, shown as its columns.
        system: ``jde`` or ``bill`` when it calls that system: its concurrency pool.
        writes: whether it changes the other side.
        columns: column lineage: column -> (asset path, column) it comes from.
        holds: what it holds of our database besides ``tables``: makes its data version.
    """

    path: str
    step: Callable[[StepContext], StepResult]
    description: str
    needs: tuple[str, ...] = ()
    monthly: bool = False
    tables: tuple[JdeTable, ...] = ()
    system: str = ""
    writes: bool = False
    columns: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    holds: tuple[Stored, ...] = ()

    @property
    def stored(self) -> tuple[Stored, ...]:
        """All that it holds of our database."""
        return (*(Stored(table.staging_name) for table in self.tables), *self.holds)

    @property
    def group(self) -> str:
        """The system it belongs to, ``sync`` or ``audit``."""
        return self.path.split("/")[0]

    @property
    def lineage_group(self) -> str:
        """The group of the lineage page. The way back is one of its own: else the page would not read left to right."""
        return "payments" if self.path in PAYMENT_PATHS else self.group


# Reported by a job of its own: no sync waits for a report.
AUDIT_PATH = "audit/month_end"

CATALOG: tuple[AssetRow, ...] = (
    AssetRow(
        "jde/companies",
        extract.companies,
        "Companies with their fiscal calendars, currencies and payment terms, as JD Edwards has them now.",
        tables=(t.F0010, t.F0008, t.F0013, t.F0014),
        system="jde",
    ),
    AssetRow(
        "jde/accounts",
        extract.accounts,
        "The account master of the connection's companies, and their bank accounts.",
        tables=(t.F0901, t.F0030),
        system="jde",
    ),
    AssetRow(
        "jde/business_units",
        extract.business_units,
        "All business units with whether they may be posted to.",
        tables=(t.F0006,),
        system="jde",
    ),
    AssetRow(
        "jde/suppliers",
        extract.suppliers,
        "Suppliers with name, tax id, address, telephone, e-mail, terms and hold.",
        tables=(t.F0401, t.F0101, t.F0111, t.F0115, t.F0116, t.F01151),
        system="jde",
    ),
    AssetRow(
        "jde/purchase_orders",
        extract.purchase_orders,
        "Purchase orders of a month (order date) with lines, approvals and receipts, approved or not.",
        monthly=True,
        tables=(t.F4301, t.F4311, t.F4209, t.F43121),
        system="jde",
    ),
    AssetRow(
        "jde/vouchers",
        extract.vouchers,
        "Supplier invoices of a month (G/L date): pay items with their G/L distribution.",
        monthly=True,
        tables=(t.F0411, t.F0911),
        system="jde",
    ),
    AssetRow(
        "bill/accounts",
        gl.accounts,
        "BILL's chart of accounts. What documents need and BILL lacks is created, where the connection allows it.",
        needs=("jde/accounts", "jde/business_units", "jde/vouchers", "jde/purchase_orders"),
        system="bill",
        writes=True,
        holds=(Stored("bill_accounts"),),
        columns={"number": (("jde/accounts", "F0901.OBJ"), ("jde/accounts", "F0901.SUB"))},
    ),
    AssetRow(
        "bill/departments",
        gl.departments,
        "BILL's departments. What documents need and BILL lacks is created, where the connection allows it.",
        needs=("jde/accounts", "jde/business_units", "jde/vouchers", "jde/purchase_orders"),
        system="bill",
        writes=True,
        holds=(Stored("bill_departments"),),
        columns={"shortName": (("jde/business_units", "F0006.MCU"),)},
    ),
    AssetRow(
        "sync/gl_map",
        gl.gl_map,
        "Which BILL account and department every JD Edwards account is, and whether each side takes postings.",
        needs=("jde/accounts", "jde/business_units", "bill/accounts", "bill/departments"),
        holds=(Stored("gl_map"),),
        columns={
            "account": (("jde/accounts", "F0901.AID"), ("bill/accounts", "number")),
            "department": (("jde/business_units", "F0006.MCU"), ("bill/departments", "shortName")),
        },
    ),
    AssetRow(
        "sync/vendor_map",
        vendors.vendor_map,
        "Which BILL vendor every supplier is: by tax id, then by name and address; the doubtful ones wait.",
        needs=("jde/suppliers",),
        system="bill",
        holds=(Stored("vendor_map"),),
        columns={
            "supplier": (("jde/suppliers", "F0401.AN8"),),
            "name": (("jde/suppliers", "F0101.ALPH"), ("jde/suppliers", "F0111.MLNM")),
            "tax_id": (("jde/suppliers", "F0101.TAX"),),
            "address": (("jde/suppliers", "F0116.ADD1"), ("jde/suppliers", "F0116.CTY1")),
        },
    ),
    AssetRow(
        "bill/vendors",
        vendors.write_vendors,
        "The vendors that were created or updated from suppliers.",
        needs=("sync/vendor_map",),
        system="bill",
        writes=True,
        holds=(Stored("links", ("vendor",)),),
        columns={
            "name": (("sync/vendor_map", "name"),),
            "additionalInfo.taxId": (("sync/vendor_map", "tax_id"),),
            "address": (("sync/vendor_map", "address"),),
        },
    ),
    AssetRow(
        "sync/bill_drafts",
        bill_drafts.bill_drafts,
        "What every voucher and order of a month would be in BILL, with the verdict on every line.",
        needs=("jde/companies", "jde/vouchers", "jde/purchase_orders", "sync/gl_map", "bill/vendors"),
        monthly=True,
        holds=(Stored("drafts", DOCUMENTS), Stored("verdicts", DOCUMENTS)),
        columns={
            "amount": (("jde/vouchers", "F0411.AAP"), ("jde/purchase_orders", "F4311.AEXP")),
            "invoice_number": (("jde/vouchers", "F0411.VINV"), ("jde/purchase_orders", "F4301.DOCO")),
            "due_date": (("jde/vouchers", "F0411.DDJ"), ("jde/companies", "F0014.NDTP")),
            "line_amount": (("jde/vouchers", "F0911.AA"), ("jde/purchase_orders", "F4311.AEXP")),
            "account": (
                ("sync/gl_map", "account"),
                ("jde/vouchers", "F0911.AID"),
                ("jde/purchase_orders", "F4311.AID"),
            ),
            "department": (("sync/gl_map", "department"),),
        },
    ),
    AssetRow(
        "bill/bills",
        bills.write_bills,
        "The bills and vendor credits that were created, updated, archived or restored.",
        needs=("sync/bill_drafts",),
        monthly=True,
        system="bill",
        writes=True,
        holds=(Stored("links", DOCUMENTS),),
        columns={
            "amount": (("sync/bill_drafts", "amount"),),
            "invoice.invoiceNumber": (("sync/bill_drafts", "invoice_number"),),
            "dueDate": (("sync/bill_drafts", "due_date"),),
            "billLineItems.amount": (("sync/bill_drafts", "line_amount"),),
            "billLineItems.classifications.chartOfAccountId": (("sync/bill_drafts", "account"),),
            "billLineItems.classifications.departmentId": (("sync/bill_drafts", "department"),),
        },
    ),
    AssetRow(
        "bill/payments",
        payments.payments,
        "Payments of a month (process date) with the bills they pay and every state they were seen in.",
        needs=("bill/bills",),
        monthly=True,
        system="bill",
        holds=(Stored("bill_payments"),),
        columns={
            "billPayments.billId": (("bill/bills", "invoice.invoiceNumber"),),
            "billPayments.amount": (("bill/bills", "amount"),),
        },
    ),
    AssetRow(
        "sync/posting_drafts",
        posting_drafts.posting_drafts,
        "What every payment of a month is to become in JD Edwards, with the verdict on each part of it.",
        needs=("bill/payments", "jde/companies", "sync/gl_map"),
        monthly=True,
        holds=(Stored("drafts", POSTINGS), Stored("verdicts", POSTINGS)),
        columns={
            "amount": (("bill/payments", "billPayments.amount"),),
            "document": (("bill/payments", "billPayments.billId"),),
            "account": (("sync/gl_map", "account"),),
            "gl_date": (("jde/companies", "F0010.APPN"),),
        },
    ),
    AssetRow(
        "jde/postings",
        postings.write_postings,
        "Payments, vouchers and journal entries that were entered or reversed in JD Edwards, and compared there.",
        needs=("sync/posting_drafts",),
        monthly=True,
        system="jde",
        writes=True,
        holds=(Stored("links", POSTINGS),),
        columns={
            "F0414.PAAP": (("sync/posting_drafts", "amount"),),
            "F0414.DOC": (("sync/posting_drafts", "document"),),
            "F0911.AA": (("sync/posting_drafts", "amount"),),
            "F0911.AID": (("sync/posting_drafts", "account"),),
            "F0911.DGJ": (("sync/posting_drafts", "gl_date"),),
        },
    ),
    AssetRow(
        AUDIT_PATH,
        month_end,
        "The month-end report as of the period's end: ledgers, BILL and postings tied out, each test with its rows.",
        needs=("jde/postings", "jde/companies", "jde/accounts"),
        monthly=True,
        system="jde",
        columns={
            "jde_open": (("jde/vouchers", "F0411.AG"), ("jde/postings", "F0414.PAAP")),
            "gl_control": (("jde/vouchers", "F0911.AA"), ("jde/postings", "F0911.AA")),
            "bill_open": (("bill/bills", "amount"), ("bill/payments", "billPayments.amount")),
            "gl_date": (("jde/vouchers", "F0411.DGJ"), ("jde/postings", "F0911.DGJ")),
        },
    ),
)

# The short way of a payment back to JD Edwards: what a webhook starts.
PAYMENT_PATHS = ("bill/payments", "sync/posting_drafts", "jde/postings")
