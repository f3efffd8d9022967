"""Waiting in line for the model: first come, first served, and everybody knows how many are before them."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from leffa.errors import LeffaError

POLL_SECONDS = 0.25


class BusyError(LeffaError):
    """There are too many in line already."""


class _Ticket:
    def __init__(self, visitor: str):
        self.visitor = visitor


class Queue:
    """One run at a time. Thread-safe."""

    def __init__(self) -> None:
        self._waiting: deque[_Ticket] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def turn(
        self,
        stop: threading.Event,
        report: Callable[[int], None],
        visitor: str = "",
        most: int | None = None,
        most_each: int | None = None,
    ) -> Iterator[bool]:
        """Wait for a place and hold it. Yields False if ``stop`` was set before there was one.

        report     called with the number of people before this one, each time it changes
        most, most_each  in line, and in line for this visitor. Raises BusyError where that would be exceeded
        """
        ticket = _Ticket(visitor)
        with self._changed:
            count = len(self._waiting)
            if most is not None and count >= most:
                raise BusyError(
                    f"busy: {count} runs are in line, no more can wait; try again in some minutes"
                )
            own = sum(one.visitor == visitor for one in self._waiting)
            if most_each is not None and own >= most_each:
                raise BusyError(f"you have {own} runs in line already: wait for them, or stop one")
            self._waiting.append(ticket)
            ahead = -1
            while (before := self._waiting.index(ticket)) > 0 and not stop.is_set():
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

    def __len__(self) -> int:
        return len(self._waiting)
