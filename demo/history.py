"""Finished runs of a visitor: what is shown of them, and what brings them back."""

import secrets
from typing import TYPE_CHECKING, Any

from demo.kept_runs import SHELF, Kept
from demo.painting import engine
from demo.pictures import difference, photo_url, thumb_url
from demo.slots import Slots
from demo.texts import say
from leffa.config import Task, sample_seed
from leffa.preprocess.prepared import Prepared
from leffa.provenance import model_hash, png_bytes, record
from leffa.run.result import Result
from leffa.weights import models

if TYPE_CHECKING:
    from leffa.explain.score import Scatter


class Run:
    """A finished run. What is heavy of it lies on a shelf, and may be let go of: then RunGoneError is raised.

    result   what it gave
    slots    the pictures and choices it was made from, as they were
    person   the prepared picture that was painted
    seconds  it took
    chosen   place of the shown picture in ``ranked``
    ranked   samples with their flow scores, best first
    digests  slot -> SHA-256 of its picture's file
    """

    def __init__(self, result: Result, slots: Slots, person: Prepared, seconds: float):
        from leffa.explain.score import rank

        self.key = secrets.token_urlsafe(9)
        self.seconds, self.chosen = seconds, 0
        self.task, self.settings = result.task, result.settings
        self.ranked: list[tuple[int, float]] = rank(result)
        self.digests = {slot: picked.digest for slot, picked in slots.pictures.items()}
        self._thumbs = [thumb_url(image) for image in result.images]
        self._views: dict[int, dict[str, str]] = {}
        self._scatter: dict[int, list[Scatter]] = {}
        self._place = SHELF.put(Kept(result, slots, person))

    @property
    def result(self) -> Result:
        return self._place.get().result

    @property
    def slots(self) -> Slots:
        return self._place.get().slots

    @property
    def person(self) -> Prepared:
        return self._place.get().person

    @property
    def is_kept(self) -> bool:
        """Whether it has not been let go of."""
        return self._place in SHELF

    @property
    def thumb(self) -> str:
        """The shown picture, small, as a data address."""
        return self._thumbs[self.sample]

    def forget(self) -> None:
        """Let go of it."""
        SHELF.drop(self._place)

    @property
    def scores(self) -> list[float]:
        return [score for _, score in self.ranked]

    @property
    def sample(self) -> int:
        """Number of the shown picture in the result."""
        return self.ranked[self.chosen][0]

    @property
    def seed(self) -> int:
        """The seed that gives the shown picture alone."""
        return sample_seed(self.settings.seed, self.sample)

    def choose(self, place: int) -> None:
        """Show the picture at this place of the ranking; does nothing for a place there is not."""
        if 0 <= place < len(self.ranked):
            self.chosen = place
            self.draw_views()

    def scatter(self) -> "list[Scatter]":
        """Parts of the body over which the shown picture's attention is scattered."""
        if self.sample not in self._scatter:
            from leffa.explain.score import scattered

            parts = engine().parts(self.person)[..., 0]
            self._scatter[self.sample] = scattered(self.result, parts, self.sample)
        return self._scatter[self.sample]

    def draw_views(self) -> None:
        """Make the pictures of the shown sample's flow, once."""
        if self.sample in self._views:
            return
        from leffa.explain.views import flow_pictures

        result, sample = self.result, self.sample
        pictures: dict[str, Any] = flow_pictures(result, sample)
        self._views[sample] = {
            "flow": photo_url(pictures["overlay"]),
            "warped": photo_url(pictures["warped"]),
            "confidence": photo_url(pictures["confidence"]),
            "difference": photo_url(difference(result.photo, result.images[sample])),
        }

    def shown(self, language: str) -> dict:
        """Value of the viewer."""
        result, used = self.result, self.result.settings
        done = say(language, "done", seed=self.seed, steps=used.steps, seconds=f"{self.seconds:.0f}")
        score = say(language, "score", score=round(100 * self.scores[self.chosen]))
        samples = [
            {"thumb": self._thumbs[sample], "note": f"{round(100 * score)}"} for sample, score in self.ranked
        ]
        return {
            "state": "done",
            "run": self.key,
            "before": photo_url(result.photo) if result.task is Task.TRY_ON else "",
            "image": photo_url(result.images[self.sample]),
            "samples": samples if len(samples) > 1 else [],
            "chosen": self.chosen,
            "views": self._views.get(self.sample, {}),
            "caption": " · ".join([done, score, *result.notes]),
        }

    def record(self) -> dict[str, Any]:
        """All that repeats the shown picture."""
        files = {slot: picked.digest for slot, picked in self.slots.pictures.items()}
        strokes = [stroke.as_dict() for stroke in self.slots.strokes]
        people = {
            slot: picked.prepared.chosen for slot, picked in self.slots.pictures.items() if picked.prepared
        }
        choices = {**self.slots.choices, "strokes": strokes, "people": people}
        return record(self.result, model_hash(models.MODELS[self.result.model]), files, choices, self.sample)

    def png(self) -> bytes:
        """The shown picture as a PNG that carries its record."""
        return png_bytes(self.result.images[self.sample], self.record())
