"""Areas that a garment of any cut may fill: drawn around the bones, whatever the worn one looks like."""

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.preprocess.figure import Array, Figure, Mask
from leffa.preprocess.shape import SIDES
from leffa.preprocess.skeleton import unit


def upper_room(figure: Figure, sleeve: float, end: float, margin: float) -> Mask:
    """Neck, torso and arms.

    ``sleeve`` in [0, 2]: how far down the arm, 1 = elbow, 2 = wrist; ``end``: height above the hips, px, at
    which it ends; ``margin`` 1 is the usual room.
    """
    skeleton, scale = figure.skeleton, figure.skeleton.scale
    canvas = np.zeros(figure.group.shape, np.uint8)
    outline: list[list[Array]] = []
    for side in SIDES:
        shoulder, elbow, wrist = (skeleton[joint] for joint in (side.shoulder, side.elbow, side.wrist))
        radii = np.array([0.22 + 0.10 * margin, 0.22 + 0.14 * margin, 0.16 + 0.16 * margin]) * scale
        first = min(sleeve, 1.0)
        along = shoulder + first * (elbow - shoulder)
        _capsule(canvas, shoulder, along, radii[0], radii[0] + first * (radii[1] - radii[0]))
        if sleeve > 1:
            along = elbow + (sleeve - 1) * 1.08 * (wrist - elbow)  # a cuff reaches over the wrist
            _capsule(canvas, elbow, along, radii[1], radii[1] + (sleeve - 1) * (radii[2] - radii[1]))
        out_top = unit(shoulder - skeleton.shoulders) * scale
        hip = skeleton[side.hip] + 0.34 * unit(skeleton[side.hip] - skeleton.hips) * scale
        outline.append(
            [
                skeleton.shoulders + skeleton.up * 0.30 * scale + 0.16 * out_top,
                shoulder + skeleton.up * 0.20 * scale,
                shoulder + 0.22 * out_top,
                hip + skeleton.up * max(end, 0.0),
                hip + skeleton.up * end,
            ]
        )
    _polygon(canvas, [*outline[0], *outline[1][::-1]])
    _capsule(canvas, skeleton.shoulders, skeleton.head.chin, 0.24 * scale, 0.20 * scale)
    return canvas > 0


def lower_room(figure: Figure, waist: float, reach: float, margin: float) -> Mask:
    """Hips and legs, and what is between the legs, from ``waist`` (height above the hips, px) downwards.

    ``reach`` in [0, 2]: how far down the leg, 1 = knee, 2 = ankle.
    """
    skeleton, scale = figure.skeleton, figure.skeleton.scale
    canvas = np.zeros(figure.group.shape, np.uint8)
    outline: list[list[Array]] = []
    for side in SIDES:
        hip, knee, ankle = (skeleton[joint] for joint in (side.hip, side.knee, side.ankle))
        out = unit(hip - skeleton.hips) * scale
        first = hip + min(reach, 1.0) * (knee - hip)
        edge = [
            hip + (0.30 + 0.22 * margin) * out + skeleton.up * waist,
            hip + (0.36 + 0.30 * margin) * out,
            first + (0.30 + 0.34 * margin) * out,
        ]
        _capsule(canvas, hip, first, (0.30 + 0.10 * margin) * scale, (0.26 + 0.20 * margin) * scale)
        if reach > 1:
            last = knee + (reach - 1) * (ankle - knee)
            edge.append(last + (0.24 + 0.32 * margin) * out)
            _capsule(canvas, first, last, (0.26 + 0.20 * margin) * scale, (0.20 + 0.24 * margin) * scale)
        outline.append(edge)
    _polygon(canvas, [*outline[0], *outline[1][::-1]])
    return canvas > 0


def lower_arms(figure: Figure) -> Mask:
    """Narrow strips along the lower arms, where a sleeve lies even if a leg seems nearer."""
    scale = figure.skeleton.scale
    canvas = np.zeros(figure.group.shape, np.uint8)
    for side in SIDES:
        elbow, wrist = figure.skeleton[side.elbow], figure.skeleton[side.wrist]
        _capsule(canvas, elbow, wrist, 0.12 * scale, 0.10 * scale)
    return canvas > 0


def _fixed(points: list[Array] | Array, size: tuple[int, ...]) -> NDArray[np.int32]:
    """Pixel places as OpenCV's fixed-point numbers with 4 fractional bits."""
    limit = 8 * max(size)  # far-off guesses must not overflow
    return np.rint((np.clip(np.asarray(points), -limit, limit) - 0.5) * 16).astype(np.int32)


def _polygon(canvas: NDArray[np.uint8], points: list[Array]) -> None:
    cv2.fillPoly(canvas, [_fixed(points, canvas.shape)], 1, shift=4)


def _capsule(
    canvas: NDArray[np.uint8], start: Array, end: Array, start_radius: float, end_radius: float
) -> None:
    """Fill the area within a radius, growing from one to the other, of the line between two places."""
    bone = end - start
    normal = np.array([-bone[1], bone[0]]) / max(float(np.linalg.norm(bone)), 1e-3)
    sides = [start + normal * start_radius, end + normal * end_radius]
    sides += [end - normal * end_radius, start - normal * start_radius]
    cv2.fillConvexPoly(canvas, _fixed(sides, canvas.shape), 1, shift=4)
    for place, radius in ((start, start_radius), (end, end_radius)):
        x, y = (int(value) for value in _fixed(place, canvas.shape))
        cv2.circle(canvas, (x, y), int(radius * 16), 1, -1, shift=4)
