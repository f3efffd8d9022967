"""Smooth body coordinates: where on one body, standing in an A-pose, each pixel of a part map lies."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from leffa.preprocess.labels import Part
from leffa.preprocess.offline.shape import LEFT, RIGHT, SHAPE

Array = NDArray[np.float32]

# That body faces the camera. In shoulder widths: x to the person's left, y up, the hips at y = 0.
_TOP_OF_HEAD, _NECK, _CROTCH = 2.32, 1.40 + SHAPE.neck_height, -SHAPE.crotch
HALF_SIZE = np.array([1.30, 2.45], np.float32)  # of it all, in x and y

# Left limbs: start, end (in the order of V), half widths at both ends.
_LIMBS = {
    "upper_arm": ((0.53, 1.46), (0.80, 0.75), SHAPE.upper_arm, SHAPE.elbow),
    "lower_arm": ((0.80, 0.75), (1.02, 0.10), SHAPE.elbow, SHAPE.wrist),
    "hand": ((1.04, 0.04), (1.20, -0.44), SHAPE.hand, 0.85 * SHAPE.hand),
    "upper_leg": ((0.28, -0.02), (0.34, -1.15), SHAPE.thigh, SHAPE.knee),
    "lower_leg": ((0.34, -1.15), (0.38, -2.20), 0.95 * SHAPE.knee, SHAPE.ankle),
    "foot": ((0.38, -2.20), (0.42, -2.44), SHAPE.foot, 0.85 * SHAPE.foot),
}

_FRONT = [Part.TORSO_FRONT, *(side.upper_leg[0] for side in (LEFT, RIGHT))]
_FRONT += [side.lower_leg[0] for side in (LEFT, RIGHT)]
_BACK = [Part.TORSO_BACK, *(side.upper_leg[1] for side in (LEFT, RIGHT))]
_BACK += [side.lower_leg[1] for side in (LEFT, RIGHT)]


def body_coordinates(iuv: NDArray[np.uint8]) -> Array:
    """Smooth condition of the bundled weights (``DensePoseEncoding.BODY``) from a ``part_map``.

    ``iuv`` (H, W, 3) uint8. Returns (H, W, 3) float32 in [-1, 1]: x (to the person's left) and y (up) of
    the same surface point on a body standing in an A-pose, and facing: 1 seen from the front, -1 from
    behind, 0 where there is nobody (x = y = 0 there). Neighbouring parts meet at neighbouring values.
    """
    result = np.zeros(iuv.shape, np.float32)
    rows, columns = np.nonzero(iuv[..., 0])
    label, u, v = iuv[rows, columns].T
    chart = _charts()[label]
    along = (v.astype(np.float32) / 255)[:, None]
    across = (u.astype(np.float32) / 127.5 - 1)[:, None]
    width = chart[:, 6:7] + (chart[:, 7:8] - chart[:, 6:7]) * along
    point = chart[:, 0:2] + (chart[:, 2:4] - chart[:, 0:2]) * along + chart[:, 4:6] * width * across

    # Arms, hands, feet and the head have no side of their own: they go with the rest of the body.
    count = np.bincount(label, minlength=len(Part))
    side = np.full(len(Part), 1.0 if count[_FRONT].sum() >= count[_BACK].sum() else -1.0, np.float32)
    side[_FRONT], side[_BACK] = 1.0, -1.0
    result[rows, columns, :2] = np.clip(point / HALF_SIZE, -1, 1)
    result[rows, columns, 2] = side[label]
    return result


@cache
def _charts() -> Array:
    """(25, 8): start x y, end x y, unit vector across x y, half widths at both ends, for every part."""
    charts = np.zeros((len(Part), 8), np.float32)

    def chart(parts, start, end, start_width, end_width):
        bone = np.subtract(end, start)
        across = np.array([-bone[1], bone[0]]) / np.linalg.norm(bone)  # (1, 0) for a limb that hangs
        charts[np.atleast_1d(parts)] = [*start, *end, *across, start_width, end_width]

    torso_end = 0.28 + SHAPE.hip
    chart([Part.TORSO_FRONT, Part.TORSO_BACK], (0.0, _NECK), (0.0, _CROTCH), 0.5, torso_end)
    chart([Part.HEAD_LEFT, Part.HEAD_RIGHT], (0.0, _TOP_OF_HEAD), (0.0, _NECK), 0.30, 0.22)
    for limb, (start, end, start_width, end_width) in _LIMBS.items():
        chart(getattr(LEFT, limb), start, end, start_width, end_width)
        mirrored = (-start[0], start[1]), (-end[0], end[1])
        chart(getattr(RIGHT, limb), *mirrored, start_width, end_width)
    return charts
