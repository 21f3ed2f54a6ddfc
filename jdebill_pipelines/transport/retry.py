"""The one place that decides whether a call is made again, and after how long.

Belongs here: backoff, the bounds, the default rule. Does not belong here: what a status or code means; the clients say
that by the class of the error they raise.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from jdebill_pipelines.transport.errors import ApiError, TransientError

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and how long.

    Attributes:
        attempts: most calls in all, the first included.
        first: seconds before the second call; doubles from there.
        longest: most seconds of one wait that this side chooses.
        total: most seconds of waiting in all; a wait that would not fit is not begun.
        jitter: the part of a wait that is random, 0 to 1, so that many callers do not come back together.
    """

    attempts: int = 4
    first: float = 0.5
    longest: float = 20.0
    total: float = 120.0
    jitter: float = 0.5

    def seconds(self, attempt: int, draw: float) -> float:
        """The wait after call number ``attempt`` (1 = the first), ``draw`` being a random number from 0 to 1."""
        full = min(self.longest, self.first * 2.0 ** (attempt - 1))
        return full * (1.0 - self.jitter + self.jitter * draw)


@dataclass(frozen=True, slots=True)
class Again:
    """The call may be made again.

    Attributes:
        wait: seconds to wait; None = as the backoff says.
    """

    wait: float | None = None


Decision = Callable[[ApiError, int], Again | None]
"""Given the error and the number of calls made so far: make it again, or None = give up and raise the error."""


def repeat_reads(error: ApiError, attempt: int) -> Again | None:
    """The rule for reads: whatever is transient may be asked again; the other side's Retry-After comes first."""
    del attempt
    return Again(error.retry_after) if isinstance(error, TransientError) else None


def repeat_refused_writes(error: ApiError, attempt: int) -> Again | None:
    """The rule for writes: only what certainly was not executed (never left, refused beforehand) goes out again."""
    return repeat_reads(error, attempt) if error.not_executed else None


def decision(*, write: bool) -> Decision:
    """The default rule for a call."""
    return repeat_refused_writes if write else repeat_reads


def retry(
    call: Callable[[], T],
    decide: Decision,
    *,
    backoff: Backoff = Backoff(),
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> T:
    """Make a call, and make it again while ``decide`` allows and the bounds hold.

    Args:
        call: makes the call once; raises an ``ApiError`` when it fails.
        decide: the rule.
        backoff: bounds and waits. A Retry-After that exceeds what is left of ``total`` ends the retries at once.
        sleep: how to wait, injectable.
        draw: a random number from 0 to 1, injectable.

    Returns:
        What ``call`` returned.

    Raises:
        ApiError: the last one, as it was raised.
    """
    waited = 0.0
    planned = 0.0

    def again(error: BaseException, attempt: int) -> bool:
        nonlocal planned
        if not isinstance(error, ApiError) or attempt >= backoff.attempts:
            return False
        verdict = decide(error, attempt)
        if verdict is None:
            return False
        planned = max(0.0, verdict.wait) if verdict.wait is not None else backoff.seconds(attempt, draw())
        return waited + planned <= backoff.total

    def wait(state: RetryCallState) -> float:
        nonlocal waited
        waited += planned
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "call %d of at most %d failed, again in %.1f s: %s", state.attempt_number, backoff.attempts, planned, error
        )
        return planned

    attempt = 0

    def counted() -> T:
        nonlocal attempt
        attempt += 1
        return call()

    retrying = Retrying(retry=retry_if_exception(lambda e: again(e, attempt)), wait=wait, sleep=sleep, reraise=True)
    return retrying(counted)


def parse_retry_after(value: str | None, *, now: Callable[[], float] = time.time) -> float | None:
    """Seconds that a ``Retry-After`` header asks to wait: a number, or an HTTP date. None when absent or unreadable."""
    if value is None or not value.strip():
        return None
    text = value.strip()
    try:
        return max(0.0, float(text)) if text.replace(".", "", 1).isdigit() else max(0.0, _http_date(text) - now())
    except (ValueError, TypeError):
        return None


def _http_date(text: str) -> float:
    return parsedate_to_datetime(text).timestamp()
