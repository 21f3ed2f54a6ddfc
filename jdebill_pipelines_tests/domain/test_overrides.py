"""What a person may let pass, and what stays a fact."""

from __future__ import annotations

from jdebill_pipelines.domain.verdicts import Failure, Verdict, overridden

HOLD = Failure("", "F0401.HDPY", "Y", "On hold.", "Release it.", "supplier_hold")
FACT = Failure("JELN 1", "F0901.PEC", "I", "Inactive.", "Change it.", "account_posts")


def verdict(*failures: Failure) -> Verdict:
    """A verdict on one bill."""
    return Verdict("bill", "00001-PV-1", "h", not failures, failures)


def test_a_hold_that_was_let_pass_does_not_hold() -> None:
    """The only failure is a decision, and somebody decided."""
    assert overridden(verdict(HOLD), frozenset({"supplier_hold"})).passed
    assert not overridden(verdict(HOLD), frozenset()).passed


def test_a_fact_holds_whatever_anybody_says() -> None:
    """An override of a fact changes nothing, also beside one of a decision."""
    assert overridden(verdict(FACT), frozenset({"account_posts"})) == verdict(FACT)
    left = overridden(verdict(HOLD, FACT), frozenset({"supplier_hold", "account_posts"}))
    assert (left.passed, left.failures) == (False, (FACT,))
