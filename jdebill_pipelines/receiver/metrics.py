"""What the receiver counts, and Prometheus' text of it.

Belongs here: counters of this process and their rendering. Does not belong here: what is counted in the database.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

from jdebill_pipelines.store.inbox import InboxStats

BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000)


class Metrics:
    """Counters of one process. Only the event loop writes them."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self.events: Counter[tuple[str, str]] = Counter()
        self.batches: Counter[str] = Counter()
        self.previous_key: Counter[str] = Counter()
        self._buckets = [0] * (len(BUCKETS_MS) + 1)
        self._total_us = 0

    def answer(self, connection: str, outcome: str, microseconds: int) -> None:
        """Count an answered post: ``stored``, or why it was refused; and how long it took."""
        self.answers[connection, outcome] += 1
        self._buckets[bisect_left(BUCKETS_MS, microseconds / 1000)] += 1
        self._total_us += microseconds

    def batch(self, connection: str, events: int, new: int) -> None:
        """Count a committed transaction."""
        self.batches[connection] += 1
        self.events[connection, "new"] += new
        self.events[connection, "duplicate"] += events - new

    def text(self, *, waiting: int, database_up: bool, inbox: Mapping[str, InboxStats]) -> str:
        """Prometheus' exposition format, version 0.0.4."""
        lines = _family("jdebill_receiver_posts_total", "counter", "Answered posts by outcome.")
        lines += [
            f"jdebill_receiver_posts_total{{connection={_label(c)},outcome={_label(o)}}} {n}"
            for (c, o), n in sorted(self.answers.items())
        ]
        lines += _family("jdebill_receiver_events_total", "counter", "Stored events, new ones and duplicates.")
        lines += [
            f"jdebill_receiver_events_total{{connection={_label(c)},kind={_label(k)}}} {n}"
            for (c, k), n in sorted(self.events.items())
        ]
        lines += _family("jdebill_receiver_transactions_total", "counter", "Transactions that stored events.")
        lines += [
            f"jdebill_receiver_transactions_total{{connection={_label(c)}}} {n}"
            for c, n in sorted(self.batches.items())
        ]
        lines += _family("jdebill_receiver_previous_key_total", "counter", "Posts signed with the replaced key.")
        lines += [
            f"jdebill_receiver_previous_key_total{{connection={_label(c)}}} {n}"
            for c, n in sorted(self.previous_key.items())
        ]
        lines += _family("jdebill_receiver_post_seconds", "histogram", "Time from headers to answer.")
        so_far = 0
        for bound, count in zip((*BUCKETS_MS, None), self._buckets, strict=True):
            so_far += count
            le = "+Inf" if bound is None else f"{bound / 1000:g}"
            lines.append(f'jdebill_receiver_post_seconds_bucket{{le="{le}"}} {so_far}')
        lines.append(f"jdebill_receiver_post_seconds_sum {self._total_us / 1e6:.6f}")
        lines.append(f"jdebill_receiver_post_seconds_count {so_far}")
        lines += _family("jdebill_receiver_waiting", "gauge", "Events that wait for their transaction.")
        lines.append(f"jdebill_receiver_waiting {waiting}")
        lines += _family("jdebill_receiver_database_up", "gauge", "1 when the database answers.")
        lines.append(f"jdebill_receiver_database_up {int(database_up)}")
        for name, kind, help_, values in (
            ("jdebill_inbox_waiting", "gauge", "Stored events that are not due work yet.", _of(inbox, "waiting")),
            ("jdebill_inbox_events_total", "counter", "Events ever stored.", _of(inbox, "total")),
            ("jdebill_inbox_duplicates_total", "counter", "Deliveries of known events.", _of(inbox, "duplicates")),
            ("jdebill_inbox_refused_total", "counter", "Refused posts over all processes.", _of(inbox, "refused")),
            ("jdebill_inbox_last_received_seconds", "gauge", "When the last event came.", _last(inbox)),
        ):
            lines += _family(name, kind, help_)
            lines += [f"{name}{{connection={_label(c)}}} {value}" for c, value in values]
        return "\n".join(lines) + "\n"


def _of(inbox: Mapping[str, InboxStats], member: str) -> list[tuple[str, int]]:
    return [(connection, getattr(stats, member)) for connection, stats in sorted(inbox.items())]


def _last(inbox: Mapping[str, InboxStats]) -> list[tuple[str, int]]:
    return [(c, int(s.last_received_at.timestamp())) for c, s in sorted(inbox.items()) if s.last_received_at]


def _family(name: str, kind: str, help_: str) -> list[str]:
    return [f"# HELP {name} {help_}", f"# TYPE {name} {kind}"]


def _label(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
