"""Reads what was posted back from JDE and compares it, once per posting and again while it differs.

Belongs here: which rows are read, and what becomes of a difference. Does not belong here: the comparison itself
(``domain.readback``). A difference is kept in the quarantine under a gate of its own: it holds nothing back, it waits
for a person, and leaves by itself when JDE is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.keys import VoucherKey
from jdebill_pipelines.domain.readback import (
    PaymentRows,
    is_void_payment,
    is_void_voucher,
    journal_differences,
    payment_differences,
    void_differences,
    voucher_differences,
)
from jdebill_pipelines.domain.rows import Row
from jdebill_pipelines.domain.verdicts import Failure
from jdebill_pipelines.jde.where import any_of
from jdebill_pipelines.steps.context import StepContext, StepResult
from jdebill_pipelines.steps.jde_senders import KINDS, PAYMENT_ID, POSTING, VOUCHER, PostingSender
from jdebill_pipelines.store.ledger_recovery import ConfirmedWrite
from jdebill_pipelines.store.quarantine import Held
from jdebill_pipelines.transport.errors import ApiError

GATES = {kind: f"{kind}_readback" for kind in KINDS}
MARK = "read_back"
_CHUNK = 500


def read_back(ctx: StepContext, sender: PostingSender, result: StepResult) -> None:
    """Compare every posting that was never compared, and those that differed before.

    JDE failing here changes nothing about what was posted: it is told, and the postings are compared in the next run.
    """
    for kind in KINDS:
        differing = {row.natural_key for row in ctx.store.quarantine.open(GATES[kind])}
        keys = list(dict.fromkeys([*ctx.store.links.lacking(kind, MARK), *sorted(differing)]))
        for start in range(0, len(keys), _CHUNK):
            writes = ctx.store.writes.confirmed(kind, keys[start : start + _CHUNK])
            try:
                _compare(ctx, sender, kind, writes, result)
            except ApiError as error:
                ctx.log.warning("postings could not be read back: %s", error)
                result.needs_person.append(f"{len(keys) - start} {kind}(s) could not be read back from JD Edwards")
                break


def _compare(
    ctx: StepContext, sender: PostingSender, kind: str, writes: Sequence[ConfirmedWrite], result: StepResult
) -> None:
    undone = _undone(ctx, kind, writes)
    standing = [w for w in writes if w.natural_key not in undone]
    found = {w.natural_key: _NOTHING for w in writes}
    found |= _payments(sender, [w for w in standing if _target(w).startswith(PAYMENT_ID)])
    found |= _documents(sender, [w for w in standing if not _target(w).startswith(PAYMENT_ID)])
    held = [_held(kind, w, failure) for w in writes for failure in found[w.natural_key]]
    ctx.store.quarantine.hold(GATES[kind], held, run_id=ctx.run_id, keys=[w.natural_key for w in writes])
    now = ctx.now.isoformat()
    ctx.store.links.note(kind, {key: {MARK: now, "differences": len(f)} for key, f in found.items()})
    result.add("read back", len(writes))
    if held:
        result.add("differ in JD Edwards", len({h.natural_key for h in held}))


_NOTHING: Sequence[Failure] = ()
Differences = dict[str, Sequence[Failure]]


def _target(write: ConfirmedWrite) -> str:
    """The document that shows whether a write was done: what it made, or what it undid."""
    if write.content["route"] == "void" and write.content["original_route"] != "journal":
        return str(write.content["original_id"])
    return write.remote_id


def _undone(ctx: StepContext, kind: str, writes: Iterable[ConfirmedWrite]) -> set[str]:
    """Posts that were reversed since: JDE may have deleted them."""
    reverses = {w.natural_key.rsplit(":", 1)[0] + ":reverse": w.natural_key for w in writes if w.operation == "post"}
    links = ctx.store.links.get(kind, reverses)
    return {reverses[key] for key in links}


def _payments(sender: PostingSender, writes: Sequence[ConfirmedWrite]) -> Differences:
    """Payments, and reversals of payments."""
    ids = {w.natural_key: int(_target(w).removeprefix(PAYMENT_ID)) for w in writes}
    rows = sender.payment_rows(ids.values())
    posts = [w for w in writes if w.operation == "post"]
    expected = {w.natural_key: sender.paid_items(w.natural_key, w.content) for w in posts}
    numbers = {int(item["document_number"]) for items in expected.values() for item in items}
    items = sender.rows(t.F0411, "DOC", numbers)
    by_document: dict[VoucherKey, list[Row]] = {}
    for row in items:
        by_document.setdefault(VoucherKey.of(row), []).append(row)
    batches = {(str(r.header["ICUT"]), int(r.header["ICU"])) for r in rows.values() if r.header is not None}
    types = sorted({kind for kind, _ in batches if kind})
    ledger = sender.rows(t.F0911, "ICU", {n for _, n in batches}, any_of("ICUT", types)) if types else []
    found: Differences = {}
    for write in writes:
        part = rows[ids[write.natural_key]]
        if write.operation == "reverse":
            found[write.natural_key] = void_differences(is_void_payment(part))
            continue
        wanted = expected[write.natural_key]
        keys = {VoucherKey(i["document_company"], i["document_type"], int(i["document_number"])) for i in wanted}
        part = msgspec.structs.replace(
            part, items=[row for key in keys for row in by_document.get(key, ())], ledger=_of_batch(ledger, part)
        )
        found[write.natural_key] = payment_differences(write.content, part, wanted)
    return found


def _of_batch(ledger: Iterable[Row], part: PaymentRows) -> list[Row]:
    if part.header is None:
        return []
    batch = (part.header["ICUT"], part.header["ICU"])
    return [row for row in ledger if (row["ICUT"], row["ICU"]) == batch]


def _documents(sender: PostingSender, writes: Sequence[ConfirmedWrite]) -> Differences:
    """Vouchers, reversals of vouchers, journal entries."""
    keys = {w.natural_key: VoucherKey.parse(_target(w)) for w in writes}
    if not keys:
        return {}
    journals = {keys[w.natural_key] for w in writes if _is_journal(w)}
    items = sender.voucher_rows(set(keys.values()) - journals)
    posted = [keys[w.natural_key] for w in writes if _is_journal(w) or w.operation == "post"]
    ledger = sender.voucher_rows(posted, t.F0911)
    found: Differences = {}
    for write in writes:
        key = keys[write.natural_key]
        if _is_journal(write):
            found[write.natural_key] = journal_differences(write.content, ledger[key])
        elif write.operation == "reverse":
            found[write.natural_key] = void_differences(is_void_voucher(items[key]))
        else:
            number = str(write.content["invoice_number"])
            found[write.natural_key] = voucher_differences(
                write.content, items[key], ledger[key], invoice_number=number
            )
    return found


def _is_journal(write: ConfirmedWrite) -> bool:
    return "journal" in (write.content["route"], write.content.get("original_route"))


def _held(kind: str, write: ConfirmedWrite, failure: Failure) -> Held:
    return Held(
        kind=kind,
        natural_key=write.natural_key,
        period=write.period,
        line=failure.line,
        field=failure.field,
        value=failure.value,
        reason=failure.reason,
        fix=failure.fix,
        rule=failure.rule,
        content_hash=write.content_hash,
        amount=write.amount,
        currency=write.currency,
        party=write.party,
    )


def waiting(ctx: StepContext) -> list[dict[str, Any]]:
    """Postings that were never compared."""
    return [{"kind": k, "document": key} for k in (POSTING, VOUCHER) for key in ctx.store.links.lacking(k, MARK)]
