"""How each part of a posting is written in JDE by its orchestration, and found there again.

Belongs here: inputs and look-ups per part. Does not belong here: the order of the steps (``postings``), what may be
posted (``posting_drafts``), comparing (``readback``).

A posting is one part of kind ``posting``, and for an order's bill one of kind ``posting_voucher`` before it: the
voucher and its payment are two orchestrations, so each is a write of its own in the ledger, under the same natural key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import msgspec

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.keys import VoucherKey
from jdebill_pipelines.domain.payments import money
from jdebill_pipelines.domain.readback import PaymentRows, is_void_payment, is_void_voucher, payment_differences
from jdebill_pipelines.domain.rows import Row, day, text
from jdebill_pipelines.domain.tables import JdeTable
from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.codec import decode, encode
from jdebill_pipelines.jde.results import OrchestrationResult
from jdebill_pipelines.jde.where import Where, all_of, eq, or_
from jdebill_pipelines.steps.context import StepContext
from jdebill_pipelines.steps.contracts import Role, names
from jdebill_pipelines.store.ledger_types import Claim
from jdebill_pipelines.store.links import Link
from jdebill_pipelines.store.releases import Release

GATE = "postings"
VOUCHER, POSTING = "posting_voucher", "posting"
KINDS = (VOUCHER, POSTING)
PAYMENT_ID = "PYID-"
FIRST_ITEM = "001"
REFERENCE_1 = 25  # F0411.VR01
_OURS = re.compile(r".+/[0-9a-f]{9}")  # the form of every reference of ours
EXPECTS: Mapping[Role, tuple[str, ...]] = {
    "voucher": ("Document Number",),
    "payment": ("Payment Id",),
    "void": ("Void Status",),
    "journal": ("Document Number",),
}


class Found(msgspec.Struct, frozen=True):
    """A document that is in JDE: its id as the link keeps it, and what JDE says of it."""

    remote_id: str
    details: dict[str, Any] = {}


class Ambiguous(Exception):
    """Several documents in JDE could be the one that was posted; a person must say which."""


class PostingSender:
    """Writes and finds parts of postings in one JDE.

    Args:
        ctx: of the asset.
    """

    def __init__(self, ctx: StepContext) -> None:
        self._ctx = ctx
        self._names = names(ctx.connection)
        self._codes: dict[str, str] = {}

    @property
    def client(self) -> AisClient:
        """The AIS client."""
        return self._ctx.jde()

    def role(self, part: Release | Claim) -> Role:
        """Which orchestration writes a part."""
        route = str(part.content["route"])
        if route == "void":
            return "journal" if part.content["original_route"] == "journal" else "void"
        if route == "journal":
            return "journal"
        return "voucher" if part.kind == VOUCHER else "payment"

    def payload(self, release: Release) -> bytes:
        """The inputs that will be sent."""
        makers = {
            "voucher": self._voucher_inputs,
            "payment": self._payment_inputs,
            "void": self._void_inputs,
            "journal": self._journal_inputs,
        }
        return encode(makers[self.role(release)](release.natural_key, release.content))

    def send(self, claim: Claim) -> tuple[Found, bytes]:
        """Call the orchestration of a part; returns what it made and its answer.

        Raises:
            OrchestrationFailed: JDE said no; look it up when ``maybe_partial``.
            UnknownOutcome: nobody knows.
            ApiError: refused before it ran, or it never left.
        """
        role = self.role(claim)
        result = self.client.orchestrate(self._names[role], decode(claim.payload), expects=EXPECTS[role])
        return self._made(role, claim, result), result.raw

    def find(self, claim: Claim) -> Found | None:
        """Look a part up in JDE by its reference, or by what it would have made.

        Raises:
            Ambiguous: several fit.
            ApiError: JDE cannot be asked.
        """
        finders = {
            "voucher": self._find_voucher,
            "payment": self._find_payment,
            "void": self._find_void,
            "journal": self._find_journal,
        }
        return finders[self.role(claim)](claim)

    def voucher_of(self, natural_key: str) -> VoucherKey:
        """The voucher that was entered for a posting.

        Raises:
            KeyError: none was.
        """
        return VoucherKey.parse(self._link(VOUCHER, natural_key).remote_id)

    def paid_items(self, natural_key: str, content: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The pay items that a payment settles: those of its content, or the one of the voucher entered for it."""
        if content["route"] == "payment":
            return list(content["vouchers"])
        voucher = self.voucher_of(natural_key)
        return [
            {
                "document_company": voucher.company,
                "document_type": voucher.type,
                "document_number": voucher.number,
                "pay_item": FIRST_ITEM,
                "amount": money(content["amount"]),
                "discount": money(None),
            }
        ]

    def payment_rows(self, payment_ids: Iterable[int]) -> dict[int, PaymentRows]:
        """Headers and details of payments, as JDE has them now."""
        ids = list(payment_ids)
        headers = {int(r["PYID"]): r for r in self.rows(t.F0413, "PYID", ids)}
        details: dict[int, list[Row]] = {}
        for row in self.rows(t.F0414, "PYID", ids):
            details.setdefault(int(row["PYID"]), []).append(row)
        return {i: PaymentRows(headers.get(i), details.get(i, [])) for i in ids}

    def rows(self, table: JdeTable, item: str, numbers: Iterable[int], where: Where | None = None) -> list[Row]:
        """Rows of a table whose numeric item is one of the numbers."""
        columns = list(table.columns)
        wanted = sorted(set(numbers))
        if not wanted:
            return []
        pages = self.client.fetch_by_keys(table, item, wanted, where=where)
        return [dict(zip(columns, row, strict=True)) for page in pages for row in page]

    def _browse(self, table: JdeTable, where: Where) -> list[Row]:
        columns = list(table.columns)
        return [dict(zip(columns, row, strict=True)) for page in self.client.browse(table, where) for row in page]

    # What is sent.

    def _voucher_inputs(self, _key: str, content: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Company": content["company"],
            "Supplier Number": int(content["supplier"]),
            "Invoice Number": content["invoice_number"],
            "Invoice Date": content["invoice_date"],
            "GL Date": content["gl_date"],
            "Gross Amount": money(content["amount"]),
            "Currency": content["currency"],
            "Remark": content["reference"],
            "Purchase Order": str(content["order_number"]),
            "Purchase Order Type": content["order_type"],
            "Purchase Order Company": content["order_company"],
            "Lines": [
                {**self._line(line), **_filled("Explanation", line.get("explanation"))} for line in content["lines"]
            ],
        }

    def _payment_inputs(self, key: str, content: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Payee": int(content.get("payee") or content["supplier"]),
            "Bank Account": content["bank_account"],
            "Payment Date": content["payment_date"],
            "GL Date": content["gl_date"],
            "Currency": content["currency"],
            "Remark": content["reference"],
            "Vouchers": [
                {
                    "Document Number": item["document_number"],
                    "Document Type": item["document_type"],
                    "Document Company": item["document_company"],
                    "Pay Item": item["pay_item"],
                    "Amount": money(item["amount"]),
                    "Discount": money(item["discount"]),
                }
                for item in self.paid_items(key, content)
            ],
        }

    def _void_inputs(self, _key: str, content: Mapping[str, Any]) -> dict[str, Any]:
        target = str(content["original_id"])
        what: dict[str, Any]
        if target.startswith(PAYMENT_ID):
            what = {"Payment Id": int(target.removeprefix(PAYMENT_ID))}
        else:
            voucher = VoucherKey.parse(target)
            what = {
                "Document Number": voucher.number,
                "Document Type": voucher.type,
                "Document Company": voucher.company,
            }
        return {**what, "Void GL Date": content["gl_date"], "Remark": content["reference"]}

    def _journal_inputs(self, _key: str, content: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Company": content["company"],
            "GL Date": content["gl_date"],
            "Document Type": "JE",
            "Explanation": content["reference"],
            "Currency": content["currency"],
            "Lines": [{**self._line(line), **_filled("Remark", line.get("explanation"))} for line in content["lines"]],
        }

    def _line(self, line: Mapping[str, Any]) -> dict[str, Any]:
        parts = [str(line[k]) for k in ("business_unit", "object", "subsidiary") if line.get(k)]
        account = ".".join(parts) if line.get("object") else self._code(str(line["account"]))
        return {
            "Account": account,
            "Amount": money(line["amount"]),
            **_filled("Subledger", line.get("subledger")),
            **_filled("Subledger Type", line.get("subledger_type")),
        }

    def _code(self, aid: str) -> str:
        """A short account id as people write the account; itself when staging does not have it."""
        if aid not in self._codes:
            columns = ("MCU", "OBJ", "SUB")
            for row in self._ctx.store.staging.rows(t.F0901, where={"AID": aid}, columns=columns):
                self._codes[aid] = ".".join(part for part in row if part)
        return self._codes.get(aid, aid)

    # What it made.

    def _made(self, role: Role, claim: Claim, result: OrchestrationResult) -> Found:
        details: dict[str, Any] = {"batch": result.text("Batch Number"), "status": result.status}
        if result.warnings:
            details["warnings"] = [f"{m.code} {m.title}".strip() for m in result.warnings][:5]
        if role == "payment":
            details["payment_number"] = result.text("Payment Number")
            details["document_type"] = result.text("Document Type")
            return Found(f"{PAYMENT_ID}{result.text('Payment Id')}", details)
        if role == "void":
            details["void_status"] = result.text("Void Status")
            return Found(f"VOID-{claim.content['original_id']}", details)
        company = result.text("Document Company") or str(claim.content["company"])
        kind = result.text("Document Type") or ("JE" if role == "journal" else "PV")
        return Found(f"{company}-{kind}-{result.text('Document Number')}", details)

    # Where it is.

    def _find_voucher(self, claim: Claim) -> Found | None:
        content, reference = claim.content, str(claim.content["reference"])
        marked = or_(eq("RMK", reference), eq("VR01", reference[:REFERENCE_1]))
        rows = self._browse(t.F0411, all_of(eq("AN8", int(content["supplier"])), marked))
        live = [row for row in rows if text(row, "VOD") != "V"]
        return _one({str(VoucherKey.of(row)): {"batch": str(row["ICU"])} for row in live}, claim)

    def _find_payment(self, claim: Claim) -> Found | None:
        """By the reference on its rows; where JDE does not keep that, by what it pays and nobody else has claimed."""
        items = self.paid_items(claim.natural_key, claim.content)
        numbers = {int(item["document_number"]) for item in items}
        mine = {(i["document_company"], i["document_type"], int(i["document_number"])) for i in items}
        details = [
            row
            for row in self.rows(t.F0414, "DOC", numbers)
            if (text(row, "KCO"), text(row, "DCT"), int(row["DOC"])) in mine and text(row, "DCTM") != "PO"
        ]
        reference = str(claim.content["reference"])
        marked = {int(row["PYID"]) for row in details if text(row, "RMK") == reference}
        others = {int(row["PYID"]) for row in details if _OURS.fullmatch(text(row, "RMK"))}
        candidates = marked or {int(row["PYID"]) for row in details} - others
        taken = self._ctx.store.links.by_remote(POSTING, [f"{PAYMENT_ID}{i}" for i in candidates])
        free = [i for i in candidates if f"{PAYMENT_ID}{i}" not in taken]
        found: dict[str, dict[str, Any]] = {}
        for payment_id, rows in self.payment_rows(free).items():
            if rows.header is None or day(rows.header, "VDGJ") is not None:
                continue
            if marked or not payment_differences(claim.content, rows, items):
                number, batch = str(rows.header["DOCM"]), str(rows.header["ICU"])
                found[f"{PAYMENT_ID}{payment_id}"] = {"payment_number": number, "batch": batch}
        return _one(found, claim)

    def _find_void(self, claim: Claim) -> Found | None:
        target = str(claim.content["original_id"])
        if target.startswith(PAYMENT_ID):
            payment_id = int(target.removeprefix(PAYMENT_ID))
            undone = is_void_payment(self.payment_rows([payment_id])[payment_id])
        else:
            voucher = VoucherKey.parse(target)
            undone = is_void_voucher(self.voucher_rows([voucher])[voucher])
        return Found(f"VOID-{target}") if undone else None

    def voucher_rows(self, vouchers: Iterable[VoucherKey], table: JdeTable = t.F0411) -> dict[VoucherKey, list[Row]]:
        """The rows of vouchers (or with F0911 of any document), as JDE has them now."""
        found: dict[VoucherKey, list[Row]] = {voucher: [] for voucher in vouchers}
        for row in self.rows(table, "DOC", {v.number for v in found}):
            if VoucherKey.of(row) in found:
                found[VoucherKey.of(row)].append(row)
        return found

    def _find_journal(self, claim: Claim) -> Found | None:
        content, reference = claim.content, str(claim.content["reference"])
        when = date.fromisoformat(str(content["gl_date"]))
        marked = or_(eq("EXA", reference), eq("EXR", reference))
        rows = self._browse(t.F0911, all_of(eq("DGJ", when), marked))
        # A payment's own ledger lines carry its reference too, and automatic entries are nobody's document.
        journals = [row for row in rows if text(row, "ICUT") in ("", "G") and text(row, "DCT") != "AE"]
        return _one({str(VoucherKey.of(row)): {"batch": str(row["ICU"])} for row in journals}, claim)

    def _link(self, kind: str, natural_key: str) -> Link:
        return self._ctx.store.links.get(kind, [natural_key])[natural_key]


def _one(found: Mapping[str, dict[str, Any]], claim: Claim) -> Found | None:
    if len(found) > 1:
        which = ", ".join(sorted(found))
        raise Ambiguous(f"{len(found)} documents in JD Edwards could be {claim.kind} {claim.natural_key}: {which}")
    for remote_id, details in found.items():
        return Found(remote_id, details)
    return None


def _filled(name: str, value: Any) -> dict[str, str]:
    return {name: str(value)} if value else {}
