"""The picture of a garment as a run takes it: by itself, or taken off whoever wears it there."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.config import Garment
from leffa.preprocess.garment.measure import GarmentMeasure, measure_silhouette
from leffa.preprocess.garment.product import foreground

TakeOff = Callable[[NDArray[np.uint8], Garment], NDArray[np.uint8] | None]
"""Of a picture (H, W, 3) uint8 RGB: where a garment of this kind is, (H, W) uint8, 255, if somebody wears it
there; None if nobody does."""

_WORN_RIM = 0.006  # of the picture's longer side: how far off the outline of a worn garment may be
_LEAST = 0.005  # of the picture: less was not found, and the whole picture is taken


@dataclass(frozen=True)
class Shot:
    """A garment's picture.

    picture  RGB; if the garment was worn, white but for it
    shown    (H, W) uint8, 255 = the garment
    is_worn  whether somebody wears it in the picture that was given
    """

    picture: Image.Image
    shown: NDArray[np.uint8]
    is_worn: bool

    @classmethod
    def of(cls, picture: Image.Image, garment: Garment, take_off: TakeOff) -> "Shot":
        """Of an RGB picture; ``garment`` is the kind that is taken off a wearer."""
        pixels = np.asarray(picture)
        worn = take_off(pixels, garment)
        if worn is None:
            return cls(picture, foreground(pixels), False)
        if (worn > 127).mean() < _LEAST:
            return cls(picture, foreground(pixels), True)
        rim = max(1, round(_WORN_RIM * max(worn.shape)))
        worn = cv2.erode(worn, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))
        alone = np.where(worn[..., None] > 127, pixels, 255).astype(np.uint8)
        return cls(Image.fromarray(alone), worn, True)

    def copy(self) -> "Shot":
        """The same, in memory of its own."""
        return Shot(self.picture.copy(), self.shown.copy(), self.is_worn)

    def measure(self, garment: Garment) -> GarmentMeasure | None:
        """Its lengths, see ``measure_garment``; None of a worn one, whose outline is its wearer's pose."""
        return None if self.is_worn else measure_silhouette(self.shown > 127, garment)
