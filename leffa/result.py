"""What a run is asked for and what it gives."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa import flow_pictures
from leffa.config import DensePoseEncoding, Task
from leffa.errors import LeffaError
from leffa.flow import FlowField
from leffa.models import Model
from leffa.region import Region, confidence, worn

if TYPE_CHECKING:
    from leffa.recorder import SampleFlow

MOST_SAMPLES = 4
MOST_STEPS = 200
FLOW_PICTURES = ("overlay", "legend", "warped", "arrows", "spread", "mass")
"""Names of ``Result.flow_pictures``."""

Progress = Callable[[float, str, Image.Image | None], None]
"""Called with the share done in [0, 1], what is being done, and a preview where there is one."""


class StoppedError(LeffaError):
    """The run was stopped by its user."""


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


@dataclass(frozen=True)
class Result:
    """What a run gives. H, W are the person photo's.

    photo      the person photo, upright
    reference  the garment photo, or the person whose look is kept
    images     pictures (H, W), one per sample
    mask       (H, W) uint8, 255 = painted
    densepose  the body-part condition as the model saw it, as a picture
    fields     per sample the merged flow (H, W), with places on ``reference`` in [-1, 1]
    flows      per sample the flow of every captured layer and step, in the model's frame
    region, reference_region  how photo and reference lay in that frame
    notes      sentences a user should read
    """

    task: Task
    model: str
    settings: ResolvedSettings
    photo: Image.Image
    reference: Image.Image
    images: list[Image.Image]
    mask: NDArray[np.uint8]
    densepose: Image.Image
    fields: list[FlowField]
    flows: "list[SampleFlow]"
    region: Region
    reference_region: Region
    notes: list[str]

    def shown_flow(self, sample: int = 0) -> NDArray[np.float32]:
        """(H, W) in [0, 1]: where the flow means something: painted, on the garment, and gathered."""
        field = self.fields[sample]
        weight = (self.mask > 127) * confidence(field)
        if field.occupancy is not None:
            weight = weight * worn(field.occupancy)
        return weight.astype(np.float32)

    def flow_pictures(self, sample: int = 0) -> dict[str, Image.Image]:
        """Pictures of a sample's flow.

        overlay    the result in grey, coloured by where each place looks
        legend     the reference in the same colours
        warped     the reference as the flow carries it into the photo
        arrows     result and reference with lines between them
        spread, mass  heat maps over the painted area: scattered attention, attention to the reference
        """
        image, field, weight = self.images[sample], self.fields[sample], self.shown_flow(sample)
        inside = (self.mask > 127).astype(np.float32)
        warped = flow_pictures.warped_reference(np.asarray(self.reference), field)
        return {
            "overlay": flow_pictures.overlay(image, field, weight),
            "legend": flow_pictures.legend(self.reference),
            "warped": flow_pictures.painted_area(self.photo, warped, weight),
            "arrows": flow_pictures.arrows(image, self.reference, field, weight),
            "spread": flow_pictures.painted_area(
                self.photo, flow_pictures.heat(field.spread.numpy(), 0, 0.7), inside
            ),
            "mass": flow_pictures.painted_area(
                self.photo, flow_pictures.heat(field.mass.numpy(), 0, 1), inside
            ),
        }
