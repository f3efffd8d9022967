"""The weights the engine can run, and where they lie."""

import os
from dataclasses import dataclass
from pathlib import Path

from leffa.config import Task
from leffa.errors import WeightsError
from leffa.flow_start import FlowStart

CHECKPOINTS = Path(os.environ.get("LEFFA_CHECKPOINTS", Path(__file__).resolve().parents[1] / "checkpoints"))
"""Folder of all weights; the environment variable LEFFA_CHECKPOINTS names another."""


@dataclass(frozen=True)
class Model:
    """A set of weights with the settings it was made for.

    name         what users call it
    title        one line for people: what it is and what it is good for
    tasks        what it can do
    folder       a saved ``LeffaPipeline``
    size         (height, width) it paints at
    steps, guidance_scale, guidance_rescale, flow_start   defaults of a run
    focus        cut the photo to the person first; else the whole photo is letterboxed, as the released
                 weights were trained
    detail       bring back the reference's fine structure, which the model paints too small to show
    official_conditions  DensePose, OpenPose and parsing instead of the offline preprocessor
    """

    name: str
    title: str
    tasks: tuple[Task, ...]
    folder: Path
    size: tuple[int, int]
    steps: int = 30
    guidance_scale: float = 2.5
    guidance_rescale: float | None = None
    flow_start: FlowStart | None = None
    focus: bool = False
    detail: bool = False
    official_conditions: bool = True

    @property
    def is_present(self) -> bool:
        return (self.folder / "model_index.json").is_file()


BUNDLED = Model(
    name="bundled",
    title="Small bundled model: works anywhere, shows colours, layout and flow; not photo-realistic",
    tasks=(Task.TRY_ON, Task.POSE_TRANSFER),
    folder=CHECKPOINTS / "bundled",
    size=(256, 192),
    steps=12,
    guidance_scale=1.0,
    guidance_rescale=0.0,
    flow_start=FlowStart(),
    focus=True,
    detail=True,
    official_conditions=False,
)

MODELS: dict[str, Model] = {model.name: model for model in (BUNDLED,)}


def find(task: Task, name: str | None = None) -> Model:
    """The model to use for a task: the named one, or the best one present.

    Raises WeightsError if it is unknown, cannot do the task, or is not there.
    """
    if name is not None and name not in MODELS:
        raise WeightsError(f"unknown model {name!r}; there are {', '.join(MODELS)}")
    candidates = [MODELS[name]] if name else [*MODELS.values()]
    able = [model for model in candidates if task in model.tasks]
    if not able:
        raise WeightsError(f"model {name!r} cannot do {task.value}; leave the model open to get one that can")
    present = [model for model in able if model.is_present]
    if not present:
        raise WeightsError(
            f"no weights for {task.value} in {able[-1].folder}: the repository ships them in checkpoints/, "
            "so clone it again, or fetch the published ones with `leffa download`"
        )
    return present[0]
