"""A smooth map without folds that carries one silhouette onto another.

Both silhouettes are brought to a common frame, in which their mean is 0 and their spread 1 along x and y (the
affine part). There, diffeomorphic demons (Vercauteren et al. 2009) on their signed distances, from stiff to
soft, find what is left. The result is a coarse grid of shifts, between which the map is bilinear.
"""

from dataclasses import dataclass

import cv2
import numpy as np

GRID = 96
REACH = 3.2  # spreads from the middle to the edge of the frame
NODES = 33  # nodes of the stored grid along x and y
FAR = 18.0  # grid pixels beyond which a distance tells nothing
AXES = ((1, 0), (0, 1))
STIFFNESS = ((10.5, 20), (6.8, 18), (4.5, 18), (3.0, 18))  # smoothing in grid pixels, steps


@dataclass(frozen=True)
class Frame:
    """Middle and spread (x, y) of a silhouette, pixels."""

    middle: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, silhouette: np.ndarray) -> "Frame":
        """The frame of a silhouette (h, w), bool or coverage."""
        weight = silhouette.astype(np.float64)
        total = weight.sum()
        middle, spread = [], []
        for axis, length in ((0, silhouette.shape[1]), (1, silhouette.shape[0])):
            share = weight.sum(axis) / total
            place = np.arange(length) + 0.5
            mean = (share * place).sum()
            middle.append(mean)
            spread.append(np.sqrt((share * (place - mean) ** 2).sum()) + 1e-6)
        return cls(np.array(middle), np.array(spread))

    def draw(self, silhouette: np.ndarray, size: int) -> np.ndarray:
        """(size, size) float32 coverage of the silhouette in the common frame."""
        scale = 2 * REACH * self.spread / size
        matrix = np.array(
            [
                [scale[0], 0, self.middle[0] - REACH * self.spread[0] + 0.5 * scale[0] - 0.5],
                [0, scale[1], self.middle[1] - REACH * self.spread[1] + 0.5 * scale[1] - 0.5],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(silhouette.astype(np.float32), matrix, (size, size), flags=flags)


def enter(points: np.ndarray, frame: Frame) -> np.ndarray:
    """Pixels (n, 2) -> the common frame."""
    return (points - frame.middle) / frame.spread


def leave(points: np.ndarray, frame: Frame) -> np.ndarray:
    """The common frame (n, 2) -> pixels."""
    return points * frame.spread + frame.middle


@dataclass(frozen=True)
class Registration:
    """shift (NODES, NODES, 2) float32: added to points of the common frame; nodes span it from edge to edge.

    overlap   intersection over union of the silhouettes after the map
    least     the smallest factor by which the map scales an area of the garment, above 0 = no fold
    """

    shift: np.ndarray
    overlap: float
    least: float


def move(points: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Apply a grid of shifts to points (n, 2) of the common frame; beyond its edge the edge's shift holds."""
    node = (points + REACH) / (2 * REACH) * (len(shift) - 1)
    node = node.clip(0, len(shift) - 1).astype(np.float32)
    low = np.minimum(node.astype(int), len(shift) - 2)
    share = node - low
    result = np.zeros_like(points, dtype=np.float64)
    for dx in (0, 1):
        for dy in (0, 1):
            weight = (share[:, 0] if dx else 1 - share[:, 0]) * (share[:, 1] if dy else 1 - share[:, 1])
            result += weight[:, None] * shift[low[:, 1] + dy, low[:, 0] + dx]
    return points + result


def signed_distance(silhouette: np.ndarray) -> np.ndarray:
    """(GRID, GRID) float32 grid pixels to the outline, positive inside, of a (2 GRID, 2 GRID) coverage."""
    inside = (silhouette >= 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(
        1 - inside, cv2.DIST_L2, 5
    )
    half = cv2.resize(distance, (GRID, GRID), interpolation=cv2.INTER_AREA) / 2
    return half.clip(-FAR, FAR).astype(np.float32)


def register(start: np.ndarray, end: np.ndarray) -> Registration:
    """Carry silhouette ``start`` onto ``end``: both (2 GRID, 2 GRID) coverage in the common frame."""
    fixed, moving = signed_distance(start), signed_distance(end)
    y, x = np.mgrid[0:GRID, 0:GRID].astype(np.float32)
    flat = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    shift = np.zeros((GRID, GRID, 2), np.float32)
    for stiffness, steps in STIFFNESS:
        for _ in range(steps):
            warped = cv2.remap(moving, x + shift[..., 0], y + shift[..., 1], **flat)
            slope = np.stack([cv2.Sobel(warped, cv2.CV_32F, *axis, scale=1 / 8) for axis in AXES], -1)
            lack = fixed - warped
            step = lack[..., None] * slope / ((slope**2).sum(-1) + 0.1 * lack**2 + 1e-3)[..., None]
            step = 2 * cv2.GaussianBlur(step.clip(-3, 3), (0, 0), stiffness)
            there = cv2.remap(shift, x + step[..., 0], y + step[..., 1], **flat)
            shift = there + step
    return judge(_coarsen(shift), start, end)


def _coarsen(shift: np.ndarray) -> np.ndarray:
    """Shifts (GRID, GRID, 2) in grid pixels -> (NODES, NODES, 2) in spreads."""
    node = np.linspace(-0.5, GRID - 0.5, NODES, dtype=np.float32)
    x, y = np.meshgrid(node, node)
    return cv2.remap(shift, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) * (2 * REACH / GRID)


def judge(shift: np.ndarray, start: np.ndarray, end: np.ndarray) -> Registration:
    """How well a grid of shifts carries one silhouette onto the other."""
    size = len(start)
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size * 2 * REACH - REACH
    moved = move(np.stack([x.ravel(), y.ravel()], 1), shift).reshape(size, size, 2)
    place = ((moved + REACH) / (2 * REACH) * size - 0.5).astype(np.float32)
    warped = cv2.remap(end.astype(np.float32), place[..., 0], place[..., 1], cv2.INTER_LINEAR) >= 0.5
    inside = start >= 0.5
    overlap = (warped & inside).sum() / max((warped | inside).sum(), 1)
    along_y, along_x = np.gradient(place, axis=(0, 1))
    area = along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]
    return Registration(shift.astype(np.float32), float(overlap), float(area[inside].min(initial=1)))
