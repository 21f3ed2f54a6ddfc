"""The orchestrations of this installation: their inputs and outputs as discovery shows them.

Belongs here: names, types, lengths. Not here: reading inputs, running (``orchestrations``).
"""

from __future__ import annotations

from dataclasses import dataclass

from jdebill_pipelines.sandbox.ais.codec import Json


@dataclass(frozen=True)
class Input:
    """An input; `kind` is String, Numeric, Date (a String with a date) or Array."""

    name: str
    kind: str = "String"
    required: bool = False
    length: int = 0
    members: tuple[Input, ...] = ()

    def shown(self) -> Json:
        """The element of `inputs` in discovery."""
        kind = "String" if self.kind == "Date" else self.kind
        found: Json = {"name": self.name, "type": kind, "required": self.required}
        if self.members:
            found["inputs"] = [member.shown() for member in self.members]
        return found


@dataclass(frozen=True)
class Spec:
    """An orchestration."""

    name: str
    step: str
    form: str
    title: str
    description: str
    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, str], ...]


def _text(name: str, length: int, *, required: bool = False) -> Input:
    return Input(name, "String", required, length)


def _number(name: str, *, required: bool = False) -> Input:
    return Input(name, "Numeric", required)


def _date(name: str, *, required: bool = False) -> Input:
    return Input(name, "Date", required)


_SUBLEDGER = (_text("Subledger", 8), _text("Subledger Type", 1))
_DOCUMENT = (("Document Number", "Numeric"), ("Document Type", "String"), ("Document Company", "String"))

VOUCHER = Spec(
    "JDEBILL_AP_VOUCHER",
    "Enter Voucher",
    "P0411_W0411A",
    "Enter Voucher - Payment Information",
    "Enters a voucher with its distribution; with Bank Account and Payment Date also its payment (without matching).",
    (
        _text("Company", 5, required=True),
        _number("Supplier Number", required=True),
        _text("Invoice Number", 25),
        _date("Invoice Date", required=True),
        _date("GL Date", required=True),
        _number("Gross Amount", required=True),
        _text("Currency", 3),
        _number("Exchange Rate"),
        _text("Payment Terms", 3),
        _text("Remark", 30),
        _text("Purchase Order", 8),
        _text("Purchase Order Type", 2),
        _text("Purchase Order Company", 5),
        _text("Bank Account", 8),
        _date("Payment Date"),
        _number("Payment Number"),
        Input(
            "Lines",
            "Array",
            required=True,
            members=(
                _text("Account", 29, required=True),
                *_SUBLEDGER,
                _number("Amount", required=True),
                _text("Explanation", 30),
            ),
        ),
    ),
    (*_DOCUMENT, ("Batch Number", "Numeric"), ("Batch Type", "String")),
)
PAYMENT = Spec(
    "JDEBILL_AP_PAYMENT",
    "Enter Manual Payment",
    "P0413M_W0413MG",
    "Manual Payment Entry",
    "Enters a manual payment of vouchers that exist.",
    (
        _number("Payee", required=True),
        _text("Bank Account", 8, required=True),
        _number("Payment Number"),
        _date("Payment Date", required=True),
        _date("GL Date", required=True),
        _text("Currency", 3),
        _number("Exchange Rate"),
        _text("Remark", 30),
        Input(
            "Vouchers",
            "Array",
            required=True,
            members=(
                _number("Document Number", required=True),
                _text("Document Type", 2, required=True),
                _text("Document Company", 5, required=True),
                _text("Pay Item", 3, required=True),
                _number("Amount", required=True),
                _number("Discount"),
            ),
        ),
    ),
    (
        ("Payment Id", "Numeric"),
        ("Payment Number", "Numeric"),
        ("Document Type", "String"),
        ("Batch Number", "Numeric"),
    ),
)
VOID = Spec(
    "JDEBILL_AP_VOID",
    "Void Document",
    "P0413M_W0413ME",
    "Void Payment Entry",
    "Voids a payment, a voucher or a journal entry: deletes what is not posted, reverses what is.",
    (
        _number("Payment Id"),
        _number("Document Number"),
        _text("Document Type", 2),
        _text("Document Company", 5),
        _date("Void GL Date", required=True),
        _text("Remark", 30),
    ),
    (("Void Status", "String"), ("Batch Number", "Numeric")),
)
JOURNAL = Spec(
    "JDEBILL_JOURNAL",
    "Enter Journal Entry",
    "P0911_W0911A",
    "Journal Entry",
    "Enters a journal entry.",
    (
        _text("Company", 5, required=True),
        _date("GL Date", required=True),
        _text("Document Type", 2),
        _text("Explanation", 30),
        _text("Currency", 3),
        _number("Exchange Rate"),
        Input(
            "Lines",
            "Array",
            required=True,
            members=(
                _text("Account", 29, required=True),
                _number("Amount", required=True),
                *_SUBLEDGER,
                _text("Remark", 30),
                _text("Reference", 8),
            ),
        ),
    ),
    (*_DOCUMENT, ("Batch Number", "Numeric")),
)
SPECS = {spec.name: spec for spec in (VOUCHER, PAYMENT, VOID, JOURNAL)}
