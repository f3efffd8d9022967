"""What a composition is made of, and what comes out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leffa.composition.canvas import Maps
from leffa.composition.reading import Reading
from leffa.config import Garment
from leffa.framing import Region
from leffa.model.flow import FlowField


@dataclass(frozen=True)
class Composition:
    """A picture put together.

    image       at the photo's size
    repainted   (H, W) uint8, 255 = differs from the photo
    silhouette  (H, W) float32 in [0, 1]: where the new garment (or person) lies
    field       the refined flow at the photo's size; its occupancy is the silhouette
    """

    image: Image.Image
    repainted: NDArray[np.uint8]
    silhouette: Maps
    field: FlowField


@dataclass(frozen=True)
class Scene:
    """What a composition is made of. H, W are the photo's.

    photo       to put the garment on, or the picture whose pose is wanted
    mask        (H, W) uint8, 255 = may be repainted
    by_hand     (H, W) bool: what its user painted, which is repainted whatever it shows
    reading     what the photo shows
    region, reference_region  how photo and reference lie in the model's frame
    reference, shown   the product shot or source photo and its (h, w) uint8 garment or person, 255
    garment     kind; None in pose transfer
    is_worn     whether somebody wears the garment on its picture
    reference_parts   (h, w, 3) uint8 I, U, V of the reference's person; None for a product shot
    """

    photo: Image.Image
    mask: NDArray[np.uint8]
    by_hand: NDArray[np.bool_]
    reading: Reading
    region: Region
    reference: Image.Image
    shown: NDArray[np.uint8]
    reference_region: Region
    garment: Garment | None
    is_worn: bool = False
    reference_parts: NDArray[np.uint8] | None = None
