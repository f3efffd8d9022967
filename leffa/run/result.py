"""What a run gives, and how it tells its progress."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.config import Task
from leffa.errors import LeffaError
from leffa.explain import pictures
from leffa.explain.confidence import confidence, worn
from leffa.model.flow import FlowField
from leffa.run.region import Region
from leffa.run.settings import ResolvedSettings

if TYPE_CHECKING:
    from leffa.model.recorder import SampleFlow

FLOW_PICTURES = ("overlay", "legend", "warped", "arrows", "spread", "mass")
"""Names of ``Result.flow_pictures``."""

Progress = Callable[[float, str, Image.Image | None], None]
"""Called with the share done in [0, 1], what is being done, and a preview where there is one."""


class StoppedError(LeffaError):
    """The run was stopped by its user."""


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
        confidence, spread, mass  heat maps over the painted area, bright where attention is gathered in one
                   place, where it is scattered, and where it goes to the reference
        """
        image, field, weight = self.images[sample], self.fields[sample], self.shown_flow(sample)
        inside = (self.mask > 127).astype(np.float32)
        warped = pictures.warped_reference(np.asarray(self.reference), field)

        def laid(values: NDArray[np.float32], high: float) -> Image.Image:
            return pictures.painted_area(self.photo, pictures.heat(values, 0, high), inside)

        return {
            "overlay": pictures.overlay(image, field, weight),
            "legend": pictures.legend(self.reference),
            "warped": pictures.painted_area(self.photo, warped, weight),
            "arrows": pictures.arrows(image, self.reference, field, weight),
            "confidence": laid(confidence(field), 1),
            "spread": laid(field.spread.numpy(), 0.7),
            "mass": laid(field.mass.numpy(), 1),
        }
