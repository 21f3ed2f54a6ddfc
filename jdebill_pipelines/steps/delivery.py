"""Brings released documents to BILL, each exactly once: intend, send, settle, recover.

Belongs here: the order of the four steps, bisecting, the worker threads. Does not belong here: what a kind of document
looks like at BILL (``senders``) and what may be sent (``store.releases``).

More workers than call slots: while one waits for the database the others keep BILL's three slots busy.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from jdebill_pipelines.bill.errors import BillRefused, DuplicateNumber, PermissionRefused, UntrustedSession
from jdebill_pipelines.steps.context import StepContext, StepResult
from jdebill_pipelines.store.ledger_types import Claim, Settlement
from jdebill_pipelines.store.releases import Pending, Release
from jdebill_pipelines.transport.errors import ApiError, NotFound, UnknownOutcome

WORKERS_PER_SLOT = 2
CHANGES_PER_CHUNK = 20
# Nobody can do this for us: going on would only repeat the refusal for every document.
FATAL = (PermissionRefused, UntrustedSession)
ROUNDS = 3
SETTLE_WAIT_SECONDS = 20


class Sender(Protocol):
    """How one kind of document is written at BILL."""

    kind: str
    bulk_limit: int

    def payload(self, release: Release) -> bytes:
        """The body that will be sent."""
        ...

    def create(self, claims: Sequence[Claim]) -> list[Settlement]:
        """Create all in one call.

        Raises:
            BillRefused: none was created.
            NotFound: none was created; an id in one of them does not exist (``BDC_1205``).
            UnknownOutcome: nobody knows.
        """
        ...

    def change(self, claim: Claim) -> Settlement:
        """Update, archive or restore one."""
        ...

    def find(self, claims: Sequence[Claim]) -> list[Settlement]:
        """Look up what claims of unknown outcome left behind: confirmed (adopted) or not found."""
        ...


def deliver(
    ctx: StepContext,
    gate: str,
    senders: Iterable[Sender],
    *,
    periods: Sequence[str] | None = None,
    settling_seconds: int | None = None,
) -> StepResult:
    """Write everything of a gate that is released.

    Args:
        ctx: of the asset.
        gate: whose releases.
        senders: one per kind.
        periods: only these months.
        settling_seconds: how long what was not found after a lost answer waits before it is sent again; default the
            store's.

    Returns:
        Counts of created, updated, archived, restored, adopted, refused, unknown and skipped.

    Raises:
        ApiError: BILL could not be reached or refuses everything; what was claimed and not sent is given back first.
    """
    return _Delivery(ctx, gate, {s.kind: s for s in senders}, periods, settling_seconds).run()


class _Delivery:
    def __init__(
        self,
        ctx: StepContext,
        gate: str,
        senders: Mapping[str, Sender],
        periods: Sequence[str] | None,
        settling_seconds: int | None,
    ) -> None:
        self._ctx, self._gate, self._senders, self._periods = ctx, gate, senders, periods
        self._settling = {} if settling_seconds is None else {"settling_seconds": settling_seconds}
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._result = StepResult(counts={"created": 0, "updated": 0, "archived": 0})
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._done = 0
        self._total = 0

    def run(self) -> StepResult:
        self._recover()
        for round_ in itertools.count(1):
            waiting = self._send_all()
            if not waiting or round_ == ROUNDS:
                break
            # Answers were lost. What the look-up does not find now may still be on its way: wait, then look again.
            time.sleep(SETTLE_WAIT_SECONDS if self._recover() else 0)
        if waiting:
            self._result.needs_person.append(
                f"{waiting} write(s) of {self._gate} wait for certainty about a lost answer; the next run looks again"
            )
        return self._result

    def _send_all(self) -> int:
        """Send what is released; returns how many are of unknown outcome."""
        pending = self._ctx.store.releases.pending(self._gate, periods=self._periods, kinds=list(self._senders))
        self._total += len(pending)
        chunks = list(self._chunks(pending))
        if not chunks:
            return 0
        workers = max(1, min(len(chunks), self._ctx.connection.bill.max_in_flight * WORKERS_PER_SLOT))
        with ThreadPoolExecutor(workers, thread_name_prefix="deliver") as pool:
            outcomes = list(pool.map(self._guarded, chunks))
        for error in (e for _, e in outcomes if e is not None):
            raise error
        return sum(n for n, _ in outcomes)

    def _chunks(self, pending: Sequence[Pending]) -> Iterable[list[Pending]]:
        for (kind, new), group in itertools.groupby(
            sorted(pending, key=lambda r: (r.kind, r.operation != "create")),
            key=lambda r: (r.kind, r.operation == "create"),
        ):
            size = self._senders[kind].bulk_limit if new else CHANGES_PER_CHUNK
            yield from _batches(list(group), size)

    def _guarded(self, chunk: list[Pending]) -> tuple[int, BaseException | None]:
        if self._stop.is_set():
            return 0, None
        try:
            return self._send(chunk), None
        except Exception as error:  # noqa: BLE001 - handed to the caller, after the other workers have settled theirs
            self._stop.set()
            return 0, error

    def _send(self, chunk: list[Pending]) -> int:
        ctx, sender = self._ctx, self._senders[chunk[0].kind]
        wanted = {p.natural_key: p.operation for p in chunk}
        releases = [
            r
            for r in ctx.store.releases.releasable(self._gate, keys=wanted, kinds=[sender.kind])
            if r.operation == wanted[r.natural_key]
        ]
        # Somebody else was faster with the others since they were listed.
        self._count("skipped", len(chunk) - len(releases))
        intended = ctx.store.writes.intend(
            releases,
            worker=f"{self._worker}:{threading.get_ident()}",
            run_id=ctx.run_id,
            asset_key=ctx.asset_key,
            actor=ctx.actor,
            payload_of=sender.payload,
        )
        self._count("skipped", len(intended.skipped) + len(intended.withdrawn))
        self._count("busy elsewhere", len(intended.busy))
        self._count("refused before", len(intended.refused))
        settled = self._attempt(sender, intended.claims) if intended.claims else 0
        with self._counting:
            self._done += len(chunk)
            done = self._done
        ctx.progress(f"{self._gate} to BILL", done, self._total)
        return settled + len(intended.unresolved) + len(intended.settling)

    def _attempt(self, sender: Sender, claims: list[Claim]) -> int:
        """Send claims and settle every one; returns how many are of unknown outcome."""
        self._ctx.store.writes.verify(claims)
        settlements: list[Settlement] = []
        try:
            if claims[0].operation == "create":
                self._create(sender, claims, settlements)
            else:
                self._each(claims, sender.change, settlements)
        finally:
            touched = {s.claim.write_id for s in settlements}
            settlements += [Settlement.release(c) for c in claims if c.write_id not in touched]
            self._settle(settlements)
        return sum(s.outcome == "unknown" for s in settlements)

    def _create(self, sender: Sender, claims: list[Claim], settlements: list[Settlement]) -> None:
        """Create in bulk. A bulk that is refused whole is halved until the bad one stands alone."""
        try:
            settlements += sender.create(claims)
        except UnknownOutcome as error:
            settlements += [Settlement.unknown(claim, str(error)) for claim in claims]
        except FATAL:
            raise
        except (BillRefused, NotFound) as error:
            if isinstance(error, NotFound) and not error.code:
                raise  # no id of ours is missing, but the address: a gateway answered, and would for every bill
            if len(claims) > 1:
                middle = len(claims) // 2
                self._create(sender, claims[:middle], settlements)
                self._create(sender, claims[middle:], settlements)
            else:
                settlements.append(self._refused(sender, claims[0], error))

    def _each(self, claims: list[Claim], change: Callable[[Claim], Settlement], settlements: list[Settlement]) -> None:
        for claim in claims:
            try:
                settlements.append(change(claim))
            except UnknownOutcome as error:
                settlements.append(Settlement.unknown(claim, str(error)))
            except FATAL:
                raise
            except (BillRefused, NotFound) as error:
                settlements.append(Settlement.refused(claim, _words(error)))

    def _refused(self, sender: Sender, claim: Claim, error: BillRefused | NotFound) -> Settlement:
        if isinstance(error, DuplicateNumber):
            found = sender.find([claim])[0]
            if found.outcome == "confirmed":
                return found
        return Settlement.refused(claim, _words(error))

    def _recover(self) -> int:
        """Look up what earlier sends left uncertain; returns how many still are."""
        ctx, open_ = self._ctx, 0
        while True:
            claims = ctx.store.writes.claim_recovery(worker=self._worker, run_id=ctx.run_id, kinds=list(self._senders))
            if not claims:
                return open_
            for kind, group in itertools.groupby(sorted(claims, key=lambda c: c.kind), key=lambda c: c.kind):
                found = self._senders[kind].find(list(group))
                open_ += sum(s.outcome == "not_found" for s in found)
                self._settle(found)

    def _settle(self, settlements: list[Settlement]) -> None:
        ctx = self._ctx
        if settlements:
            ctx.store.writes.settle(
                settlements, run_id=ctx.run_id, asset_key=ctx.asset_key, actor=ctx.actor, **self._settling
            )
        for settlement in settlements:
            self._count(_NAMES.get((settlement.outcome, settlement.claim.operation), settlement.outcome), 1)
            if settlement.outcome == "confirmed" and settlement.claim.amount is not None:
                with self._counting:
                    self._result.add_total("written", settlement.claim.currency, settlement.claim.amount)

    def _count(self, name: str, n: int) -> None:
        if n:
            with self._counting:
                self._result.add(name, n)


_NAMES = {
    ("confirmed", "create"): "created",
    ("confirmed", "update"): "updated",
    ("confirmed", "archive"): "archived",
    ("confirmed", "restore"): "restored",
    ("unsent", "create"): "given back",
}


def _words(error: ApiError) -> list[dict[str, str]]:
    """What the other side said, as the ledger and the quarantine keep it."""
    problems = getattr(error, "problems", None) or ()
    words = [{"code": str(p.code or ""), "message": p.message} for p in problems]
    return words or [{"code": str(error.code or error.status or ""), "message": str(error)}]


def _batches(items: list[Pending], size: int) -> list[list[Pending]]:
    return [items[i : i + size] for i in range(0, len(items), size)]
