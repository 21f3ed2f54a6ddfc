"""What BILL sends and takes: vendors, bills, vendor credits, classifications, payments.

Belongs here: the shapes only. ``...In`` is what is sent, the plain name what is received. Does not belong here: rules
about when something is sent (domain) or how JSON is read (``codec``).

Names are the API's names in snake case (``chartOfAccountId`` is ``chart_of_account_id``). Amounts are ``Decimal`` in
major units of the vendor's ``billCurrency`` (``funding_amount`` is USD). Times are aware, UTC. Statuses stay text:
BILL's lists of values are open-ended. What BILL leaves out is None or an empty tuple.
"""

from __future__ import annotations

from jdebill_pipelines.bill.models.base import (
    Address,
    Classifications,
    CreditUse,
    Identified,
    Invoice,
    Moment,
    Received,
    Sent,
)
from jdebill_pipelines.bill.models.bills import Approver, Bill, BillIn, BillLine, BillLineIn, BillPatch
from jdebill_pipelines.bill.models.classifications import Account, AccountDetail, AccountIn, Department, DepartmentIn
from jdebill_pipelines.bill.models.payments import (
    BillPayment,
    CheckDisbursement,
    DisbursementInfo,
    FundingAccount,
    Payment,
    RecordedPart,
    RecordPaymentIn,
    VoidInfo,
)
from jdebill_pipelines.bill.models.session import LoginAnswer, SessionInfo
from jdebill_pipelines.bill.models.vendor_credits import (
    CreditUsage,
    VendorCredit,
    VendorCreditIn,
    VendorCreditLine,
    VendorCreditLineIn,
)
from jdebill_pipelines.bill.models.vendors import (
    AdditionalInfo,
    Balance,
    BankAccount,
    PaidTo,
    PaymentInformation,
    Vendor,
    VendorIn,
    VendorPatch,
    with_bank_account,
)

__all__ = [
    "Account",
    "AccountDetail",
    "AccountIn",
    "AdditionalInfo",
    "Address",
    "Approver",
    "Balance",
    "BankAccount",
    "Bill",
    "BillIn",
    "BillLine",
    "BillLineIn",
    "BillPatch",
    "BillPayment",
    "CheckDisbursement",
    "Classifications",
    "CreditUsage",
    "CreditUse",
    "Department",
    "DepartmentIn",
    "DisbursementInfo",
    "FundingAccount",
    "Identified",
    "Invoice",
    "LoginAnswer",
    "Moment",
    "PaidTo",
    "Payment",
    "PaymentInformation",
    "Received",
    "RecordPaymentIn",
    "RecordedPart",
    "Sent",
    "SessionInfo",
    "Vendor",
    "VendorCredit",
    "VendorCreditIn",
    "VendorCreditLine",
    "VendorCreditLineIn",
    "VendorIn",
    "VendorPatch",
    "VoidInfo",
    "with_bank_account",
]
