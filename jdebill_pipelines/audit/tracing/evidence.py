"""What happened to the members of a chain and what was decided about them: from verdict to journal entry.

Belongs here: events, from our own records. Does not belong here: what a document says itself (describe.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from jdebill_pipelines.audit.tracing.books import Books
from jdebill_pipelines.audit.tracing.follow import POSTINGS
from jdebill_pipelines.audit.tracing.model import Event, Kind, Ref, Run, amount_of
from jdebill_pipelines.domain.keys import VoucherKey
from jdebill_pipelines.domain.rows import day, text
from jdebill_pipelines.store.scope import Part, Row, Scope

_DOCUMENTS = ("bill", "vendor_credit")
_FIELDS = {"bank_account": "bank account", "pay_by": "way of payment", "tax_id": "tax id"}
_PARTS = {"posting_voucher": "voucher "}


class Evidence(Part):
    """The events of one connection.

    Args:
        scope: the store.
        books: JDE's rows, to tell who corrected a voucher.
    """

    def __init__(self, scope: Scope, books: Books) -> None:
        super().__init__(scope)
        self._books = books

    def of(self, members: Iterable[Ref]) -> dict[Ref, tuple[Event, ...]]:
        """Return the events of each member, oldest first."""
        chain = frozenset(members)
        found: dict[Ref, list[Event]] = defaultdict(list)
        keys = [ref.key for ref in chain if ref.kind in (Kind.SUPPLIER, Kind.ORDER, Kind.VOUCHER, Kind.POSTING)]
        entries = self.select(_JOURNAL, keys=keys)
        passes = {
            (e["natural_key"], str(e["body"].get("content_hash"))): e for e in entries if e["event"] == "override"
        }
        self._verdicts(chain, keys, passes, found)
        self._held(chain, keys, passes, found)
        self._drafts(chain, keys, found)
        self._open_writes(chain, keys, found)
        self._journal(chain, entries, found)
        self._states([ref.key for ref in chain if ref.kind is Kind.PAYMENT], found)
        self._vendor_changes([ref.key for ref in chain if ref.kind is Kind.VENDOR], found)
        epoch = datetime.min.replace(tzinfo=UTC)
        return {
            ref: tuple(sorted(events, key=lambda e: (e.at or epoch, e.journal or 0))) for ref, events in found.items()
        }

    def runs(self, events: Iterable[Event]) -> dict[str, Run]:
        """Return the runs of events by id; those that were never recorded are left out."""
        rows = self.select(_RUNS, ids=sorted({event.run_id for event in events if event.run_id}))
        return {row["run_id"]: Run(**row) for row in rows}

    def _verdicts(self, chain: frozenset[Ref], keys: list[str], passes: Mapping[Any, Row], found: _Found) -> None:
        for row in self.select(_VERDICTS, keys=keys):
            ref = _subject(row["kind"], row["natural_key"], chain)
            if ref is None:
                continue
            part = _PARTS.get(row["kind"], "")
            if row["passed"]:
                override = passes.get((row["natural_key"], row["content_hash"]))
                why = f"{override['actor']} let the rule {override['body']['rule']} pass" if override else ""
                what = f"{part}passed the gate"
            else:
                rules = sorted({str(failure["rule"]) for failure in row["failures"]})
                what, why = f"{part}failed the gate", f"by the rule {', '.join(rules)}"
            found[ref].append(Event(at=row["at"], what=what, why=why, run_id=row["run_id"]))

    def _held(self, chain: frozenset[Ref], keys: list[str], passes: Mapping[Any, Row], found: _Found) -> None:
        for row in self.select(_HELD, keys=keys):
            ref = _subject(row["kind"], row["natural_key"], chain)
            if ref is None:
                continue
            where = " ".join(part for part in (row["line"], row["field"], row["value"]) if part)
            why = f"{row['reason']} {'(' + where + ') ' if where else ''}To do: {row['fix']}".strip()
            amount = None if row["amount"] is None else amount_of(row["amount"])
            found[ref].append(
                Event(
                    at=row["first_seen"],
                    what="held",
                    why=why if row["fix"] else why.removesuffix("To do:").strip(),
                    run_id=row["run_id"],
                    amount=amount,
                    currency=row["currency"],
                )
            )
            if row["released_at"] is not None:
                overridden = (row["natural_key"], row["content_hash"]) in passes
                who = "" if overridden else self._corrected_by(ref, row["first_seen"], row["released_at"])
                why = "a person let it pass" if overridden else f"the rule {row['rule']} does not find it any more"
                found[ref].append(Event(at=row["released_at"], what="released", why=why, who=who))

    def _corrected_by(self, ref: Ref, since: datetime, until: datetime) -> str:
        """The JDE user who changed the voucher last while it was held; JDE's dates are of its own zone."""
        if ref.kind is not Kind.VOUCHER:
            return ""
        key = VoucherKey.parse(ref.key)
        for row in self._books.rows("F0411", "DOC", [key.number]):
            changed = day(row, "UPMJ")
            if VoucherKey.of(row) == key and changed is not None and since.date() <= changed <= until.date():
                return f"{text(row, 'USER')} in JD Edwards" if text(row, "USER") else ""
        return ""

    def _drafts(self, chain: frozenset[Ref], keys: list[str], found: _Found) -> None:
        """What is not sent says why; that it was sent already the journal tells better."""
        for row in self.select(_DRAFTS, keys=keys):
            ref = _subject(row["kind"], row["natural_key"], chain)
            if ref is not None:
                found[ref].append(Event(at=row["updated_at"], what="nothing to send", why=_sentence(row["reason"])))

    def _open_writes(self, chain: frozenset[Ref], keys: list[str], found: _Found) -> None:
        for row in self.select(_OPEN, keys=keys):
            ref = _subject(row["kind"], row["natural_key"], chain)
            if ref is not None:
                found[ref].append(
                    Event(
                        at=row["claimed_at"],
                        what=f"{row['operation']} {row['state']}",
                        why=_errors(row["errors"]),
                        who=row["actor"],
                        run_id=row["run_id"],
                        asset=row["asset_key"],
                        amount=row["amount"],
                        currency=row["currency"],
                    )
                )

    def _journal(self, chain: frozenset[Ref], entries: Iterable[Row], found: _Found) -> None:
        """A write belongs to what was written, a decision to what was decided about."""
        for row in entries:
            ref = _written(row, chain) or _subject(row["kind"], row["natural_key"], chain)
            if ref is None:
                continue
            body = row["body"]
            decision = row["event"] in ("override", "note")
            words = "" if decision else _PARTS.get(row["kind"], "") + str(body.get("operation") or "")
            amount = body.get("amount")
            found[ref].append(
                Event(
                    at=row["at"],
                    what=" ".join(part for part in (words, row["event"]) if part),
                    why=(f"rule {body['rule']}: {body['reason']}" if decision else _errors(body.get("errors") or ())),
                    who=row["actor"],
                    run_id=row["run_id"],
                    asset=row["asset_key"],
                    journal=row["seq"],
                    amount=None if amount is None else amount_of(amount),
                    currency=str(body.get("currency") or ""),
                )
            )

    def _states(self, payments: list[str], found: _Found) -> None:
        for row in self.select(_STATES, payments=payments):
            states = " / ".join(dict.fromkeys(s for s in (row["single_status"], row["status"]) if s))
            seen = f"seen {row['observed_at']:%Y-%m-%d %H:%M:%S} UTC by {row['source']}"
            found[Ref(Kind.PAYMENT, row["payment_id"])].append(
                Event(
                    at=_moment(row["updated_time"]) or row["observed_at"],
                    what=states,
                    why=f"{seen}, event {row['event_id']}" if row["event_id"] else seen,
                    run_id=row["run_id"],
                )
            )

    def _vendor_changes(self, vendors: list[str], found: _Found) -> None:
        for row in self.select(_CHANGES, vendors=vendors):
            field = _FIELDS.get(row["field"], row["field"])
            change = f"{row['before'] or 'none'} to {row['after'] or 'none'}" if row["before"] or row["after"] else ""
            found[Ref(Kind.VENDOR, row["vendor_id"])].append(
                Event(
                    at=_moment(row["updated_time"]) or row["observed_at"],
                    what=f"{field} changed in BILL",
                    why=change,
                    run_id=row["run_id"],
                )
            )


_Found = dict[Ref, list[Event]]


def _subject(kind: str, key: str, chain: frozenset[Ref]) -> Ref | None:
    """The member that a record of ours is about."""
    if kind == "vendor":
        candidates = [Ref(Kind.SUPPLIER, key)]
    elif kind in POSTINGS:
        candidates = [Ref(Kind.POSTING, key)]
    elif kind in _DOCUMENTS:
        candidates = [Ref(Kind.VOUCHER, key), Ref(Kind.ORDER, key)]
    else:
        candidates = []
    return next((ref for ref in candidates if ref in chain), None)


def _written(row: Row, chain: frozenset[Ref]) -> Ref | None:
    kinds = {"vendor": Kind.VENDOR, "bill": Kind.BILL, "vendor_credit": Kind.CREDIT}
    if row["kind"] not in kinds or not row["remote_id"]:
        return None
    ref = Ref(kinds[row["kind"]], row["remote_id"])
    return ref if ref in chain else None


def _errors(errors: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(": ".join(str(e[k]) for k in ("code", "message") if e.get(k)) for e in errors)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "." if words else ""


def _moment(written: str) -> datetime | None:
    return datetime.fromisoformat(written.replace("Z", "+00:00")) if written else None


_VERDICTS = """
SELECT kind, natural_key, content_hash, passed, failures, run_id, at FROM jdebill.verdicts
WHERE connection = :connection AND gate IN ('vendors', 'bills', 'postings')
AND kind IN ('vendor', 'bill', 'vendor_credit', 'posting', 'posting_voucher') AND natural_key = ANY(:keys)
ORDER BY at, kind, content_hash
"""
_HELD = """
SELECT kind, natural_key, line, field, rule, value, reason, fix, content_hash, amount, currency, first_seen,
  released_at, run_id
FROM jdebill.quarantine WHERE connection = :connection AND natural_key = ANY(:keys) ORDER BY first_seen, id
"""
_DRAFTS = """
SELECT d.kind, d.natural_key, d.reason, d.updated_at FROM jdebill.drafts d
WHERE d.connection = :connection AND d.kind IN ('vendor', 'bill', 'vendor_credit', 'posting', 'posting_voucher')
AND d.natural_key = ANY(:keys) AND d.status = 'not_due'
AND NOT (d.gate = 'postings' AND EXISTS (SELECT FROM jdebill.links l
  WHERE l.connection = d.connection AND l.kind = d.kind AND l.natural_key = d.natural_key))
ORDER BY d.kind, d.natural_key
"""
_OPEN = """
SELECT kind, natural_key, operation, state, errors, claimed_at, actor, run_id, asset_key, amount, currency
FROM jdebill.writes WHERE connection = :connection
AND kind IN ('vendor', 'bill', 'vendor_credit', 'posting', 'posting_voucher') AND natural_key = ANY(:keys)
AND state IN ('intended', 'claimed', 'unknown') ORDER BY id
"""
_JOURNAL = """
SELECT seq, at, event, kind, natural_key, remote_id, run_id, asset_key, actor, body FROM jdebill.journal
WHERE connection = :connection AND natural_key = ANY(:keys) ORDER BY seq
"""
_STATES = """
SELECT payment_id, single_status, status, updated_time, observed_at, source, event_id, run_id
FROM jdebill.bill_payment_status_history WHERE connection = :connection AND payment_id = ANY(:payments) ORDER BY seq
"""
_CHANGES = """
SELECT vendor_id, field, before, after, updated_time, observed_at, run_id FROM jdebill.bill_vendor_changes
WHERE connection = :connection AND vendor_id = ANY(:vendors) ORDER BY seq
"""
_RUNS = """
SELECT run_id, flow, mode, actor, code_version, status, started_at FROM jdebill.runs
WHERE connection = :connection AND run_id = ANY(:ids)
"""
