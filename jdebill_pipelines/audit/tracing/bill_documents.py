"""Documents of BILL: bills, vendor credits and payments, with the account of each line on both sides.

Does not belong here: vendors (parties.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jdebill_pipelines.audit.tracing.accounts import Accounts
from jdebill_pipelines.audit.tracing.facts import amount, known, moment, origin_words
from jdebill_pipelines.audit.tracing.model import Fact, Kind, Line, Node, Ref
from jdebill_pipelines.audit.tracing.records import Records


class BillDocuments:
    """Describes documents of BILL.

    Args:
        records: what BILL showed and what we wrote.
        accounts: of both sides.
    """

    def __init__(self, records: Records, accounts: Accounts) -> None:
        self._records, self._accounts = records, accounts

    def bills(self, keys: list[str], kind: Kind) -> Iterable[Node]:
        """Bills or vendor credits; one that was not read again since we wrote it is shown as written."""
        table, link_kind = ("bills", "bill") if kind is Kind.BILL else ("vendor_credits", "vendor_credit")
        raws = self._records.mirrored(table, keys)
        links = {link["remote_id"]: link for link in self._records.links([link_kind], remote_ids=keys)}
        drafts = self._records.drafts([link["natural_key"] for link in links.values()], (link_kind,))
        written = self._records.written(link["natural_key"] for link in links.values())
        currencies = self._records.currencies({str(raw.get("vendorId") or "") for raw in raws.values()})
        for key in keys:
            link = links.get(key)
            draft = drafts.get((link_kind, link["natural_key"])) if link else None
            shown, read = raws.get(key), key in raws
            shown = shown or (written.get(link["natural_key"]) if link else None)
            if shown is None:
                continue
            currency = draft["currency"] if draft else currencies.get(str(shown.get("vendorId") or ""), "USD")
            lines = shown.get("billLineItems") or shown.get("vendorCreditLineItems") or ()
            invoice = shown.get("invoice") or {}
            gross = shown.get("amount", draft["amount"] if draft else None)
            yield Node(
                ref=Ref(kind, key),
                facts=known(
                    Fact("amount", "Amount", amount(gross), currency),
                    Fact("open", "Due", amount(shown.get("dueAmount")), currency),
                    Fact("paid", "Paid", amount(shown.get("paidAmount") or shown.get("appliedAmount")), currency),
                    Fact("invoice_number", "Invoice", invoice.get("invoiceNumber") or shown.get("referenceNumber")),
                    Fact("invoice_date", "Invoice date", invoice.get("invoiceDate") or shown.get("creditDate")),
                    Fact("due_date", "Due date", shown.get("dueDate")),
                    Fact("vendor", "Vendor", str(shown.get("vendorId") or "")),
                    Fact("approval", "Approval", str(shown.get("approvalStatus") or "")),
                    Fact("payment_status", "Payment", str(shown.get("paymentStatus") or shown.get("status") or "")),
                    Fact("archived", "Archived", "yes" if shown.get("archived") else ""),
                    Fact("origin", "Origin", origin_words(link) or "typed into BILL"),
                    Fact("created_at", "Created", moment(shown.get("createdTime"))),
                ),
                lines=tuple(self._bill_lines(lines, draft, currency)),
                notes=() if read else ("shown as we wrote it: BILL's bills were not read since",),
            )

    def _bill_lines(
        self, lines: Iterable[Mapping[str, Any]], draft: Mapping[str, Any] | None, currency: str
    ) -> Iterable[Line]:
        """A line that we wrote comes from a line of the document; one that a clerk typed stands for an account."""
        listed = list(lines)
        drafted = list((draft["details"].get("lines") or ()) if draft else ())
        same = [amount(x.get("amount")) for x in listed] == [amount(x.get("amount")) for x in drafted]
        for n, line in enumerate(listed, start=1):
            account, department = self._accounts.in_bill(line.get("classifications"))
            origin = drafted[n - 1] if same else None
            if origin is not None:
                unit, object_, sub = (str(origin.get(k) or "") for k in ("business_unit", "object", "subsidiary"))
                code, aid = str(origin.get("account") or ""), str(origin.get("aid") or "")
                why = f"{origin['line']}, {self._accounts.rule(unit, object_, sub)}"
            else:
                behind = self._accounts.behind(line.get("classifications"))
                code, aid = (behind.code, behind.aid) if behind else ("", "")
                why = "stands for this account of JD Edwards" if behind else ""
            yield Line(
                line=f"line {n}",
                amount=amount(line.get("amount")),
                currency=currency,
                account=code,
                account_id=aid,
                bill_account=account,
                department=department,
                text=str(line.get("description") or ""),
                why=why,
            )

    def payments(self, keys: list[str]) -> Iterable[Node]:
        """Payments as BILL shows them."""
        raws = self._records.mirrored("payments", keys)
        currencies = self._records.currencies({str(raw.get("vendorId") or "") for raw in raws.values()})
        for key, raw in raws.items():
            currency = currencies.get(str(raw.get("vendorId") or ""), "USD")
            disbursed = raw.get("disbursementInfo") or {}
            check = (disbursed.get("checkDisbursement") or {}).get("checkNumber")
            voids = [v for v in raw.get("voidInfo") or () if v]
            yield Node(
                ref=Ref(Kind.PAYMENT, key),
                facts=known(
                    Fact("amount", "Amount", amount(raw.get("amount")), currency),
                    Fact("process_date", "Process date", raw.get("processDate")),
                    Fact("state", "State", str(raw.get("singleStatus") or raw.get("status") or "")),
                    Fact("method", "By", str(raw.get("disbursementType") or "")),
                    Fact("check_number", "Check", str(check or "")),
                    Fact("confirmation", "Confirmation", str(raw.get("confirmationNumber") or "")),
                    Fact("transaction", "Transaction", str(raw.get("transactionNumber") or "")),
                    Fact("vendor", "Vendor", str(raw.get("vendorId") or "")),
                    Fact("bills", "Bills paid", len(raw.get("billPayments") or ()) or 1),
                    Fact("created_by", "Made by BILL user", str(raw.get("createdBy") or "")),
                    Fact("online", "Made", "outside BILL, recorded there" if raw.get("onlinePayment") is False else ""),
                    Fact("void_reason", "Void reason", "; ".join(str(v.get("reason") or "") for v in voids)),
                    Fact("created_at", "Created", moment(raw.get("createdTime"))),
                ),
            )
