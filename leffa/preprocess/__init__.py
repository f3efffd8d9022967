"""From a photo to the conditions of the model: who is in it, where their body is, what to repaint.

To change

the road of the bundled weights    offline/: needs nothing but the installed packages
the road of the published weights  official/: DensePose, OpenPose, parsing; the same interface
how a garment is measured          garment/
what a photo keeps that was found  prepared; known_poses where the pose is known beforehand
the condition of the model         encoding; labels says what the numbers of a map mean
a mask corrected by hand           strokes
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment
from leffa.framing import Box

if TYPE_CHECKING:
    from leffa.preprocess.offline.masks import MaskOptions


class Found(Protocol):
    """Somebody in a photo. What else is known of them only the preprocessor that found them understands."""

    @property
    def box(self) -> Box:
        """Around them, in whole pixels of the photo."""

    @property
    def area(self) -> float:
        """Share of the photo that they cover, in [0, 1]."""


Somebody = TypeVar("Somebody", bound=Found)


class Preprocessor(Protocol[Somebody]):
    """What the engine asks of a photo (H, W, 3) uint8 RGB; every result has the photo's height and width."""

    def people(self, image: NDArray[np.uint8]) -> Sequence[Somebody]:
        """Everybody found, the largest first; raises ``PersonError`` if there is nobody."""

    def iuv(self, image: NDArray[np.uint8], person: Somebody) -> NDArray[np.uint8]:
        """(H, W, 3) uint8: body part (``labels.Part``) and coordinates U, V on it."""

    def mask(
        self,
        image: NDArray[np.uint8],
        person: Somebody,
        garment: Garment,
        options: "MaskOptions | None" = None,
    ) -> NDArray[np.uint8]:
        """(H, W) uint8, 255 = repaint for a garment of this kind, 0 = keep."""
