"""What our own tables say of the things of a chain: links, payments and their lines, postings that were sent.

Belongs here: the queries. Does not belong here: which of them is asked when (follow.py), what is told of a thing
(describe.py, evidence.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jdebill_pipelines.domain.keys import PostingKey, external_reference
from jdebill_pipelines.domain.postings import NO_BILL
from jdebill_pipelines.store.scope import Part, Row


class Records(Part):
    """The records of one connection."""

    def links(self, kinds: Iterable[str], *, keys: Iterable[str] = (), remote_ids: Iterable[str] = ()) -> list[Row]:
        """Return links of these kinds by either side: kind, natural_key, remote_id, origin, archived, details, ..."""
        return self.select(_LINKS, kinds=list(kinds), keys=list(keys), remote=list(remote_ids))

    def payment_lines(self, *, payments: Iterable[str] = (), bills: Iterable[str] = ()) -> list[Row]:
        """Return what payments pay, by payment or by bill: payment_id, bill_id, amount, vendor_credits."""
        return self.select(_LINES, payments=list(payments), bills=list(bills))

    def credit_uses(self, credits_: Iterable[str]) -> list[Row]:
        """Return the payments that used vendor credits: payment_id, bill_id, credit_id, amount."""
        return self.select(_CREDIT_USES, credits=list(credits_))

    def posting_keys(self, payments: Iterable[str]) -> list[str]:
        """Return the keys of all postings of payments: drafted or sent for what they pay now, or linked."""
        wanted = list(payments)
        parts = {(row["payment_id"], row["bill_id"] or NO_BILL) for row in self.payment_lines(payments=wanted)}
        parts |= {(payment, NO_BILL) for payment in wanted}
        keys = [f"{payment}:{bill}:{what}" for payment, bill in sorted(parts) for what in ("post", "reverse")]
        return [row["natural_key"] for row in self.select(_POSTING_KEYS, payments=wanted, keys=keys)]

    def sent_with(self, references: Iterable[str]) -> dict[str, str]:
        """Return the posting that each reference was made for, by its key; a reference begins with its payment."""
        wanted = set(references)
        keys = self.posting_keys({reference.partition("/")[0] for reference in wanted if "/" in reference})
        made = {key: external_reference(PostingKey.parse(key)) for key in keys}
        return {key: reference for key, reference in made.items() if reference in wanted}

    def mirrored(self, kind: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return objects of BILL as last read, by id: ``bills``, ``vendor_credits``, ``payments``, ``vendors``, ..."""
        found = self.select(
            f"SELECT id, raw, seen_at FROM jdebill.bill_{kind} WHERE connection = :connection AND id = ANY(:ids)",  # noqa: S608
            ids=list(ids),
        )
        return {row["id"]: {**row["raw"], "seen_at": row["seen_at"]} for row in found}

    def currencies(self, vendors: Iterable[str]) -> dict[str, str]:
        """Return the currency of vendors by id; BILL shows none for dollars."""
        return {i: str(raw.get("billCurrency") or "USD") for i, raw in self.mirrored("vendors", vendors).items()}

    def drafts(self, keys: Iterable[str], kinds: Iterable[str]) -> dict[tuple[str, str], Row]:
        """Return drafts by kind and key: content, details, currency, amount, source."""
        found = self.select(_DRAFTS, keys=list(keys), kinds=list(kinds))
        return {(row["kind"], row["natural_key"]): row for row in found}

    def written(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the content that was confirmed last of bills and vendor credits, by key of their document."""
        found = self.select(_CONTENTS, keys=list(keys), kinds=["bill", "vendor_credit"], states=["confirmed"])
        return {row["natural_key"]: row["content"] for row in found}

    def sent(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the content of postings as it was sent last, whatever became of it."""
        found = self.select(_CONTENTS, keys=list(keys), kinds=["posting"], states=None)
        return {row["natural_key"]: row["content"] for row in found}

    def of_vendor(self, vendors: Iterable[str]) -> list[Row]:
        """Return all bills, credits and payments of vendors: kind, id, day (ISO text)."""
        return self.select(_OF_VENDOR, vendors=list(vendors))

    def of_supplier(self, suppliers: Iterable[int]) -> list[Row]:
        """Return all orders and vouchers of suppliers: kind, key, day (ISO text)."""
        return self.select(_OF_SUPPLIER, suppliers=list(suppliers))


_LINKS = """
SELECT kind, natural_key, remote_id, content_hash, origin, archived, details, run_id, confirmed_at
FROM jdebill.links WHERE connection = :connection AND kind = ANY(:kinds)
AND (natural_key = ANY(:keys) OR remote_id = ANY(:remote)) ORDER BY kind, natural_key
"""
_LINES = """
SELECT payment_id, bill_id, amount, vendor_credits FROM jdebill.bill_payment_lines
WHERE connection = :connection AND (payment_id = ANY(:payments) OR bill_id = ANY(:bills)) ORDER BY payment_id, line
"""
_CREDIT_USES = """
SELECT l.payment_id, l.bill_id, e.value->>'id' AS credit_id, CAST(e.value->>'amount' AS numeric) AS amount
FROM jdebill.bill_payment_lines l CROSS JOIN LATERAL jsonb_array_elements(l.vendor_credits) AS e
WHERE l.connection = :connection AND l.vendor_credits <> '[]' AND e.value->>'id' = ANY(:credits)
ORDER BY l.payment_id, l.line
"""
# Drafts and writes are large and found by their whole keys; links are small enough to be looked through.
_POSTING_KEYS = """
SELECT natural_key FROM jdebill.drafts
WHERE connection = :connection AND kind IN ('posting', 'posting_voucher') AND natural_key = ANY(:keys)
UNION SELECT natural_key FROM jdebill.writes
WHERE connection = :connection AND kind IN ('posting', 'posting_voucher') AND natural_key = ANY(:keys)
UNION SELECT natural_key FROM jdebill.links
WHERE connection = :connection AND kind IN ('posting', 'posting_voucher')
  AND split_part(natural_key, ':', 1) = ANY(:payments)
ORDER BY 1
"""
_DRAFTS = """
SELECT kind, natural_key, content, details, currency, amount, source FROM jdebill.drafts
WHERE connection = :connection AND natural_key = ANY(:keys) AND kind = ANY(:kinds)
"""
_CONTENTS = """
SELECT natural_key, content FROM jdebill.writes
WHERE connection = :connection AND natural_key = ANY(:keys) AND kind = ANY(:kinds)
AND (CAST(:states AS text[]) IS NULL OR state = ANY(:states)) ORDER BY natural_key, id
"""
_OF_VENDOR = """
SELECT 'bill' AS kind, id, coalesce(invoice_date, '') AS day FROM jdebill.bill_bills
WHERE connection = :connection AND vendor_id = ANY(:vendors)
UNION ALL
SELECT 'credit', id, coalesce(credit_date, '') FROM jdebill.bill_vendor_credits
WHERE connection = :connection AND vendor_id = ANY(:vendors)
UNION ALL
SELECT 'payment', id, coalesce(process_date, '') FROM jdebill.bill_payments
WHERE connection = :connection AND vendor_id = ANY(:vendors)
ORDER BY day DESC, kind, id
"""
_OF_SUPPLIER = """
SELECT 'order' AS kind, kcoo || '-' || dcto || '-' || trunc(doco) || '-' || sfxo AS key, coalesce(trdj::text, '') AS day
FROM jdebill.stg_f4301 WHERE connection = :connection AND an8 = ANY(:suppliers)
UNION
SELECT 'voucher', kco || '-' || dct || '-' || trunc(doc), max(coalesce(dgj::text, '')) FROM (
  SELECT kco, dct, doc, dgj, an8, pye FROM jdebill.stg_f0411 WHERE connection = :connection
  UNION ALL SELECT kco, dct, doc, dgj, an8, pye FROM jdebill.aud_f0411 WHERE connection = :connection) AS v
WHERE coalesce(nullif(pye, 0), an8) = ANY(:suppliers) GROUP BY kco, dct, doc
ORDER BY day DESC, kind, key
"""
