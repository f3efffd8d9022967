"""Areas that a garment of any cut may fill: drawn around the bones, whatever the worn one looks like."""

import numpy as np

from leffa.preprocess.offline.drawing import Array, Canvas, Mask
from leffa.preprocess.offline.figure import Figure
from leffa.preprocess.offline.shape import SIDES
from leffa.preprocess.offline.skeleton import unit


def upper_area(figure: Figure, sleeve: float, end: float, margin: float) -> Mask:
    """Neck, torso and arms.

    ``sleeve`` in [0, 2]: how far down the arm, 1 = elbow, 2 = wrist; ``end``: height above the hips, px, at
    which it ends; ``margin`` 1 is the usual width.
    """
    skeleton, scale = figure.skeleton, figure.skeleton.scale
    canvas = Canvas(figure.group.shape)
    outline: list[list[Array]] = []
    for side in SIDES:
        shoulder, elbow, wrist = (skeleton[joint] for joint in (side.shoulder, side.elbow, side.wrist))
        radii = np.array([0.22 + 0.10 * margin, 0.22 + 0.14 * margin, 0.16 + 0.16 * margin]) * scale
        cut = (
            0.24 * scale
        )  # a round end reaches as far again as it is wide: keep it small where a sleeve ends
        end_radius = radii[1] if sleeve > 1.5 else cut
        along = shoulder + min(sleeve, 1.0) * (elbow - shoulder)
        canvas.capsule(shoulder, along, radii[0], end_radius)
        if sleeve > 1:
            along = elbow + (sleeve - 1) * 1.08 * (wrist - elbow)  # a cuff reaches over the wrist
            canvas.capsule(elbow, along, end_radius, radii[2] if sleeve > 1.5 else cut)
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
    canvas.polygon([*outline[0], *outline[1][::-1]])
    canvas.capsule(skeleton.shoulders, skeleton.head.chin, 0.24 * scale, 0.20 * scale)
    return canvas.mask


def lower_area(figure: Figure, waist: float, reach: float, margin: float) -> Mask:
    """Hips and legs, and what is between the legs, from ``waist`` (height above the hips, px) downwards.

    ``reach`` in [0, 2]: how far down the leg, 1 = knee, 2 = ankle.
    """
    skeleton, scale = figure.skeleton, figure.skeleton.scale
    canvas = Canvas(figure.group.shape)
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
        knee_radius = (0.26 + 0.20 * margin if reach > 1.5 else 0.26) * scale
        ankle_radius = (0.20 + 0.24 * margin if reach > 1.5 else 0.24) * scale
        canvas.capsule(hip, first, (0.30 + 0.10 * margin) * scale, knee_radius)
        if reach > 1:
            last = knee + (reach - 1) * (ankle - knee)
            edge.append(last + (0.24 + 0.32 * margin) * out)
            canvas.capsule(first, last, knee_radius, ankle_radius)
        outline.append(edge)
    canvas.polygon([*outline[0], *outline[1][::-1]])
    return canvas.mask


def lower_arms(figure: Figure) -> Mask:
    """Narrow strips along the lower arms, where a sleeve lies even if a leg seems nearer."""
    scale = figure.skeleton.scale
    canvas = Canvas(figure.group.shape)
    for side in SIDES:
        elbow, wrist = figure.skeleton[side.elbow], figure.skeleton[side.wrist]
        canvas.capsule(elbow, wrist, 0.12 * scale, 0.10 * scale)
    return canvas.mask
