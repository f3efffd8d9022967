"""A mask corrected by hand: strokes of a brush or an eraser, at any size of the photo."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.errors import LeffaError

MOST_STROKES = 2000
MOST_POINTS = 20_000


@dataclass(frozen=True)
class Stroke:
    """One stroke.

    points  (x, y) in [0, 1] of the photo's width and height, in drawing order
    radius  share of the photo's longer side
    erase   takes from the mask instead of adding to it
    """

    points: tuple[tuple[float, float], ...]
    radius: float
    erase: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As JSON can carry it; ``parse_strokes`` reads it back."""
        return {**asdict(self), "points": [list(point) for point in self.points]}


def parse_strokes(values: Any) -> list[Stroke]:
    """Strokes from JSON. Raises LeffaError for anything else."""
    try:
        strokes = [
            Stroke(
                tuple((float(x), float(y)) for x, y in value["points"]),
                float(value["radius"]),
                bool(value.get("erase", False)),
            )
            for value in values
        ]
    except (TypeError, ValueError, KeyError, AttributeError):
        raise LeffaError(
            'strokes must be a list of {"points": [[x, y], ...], "radius": r, "erase": bool}'
        ) from None
    numbers = [number for stroke in strokes for point in stroke.points for number in point]
    sound = all(stroke.points and 0 < stroke.radius <= 1 for stroke in strokes)
    if not sound or not all(math.isfinite(number) and -1 <= number <= 2 for number in numbers):
        raise LeffaError("every stroke needs points in [0, 1] and a radius between 0 and 1")
    if len(strokes) > MOST_STROKES or len(numbers) > 2 * MOST_POINTS:
        raise LeffaError(f"at most {MOST_STROKES} strokes with {MOST_POINTS} points together can be read")
    return strokes


def paint_strokes(mask: NDArray[np.uint8], strokes: Sequence[Stroke]) -> NDArray[np.uint8]:
    """The mask (H, W) uint8 0 / 255 with the strokes applied in their order; a new array."""
    result = mask.copy()
    height, width = mask.shape
    for stroke in strokes:
        value = 0 if stroke.erase else 255
        radius = max(1, round(stroke.radius * max(height, width)))
        places = np.rint(np.array(stroke.points) * (width, height)).astype(np.int32)
        cv2.polylines(result, [places], False, value, 2 * radius)
        for x, y in places.tolist():
            cv2.circle(result, (x, y), radius, value, cv2.FILLED)
    return result
