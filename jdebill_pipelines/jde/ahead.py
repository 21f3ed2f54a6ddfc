"""Work ahead of the consumer: page streams in threads, delivered in order.

Belongs here: threads and queues. Does not belong here: what the streams are.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

Stream = Callable[[], Iterator[T]]

_POLL_SECONDS = 0.05


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _End:
    pass


class _Lane(Generic[T]):
    """The items of one stream, at most ``depth`` ahead."""

    def __init__(self, stream: Stream[T], depth: int) -> None:
        self.stream = stream
        self.items: queue.Queue[T | _Failure | _End] = queue.Queue(depth)

    def fill(self, stop: threading.Event) -> None:
        """Run the stream into the queue until it ends or nobody wants it any more."""
        try:
            for item in self.stream():
                if not self._put(item, stop):
                    return
            self._put(_End(), stop)
        except BaseException as error:  # noqa: BLE001 - raised again where the items are consumed
            self._put(_Failure(error), stop)

    def drain(self) -> Iterator[T]:
        """The items as they come; raises what the stream raised."""
        while True:
            item = self.items.get()
            if isinstance(item, _End):
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item

    def _put(self, item: T | _Failure | _End, stop: threading.Event) -> bool:
        while not stop.is_set():
            try:
                self.items.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


def ahead(stream: Stream[T], depth: int = 2) -> Iterator[T]:
    """The items of a stream, produced in a thread up to ``depth`` ahead of the consumer."""
    return in_order([stream], workers=1, depth=depth)


def in_order(streams: Sequence[Stream[T]], *, workers: int, depth: int = 8) -> Iterator[T]:
    """The items of many streams, one stream after the other, while up to ``workers`` of them run.

    Args:
        streams: each is run in one thread, in the order given.
        workers: threads.
        depth: items that each stream may be ahead.

    Raises:
        Exception: what a stream raised, at its place in the order; the others are stopped.
    """
    stop = threading.Event()
    lanes = [_Lane(stream, depth) for stream in streams]
    waiting = iter(lanes)
    lock = threading.Lock()
    # Finished lanes that nobody has consumed yet hold their items: only a few may be begun ahead.
    begun = threading.Semaphore(workers + 2)

    def work() -> None:
        while not stop.is_set():
            if not begun.acquire(timeout=_POLL_SECONDS):
                continue
            with lock:
                lane = next(waiting, None)
            if lane is None:
                return
            lane.fill(stop)

    for _ in range(min(workers, len(lanes))):
        threading.Thread(target=work, name="ais-page", daemon=True).start()
    try:
        for lane in lanes:
            yield from lane.drain()
            begun.release()
    finally:
        stop.set()
