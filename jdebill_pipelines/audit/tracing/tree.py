"""A chain as a tree that people read from above: supplier, order, voucher, bill, payment, posting, JDE document.

Belongs here: what stands under what. Does not belong here: how it looks (cli, pack).

A chain is no tree: one payment may pay several bills. It then stands under each of them, with the postings of that
bill, and is described the first time only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from jdebill_pipelines.audit.tracing.model import Kind, Node, Ref, Tie, Trace

_DATES = ("created_at", "process_date", "payment_date", "gl_date", "order_date", "invoice_date")
_WRITTEN = ("written as", "voided")


class Step(msgspec.Struct, frozen=True):
    """A place in the tree.

    Attributes:
        node: what stands there.
        tie: what ties it to the one above, None at a root.
        followed: what stands below it.
        again: it was described above already.
    """

    node: Node
    tie: Tie | None
    followed: tuple[Step, ...] = ()
    again: bool = False


def tree_of(trace: Trace) -> tuple[Step, ...]:
    """Return the tree of a chain; every member stands in it at least once."""
    return _Planter(trace).roots()


class _Planter:
    def __init__(self, trace: Trace) -> None:
        self._nodes = trace.nodes
        self._down: dict[Ref, list[Tie]] = defaultdict(list)
        self._up: dict[Ref, list[Tie]] = defaultdict(list)
        for tie in trace.ties:
            self._down[tie.source].append(tie)
            self._up[tie.target].append(tie)
        self._seen: set[Ref] = set()

    def roots(self) -> tuple[Step, ...]:
        steps: list[Step] = []
        for kind in Kind:
            for ref in self._sorted(ref for ref in self._nodes if ref.kind is kind):
                if ref not in self._seen:
                    steps.append(self._step(ref, None))
        return tuple(steps)

    def _step(self, ref: Ref, tie: Tie | None) -> Step:
        again = ref in self._seen
        self._seen.add(ref)
        below = [self._step(t.target, t) for t in self._below(ref, tie, again=again)]
        return Step(self._nodes[ref], tie, tuple(below), again)

    def _below(self, ref: Ref, above: Tie | None, *, again: bool) -> list[Tie]:
        ties = self._down[ref]
        if again and ref.kind is not Kind.PAYMENT:
            return []
        if ref.kind in (Kind.SUPPLIER, Kind.ORDER, Kind.VOUCHER):
            chosen = [t for t in ties if not self._stands_lower(t)]
        elif ref.kind is Kind.VENDOR:
            chosen = [t for t in ties if not self._up_by(t.target, ("billed as", "paid by", "used in"))]
        elif ref.kind is Kind.CREDIT:
            chosen = [t for t in ties if not self._up_by(t.target, ("paid by",)) or t.target in self._seen]
        elif ref.kind is Kind.PAYMENT:
            chosen = [t for t in ties if self._is_of(t.target, above)]
        else:
            chosen = ties
        order = {other: n for n, other in enumerate(self._sorted(t.target for t in chosen))}
        return sorted(chosen, key=lambda t: order[t.target])

    def _stands_lower(self, tie: Tie) -> bool:
        """A voucher of an order stands under it; what a posting of ours wrote stands under that."""
        target = tie.target
        if target.kind is Kind.VOUCHER and tie.source.kind is Kind.SUPPLIER and self._up_by(target, ("invoiced as",)):
            return True
        return target.kind in (Kind.VOUCHER, Kind.JDE_PAYMENT) and self._up_by(target, _WRITTEN)

    def _up_by(self, ref: Ref, whats: Iterable[str]) -> bool:
        return any(tie.what in whats for tie in self._up[ref])

    def _is_of(self, posting: Ref, above: Tie | None) -> bool:
        """Under a bill stand the postings of that bill; under a credit none; elsewhere all."""
        if above is None or above.source.kind is Kind.VENDOR:
            return True
        return above.source.kind is Kind.BILL and posting.key.split(":")[1] == above.source.key

    def _sorted(self, refs: Iterable[Ref]) -> list[Ref]:
        kinds = list(Kind)
        return sorted(set(refs), key=lambda ref: (kinds.index(ref.kind), _day(self._nodes[ref]), ref.key))


def _day(node: Node) -> str:
    return next((str(value) for name in _DATES if (value := node.fact(name)) is not None), "")
