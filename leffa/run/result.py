"""What a run gives, and how it tells its progress."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.config import Garment, Task
from leffa.errors import LeffaError
from leffa.framing import Region
from leffa.run.settings import ResolvedSettings

if TYPE_CHECKING:
    from leffa.composition import Composition
    from leffa.model.flow import FlowField
    from leffa.model.recorder import SampleFlow

Progress = Callable[[float, str, Image.Image | None], None]
"""Called with the share done in [0, 1], what is being done, and a preview where there is one.

One whose attribute ``previews`` is False gets None for them, and none are painted.
"""


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
    compositions  per sample how it was put together, with the refined flow; empty where nothing was composed
    flows      per sample the flow of every captured layer and step, in the model's frame
    region, reference_region  how photo and reference lay in that frame
    notes      sentences a user should read
    garment    its kind, as it was given or told by its outline; None in pose transfer
    """

    task: Task
    model: str
    settings: ResolvedSettings
    photo: Image.Image
    reference: Image.Image
    images: list[Image.Image]
    mask: NDArray[np.uint8]
    densepose: Image.Image
    fields: "list[FlowField]"
    flows: "list[SampleFlow]"
    region: Region
    reference_region: Region
    notes: list[str]
    garment: Garment | None = None
    compositions: "list[Composition]" = field(default_factory=list)
