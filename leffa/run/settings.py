"""What a run is asked for. Light: it may be read before torch is there."""

import secrets
from dataclasses import dataclass, replace

from leffa.config import DensePoseEncoding
from leffa.errors import LeffaError
from leffa.weights.models import Model

MOST_SAMPLES = 4
MOST_STEPS = 200


@dataclass(frozen=True)
class Settings:
    """How to paint; None means the model's own default.

    steps            sampling steps, 1 to 200
    guidance_scale   how strongly the reference is followed, 0 to 20; 1 or less switches guidance off
    guidance_rescale  see ``LeffaPipeline``
    seed             -1 draws one; the result reports it. Sample i of a run uses seed + i
    samples          1 to 4 pictures at once
    reuse_reference  read the reference once instead of in every step
    detail           bring the reference's fine structure back where the flow is sure, at the photo's size,
                     and fit what is painted around the garment to the photo
    encoding         pose transfer: how the body parts are told, ``DensePoseEncoding.POSE_DEMO`` (as the
                     released demo) or ``POSE_TRAINING`` (as in training); None = as the weights were saved
    """

    steps: int | None = None
    guidance_scale: float | None = None
    guidance_rescale: float | None = None
    seed: int = -1
    samples: int = 1
    reuse_reference: bool = False
    detail: bool | None = None
    encoding: DensePoseEncoding | None = None

    def resolved(self, model: Model) -> "ResolvedSettings":
        """With every default filled in and the seed drawn. Raises LeffaError for what no model can do."""
        steps = model.steps if self.steps is None else self.steps
        least = model.flow_start.least_steps if model.flow_start else 1
        if not least <= steps <= MOST_STEPS:
            raise LeffaError(f"steps must be {least} to {MOST_STEPS}, got {steps}")
        scale = model.guidance_scale if self.guidance_scale is None else self.guidance_scale
        if not 0 <= scale <= 20:
            raise LeffaError(f"guidance must be 0 to 20, got {scale}")
        rescale = model.guidance_rescale if self.guidance_rescale is None else self.guidance_rescale
        if not 1 <= self.samples <= MOST_SAMPLES:
            raise LeffaError(f"samples must be 1 to {MOST_SAMPLES}, got {self.samples}")
        if not -1 <= self.seed < 2**32:
            raise LeffaError(f"seed must be -1 (draw one) or 0 to {2**32 - 1}, got {self.seed}")
        return ResolvedSettings(
            steps=steps,
            guidance_scale=float(scale),
            guidance_rescale=float(scale if rescale is None else rescale),
            seed=secrets.randbelow(2**31) if self.seed == -1 else self.seed,
            samples=self.samples,
            reuse_reference=self.reuse_reference,
            detail=model.detail if self.detail is None else self.detail,
            encoding=None if self.encoding is None else DensePoseEncoding(self.encoding),
        )


@dataclass(frozen=True)
class ResolvedSettings:
    """``Settings`` as they were used: nothing is left open, and the same again gives the same picture."""

    steps: int
    guidance_scale: float
    guidance_rescale: float
    seed: int
    samples: int
    reuse_reference: bool
    detail: bool
    encoding: DensePoseEncoding | None = None

    def again(self) -> Settings:
        """The settings that repeat the run."""
        return replace(Settings(), **self.__dict__)
