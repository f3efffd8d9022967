"""The weights the engine can run, and where they lie."""

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leffa.config import DensePoseEncoding, Garment, Task
from leffa.errors import WeightsError
from leffa.intactness import fault_of, how_to_mend
from leffa.weights import published
from leffa.weights.published import WeightSet

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"
"""Folder of the weights that the repository ships."""

CHECKPOINTS = Path(os.environ.get("LEFFA_CHECKPOINTS", SHIPPED))
"""Folder of all weights; the environment variable LEFFA_CHECKPOINTS names another."""


@dataclass(frozen=True)
class Cost:
    """Arithmetic of one picture in 10^12 floating-point operations, counted by benchmarks/full_size.py.

    step  one sampling step of both UNets, with guidance if the model's default has it
    once  encoding, decoding, and the flow that is read on the way
    read, paint  a run that reads the reference once: the reading, and a step with guidance; half without
    """

    step: float = 0.0
    once: float = 0.0
    read: float = 0.0
    paint: float = 0.0

    def of(self, guided: list[bool], reads_once: bool = False) -> float:
        """A picture's: of steps with guidance or without. What it saves is known where the parts are."""
        if not reads_once or not self.read:
            return self.step * len(guided) + self.once
        return self.read + sum(self.paint * (1 if with_it else 0.5) for with_it in guided) + self.once


@dataclass(frozen=True)
class Model:
    """A set of weights with the settings it was made for.

    name         what users call it
    title        one line for people: what it is and what it is good for
    tasks        what it can do
    folder       a saved ``LeffaPipeline``
    size         (height, width) it paints at
    steps, guidance_scale, guidance_rescale   defaults of a run
    focus        cut the photo to the person first; else the whole photo is letterboxed, as the released
                 weights were trained
    compose      keep what is real and lay the garment by its refined flow: see ``leffa.composition``
    official_conditions  DensePose, OpenPose and parsing instead of the offline preprocessor
    garments     kinds it was trained on
    mask_recipe  which of the released mask functions it was used with
    cost         what a picture costs
    smaller      other sizes that it can paint at, with what a picture costs there
    licence      what is known of it
    fetch        value of ``leffa download --what`` that brings it; None: it is in the repository
    """

    name: str
    title: str
    tasks: tuple[Task, ...]
    folder: Path
    size: tuple[int, int]
    steps: int = 30
    guidance_scale: float = 2.5
    guidance_rescale: float | None = None
    focus: bool = False
    compose: bool = False
    official_conditions: bool = True
    garments: tuple[Garment, ...] = tuple(Garment)
    mask_recipe: str = "viton-hd"
    cost: Cost = field(default_factory=Cost)
    smaller: dict[tuple[int, int], Cost] = field(default_factory=dict)
    licence: str = "MIT"
    fetch: str | None = None

    @property
    def is_present(self) -> bool:
        return (self.folder / "model_index.json").is_file()

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """All that it can paint at, its own first."""
        return (self.size, *self.smaller)

    def at(self, size: tuple[int, int]) -> "Model":
        """The same weights, painting at one of their ``sizes``."""
        return self if size == self.size else replace(self, size=size, cost=self.smaller[size], smaller={})

    @property
    def densepose_encoding(self) -> DensePoseEncoding:
        """The body-part condition that the weights want, as they were saved. Raises WeightsError."""
        try:
            config = json.loads((self.folder / "model_index.json").read_text())
            return DensePoseEncoding(config["densepose_encoding"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            path = self.folder / "model_index.json"
            fault = fault_of(path) or f"cannot be read ({type(error).__name__})"
            raise WeightsError(f"{path} {fault}: {how_to_mend(self.fetch is None)}") from error


_SD = Cost(step=14.08, once=28.09, read=5.62, paint=8.30)
_SD_SMALLER = {
    (768, 576): Cost(step=6.39, once=12.33, read=2.71, paint=3.58),
    (512, 384): Cost(step=2.35, once=4.37, read=1.06, paint=1.25),
}
_SDXL = Cost(step=18.80, once=19.57, read=8.22, paint=9.87)
_SDXL_SMALLER = {
    (768, 576): Cost(step=9.96, once=9.63, read=4.43, paint=5.14),
    (512, 384): Cost(step=4.23, once=3.84, read=1.91, paint=2.15),
}


def _as_published(weights: WeightSet, title: str, fetch: str, **settings: Any) -> Model:
    return Model(
        name=weights.name,
        title=f"Leffa as published, trained on {title}",
        folder=CHECKPOINTS / weights.name,
        size=(1024, 768),
        licence=weights.licence,
        fetch=fetch,
        **settings,
    )


VITON_HD = _as_published(
    published.VITON_HD,
    "VITON-HD: photo-realistic try-on of tops",
    "tryon",
    tasks=(Task.TRY_ON,),
    garments=(Garment.UPPER,),
    cost=_SD,
    smaller=_SD_SMALLER,
)
DRESS_CODE = _as_published(
    published.DRESS_CODE,
    "DressCode: photo-realistic try-on of all kinds of garment",
    "tryon-dresscode",
    tasks=(Task.TRY_ON,),
    mask_recipe="dress-code",
    cost=_SD,
    smaller=_SD_SMALLER,
)
DEEP_FASHION = _as_published(
    published.DEEP_FASHION,
    "DeepFashion: photo-realistic pose transfer",
    "pose",
    tasks=(Task.POSE_TRANSFER,),
    cost=_SDXL,
    smaller=_SDXL_SMALLER,
)
BUNDLED = Model(
    name="bundled",
    title="Small bundled model: works anywhere; what is real of the photo stays real",
    tasks=(Task.TRY_ON, Task.POSE_TRANSFER),
    folder=CHECKPOINTS / "bundled",
    size=(256, 192),
    steps=4,
    guidance_scale=1.0,
    guidance_rescale=0.0,
    focus=True,
    compose=True,
    official_conditions=False,
    cost=Cost(step=0.0068, once=0.02307),
)

MODELS: dict[str, Model] = {model.name: model for model in (VITON_HD, DRESS_CODE, DEEP_FASHION, BUNDLED)}
"""By name, the best first."""


def find(task: Task, name: str | None = None, garment: Garment | None = None) -> Model:
    """The model to use for a task: the named one, or the best one present.

    Of those for try-on one that was trained on the kind of ``garment`` is better, except that a published
    one is always better than the bundled one. Raises WeightsError if it is unknown, cannot do the task, or
    is not there.
    """
    if name is not None and name not in MODELS:
        raise WeightsError(f"unknown model {name!r}; there are {', '.join(MODELS)}")
    candidates = [MODELS[name]] if name else [*MODELS.values()]
    able = [model for model in candidates if task in model.tasks]
    if not able:
        raise WeightsError(f"model {name!r} cannot do {task.value}; leave the model open to get one that can")
    present = [model for model in able if model.is_present]
    if not present:
        raise WeightsError(_missing(task, able))
    return max(present, key=lambda model: (model.official_conditions, garment in (None, *model.garments)))


def _missing(task: Task, able: list[Model]) -> str:
    command = f"leffa download --what {able[0].fetch}" if able[0].fetch else "leffa download"
    if len(able) == 1 and able[0].fetch:
        return f"the weights {able[0].name!r} are not in {able[0].folder}: fetch them with `{command}`"
    return (
        f"no weights for {task.value} in {able[-1].folder}: the repository ships them in checkpoints/, "
        f"so clone it again, or fetch the published ones with `{command}`"
    )
