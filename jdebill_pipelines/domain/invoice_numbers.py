"""Invoice numbers that BILL takes and that name one document per supplier.

Belongs here: shortening, replacing and telling apart invoice numbers. Does not belong here: duplicate invoices as an
audit finding.

BILL's backend takes at most 21 characters. A bill whose creation has an unknown outcome is looked up by vendor and
invoice number, so the number must be unique per supplier among our own documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

LIMIT = 21
_DIGEST = 8


class NumberRequest(msgspec.Struct, frozen=True):
    """A document that needs an invoice number.

    Attributes:
        supplier: address number.
        natural_key: the document.
        original: the supplier's number as JDE holds it, may be blank or long.
        fallback: number made of the document's key, used when the original is blank; at most 21 characters.
    """

    supplier: str
    natural_key: str
    original: str
    fallback: str


def shortened(original: str, *, limit: int = LIMIT) -> str:
    """Return a number of at most ``limit`` characters: itself, or its beginning and a digest of all of it."""
    plain = " ".join(original.split())
    return plain if len(plain) <= limit else with_digest(plain, plain, limit=limit)


def with_digest(beginning: str, of: str, *, limit: int = LIMIT) -> str:
    """Return the beginning of a text, ``~`` and a digest of another, together at most ``limit`` characters."""
    digest = hashlib.sha256(of.encode()).hexdigest()[:_DIGEST]
    return f"{beginning[: limit - _DIGEST - 1].rstrip()}~{digest}"


def assign(requests: Iterable[NumberRequest], taken: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Give every document its number, the same one whatever else is in the batch once it has been sent.

    Args:
        requests: the documents.
        taken: natural key of the document that already uses (supplier, number) in BILL. A document that is among
            them keeps its number.

    Returns:
        The number by natural key. Of several documents of a supplier with one number, the one that already has it in
        BILL keeps it, else the lowest natural key; the others get a digest of their own key.
    """
    owners = {(supplier, number.casefold()): key for (supplier, number), key in taken.items()}
    found: dict[str, str] = {}
    for request in sorted(requests, key=lambda r: (r.supplier, r.natural_key)):
        plain = shortened(request.original) or shortened(request.fallback)
        apart = with_digest(plain, request.natural_key)
        keeps_apart = owners.get((request.supplier, apart.casefold())) == request.natural_key
        owner = owners.get((request.supplier, plain.casefold()), request.natural_key)
        number = apart if keeps_apart or owner != request.natural_key else plain
        owners[request.supplier, number.casefold()] = request.natural_key
        found[request.natural_key] = number
    return found
