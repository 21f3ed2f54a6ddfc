"""Vendors: what BILL demands of the payload.

Belongs here: the last look at a vendor before it is written. Does not belong here: what a supplier lacks in JDE, which
``domain.suppliers`` finds and explains.

Source: BILL API v3: name 1 to 100 characters, short name at most 40, address with line1, city, zipOrPostalCode and an
ISO 3166 alpha-2 country.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jdebill_pipelines.domain.countries import country_alpha2
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.suppliers import NAME_LENGTH
from jdebill_pipelines.domain.verdicts import Failure
from jdebill_pipelines.schemas.rules import Rule, failing_rows, failure_of, frame_of, is_true, not_blank, schema_of

_FIX = "Correct the supplier's address book record in JD Edwards."

RULES = (
    Rule("vendor_name", "name_right", is_true, "name", "name", "The name is empty or too long for BILL.", _FIX),
    Rule(
        "vendor_short_name", "short_name_right", is_true, "shortName", "short_name", "The short name is too long.", _FIX
    ),
    Rule("vendor_line1", "line1", not_blank, "address.line1", "line1", "The address has no street.", _FIX),
    Rule("vendor_city", "city", not_blank, "address.city", "city", "The address has no city.", _FIX),
    Rule("vendor_zip", "zip", not_blank, "address.zipOrPostalCode", "zip", "The address has no postal code.", _FIX),
    Rule(
        "vendor_country",
        "country_right",
        is_true,
        "address.country",
        "country",
        "The country {country!r} is no ISO 3166 alpha-2 code.",
        _FIX,
    ),
    Rule(
        "vendor_currency_known",
        "currency_known",
        is_true,
        "billCurrency",
        "currency",
        "The currency {currency} is unknown.",
        "Correct the supplier's default currency (F0401.CRRP) in JD Edwards.",
    ),
)
COLUMNS = "name name_right short_name short_name_right line1 city zip country country_right currency currency_known"
_COLUMNS = tuple(COLUMNS.split())
_SCHEMA = schema_of(RULES, _COLUMNS)


def judge_vendor_contents(contents: Sequence[Mapping[str, Any]], currencies: Currencies) -> dict[int, list[Failure]]:
    """Return the failures of vendor payloads, by their place in the sequence."""
    rows = [_row(content, currencies) for content in contents]
    found: dict[int, list[Failure]] = {}
    for index, rule in failing_rows(frame_of(_COLUMNS, rows), _SCHEMA, RULES):
        found.setdefault(index, []).append(failure_of(rule, dict(zip(_COLUMNS, rows[index], strict=True))))
    return found


def _row(content: Mapping[str, Any], currencies: Currencies) -> tuple[Any, ...]:
    address = content.get("address") or {}
    name, short = str(content.get("name") or ""), str(content.get("shortName") or "")
    country, currency = str(address.get("country") or ""), str(content.get("billCurrency") or "")
    return (
        name,
        0 < len(name.strip()) <= NAME_LENGTH and len(name) <= NAME_LENGTH,
        short,
        len(short) <= 40,
        str(address.get("line1") or "").strip(),
        str(address.get("city") or "").strip(),
        str(address.get("zipOrPostalCode") or "").strip(),
        country,
        country != "" and country_alpha2(country) == country,
        currency,
        currency == "" or currencies.known(currency),
    )
