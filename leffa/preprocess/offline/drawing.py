"""Drawing and morphology on boolean maps (H, W): OpenCV behind names that say what they do."""

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Canvas:
    """Collects filled shapes; places are (x, y) in pixels with the middle of the first pixel at 0.5."""

    def __init__(self, size: tuple[int, ...]) -> None:
        self._pixels = np.zeros(size, np.uint8)

    @property
    def mask(self) -> Mask:
        """What has been drawn."""
        return self._pixels > 0

    def polygon(self, corners: list[Array] | Array) -> None:
        """Fill the area between these corners."""
        cv2.fillPoly(self._pixels, [self._fixed(corners)], 1, shift=4)

    def capsule(self, start: Array, end: Array, start_radius: float, end_radius: float) -> None:
        """Fill all within a radius, growing from one to the other, of the line between two places."""
        bone = end - start
        normal = np.array([-bone[1], bone[0]]) / max(float(np.linalg.norm(bone)), 1e-3)
        sides = [start + normal * start_radius, end + normal * end_radius]
        sides += [end - normal * end_radius, start - normal * start_radius]
        cv2.fillConvexPoly(self._pixels, self._fixed(sides), 1, shift=4)
        for place, radius in ((start, start_radius), (end, end_radius)):
            x, y = (int(value) for value in self._fixed(place))
            cv2.circle(self._pixels, (x, y), int(radius * 16), 1, -1, shift=4)

    def _fixed(self, places: list[Array] | Array) -> NDArray[np.int32]:
        """OpenCV's fixed-point numbers with 4 fractional bits; far-off guesses must not overflow them."""
        limit = 8 * max(self._pixels.shape)
        return np.rint((np.clip(np.asarray(places), -limit, limit) - 0.5) * 16).astype(np.int32)


FAR, VERY_FAR = 6.0, 18.0  # px: a wider disc is slower to lay at every pixel than distances are to measure


def grown(mask: Mask, radius: float) -> Mask:
    """The mask and everything within ``radius`` pixels of it."""
    if radius < FAR:
        return cv2.dilate(mask.astype(np.uint8), disc(radius)) > 0
    if not mask.any():
        return np.zeros(mask.shape, bool)
    away = cv2.distanceTransform(1 - mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return away <= round(radius) + 0.5


def opened(mask: Mask, radius: float) -> Mask:
    """The mask without what is thinner than ``radius`` pixels."""
    if radius >= VERY_FAR:
        return grown(~grown(~mask, radius), radius)
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc(radius)) > 0


def closed(mask: Mask, radius: float) -> Mask:
    """The mask with gaps thinner than ``radius`` pixels filled."""
    if radius >= FAR:
        return ~grown(~grown(mask, radius), radius)
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, disc(radius)) > 0


def signed_distance(mask: Mask) -> NDArray[np.float32]:
    """(H, W): px to the mask's outline, less than nothing outside."""
    inner, outer = (cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5) for side in (mask, ~mask))
    return inner - outer


def connected(mask: Mask) -> NDArray[np.int32]:
    """(H, W): 0 outside, 1, 2, ... for each piece of the mask that hangs together."""
    return cv2.connectedComponents(mask.astype(np.uint8))[1]


def joined_to(pieces: Mask, core: Mask) -> Mask:
    """(H, W): the pieces of which some part is of a core."""
    labels = connected(pieces)
    joined: Mask = np.isin(labels, np.unique(labels[pieces & core])) & pieces
    return joined


def without_tiny(mask: Mask, share: float) -> Mask:
    """The mask without pieces that have less than this share of the largest one's area."""
    pieces = connected(mask)
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    return (areas > share * areas.max())[pieces]


def disc(radius: float) -> NDArray[np.uint8]:
    """A disc of ones for morphology, of at least one pixel's radius."""
    reach = max(round(radius), 1)
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
