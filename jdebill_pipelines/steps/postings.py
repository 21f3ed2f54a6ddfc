"""Writes released postings into JDE, each exactly once: intend, call the orchestration, settle, recover.

Belongs here: the asset ``jde/postings`` and the order of its steps. Does not belong here: what an orchestration is
given (``jde_senders``), what may be posted (``posting_drafts``), comparing afterwards (``posting_readback``).

JDE AIS has no idempotency key, and a lost answer does not say what was done: it is looked up by our reference at once,
and again until the settling delay is over. Only then, and after it was drafted and judged anew, is it sent again.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Literal

from jdebill_pipelines.domain.postings import WAITS
from jdebill_pipelines.jde.results import OrchestrationFailed
from jdebill_pipelines.steps.context import Mode, StepContext, StepResult
from jdebill_pipelines.steps.contracts import Role, require
from jdebill_pipelines.steps.jde_senders import GATE, KINDS, POSTING, VOUCHER, Ambiguous, Found, PostingSender
from jdebill_pipelines.steps.payments import FLOW
from jdebill_pipelines.steps.posting_readback import read_back
from jdebill_pipelines.store.ledger_types import Claim, Settlement
from jdebill_pipelines.store.releases import Release
from jdebill_pipelines.store.store import Store
from jdebill_pipelines.transport.errors import ApiError, UnknownOutcome

# An orchestration may still be running when the line to it is cut; JDE's own limits are minutes.
SETTLING_SECONDS = 900
LEASE_SECONDS = 420  # longer than the longest call of an orchestration
LOOKS = 3
LOOK_SECONDS = 5.0
WAKE_AFTER = timedelta(minutes=5)
_BATCH = 10

# A voucher before its payment; a payment's reversal before its voucher's.
STAGES: tuple[tuple[str, Literal["post", "reverse"]], ...] = (
    (VOUCHER, "post"),
    (POSTING, "post"),
    (POSTING, "reverse"),
    (VOUCHER, "reverse"),
)


def write_postings(
    ctx: StepContext, *, settling_seconds: int = SETTLING_SECONDS, look_seconds: float = LOOK_SECONDS
) -> StepResult:
    """Post and reverse what is released: the run's months, in a delta run everything released.

    Args:
        ctx: of the asset.
        settling_seconds: how long what was not found after a lost answer waits before it is sent again.
        look_seconds: between two look-ups within the run.

    Raises:
        ContractMismatch: an orchestration that is needed is not as delivered; nothing was sent.
        ApiError: JDE could not be reached or refuses everything; what was claimed and not sent is given back first.
    """
    return _Posting(ctx, settling_seconds, look_seconds).run()


def recover(ctx: StepContext, *, settling_seconds: int = SETTLING_SECONDS) -> StepResult:
    """Look up in JDE what earlier sends left uncertain; sends nothing."""
    posting = _Posting(ctx, settling_seconds, 0)
    posting.recover()
    return posting.result


def wake_uncertain(store: Store, now: datetime) -> bool:
    """Make due what has waited for certainty long enough; returns whether something is."""
    waiting = set()
    for write in store.writes.open_writes(KINDS):
        ready = write.not_before is None or write.not_before <= now
        alive = write.state == "claimed" and write.lease_until > now
        if ready and not alive and write.claimed_at <= now - WAKE_AFTER:
            waiting.add(write.period)
    if waiting and not store.due.pending([FLOW]):
        store.due.record(FLOW, source="recovery", periods=sorted(waiting))
    return bool(waiting)


class _Posting:
    def __init__(self, ctx: StepContext, settling_seconds: int, look_seconds: float) -> None:
        self._ctx = ctx
        self._settling, self._look_seconds = settling_seconds, look_seconds
        self._sender = PostingSender(ctx)
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self.result = StepResult(counts={"posted": 0, "reversed": 0})
        self._checked: set[Role] = set()
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._done = self._total = 0

    def run(self) -> StepResult:
        ctx = self._ctx
        self.recover()
        for look in range(LOOKS + 1):
            for kind, operation in STAGES:
                self._send_all(self._released(kind, operation))
            waiting = ctx.store.writes.pending_recovery(KINDS)
            if not waiting or look == LOOKS:
                break
            # What the look-up does not find now may still be on its way: wait, then look again.
            time.sleep(self._look_seconds)
            self.recover()
        if waiting:
            self.result.needs_person.append(
                f"{len(waiting)} posting(s) wait for certainty about a lost answer; they are looked up again by "
                "themselves, and sent again only when JD Edwards certainly does not have them"
            )
        periods = ctx.periods if ctx.mode is Mode.FULL else None
        for reason, n in ctx.store.releases.blocked(GATE, periods=periods, kinds=KINDS).items():
            self.result.counts[f"not released: {reason}"] = n
        if self.result.counts["reversed"]:
            self._wake_waiting()
        read_back(ctx, self._sender, self.result)
        return self.result

    def _wake_waiting(self) -> None:
        """Make due what has waited for a reversal: the voucher is open now."""
        store = self._ctx.store
        drafts = store.drafts.read(GATE, kinds=[POSTING], status="not_due")
        if waiting := sorted({draft.period for draft in drafts if draft.details.get(WAITS)}):
            store.due.record(FLOW, source="reversal", periods=waiting)

    def recover(self) -> None:
        """Look up once what is uncertain: adopt what is there, give back what is not after the settling delay.

        Until then it stays uncertain and is looked up again: the orchestration may be running still.
        """
        ctx = self._ctx
        since = {w.id: w.uncertain_since or w.lease_until for w in ctx.store.writes.pending_recovery(KINDS)}
        young = datetime.now(UTC) - timedelta(seconds=self._settling)
        claims = ctx.store.writes.claim_recovery(worker=self._worker, run_id=ctx.run_id, kinds=KINDS, limit=5000)
        for claim in claims:
            try:
                found = self._sender.find(claim)
            except Ambiguous as error:
                self._settle(Settlement.unknown(claim, str(error)))
                self.result.needs_person.append(str(error))
                continue
            if found is not None:
                self._settle(_adopted(claim, found))
            elif since.get(claim.write_id, young) > young:
                self._settle(Settlement.unknown(claim, "it was looked up in JD Edwards and is not there yet"))
            else:
                self._settle(Settlement.not_found(claim))

    def _released(self, kind: str, operation: str) -> list[Release]:
        """What may be sent in a stage: nothing whose other part must come before."""
        ctx = self._ctx
        periods = ctx.periods if ctx.mode is Mode.FULL else None
        released = [
            r for r in ctx.store.releases.releasable(GATE, periods=periods, kinds=[kind]) if r.operation == operation
        ]
        if (kind, operation) == (POSTING, "post"):
            vouchers = ctx.store.links.get(VOUCHER, [r.natural_key for r in released if _is_order(r)])
            return [r for r in released if not _is_order(r) or r.natural_key in vouchers]
        if (kind, operation) == (VOUCHER, "reverse"):
            return self._vouchers_to_void(released)
        return released

    def _vouchers_to_void(self, released: Sequence[Release]) -> list[Release]:
        """Vouchers whose payment is undone, or was never made and is not being made."""
        posts = {r.natural_key: _post_of(r.natural_key) for r in released}
        links = self._ctx.store.links.get(POSTING, [*posts.values(), *posts])
        open_ = {w.natural_key for w in self._ctx.store.writes.open_writes([POSTING]) if w.state != "intended"}
        return [
            r
            for r in released
            if r.natural_key in links or (posts[r.natural_key] not in links and posts[r.natural_key] not in open_)
        ]

    def _send_all(self, releases: Sequence[Release]) -> None:
        """Send releases: those of one supplier one after the other, so that JDE never has two hands on one voucher."""
        if not releases:
            return
        self._require(releases)
        by_party: dict[str, list[Release]] = defaultdict(list)
        for release in releases:
            by_party[release.party].append(release)
        self._total += len(releases)
        workers = min(len(by_party), self._ctx.connection.jde.parallel_calls)
        with ThreadPoolExecutor(workers, thread_name_prefix="post") as pool:
            errors = list(pool.map(self._guarded, by_party.values()))
        for error in errors:
            if error is not None:
                raise error

    def _require(self, releases: Iterable[Release]) -> None:
        """Before the first write of a run: are the orchestrations what they must be?"""
        needed = sorted({self._sender.role(r) for r in releases} - self._checked)
        if needed:
            require(self._sender.client, self._ctx.connection, needed)
            self._checked.update(needed)

    def _guarded(self, group: Sequence[Release]) -> BaseException | None:
        try:
            for start in range(0, len(group), _BATCH):
                if self._stop.is_set():
                    return None
                self._send(group[start : start + _BATCH])
        except Exception as error:  # noqa: BLE001 - handed to the caller, after the other workers have settled theirs
            self._stop.set()
            return error
        return None

    def _send(self, batch: Sequence[Release]) -> None:
        ctx = self._ctx
        intended = ctx.store.writes.intend(
            batch,
            worker=f"{self._worker}:{threading.get_ident()}",
            run_id=ctx.run_id,
            asset_key=ctx.asset_key,
            actor=ctx.actor,
            lease_seconds=LEASE_SECONDS,
            payload_of=self._sender.payload,
        )
        self._count("skipped", len(intended.skipped) + len(intended.withdrawn))
        self._count("busy elsewhere", len(intended.busy))
        self._count("refused before", len(intended.refused))
        self._count("waiting for certainty", len(intended.unresolved) + len(intended.settling))
        left = list(intended.claims)
        try:
            while left and not self._stop.is_set():
                ctx.store.writes.renew(left, LEASE_SECONDS)
                ctx.store.writes.verify(left[:1])
                self._deliver(left.pop(0))
        finally:
            for claim in left:
                self._settle(Settlement.release(claim))
        with self._counting:
            self._done += len(batch)
            done = self._done
        ctx.progress("postings to JD Edwards", done, self._total)

    def _deliver(self, claim: Claim) -> None:
        """Send one claim and settle it; whatever happens, nothing that may have been sent counts as not sent."""
        try:
            settlement = self._attempt(claim)
        except ApiError:
            # Refused before it ran, or it never left: every other error of a call has become an outcome.
            self._settle(Settlement.release(claim))
            raise
        except BaseException as error:
            self._settle(Settlement.unknown(claim, f"interrupted: {type(error).__name__}"))
            raise
        self._settle(settlement)

    def _attempt(self, claim: Claim) -> Settlement:
        """Call the orchestration; look at once whether it did its work when the answer does not say so."""
        try:
            made, answer = self._sender.send(claim)
        except UnknownOutcome as error:
            return self._look(claim) or Settlement.unknown(claim, str(error))
        except OrchestrationFailed as error:
            found = self._look(claim) if error.maybe_partial else None
            words = [{"code": m.code, "message": m.title} for m in error.messages if m.severity == "error"]
            return found or Settlement.refused(
                claim,
                words or [{"code": error.code or str(error.status or ""), "message": error.what}],
                fix="Correct it in JD Edwards or in BILL; it is tried again by itself, first after an hour.",
            )
        return Settlement.confirmed(claim, made.remote_id, response=answer, details=made.details)

    def _look(self, claim: Claim) -> Settlement | None:
        """What is in JDE of a claim whose answer was no proof; None when it is not there."""
        try:
            found = self._sender.find(claim)
        except (Ambiguous, ApiError) as error:
            return Settlement.unknown(claim, f"{error} (looking it up after a lost answer)")
        return None if found is None else _adopted(claim, found)

    def _settle(self, settlement: Settlement) -> None:
        ctx, claim = self._ctx, settlement.claim
        ctx.store.writes.settle(
            [settlement],
            run_id=ctx.run_id,
            asset_key=ctx.asset_key,
            actor=ctx.actor,
            settling_seconds=self._settling,
        )
        name: str = settlement.outcome
        if settlement.outcome == "confirmed":
            name = {"post": "posted", "reverse": "reversed"}[claim.operation]
            if claim.kind == VOUCHER:
                name = {"post": "vouchers entered", "reverse": "vouchers voided"}[claim.operation]
            elif claim.amount is not None:
                with self._counting:
                    self.result.add_total(name, claim.currency, claim.amount)
            if settlement.origin == "adopted":
                self._count("adopted", 1)
        self._count(_NAMES.get(name, name), 1)

    def _count(self, name: str, n: int) -> None:
        if n:
            with self._counting:
                self.result.add(name, n)


_NAMES = {"unsent": "given back", "not_found": "looked up and not there", "unknown": "of unknown outcome"}


def _adopted(claim: Claim, found: Found) -> Settlement:
    return Settlement.confirmed(claim, found.remote_id, origin="adopted", details=found.details)


def _is_order(release: Release) -> bool:
    return bool(release.content["route"] == "voucher")


def _post_of(reverse_key: str) -> str:
    return f"{reverse_key.rsplit(':', 1)[0]}:post"
