"""What mediapipe computes before and after its models of pose and faces: crops, anchors, landmarks.

The arithmetic and the constants are those of mediapipe 0.10.21's graphs ``PoseLandmarkCpu`` (one picture) and
``FaceDetectionFullRangeCpu`` on OpenCV, its quirks included: the models were trained with them. Nothing here
runs a model, so everything is plain numpy and OpenCV.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SUPPRESSION = 0.3  # IoU from which two detections are one
REFINED_FROM = 0.5  # confidence of a heat map that is believed
_CLIPPED = 100.0  # raw scores beyond it
_REACH = 4  # px of a heat map around a landmark: a kernel of 9
_MARGIN = 1.25  # of the circle from the hips to the reach of the limbs


@dataclass(frozen=True)
class Square:
    """A turned square of a picture, which a model sees upright. All in pixels; the first pixel's corner is 0.

    angle  in radians, clockwise on the screen
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    @classmethod
    def around(cls, image: NDArray[np.uint8]) -> "Square":
        """The whole picture (H, W, 3) in the middle, with room beside its shorter side."""
        height, width = image.shape[:2]
        return cls(width / 2, height / 2, max(height, width))

    @classmethod
    def of_body(cls, hips: Array, reach: Array) -> "Square":
        """Around a body, its spine upright: from the middle of the hips and the point it reaches to, (2,)."""
        across, down = (float(value) for value in reach - hips)
        angle = math.pi / 2 - math.atan2(-down, across)
        turned = angle - 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))
        return cls(float(hips[0]), float(hips[1]), 2 * math.hypot(across, down) * _MARGIN, turned)

    def cut(self, image: NDArray[np.uint8], pixels: int, border: int) -> NDArray[np.uint8]:
        """What ``image`` (H, W, 3) shows here, (pixels, pixels, 3); ``border`` is OpenCV's border mode."""
        corners = cv2.boxPoints(((self.x, self.y), (self.side, self.side), math.degrees(self.angle)))
        ends = np.array([[0, pixels], [0, 0], [pixels, 0], [pixels, pixels]], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, ends)
        cut = cv2.warpPerspective(image, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR, borderMode=border)
        return cut.astype(np.uint8, copy=False)

    def to_picture(self, places: Array) -> Array:
        """Places (..., 2) in [0, 1] of the square as pixels of the picture."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        turn = np.array([[cosine, -sine], [sine, cosine]], np.float32)
        return ((places - 0.5) @ turn.T * self.side + [self.x, self.y]).astype(np.float32)

    def lay_back(self, mask: Array, height: int, width: int) -> Array:
        """A mask (N, N) of the square as one of the picture, (height, width) float32; 0 outside the square.

        Pixels are laid corner on corner, not middle on middle, as mediapipe lays them.
        """
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        matrix = mask.shape[0] / self.side * np.array([[cosine, sine], [-sine, cosine]])
        shift = mask.shape[0] / 2 - matrix @ [self.x, self.y]
        laid = cv2.warpAffine(
            mask,
            np.column_stack([matrix, shift]),
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
        return laid.astype(np.float32, copy=False)


def anchors(pixels: int, layers: tuple[tuple[int, int], ...]) -> Array:
    """Middles (N, 2), x and y in [0, 1], of the places at which a detector looks, as its output counts them.

    layers  (stride in pixels, detections at each place)
    """
    found = []
    for stride, count in layers:
        cells = math.ceil(pixels / stride)
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        rows, columns = np.meshgrid(middles, middles, indexing="ij")
        found.append(np.repeat(np.stack([columns, rows], -1).reshape(-1, 2), count, axis=0))
    return np.concatenate(found)


@dataclass(frozen=True)
class Detections:
    """What a detector has found, the surest first, in [0, 1] of its square.

    scores  (N,) in [0, 1]
    boxes   (N, 4): left, top, right, bottom
    points  (N, K, 2)
    """

    scores: Array
    boxes: Array
    points: Array


def decode(raw: Array, logits: Array, middles: Array, pixels: int, least: float) -> Detections:
    """Detections of at least the score ``least`` from a detector's output for a square of ``pixels``.

    raw      (N, 4 + 2 K): x, y, width, height, then points, in pixels from the anchor's middle
    logits   (N,)
    middles  (N, 2), see ``anchors``
    """
    scores = sigmoid(np.clip(logits, -_CLIPPED, _CLIPPED))
    places = raw.reshape(len(raw), -1, 2) / np.float32(pixels)
    is_sound = np.isfinite(raw).all(1) & (raw[:, 2:4] >= 0).all(1)
    kept = np.flatnonzero((scores >= least) & is_sound)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    middle, half = places[kept, 0] + middles[kept], places[kept, 1] / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    return Detections(scores[kept], boxes, places[kept, 2:] + middles[kept, None])


def merge(found: Detections) -> Detections:
    """One detection for each thing: the mean, weighted by score, of those that overlap the surest of them."""
    rest = np.arange(len(found.scores))
    scores, boxes, points = [], [], []
    while len(rest):
        is_same = _overlap(found.boxes[rest[0]], found.boxes[rest]) > SUPPRESSION
        is_same[0] = True
        same = rest[is_same]
        weights = found.scores[same] / found.scores[same].sum()
        scores.append(found.scores[rest[0]])
        boxes.append(weights @ found.boxes[same])
        points.append(np.tensordot(weights, found.points[same], 1))
        rest = rest[~is_same]
    if not scores:
        return found
    return Detections(np.array(scores), np.array(boxes), np.array(points))


def _overlap(box: Array, others: Array) -> Array:
    """Intersection over union of a box (4,) with others (N, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = np.clip(sides, 0, None).prod(1)
    union = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def refined(places: Array, heat: Array) -> Array:
    """Landmarks (K, 2) in [0, 1], each drawn to the middle of its heat (H, W, K, logits) if that is sure."""
    height, width = heat.shape[:2]
    moved = places.copy()
    for index, (x, y) in enumerate(places):
        column, row = int(x * width), int(y * height)
        if row < 0 or not 0 <= column < width:
            continue
        top, left = max(0, row - _REACH), max(0, column - _REACH)
        near = sigmoid(heat[top : row + _REACH + 1, left : column + _REACH + 1, index])
        if near.size == 0 or near.max() < REFINED_FROM:
            continue
        rows, columns = np.indices(near.shape)
        total = near.sum()
        moved[index] = (
            ((columns + left) * near).sum() / total / width,
            ((rows + top) * near).sum() / total / height,
        )
    return moved


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-x)), float32."""
    with np.errstate(over="ignore"):  # exp of a large number is infinite, and the result 0
        return (1 / (1 + np.exp(-values))).astype(np.float32)
