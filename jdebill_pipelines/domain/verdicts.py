"""What a rule says about a document.

Belongs here: the two value objects that rules, gate, quarantine and reports share. Does not belong here: the rules.
"""

from __future__ import annotations

import msgspec


class Failure(msgspec.Struct, frozen=True):
    """One reason why a document must not be written, in words for an AP clerk.

    Attributes:
        line: which line of the document (``JELN 3``, ``line 2``), or '' for the document as a whole.
        field: the JDE data item or BILL field that is wrong.
        value: what it holds now.
        reason: one sentence, what is wrong.
        fix: one sentence, what to do about it and where.
        rule: stable identifier of the rule, for overrides and statistics.
    """

    line: str
    field: str
    value: str
    reason: str
    fix: str
    rule: str


class Verdict(msgspec.Struct, frozen=True):
    """Whether a document may be written, for exactly one content.

    Attributes:
        kind: kind of draft: ``vendor``, ``bill``, ``vendor_credit``, ``posting``.
        natural_key: the document's natural key.
        content_hash: SHA-256 of the content that was judged, see ``canonical.content_hash``.
        passed: True when nothing failed.
        failures: every failure found, not only the first.
    """

    kind: str
    natural_key: str
    content_hash: str
    passed: bool
    failures: tuple[Failure, ...] = ()


# What a person may let pass, and why only that: a hold is a decision, not a fact. That an account exists, that amounts
# agree and that the other side can take the document are facts, and no decision changes them.
OVERRIDABLE = frozenset({"supplier_hold"})


def overridden(verdict: Verdict, allowed: frozenset[str]) -> Verdict:
    """Return the verdict with the failures that a person let pass taken away; it passes when none is left.

    Args:
        verdict: as the gate found it.
        allowed: rules that a person overrode for exactly this document and content.
    """
    left = tuple(f for f in verdict.failures if f.rule not in (allowed & OVERRIDABLE))
    if verdict.passed or len(left) == len(verdict.failures):
        return verdict
    return Verdict(verdict.kind, verdict.natural_key, verdict.content_hash, not left, left)
