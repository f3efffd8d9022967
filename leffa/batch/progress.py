"""How a long run goes: rows a minute, the time it will take, and what was known already."""

import sys
import time

from leffa.batch.plan import Outcome

EVERY = 5.0  # s


class Progress:
    """A line on stderr from time to time.

    total, before  rows of the manifest, and how many of them an earlier run has done
    """

    def __init__(self, total: int, before: int):
        self.total, self.before = total, before
        self.done = self.failed = self.hits = self.misses = 0
        self._begun = self._told = time.monotonic()

    def count(self, outcome: Outcome) -> None:
        """Take in a row, and tell if it is time."""
        self.done += outcome.status == "done"
        self.failed += outcome.status == "failed"
        self.hits += outcome.hits
        self.misses += outcome.misses
        if time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            print(self.line(), file=sys.stderr, flush=True)  # noqa: T201

    def line(self) -> str:
        """Where the run stands."""
        now = self.done + self.failed
        speed = now / max(time.monotonic() - self._begun, 1e-9)
        left = max(self.total - self.before - now, 0)
        asked = self.hits + self.misses
        told = f"{self.before + now} of {self.total} rows, {60 * speed:.1f} a minute"
        if left and speed:
            told += f", {_duration(left / speed)} left"
        if asked:
            told += f", {self.hits} of {asked} pictures known ({100 * self.hits / asked:.0f} %)"
        return told + (f", {self.failed} failed" if self.failed else "")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
