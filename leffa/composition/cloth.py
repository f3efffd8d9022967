"""The product shot's colours, grown beyond its outline."""

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, disc, sized

RIM = 5  # px of a product shot 512 px long that its outline may be off
AROUND = 7.0  # px of a product shot 512 px long
FRINGE, ONE_COLOUR = (
    8,
    14.0,
)  # px of a product shot 512 px long, and a distance in Lab: cloth mixed with its ground


def extended(picture: NDArray[np.uint8], shown: NDArray[np.uint8]) -> Maps:
    """The garment's colours grown beyond its outline, (h, w, 3) float32: a flow a little off lands on cloth.

    picture  (h, w, 3) uint8 RGB
    shown    (h, w) uint8, 255 = garment
    """
    scale = min(1.0, 512 / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale)))
    small = sized(picture, size)
    solid = _sure_cloth(small, sized(shown, size) > 250)
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


def _sure_cloth(small: NDArray[np.uint8], shown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Cloth without the fringe of its ground: (h, w) uint8 in {0, 1}."""
    solid = cv2.erode(shown.astype(np.uint8), disc(RIM))
    if shown.all() or not shown.any():
        return solid
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    ground = np.median(lab[~shown], axis=0)
    depth = cv2.distanceTransform(np.pad(shown.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    like_ground = np.linalg.norm(lab - ground, axis=-1) < ONE_COLOUR
    fringe = like_ground & (depth <= FRINGE) & ~_reach_inside(like_ground, depth)
    return np.where(fringe, 0, solid).astype(np.uint8)


def _reach_inside(like_ground: NDArray[np.bool_], depth: Maps) -> NDArray[np.bool_]:
    """Pixels of the ground's colour that hang together with cloth of that colour further in."""
    count, labels = cv2.connectedComponents(like_ground.astype(np.uint8))
    inside = np.zeros(count, bool)
    inside[np.unique(labels[(depth > 1.5 * FRINGE) & like_ground])] = True
    inside[0] = False
    return inside[labels]
