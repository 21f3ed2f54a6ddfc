"""Which BILL vendor a JDE supplier already is.

Belongs here: matching and its doubts. Does not belong here: creating vendors.

Rules: suppliers are JDE's truth, two address numbers are two vendors. Only vendors that no supplier holds yet are
looked at. Tax id decides first, then name and address, both in normal form. A vendor that fits several suppliers, or a
supplier that fits several vendors, waits for a person; nothing is guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from jdebill_pipelines.domain.names import normal_address, normal_name, normal_tax_id
from jdebill_pipelines.domain.suppliers import Supplier


class VendorRecord(msgspec.Struct, frozen=True):
    """What matching needs of a BILL vendor."""

    id: str
    name: str
    short_name: str
    line1: str
    city: str
    postal_code: str
    country: str
    tax_id: str
    currency: str
    archived: bool

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> VendorRecord:
        """Read a vendor as the API sends it; members that BILL leaves out are ''."""
        address = raw.get("address") or {}
        return cls(
            id=str(raw["id"]),
            name=str(raw.get("name") or ""),
            short_name=str(raw.get("shortName") or ""),
            line1=str(address.get("line1") or ""),
            city=str(address.get("city") or ""),
            postal_code=str(address.get("zipOrPostalCode") or ""),
            country=str(address.get("country") or ""),
            tax_id=str((raw.get("additionalInfo") or {}).get("taxId") or ""),
            currency=str(raw.get("billCurrency") or ""),
            archived=bool(raw.get("archived")),
        )


class VendorDecision(msgspec.Struct, frozen=True):
    """What becomes of one supplier.

    Attributes:
        supplier: address number.
        action: ``linked`` (already held), ``match`` (take this vendor), ``create``, ``held`` (a person must decide).
        vendor_id: the vendor of ``linked`` and ``match``, else ''.
        by: what decided: ``link``, ``tax_id``, ``name_address`` or ''.
        candidates: vendors that fit, when it is held.
        rivals: other suppliers that fit the same vendors, when it is held.
        reason, fix: for people, when it is held.
    """

    supplier: str
    action: Literal["linked", "match", "create", "held"]
    vendor_id: str = ""
    by: Literal["link", "tax_id", "name_address", ""] = ""
    candidates: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    reason: str = ""
    fix: str = ""


class PossibleDuplicate(msgspec.Struct, frozen=True):
    """Suppliers that may be one company; reported, never merged."""

    suppliers: tuple[str, ...]
    why: Literal["tax_id", "name_address", "name"]


class VendorMatching(msgspec.Struct, frozen=True):
    """Every supplier's decision and what people should look at."""

    decisions: dict[str, VendorDecision]
    duplicates: tuple[PossibleDuplicate, ...]

    @property
    def held(self) -> tuple[VendorDecision, ...]:
        """The suppliers that wait for a person."""
        return tuple(d for d in self.decisions.values() if d.action == "held")


def match_vendors(
    suppliers: Iterable[Supplier], vendors: Iterable[VendorRecord], *, links: Mapping[str, str]
) -> VendorMatching:
    """Decide for every supplier which vendor it is.

    Args:
        suppliers: all suppliers of the connection.
        vendors: all vendors of the organization, archived ones too.
        links: vendor id by address number, for suppliers whose vendor is known.
    """
    everyone = sorted(suppliers, key=lambda s: int(s.number))
    taken = set(links.values())
    free = sorted((v for v in vendors if v.id not in taken and not v.archived), key=lambda v: v.id)
    loose = [s for s in everyone if s.number not in links]
    fits = _fits(loose, free)
    claimants: dict[str, list[str]] = defaultdict(list)
    for number, (_, candidates) in fits.items():
        for vendor_id in candidates:
            claimants[vendor_id].append(number)
    decisions: dict[str, VendorDecision] = {}
    for supplier in everyone:
        number = supplier.number
        if number in links:
            decisions[number] = VendorDecision(number, "linked", links[number], "link")
        elif number not in fits:
            decisions[number] = VendorDecision(number, "create")
        else:
            decisions[number] = _decide(number, *fits[number], claimants)
    return VendorMatching(decisions, tuple(_duplicates(everyone)))


def _decide(
    number: str, by: Literal["tax_id", "name_address"], candidates: tuple[str, ...], claimants: Mapping[str, list[str]]
) -> VendorDecision:
    rivals = tuple(sorted({r for v in candidates for r in claimants[v]} - {number}, key=int))
    if len(candidates) == 1 and not rivals:
        return VendorDecision(number, "match", candidates[0], by)
    what = "tax id" if by == "tax_id" else "name and address"
    if len(candidates) > 1:
        reason = f"Several BILL vendors fit supplier {number} by {what}: {', '.join(candidates)}."
        fix = "Archive the vendors in BILL that are not this supplier, or make their names or addresses differ."
    else:
        reason = f"BILL vendor {candidates[0]} fits several suppliers by {what}: {', '.join((number, *rivals))}."
        fix = f"Write the address number of the right supplier into the short name of vendor {candidates[0]} in BILL."
    return VendorDecision(number, "held", "", by, candidates, rivals, reason, fix)


def _fits(
    suppliers: list[Supplier], vendors: list[VendorRecord]
) -> dict[str, tuple[Literal["tax_id", "name_address"], tuple[str, ...]]]:
    """Return for every supplier that fits at least one free vendor what made it fit and which vendors."""
    numbers = {s.number for s in suppliers}
    by_tax: dict[str, list[VendorRecord]] = defaultdict(list)
    by_place: dict[tuple[str, str], list[VendorRecord]] = defaultdict(list)
    for vendor in vendors:
        by_tax[normal_tax_id(vendor.tax_id)].append(vendor)
        place = normal_address(vendor.line1, vendor.city, vendor.postal_code, vendor.country)
        by_place[normal_name(vendor.name), place].append(vendor)
    found: dict[str, tuple[Literal["tax_id", "name_address"], tuple[str, ...]]] = {}
    for supplier in suppliers:
        tax = normal_tax_id(supplier.tax_id)
        same_tax = _for(supplier, by_tax[tax], numbers) if tax and tax in by_tax else ()
        if same_tax:
            found[supplier.number] = ("tax_id", same_tax)
            continue
        key = _place(supplier)
        same_place = _for(supplier, by_place[key], numbers) if all(key) and key in by_place else ()
        # A tax id on both sides that differs says that these are two companies in one building.
        same_place = tuple(v.id for v in by_place[key] if v.id in same_place and not _other_tax(tax, v))
        if same_place:
            found[supplier.number] = ("name_address", same_place)
    return found


def _for(supplier: Supplier, vendors: list[VendorRecord], numbers: set[str]) -> tuple[str, ...]:
    """Leave out vendors whose short name is the address number of another supplier."""
    own = tuple(v.id for v in vendors if v.short_name == supplier.number)
    return own or tuple(v.id for v in vendors if v.short_name not in numbers)


def _other_tax(tax: str, vendor: VendorRecord) -> bool:
    other = normal_tax_id(vendor.tax_id)
    return bool(tax and other and tax != other)


def _place(supplier: Supplier) -> tuple[str, str]:
    home = supplier.address
    if home is None:
        return normal_name(supplier.name), ""
    return normal_name(supplier.name), normal_address(home.line1, home.city, home.postal_code, home.country)


def _duplicates(suppliers: Iterable[Supplier]) -> Iterable[PossibleDuplicate]:
    """Suppliers with one tax id; with one name and address; with one name. A group is reported for its best reason."""
    tax: dict[str, list[str]] = defaultdict(list)
    place: dict[tuple[str, str], list[str]] = defaultdict(list)
    name: dict[str, list[str]] = defaultdict(list)
    for supplier in suppliers:
        tax[normal_tax_id(supplier.tax_id)].append(supplier.number)
        key = _place(supplier)
        place[key if all(key) else ("", "")].append(supplier.number)
        name[key[0]].append(supplier.number)
    tax.pop("", None)
    place.pop(("", ""), None)
    name.pop("", None)
    told: set[tuple[str, ...]] = set()
    for why, groups in (("tax_id", tax), ("name_address", place), ("name", name)):
        for numbers in groups.values():
            group = tuple(numbers)
            if len(group) > 1 and group not in told:
                told.add(group)
                yield PossibleDuplicate(group, why)  # type: ignore[arg-type]
