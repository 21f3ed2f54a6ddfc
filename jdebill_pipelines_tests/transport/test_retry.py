"""The one retry decision: what is repeated, how long it waits, where it ends."""

from __future__ import annotations

import pickle
import time
from email.utils import formatdate

import pytest

from jdebill_pipelines.transport.errors import ApiError, PermanentError, RateLimited, TransientError, UnknownOutcome
from jdebill_pipelines.transport.retry import Again, Backoff, decision, parse_retry_after, retry

STEADY = Backoff(jitter=0.0)


class Calls:
    """Fails with the given errors, then answers 'done'; notes the waits."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.made = 0
        self.waits: list[float] = []

    def __call__(self) -> str:
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def run(self, *, write: bool = False, backoff: Backoff = STEADY) -> str:
        return retry(self, decision(write=write), backoff=backoff, sleep=self.waits.append, draw=lambda: 0.5)


def lost(**more: object) -> TransientError:
    return TransientError("lost", **more)  # type: ignore[arg-type]


def test_reads_back_off_exponentially() -> None:
    """Three failures, then an answer: 0.5, 1, 2 seconds."""
    calls = Calls(lost(), lost(), lost())
    assert calls.run() == "done"
    assert calls.waits == [0.5, 1.0, 2.0]


def test_attempts_are_bounded_and_the_last_error_is_raised() -> None:
    """The fourth failure comes out as it was raised, not wrapped."""
    last = lost(status=503)
    calls = Calls(lost(), lost(), lost(), last, lost())
    with pytest.raises(TransientError) as caught:
        calls.run()
    assert caught.value is last
    assert calls.made == 4


def test_total_time_is_bounded() -> None:
    """A wait that does not fit is not begun."""
    calls = Calls(*[lost() for _ in range(20)])
    with pytest.raises(TransientError):
        calls.run(backoff=Backoff(attempts=50, first=1.0, total=6.0, jitter=0.0))
    assert calls.waits == [1.0, 2.0]  # 4 more would make 7


def test_the_other_sides_wait_comes_first() -> None:
    """Retry-After is obeyed, and one that is too long ends it at once."""
    calls = Calls(RateLimited("slow down", retry_after=17.0))
    assert calls.run() == "done"
    assert calls.waits == [17.0]
    calls = Calls(RateLimited("slow down", retry_after=3600.0))
    with pytest.raises(RateLimited):
        calls.run()
    assert calls.waits == []


def test_writes_are_repeated_only_when_certainly_not_executed() -> None:
    """A write that may have arrived goes out once; one that never left, or was refused beforehand, again."""
    for error in (lost(), UnknownOutcome("?"), PermanentError("no"), ValueError("bug")):
        calls = Calls(error)
        with pytest.raises(type(error)):
            calls.run(write=True)
        assert calls.made == 1
    calls = Calls(lost(not_executed=True), RateLimited("busy", not_executed=True))
    assert calls.run(write=True) == "done"


def test_reads_are_not_repeated_when_it_cannot_help() -> None:
    """Permanent errors, unknown outcomes and bugs are raised at once."""
    for error in (PermanentError("no"), UnknownOutcome("?"), ValueError("bug")):
        calls = Calls(error)
        with pytest.raises(type(error)):
            calls.run()
        assert calls.made == 1


def test_jitter_spreads_the_waits() -> None:
    """With jitter, a wait lies between its half and its whole."""
    backoff = Backoff(first=2.0, jitter=0.5)
    assert [backoff.seconds(1, draw) for draw in (0.0, 0.5, 1.0)] == [1.0, 1.5, 2.0]
    assert backoff.seconds(30, 1.0) == backoff.longest


def test_a_decision_of_ones_own_sees_the_number_of_calls() -> None:
    """The caller's rule gets the error and how many calls were made."""
    seen: list[int] = []

    def decide(error: ApiError, made: int) -> Again | None:
        seen.append(made)
        return Again(0.0) if made < 3 else None

    calls = Calls(PermanentError("a"), PermanentError("b"), PermanentError("c"))
    with pytest.raises(PermanentError, match="c"):
        retry(calls, decide, sleep=calls.waits.append)
    assert seen == [1, 2, 3]


def test_retry_after_header_in_both_forms() -> None:
    """Seconds, an HTTP date, and rubbish."""
    assert parse_retry_after("12") == 12.0
    assert parse_retry_after(" 1.5 ") == 1.5
    assert parse_retry_after(None) is None
    assert parse_retry_after("soon") is None
    ahead = parse_retry_after(formatdate(time.time() + 100, usegmt=True))
    assert ahead is not None
    assert 90 < ahead <= 100
    assert parse_retry_after(formatdate(time.time() - 100, usegmt=True)) == 0.0


def test_an_error_says_what_where_and_what_to_do_and_survives_pickling() -> None:
    """Text leads with what failed; method, redacted URL, status, code and request id follow; then the fix."""
    error = PermanentError(
        "JDE refused the login",
        method="POST",
        url="https://u:pw@ais.example:9300/x?token=abc",
        status=403,
        code="0052",
        request_id="r-1",
        body=b'{"password":"hunter2","message":"no"}',
        fix="Check the role.",
    )
    where = "POST https://ais.example:9300/x?token=***; HTTP 403, code 0052, request id r-1"
    text = f"JDE refused the login [{where}]. Check the role."
    assert str(error) == text
    assert "hunter2" not in error.body
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.status, type(copy)) == (text, 403, PermanentError)
