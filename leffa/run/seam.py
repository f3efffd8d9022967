"""Around the garment a small model paints ground and skin slightly off in colour: fit them to the photo."""

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT = 256  # px: a correction is smooth, so it is found on a small picture
BAND = 2.5  # px there: how far to look on either side of the mask's edge
LARGEST = 0.3  # of the range: a larger difference is an edge between two things, not an error
REACHES = (48.0, 24.0, 12.0, 6.0)  # px there: how far the edge is heard, from far to near

_SQUARE = np.ones((3, 3), np.uint8)


def fitted(
    painted: NDArray[np.uint8],
    photo: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    garment: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """``painted`` with the difference to the photo at the mask's edge taken off around the garment.

    painted, photo  (H, W, 3) uint8 RGB
    mask            (H, W) uint8, 255 = painted
    garment         (H, W) in [0, 1]: what is garment is left as it is
    """
    size = (max(1, round(photo.shape[1] * HEIGHT / photo.shape[0])), HEIGHT)

    def small(values: NDArray) -> NDArray[np.float32]:
        return cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)

    inside = (small(mask) > 127).astype(np.float32)
    ground = 1 - small(garment)
    edge = cv2.dilate(inside, _SQUARE) - cv2.erode(inside, _SQUARE)
    outer, _ = _mean_around(small(photo) / 255, 1 - inside, BAND)
    inner, _ = _mean_around(small(painted) / 255, cv2.erode(inside, _SQUARE) * ground, BAND)
    difference = outer - inner
    heard = edge * ground * np.exp(-np.square(np.abs(difference).mean(-1) / LARGEST))
    correction = np.zeros_like(difference)
    for reach in REACHES:  # what is near overrides what is far
        value, weight = _mean_around(difference, heard, reach)
        near = np.clip(weight * reach * 2.5, 0, 1)[..., None]
        correction += near * (value - correction)
    correction = cv2.resize(
        correction * (ground * inside)[..., None], photo.shape[1::-1], interpolation=cv2.INTER_LINEAR
    )
    return np.clip(painted + 255 * correction, 0, 255).round().astype(np.uint8)


def _mean_around(
    values: NDArray[np.float32], weight: NDArray[np.float32], reach: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weighted mean of (H, W, C) under a Gaussian window, and how much weight the window held."""
    held = cv2.GaussianBlur(weight, (0, 0), reach)
    total = cv2.GaussianBlur(values * weight[..., None], (0, 0), reach)
    return total / np.maximum(held, 1e-4)[..., None], held
