"""What a training run is made of, as one frozen dataclass, and the named presets."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from leffa.config import LeffaLossConfig
from leffa.errors import LeffaError
from leffa.files import write_json

MAY_CHANGE = ("steps", "save_every", "log_every", "evaluate_every")
"""Settings in which a resumed run may differ."""


@dataclass(frozen=True)
class TrainingSettings:
    """One stage of training. Defaults are the paper's (section 4.1) where it gives them.

    size               (height, width) the pictures are trained at
    steps              optimiser steps
    batch              samples per step and process, before accumulation
    accumulate         forward passes per optimiser step
    learning_rate, weight_decay, clip, ema   AdamW (0.9, 0.999), gradient norm, decay of the averaged weights
    warmup, cooldown   steps of linear rise at the start and linear fall to zero at the end; else constant
    reference_dropout  chance that a sample's reference latents are zeros, for guidance
    densepose_dropout  chance that a sample's densepose is zeros (photos on which the pose fails)
    outside_weight     weight of the diffusion loss outside the repaint mask; 1 = the paper's plain mean
    leffa              the Leffa loss; None trains without
    flow_weight, occupancy_weight   losses on known correspondence, for synthetic people; not in the paper
    freeze             name prefixes kept as they are, such as "reference_unet."
    checkpointing      trade time for memory in both UNets
    precision          "no", "fp16" or "bf16"
    seed               everything drawn in the run follows from it and the step
    save_every, log_every, evaluate_every   in optimiser steps
    """

    size: tuple[int, int] = (512, 384)
    steps: int = 10_000
    batch: int = 8
    accumulate: int = 1
    learning_rate: float = 1e-5
    weight_decay: float = 1e-2
    clip: float = 1.0
    ema: float = 0.9999
    warmup: int = 0
    cooldown: int = 0
    reference_dropout: float = 0.1
    densepose_dropout: float = 0.0
    outside_weight: float = 1.0
    leffa: LeffaLossConfig | None = None
    flow_weight: float = 0.0
    occupancy_weight: float = 0.0
    freeze: tuple[str, ...] = ()
    checkpointing: bool = False
    precision: str = "no"
    seed: int = 0
    save_every: int = 500
    log_every: int = 20
    evaluate_every: int = 1000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "save_every", "log_every", "evaluate_every"):
            if getattr(self, name) < 1:
                raise LeffaError(f"{name} must be at least 1, got {getattr(self, name)}")
        if len(self.size) != 2 or any(not isinstance(side, int) or side < 8 for side in self.size):
            raise LeffaError(f"size is [height, width] in pixels, such as [256,192], got {list(self.size)}")
        if not self.learning_rate > 0:
            raise LeffaError(f"learning_rate must be more than 0, got {self.learning_rate}")
        for name in ("reference_dropout", "densepose_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise LeffaError(f"{name} is a chance in [0, 1], got {getattr(self, name)}")
        if self.precision not in ("no", "fp16", "bf16"):
            raise LeffaError(f'precision must be "no", "fp16" or "bf16", got {self.precision!r}')

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of an optimiser step, counted from 0."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        fall = min(1.0, (self.steps - step) / self.cooldown) if self.cooldown else 1.0
        return self.learning_rate * rise * fall

    def check_resumes(self, path: Path, origin: Mapping[str, Any] | None = None) -> None:
        """Raise LeffaError if the run whose settings were written to ``path`` was begun with others.

        How long it goes on, and how often it saves, logs and evaluates, may change.

        origin  as for ``write``
        """
        begun = json.loads(path.read_text()) if path.is_file() else {}
        now = json.loads(json.dumps({**asdict(self), **(origin or {})}))
        if origin is None:
            begun = {name: value for name, value in begun.items() if name in now}
        other = [name for name in begun if name not in MAY_CHANGE and begun[name] != now.get(name)]
        if other:
            was = ", ".join(f"{name}={json.dumps(begun[name])}" for name in other)
            raise LeffaError(f"{path.parent} was begun with {was}: give the same again, or another --run")

    def write(self, path: Path, origin: Mapping[str, Any] | None = None) -> None:
        """The resolved settings as JSON, for the record beside a run.

        origin  what else it was begun with: its data, and the weights it starts from
        """
        write_json(path, {**asdict(self), **(origin or {})}, indent=2)


_TINY = TrainingSettings(
    learning_rate=5e-4,
    ema=0.999,
    warmup=200,
    batch=16,
    densepose_dropout=0.05,
    outside_weight=0.25,
    flow_weight=1.0,
    occupancy_weight=0.1,
    precision="bf16",
)

PRESETS: dict[str, TrainingSettings] = {
    # the paper's stages: low resolution, full resolution, then fine-tuning with the loss
    "paper-tryon-1": TrainingSettings(size=(512, 384), steps=10_000, batch=256, precision="bf16"),
    "paper-tryon-2": TrainingSettings(size=(1024, 768), steps=36_000, batch=64, precision="bf16"),
    "paper-tryon-3": TrainingSettings(
        size=(1024, 768), steps=10_000, batch=64, precision="bf16", leffa=LeffaLossConfig()
    ),
    "paper-pose-1": TrainingSettings(size=(256, 176), steps=80_000, batch=256, precision="bf16"),
    "paper-pose-2": TrainingSettings(size=(512, 352), steps=80_000, batch=256, precision="bf16"),
    "paper-pose-3": TrainingSettings(
        size=(512, 352), steps=24_000, batch=256, precision="bf16", leffa=LeffaLossConfig()
    ),
    # from nothing to a visible flow in minutes on two cores: `make quickstart`
    "quickstart": replace(
        _TINY,
        size=(128, 96),
        steps=300,
        warmup=50,
        learning_rate=1e-3,
        ema=0.99,
        save_every=100,
        evaluate_every=100,
    ),
    # the bundled weights: the same three stages at the size a CPU can learn
    "tiny-1": replace(_TINY, size=(128, 96), steps=8_000, batch=32),
    "tiny-2": replace(_TINY, size=(256, 192), steps=10_000, flow_weight=1.5),
    "tiny-3": replace(
        _TINY,
        size=(256, 192),
        steps=1_000,
        learning_rate=4e-4,
        flow_weight=1.5,
        leffa=LeffaLossConfig(),
        cooldown=1_000,
    ),
}
"""Named stages. The paper's batch sizes are totals over its cluster: divide them by your processes."""
