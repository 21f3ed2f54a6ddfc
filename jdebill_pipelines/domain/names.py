"""One spelling for names, addresses, tax ids and invoice numbers, so that they can be compared.

Belongs here: normal forms for comparison. They are never written anywhere. Does not belong here: who matches whom.
"""

from __future__ import annotations

import re
import unicodedata

_LEGAL_FORMS = (
    "inc incorporated llc lllp llp lp ltd limited corp corporation co company plc gmbh ag kg sa sas sarl srl spa "
    "bv nv ab oy as aps pty pte pvt the"
)
_LEGAL = frozenset(_LEGAL_FORMS.split())
_STREET = {
    "street": "st",
    "avenue": "ave",
    "av": "ave",
    "road": "rd",
    "drive": "dr",
    "boulevard": "blvd",
    "lane": "ln",
    "court": "ct",
    "circle": "cir",
    "place": "pl",
    "square": "sq",
    "highway": "hwy",
    "parkway": "pkwy",
    "terrace": "ter",
    "suite": "ste",
    "apartment": "apt",
    "floor": "fl",
    "building": "bldg",
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
}


def _words(text: str) -> list[str]:
    """Lower-case words without accents and punctuation; letters of every script stay."""
    plain = unicodedata.normalize("NFKD", text.replace("&", " and ")).casefold()
    kept = "".join(c if c.isalnum() else "" if unicodedata.combining(c) or c in "'\u2019." else " " for c in plain)
    return kept.split()


def normal_name(name: str) -> str:
    """Return a company or person name without case, accents, punctuation and legal form ('' stays '').

    ``Brightwater Plumbing, L.L.C.`` and ``BRIGHTWATER PLUMBING LLC`` are one name. A name that consists of a legal form
    only keeps it.
    """
    words = _words(name)
    core = [w for w in words if w not in _LEGAL]
    return " ".join(core or words)


def normal_address(line1: str, city: str, postal_code: str, country: str) -> str:
    """Return an address as one comparable text; '' when street or city is missing.

    A US postal code counts with its first five digits.
    """
    street, town = [_STREET.get(w, w) for w in _words(line1)], _words(city)
    if not street or not town:
        return ""
    zip_code = re.sub(r"[^0-9a-z]", "", postal_code.casefold())
    if country.upper() == "US":
        zip_code = zip_code[:5]
    return "|".join((" ".join(street), " ".join(town), zip_code, country.casefold()))


def normal_tax_id(tax_id: str) -> str:
    """Return a tax id as capital letters and digits; '' for one that BILL masked or that is all one digit."""
    if re.search(r"[*xX\u2022]{3,}", tax_id):
        return ""
    kept = re.sub(r"[^0-9A-Z]", "", tax_id.upper())
    return "" if len(set(kept)) < 2 else kept


def normal_invoice_number(number: str) -> str:
    """Return an invoice number as duplicates are disguised: no case, punctuation, ``INV`` prefix or leading zeros."""
    kept = re.sub(r"[^0-9A-Z]", "", unicodedata.normalize("NFKD", number).upper())
    kept = re.sub(r"^(INVOICE|INV)(?=.)", "", kept)
    return kept.lstrip("0") or kept
