"""The product shot's colours, grown beyond its outline."""

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, sized
from leffa.preprocess.offline.drawing import disc

LONGEST = 512  # px of a product shot's longer side that its cloth is looked for in
RIM = 1  # px of such a product shot that its outline may be off
ROUGH_RIM = 2  # px, if it was not moved to the edge of its colours
AROUND = 7.0  # px of such a product shot


def extended(picture: NDArray[np.uint8], shown: NDArray[np.uint8], rim: int = RIM) -> Maps:
    """The garment's colours grown beyond its outline, (h, w, 3) float32: a flow a little off lands on cloth.

    picture  (h, w, 3) uint8 RGB
    shown    (h, w) uint8, 255 = garment
    rim      px of a picture ``LONGEST`` px long that its outline may be off
    """
    solid = sure_cloth(shown, rim)
    small, scale = sized(picture, solid.shape), solid.shape[0] / picture.shape[0]
    if solid.sum() < 50:
        return picture.astype(np.float32)
    # beside its outline cloth has the colour of what is around: no trim or stripe is drawn out
    inside = cv2.erode(solid, disc(3)) if solid.sum() > 2000 else solid
    held = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), AROUND)[..., None]
    mean = cv2.GaussianBlur(small * inside[..., None].astype(np.float32), (0, 0), AROUND) / np.maximum(
        held, 1e-4
    )
    near = carried_on(mean, (held[..., 0] > 0.05).astype(np.uint8))
    near = sized(near, (picture.shape[0], picture.shape[1]))
    own = cv2.GaussianBlur(sized(solid.astype(np.float32), near.shape[:2]), (0, 0), 0.5 / scale)
    own = np.clip(2 * own - 1, 0, 1)[..., None]
    return near + own * (picture - near)


def carried_on(picture: NDArray, solid: NDArray[np.uint8]) -> Maps:
    """(h, w, 3) float32: every pixel has the colour of the nearest ``solid`` one."""
    _, labels = cv2.distanceTransformWithLabels(1 - solid, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(solid)
    colours = np.zeros((labels.max() + 1, 3), np.float32)
    colours[labels[rows, columns]] = picture[rows, columns]
    return cv2.GaussianBlur(colours[labels], (0, 0), 1.5)


def sure_cloth(shown: NDArray[np.uint8], rim: int = RIM) -> NDArray[np.uint8]:
    """Cloth without its rim: (h, w) in {0, 1}, at most ``LONGEST`` px a side."""
    small = small_mask(shown > 127)
    return cv2.erode(small, disc(rim * max(small.shape) / LONGEST))


def small_mask(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(h, w) in {0, 1}, at most ``LONGEST`` px a side."""
    scale = min(1.0, LONGEST / max(mask.shape))
    size = (max(1, round(mask.shape[0] * scale)), max(1, round(mask.shape[1] * scale)))
    return (sized(mask.astype(np.float32), size) >= 0.5).astype(np.uint8)
