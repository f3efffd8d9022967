"""Finished runs of a visitor: what is shown of them, and what brings them back."""

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from demo.pictures import photo_url, thumb_url
from demo.texts import say

if TYPE_CHECKING:
    from demo.sessions import Session, Slots
    from leffa.result import Result

MOST_RUNS = 12


@dataclass
class Run:
    """A finished run.

    slots    the pictures and choices it was made from, as they were
    seconds  it took
    order    samples, best first
    chosen   number of the shown picture within ``order``
    """

    result: "Result"
    slots: "Slots"
    seconds: float
    order: list[int]
    scores: list[float]
    chosen: int = 0
    key: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    finished: float = field(default_factory=time.time)
    _views: dict[int, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, result: "Result", slots: "Slots", seconds: float) -> "Run":
        from copy import copy

        kept = copy(slots)
        kept.pictures, kept.choices, kept.strokes = (
            dict(slots.pictures),
            dict(slots.choices),
            list(slots.strokes),
        )
        order = list(range(len(result.images)))
        return cls(result, kept, seconds, order, [0.0] * len(order))

    @property
    def sample(self) -> int:
        """Number of the shown picture in the result."""
        return self.order[self.chosen]

    def choose(self, place: int) -> None:
        if 0 <= place < len(self.order):
            self.chosen = place
            self.draw_views()

    def draw_views(self) -> None:
        """Make the pictures of the shown sample's flow, once."""
        if self.sample in self._views:
            return
        from demo.views import difference

        result, sample = self.result, self.sample
        pictures: dict[str, Any] = result.flow_pictures(sample)
        self._views[sample] = {
            "flow": photo_url(pictures["overlay"]),
            "warped": photo_url(pictures["warped"]),
            "confidence": photo_url(pictures["spread"]),
            "difference": photo_url(difference(result.photo, result.images[sample])),
        }

    def shown(self, language: str) -> dict:
        """Value of the viewer."""
        result, used = self.result, self.result.settings
        done = say(
            language, "done", seed=used.seed + self.sample, steps=used.steps, seconds=f"{self.seconds:.0f}"
        )
        images = [result.images[i] for i in self.order]
        several = len(images) > 1
        return {
            "state": "done",
            "run": self.key,
            "before": photo_url(result.photo) if result.task.value == "try_on" else "",
            "image": photo_url(images[self.chosen]),
            "samples": [{"thumb": thumb_url(image), "note": str(i + 1)} for i, image in enumerate(images)]
            if several
            else [],
            "chosen": self.chosen,
            "views": self._views.get(self.sample, {}),
            "caption": " ".join([done, *result.notes]),
        }


def remember(session: "Session", tab: str, run: Run) -> None:
    """Keep a run as the newest; the oldest go."""
    session.shown[tab] = run
    session.runs.insert(0, run)
    del session.runs[MOST_RUNS:]
