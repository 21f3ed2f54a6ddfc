"""Facts as they come out of both systems: what is not known is left out, amounts are exact, times aware.

Belongs here: helpers of the descriptions. Does not belong here: any description.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from jdebill_pipelines.audit.tracing.model import Fact, Plain, amount_of

_MATCHED = {"tax_id": "its tax id", "name_address": "its name and address", "link": "an earlier link"}


def known(*facts: Fact) -> tuple[Fact, ...]:
    """Leave out what is not known."""
    return tuple(fact for fact in facts if fact.value not in ("", None))


def amount(value: Any) -> Decimal | None:
    """Return an amount that JSON wrote, None for none."""
    return None if value is None else amount_of(value)


def moment(written: Any) -> Plain:
    """Return a time that BILL wrote, None for none."""
    return datetime.fromisoformat(str(written).replace("Z", "+00:00")) if written else None


def origin_words(link: Mapping[str, Any] | None) -> str:
    """Return how an object of BILL came to be, '' when we have no link to it."""
    if link is None:
        return ""
    key = link["natural_key"]
    if link["origin"] == "matched":
        by = str(link["details"].get("by") or "")
        return f"in BILL before; taken for {key} by {matched_by(by) or 'a match'}"
    how = "created by us" if link["origin"] == "created" else "created by us, found after an answer that was lost"
    return f"{how} from {key}"


def matched_by(by: str) -> str:
    """Return in words what a vendor was matched by."""
    return _MATCHED.get(by, by)
