"""What a person types, as the things that it can name.

Belongs here: the kinds of keys, their forms, and looking each up. Does not belong here: following (follow.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from jdebill_pipelines.audit.tracing.books import Books, Row
from jdebill_pipelines.audit.tracing.follow import JOURNAL_BATCHES, PAYMENT_ID, document_kind
from jdebill_pipelines.audit.tracing.model import Kind, Ref
from jdebill_pipelines.audit.tracing.records import Records
from jdebill_pipelines.domain.keys import BadKeyError, OrderKey, VoucherKey
from jdebill_pipelines.domain.rows import text
from jdebill_pipelines.store.scope import Part, Scope

INVOICE, JOURNAL = "invoice", "journal"
# Ids of BILL, postings, references, whole natural keys: none of them is taken for a supplier's invoice number as well.
_WHOLE = re.compile(
    r"[0-9A-Za-z]{20}|\S+:\S+:(?:post|reverse)|\S+/[0-9a-f]{9}|[^-\s]{5}-[^-\s]{2}-\d+(?:-[^-\s]{3})?|PYID-\d+"
)
_MOST_DIGITS = 15  # longer than any number of JDE, shorter than what a database would refuse


class Form(NamedTuple):
    """One kind of key: the word before the colon of an exact one, and its forms in words."""

    word: str
    forms: str
    bare: bool = True


FORMS: tuple[Form, ...] = (
    Form(Kind.ORDER, "00001-OP-4003-000 (KCOO-DCTO-DOCO-SFXO), OP-4003 or 4003"),
    Form(Kind.VOUCHER, "00001-PV-700012 (KCO-DCT-DOC), PV-700012 or 700012"),
    Form(INVOICE, "the supplier's invoice number, as in F0411.VINV or on the bill"),
    Form(Kind.SUPPLIER, "the address number (AN8)"),
    Form(Kind.VENDOR, "BILL's id (009...), or its whole name"),
    Form(Kind.BILL, "BILL's id (00n...)"),
    Form(Kind.CREDIT, "BILL's id of a vendor credit (vcr...)"),
    Form(Kind.PAYMENT, "BILL's id (stp...), its confirmation, transaction or check number"),
    Form(Kind.POSTING, "PAYMENT:BILL:post or :reverse, or its reference in JD Edwards (stp.../1a2b3c4d5)"),
    Form(Kind.JDE_PAYMENT, "PYID-20004 or 20004 (F0413.PYID), or the payment number (F0413.DOCM)"),
    Form(Kind.ENTRY, "00001-JE-700065 (KCO-DCT-DOC), JE-700065 or 700065"),
    Form(JOURNAL, "the number of an entry in our journal; only as journal:123", bare=False),
)
WORDS = {form.word: form for form in FORMS}


def exact(key: str) -> tuple[str, str] | None:
    """Return the kind and the value of a key of the form ``kind:value``, None when it is none."""
    word, colon, value = key.partition(":")
    return (word, value.strip()) if colon and word in WORDS and value.strip() else None


class Finder(Part):
    """Finds what keys name in one connection.

    Args:
        scope: the store.
        books: JDE's rows.
    """

    def __init__(self, scope: Scope, books: Books) -> None:
        super().__init__(scope)
        self._books, self._records = books, Records(scope)
        self._finders: dict[str, Callable[[str], Iterable[Ref]]] = {
            Kind.ORDER: self._orders,
            Kind.VOUCHER: self._vouchers,
            INVOICE: self._invoices,
            Kind.SUPPLIER: self._suppliers,
            Kind.VENDOR: self._vendors,
            Kind.BILL: lambda key: self._ids(Kind.BILL, "bill_bills", "bill", key),
            Kind.CREDIT: lambda key: self._ids(Kind.CREDIT, "bill_vendor_credits", "vendor_credit", key),
            Kind.PAYMENT: self._payments,
            Kind.POSTING: self._postings,
            Kind.JDE_PAYMENT: self._jde_payments,
            Kind.ENTRY: self._entries,
            JOURNAL: self._journal,
        }

    def find(self, key: str) -> list[Ref]:
        """Return everything that a key can name, each once, in the order of the kinds; nothing when nobody knows it."""
        key = key.strip()
        named = exact(key)
        if named is not None:
            return sorted(set(self._finders[named[0]](named[1])))
        bare = [form.word for form in FORMS if form.bare]
        if _WHOLE.fullmatch(key) and (found := self._of(key, [word for word in bare if word != INVOICE])):
            return found
        return self._of(key, bare)

    def _of(self, key: str, words: Iterable[str]) -> list[Ref]:
        found = {ref: None for word in words for ref in sorted(set(self._finders[word](key)))}
        return list(found)

    # JDE.

    def _orders(self, key: str) -> Iterable[Ref]:
        parts = _parts(key, company="KCOO", kind="DCTO", number="DOCO", suffix="SFXO")
        if parts is None:
            return
        for row in self._books.rows("F4301", "DOCO", [parts["DOCO"]]):
            if _fits(row, parts):
                yield Ref(Kind.ORDER, str(OrderKey.of(row)))
        yield from (ref for ref in self._known_documents(key) if ref.kind is Kind.ORDER)

    def _vouchers(self, key: str) -> Iterable[Ref]:
        parts = _parts(key, company="KCO", kind="DCT", number="DOC")
        if parts is None:
            return
        for row in self._books.rows("F0411", "DOC", [parts["DOC"]]):
            if _fits(row, parts):
                yield Ref(Kind.VOUCHER, str(VoucherKey.of(row)))
        yield from (ref for ref in self._known_documents(key) if ref.kind is Kind.VOUCHER)

    def _known_documents(self, key: str) -> Iterable[Ref]:
        """What we wrote to BILL of a document that JDE does not show (any more)."""
        for row in self.select(_DOCUMENTS, key=key):
            try:
                yield _document(row["natural_key"])
            except BadKeyError:
                continue

    def _suppliers(self, key: str) -> Iterable[Ref]:
        number = _number(key)
        if number is not None and self.select(_SUPPLIER, number=number, key=str(number)):
            yield Ref(Kind.SUPPLIER, str(number))

    def _jde_payments(self, key: str) -> Iterable[Ref]:
        number = _number(key.upper().removeprefix(PAYMENT_ID))
        if number is None:
            return
        rows = self._books.rows("F0413", "PYID", [number]) + self._books.rows("F0414", "PYID", [number])
        if not key.upper().startswith(PAYMENT_ID):
            rows += self._books.rows("F0413", "DOCM", [number])
        yield from (Ref(Kind.JDE_PAYMENT, str(int(row["PYID"]))) for row in rows)
        for row in self.select(_LINKED_PAYMENT, id=f"{PAYMENT_ID}{number}", number=str(number)):
            yield Ref(Kind.JDE_PAYMENT, row["remote_id"].removeprefix(PAYMENT_ID))

    def _entries(self, key: str) -> Iterable[Ref]:
        parts = _parts(key, company="KCO", kind="DCT", number="DOC")
        if parts is None:
            return
        for row in self._books.rows("F0911", "DOC", [parts["DOC"]]):
            if _fits(row, parts) and text(row, "ICUT") in JOURNAL_BATCHES and text(row, "DCT") != "AE":
                yield Ref(Kind.ENTRY, str(VoucherKey.of(row)))
        for row in self.select(_LINKED_ENTRY, like=f"%-{parts['DOC']}"):
            entry = VoucherKey.parse(row["remote_id"])
            if _fits({"KCO": entry.company, "DCT": entry.type, "DOC": entry.number}, parts):
                yield Ref(Kind.ENTRY, str(entry))

    # Both.

    def _invoices(self, key: str) -> Iterable[Ref]:
        for row in self.select(_INVOICES, key=key):
            yield _document(row["key"]) if row["kind"] == "document" else Ref(Kind(row["kind"]), row["key"])

    # BILL.

    def _vendors(self, key: str) -> Iterable[Ref]:
        rows = self.select(_VENDORS, key=key)
        yield from (Ref(Kind.VENDOR, row["id"]) for row in rows)

    def _ids(self, kind: Kind, table: str, link: str, key: str) -> Iterable[Ref]:
        sql = (
            f"SELECT id FROM jdebill.{table} WHERE connection = :connection AND id = :key "  # noqa: S608
            "UNION SELECT remote_id FROM jdebill.links "
            "WHERE connection = :connection AND kind = :link AND remote_id = :key"
        )
        return [Ref(kind, row["id"]) for row in self.select(sql, key=key, link=link)]

    def _payments(self, key: str) -> Iterable[Ref]:
        return [Ref(Kind.PAYMENT, row["id"]) for row in self.select(_PAYMENTS, key=key)]

    # Ours.

    def _postings(self, key: str) -> Iterable[Ref]:
        found = [row["natural_key"] for row in self.select(_POSTINGS, key=key)]
        return [Ref(Kind.POSTING, name) for name in (*found, *self._records.sent_with([key]))]

    def _journal(self, key: str) -> Iterable[Ref]:
        number = _number(key)
        found: list[dict[str, Any]] = self.select(_ENTRY, seq=number) if number is not None else []
        for row in found:
            kind, name = row["kind"], row["natural_key"]
            if kind == "vendor":
                yield Ref(Kind.SUPPLIER, name)
            elif kind in ("posting", "posting_voucher"):
                yield Ref(Kind.POSTING, name)
            elif kind in ("bill", "vendor_credit"):
                yield _document(name)


def _document(key: str) -> Ref:
    """A voucher or an order by its natural key. Raises BadKeyError for what is neither."""
    kind = document_kind(key)
    return Ref(kind, str(OrderKey.parse(key) if kind is Kind.ORDER else VoucherKey.parse(key)))


def _number(key: str) -> int | None:
    return int(key) if re.fullmatch(rf"[0-9]{{1,{_MOST_DIGITS}}}", key) else None


def _parts(key: str, *, company: str, kind: str, number: str, suffix: str = "") -> dict[str, Any] | None:
    """Read ``700012``, ``PV-700012``, ``00001-PV-700012`` or with a suffix; None for what has no such form."""
    pattern = r"(?:(?:(?P<company>[^-\s]{1,5})-)?(?P<kind>[^-\s]{1,2})-)?(?P<number>[0-9]{1,15})"
    pattern += r"(?:-(?P<suffix>[^-\s]{1,3}))?" if suffix else ""
    found = re.fullmatch(pattern, key)
    if found is None:
        return None
    names = {"company": company, "kind": kind, "number": number, "suffix": suffix}
    parts: dict[str, Any] = {names[name]: value for name, value in found.groupdict().items() if value is not None}
    parts[number] = int(parts[number])
    if kind in parts:
        parts[kind] = parts[kind].upper()
    return parts


def _fits(row: Row, parts: dict[str, Any]) -> bool:
    return all(str(row[item]) == str(value) for item, value in parts.items())


_DOCUMENTS = """
SELECT natural_key FROM jdebill.drafts
WHERE connection = :connection AND kind IN ('bill', 'vendor_credit') AND natural_key = :key
UNION SELECT natural_key FROM jdebill.links
WHERE connection = :connection AND kind IN ('bill', 'vendor_credit') AND natural_key = :key
"""
_SUPPLIER = """
SELECT 1 FROM jdebill.stg_f0401 WHERE connection = :connection AND an8 = :number
UNION SELECT 1 FROM jdebill.links WHERE connection = :connection AND kind = 'vendor' AND natural_key = :key
"""
_LINKED_PAYMENT = """
SELECT remote_id FROM jdebill.links WHERE connection = :connection AND kind = 'posting'
AND (remote_id = :id OR (details->>'payment_number' = :number AND remote_id LIKE 'PYID-%'))
"""
_LINKED_ENTRY = """
SELECT remote_id FROM jdebill.links WHERE connection = :connection AND kind = 'posting'
AND remote_id NOT LIKE 'PYID-%' AND remote_id NOT LIKE 'VOID-%' AND remote_id LIKE :like
"""
_INVOICES = """
SELECT 'document' AS kind, kco || '-' || dct || '-' || trunc(doc) AS key FROM (
  SELECT kco, dct, doc, vinv FROM jdebill.stg_f0411 WHERE connection = :connection
  UNION ALL SELECT kco, dct, doc, vinv FROM jdebill.aud_f0411 WHERE connection = :connection) AS v
WHERE upper(vinv) = upper(:key) AND vinv <> ''
UNION SELECT 'document', natural_key FROM jdebill.drafts WHERE connection = :connection AND gate = 'bills'
  AND upper(:key) IN (upper(details->>'invoice_number'), upper(details->>'original_invoice_number'))
UNION SELECT 'bill', id FROM jdebill.bill_bills
  WHERE connection = :connection AND upper(invoice_number) = upper(:key)
UNION SELECT 'credit', id FROM jdebill.bill_vendor_credits
  WHERE connection = :connection AND upper(reference_number) = upper(:key)
ORDER BY 1, 2
"""
_VENDORS = """
SELECT id FROM jdebill.bill_vendors WHERE connection = :connection AND (id = :key OR upper(name) = upper(:key))
UNION SELECT remote_id FROM jdebill.links
WHERE connection = :connection AND kind = 'vendor' AND remote_id = :key
"""
_PAYMENTS = """
SELECT id FROM jdebill.bill_payments WHERE connection = :connection AND :key IN (id, confirmation_number,
  transaction_number, raw #>> '{disbursementInfo,checkDisbursement,checkNumber}')
"""
_POSTINGS = """
SELECT natural_key FROM jdebill.writes
WHERE connection = :connection AND kind IN ('posting', 'posting_voucher') AND natural_key = :key
UNION SELECT natural_key FROM jdebill.drafts
WHERE connection = :connection AND kind = 'posting' AND natural_key = :key
"""
_ENTRY = "SELECT kind, natural_key FROM jdebill.journal WHERE connection = :connection AND seq = :seq"
