"""Running the orchestrations: from checked inputs to the programs, and from their results to outputs.

Belongs here: the steps of each orchestration. Not here: HTTP and answers (``orchestrator``), rules (``books``).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from jdebill_pipelines.sandbox.ais.books import journals, payments, posting, voids, vouchers
from jdebill_pipelines.sandbox.ais.books.base import Books
from jdebill_pipelines.sandbox.ais.books.messages import Findings, FormError, FormMessage
from jdebill_pipelines.sandbox.ais.orchestration_specs import JOURNAL, PAYMENT, VOID, VOUCHER

Inputs = dict[str, Any]
Outputs = dict[str, Any]
Run = Callable[[Books, Inputs, Findings], Outputs]


def _voucher(books: Books, given: Inputs, found: Findings) -> Outputs:
    paid = bool(given["Bank Account"])
    if paid != bool(given["Payment Date"]):
        raise found.refusal("0003", "Bank Account and Payment Date belong together")
    if paid and given["Gross Amount"] < 0:
        raise found.refusal("0192", "A voucher that is paid already cannot be negative")
    voucher = vouchers.VoucherInput(
        company=given["Company"],
        supplier=_whole(given["Supplier Number"]),
        invoice=given["Invoice Number"],
        invoice_date=given["Invoice Date"],
        gl_date=given["GL Date"],
        gross=given["Gross Amount"],
        currency=given["Currency"],
        rate=given["Exchange Rate"],
        terms=given["Payment Terms"],
        remark=given["Remark"],
        order=given["Purchase Order"],
        order_type=given["Purchase Order Type"],
        order_company=given["Purchase Order Company"],
        lines=[
            vouchers.Line(
                line["Account"], line["Amount"], line["Explanation"], line["Subledger"], line["Subledger Type"]
            )
            for line in given["Lines"]
        ],
    )
    if not paid:
        made = vouchers.enter(books, voucher, found)
        return {**_document(made), "Batch Number": made.batch["ICU"], "Batch Type": made.batch["ICUT"]}
    number = given["Payment Number"]
    # Both belong to one form: what is wrong with the payment must be known before the voucher is written.
    payments.check_bank(books, given["Bank Account"], None if number is None else _whole(number), found)
    made = vouchers.enter(books, voucher, found, kind="PM", batch_type="W")
    payment = payments.PaymentInput(
        payee=voucher.supplier,
        bank=given["Bank Account"],
        payment_date=given["Payment Date"],
        gl_date=voucher.gl_date,
        currency=made.currency.code,
        rate=made.currency.rate or None,
        number=None if number is None else _whole(number),
        remark=voucher.remark,
        items=[payments.PaidItem(made.number, made.kind, made.company, "001", voucher.gross)],
    )
    entered = payments.pay_without_match(books, payment, made.row, made.batch)
    return {
        **_document(made),
        "Batch Number": made.batch["ICU"],
        "Batch Type": made.batch["ICUT"],
        "Payment Id": entered.payment_id,
        "Payment Number": entered.number,
    }


def _payment(books: Books, given: Inputs, found: Findings) -> Outputs:
    number = given["Payment Number"]
    made = payments.enter(
        books,
        payments.PaymentInput(
            payee=_whole(given["Payee"]),
            bank=given["Bank Account"],
            payment_date=given["Payment Date"],
            gl_date=given["GL Date"],
            currency=given["Currency"],
            rate=given["Exchange Rate"],
            number=None if number is None else _whole(number),
            remark=given["Remark"],
            items=[
                payments.PaidItem(
                    _whole(part["Document Number"]),
                    part["Document Type"],
                    part["Document Company"],
                    part["Pay Item"],
                    part["Amount"],
                    part["Discount"] or Decimal(0),
                )
                for part in given["Vouchers"]
            ],
        ),
        found,
    )
    return {
        "Payment Id": made.payment_id,
        "Payment Number": made.number,
        "Document Type": "PN",
        "Batch Number": made.batch["ICU"],
        "Batch Type": made.batch["ICUT"],
    }


def _void(books: Books, given: Inputs, found: Findings) -> Outputs:
    day, remark = given["Void GL Date"], given["Remark"]
    document = (given["Document Number"], given["Document Type"], given["Document Company"])
    if given["Payment Id"] is not None and not any(document):
        void = voids.void_payment(books, _whole(given["Payment Id"]), day, remark, found)
    elif all(document) and given["Payment Id"] is None:
        void = voids.void_document(books, _whole(document[0]), document[1], document[2], day, remark, found)
    else:
        raise found.refusal("0003", "Give Payment Id, or Document Number, Document Type and Document Company")
    return {"Void Status": void.status, "Batch Number": void.batch, "Batch Type": void.batch_type}


def _journal(books: Books, given: Inputs, found: Findings) -> Outputs:
    made = journals.enter(
        books,
        journals.JournalInput(
            company=given["Company"],
            gl_date=given["GL Date"],
            kind=given["Document Type"],
            explanation=given["Explanation"],
            currency=given["Currency"],
            rate=given["Exchange Rate"],
            lines=[
                journals.JournalLine(
                    line["Account"],
                    line["Amount"],
                    line["Subledger"],
                    line["Subledger Type"],
                    line["Remark"],
                    line["Reference"],
                )
                for line in given["Lines"]
            ],
        ),
        found,
    )
    return {**_document(made), "Batch Number": made.batch["ICU"], "Batch Type": made.batch["ICUT"]}


def _document(made: vouchers.Voucher | journals.Journal) -> Outputs:
    return {"Document Number": made.number, "Document Type": made.kind, "Document Company": made.company}


def _whole(value: Decimal) -> int:
    """A number that must be whole, as address and document numbers are."""
    if value % 1:
        raise FormError([FormMessage("0003", f"{value} is not a whole number")], [])
    return int(value)


def run(name: str, books: Books, given: Inputs, found: Findings) -> Outputs:
    """Run an orchestration; its batch is posted when the installation posts by itself.

    Raises:
        FormError: a form could not be saved; nothing is written.
    """
    outputs = RUNS[name](books, given, found)
    if books.switches.auto_post and outputs.get("Void Status") != "DELETED":
        posting.post(books, str(outputs["Batch Type"]), int(outputs["Batch Number"]))
    return outputs


RUNS: dict[str, Run] = {VOUCHER.name: _voucher, PAYMENT.name: _payment, VOID.name: _void, JOURNAL.name: _journal}
