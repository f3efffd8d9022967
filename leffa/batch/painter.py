"""One row of a manifest: its files are read, its picture is painted, and put in its place."""

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from leffa.batch.manifest import Row, read_source
from leffa.batch.plan import Outcome
from leffa.errors import FileError, LeffaError, PictureError
from leffa.files import in_words
from leffa.images import load_image, save_atomically

if TYPE_CHECKING:
    from leffa.run.pace import Pace
    from leffa.run.settings import Settings


class Painter(Protocol):
    """What does the work on rows; one for each worker."""

    def read(self, row: Row) -> tuple[int, int]:
        """Find what is needed of the row's pictures before it is painted; how much was known, how much not.

        Raises LeffaError if the row is at fault.
        """

    def paint(self, row: Row) -> Image.Image:
        """The row's picture. Raises LeffaError if the row is at fault."""


MakePainter = Callable[[], Painter]
"""Made once in every worker; it must be something that pickle can send there."""


@dataclass(frozen=True)
class EnginePainter:
    """Makes painters with the weights that are here.

    memory  folder for what is found in photos and garments
    model, device, placement, guidance, steps, pace  as for ``Engine`` and ``Settings``; steps where the row
            names none
    """

    memory: Path
    model: str | None = None
    device: str = "auto"
    placement: str = "auto"
    guidance: float | None = None
    steps: int | None = None
    pace: "Pace | None" = None

    def __call__(self) -> Painter:
        return _EnginePainter(self)

    def settings(self, row: Row) -> "Settings":
        """Of a row."""
        from leffa.run.settings import Settings

        steps = self.steps if row.steps is None else row.steps
        return Settings(steps=steps, guidance_scale=self.guidance, seed=row.seed, pace=self.pace)

    def deciding(self) -> dict[str, Any]:
        """What decides every row's picture beside the row: settings, and digests of the weights."""
        from leffa import provenance
        from leffa.weights.models import MODELS

        named = [MODELS[self.model]] if self.model in MODELS else list(MODELS.values())
        facts = asdict(self) | {"memory": None, "placement": None}
        return facts | {model.name: provenance.model_hash(model) for model in named if model.is_present}


class _EnginePainter:
    def __init__(self, choice: EnginePainter):
        from leffa.engine import Engine
        from leffa.run.findings import Findings

        self._choice = choice
        self._findings = Findings(choice.memory)
        self._engine = Engine(choice.device, choice.placement, self._findings)

    def read(self, row: Row) -> tuple[int, int]:
        from leffa.config import Task

        engine, model = self._engine, self._choice.model
        before = self._findings.hits, self._findings.misses
        if row.is_pose:
            for name in (row.reference, row.pose):
                engine.parts(engine.prepare(_picture(name), task=Task.POSE_TRANSFER, model=model))
        else:
            engine.shot(_picture(row.garment), _kind(row))
            prepared = engine.prepare(_picture(row.person), model=model)
            engine.parts(prepared)
            if not row.mask:
                engine.mask(prepared, row.kind)
        return self._findings.hits - before[0], self._findings.misses - before[1]

    def paint(self, row: Row) -> Image.Image:
        settings, model = self._choice.settings(row), self._choice.model
        if row.is_pose:
            reference, pose = _picture(row.reference), _picture(row.pose)
            return self._engine.pose_transfer(reference, pose, settings, model).images[0]
        mask = None
        if row.mask:
            from leffa.preprocess.given_mask import read_mask

            mask = read_mask(io.BytesIO(read_source(row.mask)), repr(row.mask))
        person, garment = _picture(row.person), _picture(row.garment)
        return self._engine.try_on(person, garment, row.kind, mask, settings, model).images[0]


def _kind(row: Row) -> Any:
    from leffa.config import Garment

    return Garment(row.kind)


def _picture(name: str) -> Image.Image:
    try:
        return load_image(io.BytesIO(read_source(name)))
    except PictureError as error:
        raise PictureError(str(error).replace("The picture", repr(name), 1)) from None


def read_row(painter: Painter, row: Row) -> Outcome:
    """The first half of a row: "done" if it can be painted, with what was known of its pictures."""
    try:
        hits, misses = painter.read(row)
    except Exception as error:
        return _failure(row, error)
    return Outcome(row.number, "done", "", hits, misses)


def paint_row(painter: Painter, row: Row, read: Outcome, folder: Path) -> Outcome:
    """The second half: the picture is painted, and takes its place in ``folder`` whole or not at all."""
    if read.status != "done":
        return read
    try:
        picture = painter.paint(row)
    except Exception as error:
        return _failure(row, error)
    target = folder / row.output
    try:
        with in_words(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        save_atomically(picture, target, is_made=True)
    except LeffaError as error:
        return Outcome(row.number, "stopped", str(error))
    return read


def _failure(row: Row, error: Exception) -> Outcome:
    if isinstance(error, FileError):  # what is remembered cannot be written: no row will do better
        return Outcome(row.number, "stopped", str(error))
    if isinstance(error, LeffaError):
        return Outcome(row.number, "failed", str(error))
    return Outcome(row.number, "failed", f"{type(error).__name__}: {error}")
