"""What our own postings have settled of vouchers, as far as the staged vouchers show it.

Belongs here: matching confirmed postings with the moment that a voucher was read. Does not belong here: posting, and
what a draft makes of it (``domain.vouchers``).

A voucher whose open amount fell because BILL paid it must not change its bill; one that somebody else paid must. So
what is settled counts from the moment on that the staged row can show it.
"""

from __future__ import annotations

from decimal import Decimal

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.keys import PayItemKey
from jdebill_pipelines.domain.pay_items import settled_by
from jdebill_pipelines.domain.posting_documents import PostedDocument
from jdebill_pipelines.steps.context import StepContext
from jdebill_pipelines.store.ledger_recovery import ConfirmedWrite

POSTING = "posting"
_DOCUMENT = ("KCO", "DCT", "DOC")


def settled(ctx: StepContext) -> dict[str, Decimal]:
    """What BILL paid and JDE was told before its vouchers were read, by pay item key, discount included."""
    writes = [w for w in ctx.store.writes.confirmed(POSTING) if w.content["route"] in ("payment", "void")]
    posts = [w for w in writes if w.content["route"] == "payment"]
    if not posts:
        return {}
    undone = {w.natural_key.rsplit(":", 1)[0]: w for w in writes if w.operation == "reverse"}
    keys = {key for w in posts for key in _pay_items(w)}
    documents = {(k.company, k.type, Decimal(k.number)) for k in map(PayItemKey.parse, keys)}
    read_at = ctx.store.staging.extracted_by_key(t.F0411, _DOCUMENT, documents)
    found: dict[str, Decimal] = {}
    for write in posts:
        reverse = undone.get(write.natural_key.rsplit(":", 1)[0])
        for key, amount in settled_by([PostedDocument(write.content, write.remote_id)]).items():
            item = PayItemKey.parse(key)
            shown = read_at.get((item.company, item.type, Decimal(item.number)))
            reversed_by_then = shown is not None and reverse is not None and reverse.confirmed_at <= shown
            if shown is not None and write.confirmed_at <= shown and not reversed_by_then:
                found[key] = found.get(key, Decimal(0)) + amount
    return found


def _pay_items(write: ConfirmedWrite) -> list[str]:
    return [
        "{document_company}-{document_type}-{document_number}-{pay_item}".format_map(v)
        for v in write.content["vouchers"]
    ]
