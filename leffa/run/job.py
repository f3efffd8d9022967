"""One run, made ready for the pipeline and finished after it."""

import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from leffa.config import Task, sample_seed
from leffa.framing import Box, Region
from leffa.images import blend, mask_to_tensor, to_pil, to_tensor
from leffa.model.flow import FlowField
from leffa.model.pipeline import LeffaPipeline
from leffa.preprocess.garment.product import contrasting
from leffa.run.result import Progress
from leffa.run.settings import ResolvedSettings
from leffa.weights.models import Model

SEAM = 0.006  # softness of the mask's edge, as a share of the box's longer side
PREVIEWS = 4
PREVIEW_SIDE = 640  # px


@dataclass(frozen=True)
class Job:
    """Everything a run needs.

    photo, mask, region   the picture to repaint, where (uint8 at its size, 255 = repaint), and its frame
    framed_mask           (h, w) uint8, 255 = repaint, in the model's frame
    densepose             (h, w, 3) in [-1, 1], the body-part condition in the model's frame
    reference, reference_shown, reference_region   what is looked at, its garment or person (255), its frame
    """

    task: Task
    model: Model
    settings: ResolvedSettings
    photo: Image.Image
    mask: NDArray[np.uint8]
    framed_mask: NDArray[np.uint8]
    region: Region
    densepose: NDArray[np.float32]
    reference: Image.Image
    reference_shown: NDArray[np.uint8]
    reference_region: Region

    def inputs(self) -> dict:
        """Arguments of the pipeline, one row per sample."""

        def rows(value: torch.Tensor) -> torch.Tensor:
            return value[None].expand(self.settings.samples, -1, -1, -1)

        recipe = self.settings.recipe(self.model)
        return {
            "person": rows(to_tensor(self.region.picture(self.photo))),
            "reference": rows(to_tensor(self.reference_region.picture(self._seen_reference()))),
            "mask": rows(mask_to_tensor(self.framed_mask)),
            "densepose": rows(torch.from_numpy(self.densepose).permute(2, 0, 1).contiguous()),
            "reference_mask": rows(mask_to_tensor(self.reference_region.mask(self.reference_shown))),
            "generator": self.generators(),
            "num_inference_steps": self.settings.steps,
            "guidance_scale": self.settings.guidance_scale,
            "guidance_rescale": self.settings.guidance_rescale,
            "reuse_reference": self.settings.reuse_reference,
            "guidance_interval": recipe.guidance_interval,
            "solver": recipe.solver,
        }

    def _seen_reference(self) -> Image.Image:
        """What the reference UNet is given to read: our small one cannot find white cloth on white."""
        if self.task is not Task.TRY_ON or self.model.official_conditions:
            return self.reference
        return Image.fromarray(contrasting(np.asarray(self.reference), self.reference_shown))

    def generators(self) -> list[torch.Generator]:
        """One per sample, so that a picture does not depend on how many are painted with it."""
        return [
            torch.Generator().manual_seed(sample_seed(self.settings.seed, i))
            for i in range(self.settings.samples)
        ]

    def laid_back(self, painted: torch.Tensor) -> Image.Image:
        """What was painted, from the model's frame back in the photo.

        painted  (3, H, W) in [0, 1] at the model's size
        """
        inner = self.region.letterbox.invert(to_pil(painted * 2 - 1))
        whole = self.region.lay_back(inner, self.photo)
        return blend(self.photo, whole, self.mask, SEAM * max(self.region.size))

    def field_on_photo(self, merged: FlowField) -> FlowField:
        """A flow of the model's frame at the photo's size, with places on the reference."""
        return self.region.on_photo(self.region.unframed(merged, self.reference_region))

    def preview(self, painted: torch.Tensor) -> Image.Image:
        """A quick look at an unfinished picture: the photo, small, with what is painted so far in the mask.

        painted  (3, H, W) in [0, 1] at the model's size
        """
        photo, mask, box = self._small
        framing = self.region.letterbox
        inner = to_pil(painted * 2 - 1).crop(
            (framing.left, framing.top, framing.left + framing.width, framing.top + framing.height)
        )
        whole = photo.copy()
        whole.paste(inner.resize(box.size[::-1]), box)
        return Image.composite(whole, photo, mask)

    @cached_property
    def _small(self) -> tuple[Image.Image, Image.Image, Box]:
        """Photo, mask and the region's box at the size of a preview."""
        scale = min(1.0, PREVIEW_SIDE / max(self.photo.size))
        size = (max(1, round(self.photo.width * scale)), max(1, round(self.photo.height * scale)))
        left, top, right, bottom = (round(edge * scale) for edge in self.region.box)
        mask = Image.fromarray(self.mask).resize(size)
        return (
            self.photo.convert("RGB").resize(size),
            mask,
            Box(left, top, max(left + 1, right), max(top + 1, bottom)),
        )


class Watch:
    """Callback of the pipeline: reports each step, shows previews, and stops when asked to."""

    def __init__(self, job: Job, report: Progress, stop: threading.Event | None, previews: bool):
        self._job, self._report, self._stop = job, report, stop
        steps = job.settings.steps
        self._every = max(1, steps // (PREVIEWS + 1)) if previews else steps + 1

    def __call__(self, pipeline: LeffaPipeline, step: int, timestep: int, values: dict) -> dict:
        steps = self._job.settings.steps
        preview = None
        if (step + 1) % self._every == 0 and step + 1 < steps:
            preview = self._job.preview(pipeline.decode(values["latents"][:1])[0] / 2 + 0.5)
        self._report(0.1 + 0.85 * (step + 1) / steps, f"painting, step {step + 1} of {steps}", preview)
        if self._stop is not None and self._stop.is_set():
            pipeline.interrupt()
        return {}
