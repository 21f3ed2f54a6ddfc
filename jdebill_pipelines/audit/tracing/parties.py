"""Suppliers and vendors: who is paid, and how the one was found to be the other.

Does not belong here: their documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jdebill_pipelines.audit.tracing.books import Books
from jdebill_pipelines.audit.tracing.facts import known, matched_by, moment, origin_words
from jdebill_pipelines.audit.tracing.model import Fact, Kind, Node, Ref
from jdebill_pipelines.audit.tracing.records import Records
from jdebill_pipelines.domain.rows import text


class Parties:
    """Describes suppliers and vendors.

    Args:
        records: ours.
        books: JDE's.
    """

    def __init__(self, records: Records, books: Books) -> None:
        self._records, self._books = records, books

    def suppliers(self, keys: list[str]) -> Iterable[Node]:
        """Suppliers (F0401, F0101) with what the matching says of them."""
        names = {str(int(row["AN8"])): text(row, "ALPH") for row in self._books.rows("F0101", "AN8", map(int, keys))}
        links = {link["natural_key"]: link for link in self._records.links(["vendor"], keys=keys)}
        maps = {
            row["natural_key"]: row
            for row in self._records.select(
                "SELECT natural_key, state, reason, candidates, decided_by FROM jdebill.vendor_map "
                "WHERE connection = :connection AND natural_key = ANY(:keys)",
                keys=keys,
            )
        }
        for row in self._books.rows("F0401", "AN8", map(int, keys)):
            key = str(int(row["AN8"]))
            found = maps.get(key, {})
            yield Node(
                ref=Ref(Kind.SUPPLIER, key),
                name=names.get(key, ""),
                facts=known(
                    Fact("payment_hold", "Payment hold", "" if text(row, "HDPY") in ("", "N") else text(row, "HDPY")),
                    Fact("terms", "Terms", text(row, "TRAP")),
                    Fact("in_bill", "In BILL", _match_words(links.get(key), found)),
                    Fact("candidates", "Vendors that fit", ", ".join(map(str, found.get("candidates") or ()))),
                ),
            )

    def vendors(self, keys: list[str]) -> Iterable[Node]:
        """Vendors as BILL shows them."""
        links = {link["remote_id"]: link for link in self._records.links(["vendor"], remote_ids=keys)}
        for key, raw in self._records.mirrored("vendors", keys).items():
            link = links.get(key)
            yield Node(
                ref=Ref(Kind.VENDOR, key),
                name=str(raw.get("name") or ""),
                facts=known(
                    Fact("currency", "Currency", str(raw.get("billCurrency") or "USD")),
                    Fact("origin", "Origin", origin_words(link)),
                    Fact("pay_by", "Paid by", str((raw.get("paymentInformation") or {}).get("payByType") or "")),
                    Fact("archived", "Archived", "yes" if raw.get("archived") else ""),
                    Fact("created_at", "Created", moment(raw.get("createdTime"))),
                ),
            )


def _match_words(link: Mapping[str, Any] | None, found: Mapping[str, Any]) -> str:
    if link is None:
        return str(found.get("reason") or "no vendor yet" if found else "")
    if link["origin"] == "matched":
        by = str(link["details"].get("by") or "")
        person = str(found.get("decided_by") or "")
        return f"{link['remote_id']}, found there by {matched_by(by)}" + (f" ({person})" if person else "")
    return f"{link['remote_id']}, created by us"
