"""The alerts that webhooks raise.

Belongs here: their words. Does not belong here: finding the reason (``webhooks``), sending (alerts/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jdebill_pipelines.bill.envelope import EnvelopeError, read_envelope
from jdebill_pipelines.domain.alerts import AlertContent, fingerprint, rows_of
from jdebill_pipelines.store.inbox import InboxRow
from jdebill_pipelines.store.store import Store


def offer(
    store: Store,
    cause: str,
    where: str,
    fix: str,
    *,
    window: int,
    rows: Sequence[Mapping[str, Any]] = (),
    facts: Mapping[str, str] | None = None,
) -> bool:
    """Offer an alert about the subscription; ``cause`` is its name and its sentence."""
    content = AlertContent(
        what=f"Webhooks: {cause}.",
        where=where,
        fix=fix,
        owner="team:data-engineering",
        rows=rows_of(rows),
        total=len(rows),
        facts=dict(facts or {}),
    )
    return store.alerts.offer(
        fingerprint("webhook", cause), f"webhooks: {cause}", content.body(), window_minutes=window
    )


def payment_refused(store: Store, event: InboxRow, *, window: int) -> bool:
    """Offer an alert about a payment that BILL could not make (``payment.failed``: there is no payment, only bills)."""
    try:
        envelope = read_envelope(event.body)
    except EnvelopeError:
        return False
    vendor = envelope.entity.get("vendor")
    bills = [b for b in envelope.entity.get("bills") or () if isinstance(b, dict)]
    errors = "; ".join(f"{e.get('code', '')}: {e.get('message', '')}" for e in envelope.errors)
    rows = [
        {
            "bill": b.get("id", ""),
            "amount": b.get("amount", ""),
            "vendor": vendor.get("name", "") if isinstance(vendor, dict) else "",
            "reason": errors,
        }
        for b in bills
    ]
    content = AlertContent(
        what="BILL could not make a payment; nothing was paid and nothing is posted.",
        where=f"BILL payment request {envelope.entity.get('transactionNumber', '')}".strip(),
        fix="Look at the reason in BILL, correct it and pay again.",
        owner="team:accounts-payable",
        rows=rows_of(rows),
        total=len(rows),
        facts={"reason": errors} if errors else {},
    )
    cause = str(next((e.get("code") for e in envelope.errors if e.get("code")), "unknown"))
    return store.alerts.offer(
        fingerprint("payment", "failed", cause), f"payment failed: {cause}", content.body(), window_minutes=window
    )
