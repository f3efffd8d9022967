"""Waiting in line for the model: first come, first served, and everybody knows how many are before them."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POLL_SECONDS = 0.25


class Line:
    """At most ``places`` runs at once. Thread-safe."""

    def __init__(self, places: int = 1):
        self._places = places
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, stop: threading.Event, report: Callable[[int], None]) -> Iterator[bool]:
        """Wait for a place and hold it. Yields False if ``stop`` was set before there was one.

        report  called with the number of people before this one, each time it changes
        """
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            ahead = -1
            while (before := self._before(ticket)) > 0 and not stop.is_set():
                if before != ahead:
                    ahead = before
                    report(before)
                self._changed.wait(POLL_SECONDS)
        try:
            yield not stop.is_set()
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _before(self, ticket: object) -> int:
        return max(0, self._waiting.index(ticket) - self._places + 1)

    def __len__(self) -> int:
        return len(self._waiting)
