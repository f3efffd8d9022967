"""A DensePose-like map of 24 body parts from pose landmarks and a silhouette, and its smooth encoding.

Every limb is a tapered capsule around its bone, the torso a polygon, the head an ellipse with a neck.
A pixel of the silhouette belongs to the part whose surface is nearest, told in that part's own radii;
depth lets an arm win in front of the torso and lose behind it. What lies further from the body than
``Shape.reach`` radii (a wide skirt, a bag) is background, so that the map shows the body and not the
clothes. Lengths are in units of ``Skeleton.scale``, the shoulder width.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.preprocess.labels import Landmark, Part
from leffa.preprocess.skeleton import Skeleton

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """Half thicknesses and reaches of the parts in shoulder widths, fitted to true DensePose maps."""

    neck_height: float = 0.196
    neck_width: float = 0.13
    shoulder_rise: float = 0.045
    waist: float = 0.048
    hip: float = 0.203
    crotch: float = 0.187
    torso_depth: float = 0.249
    thigh: float = 0.288
    knee: float = 0.176
    ankle: float = 0.075
    upper_arm: float = 0.116
    elbow: float = 0.111
    wrist: float = 0.090
    hand: float = 0.115
    fingertips: float = 1.616
    foot: float = 0.105
    head_top: float = 1.25
    head_bottom: float = 2.215
    neck_end: float = 0.40
    neck: float = 0.12
    depth_pull: float = 0.42
    reach: float = 1.25


SHAPE = Shape()

# Rows of the capsule table.
_START, _END, _RADII, _DEPTHS, _BIAS = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8), 8

_ARM = {
    "left": (Landmark.LEFT_SHOULDER, Landmark.LEFT_ELBOW, Landmark.LEFT_WRIST),
    "right": (Landmark.RIGHT_SHOULDER, Landmark.RIGHT_ELBOW, Landmark.RIGHT_WRIST),
}
_FINGERS = {
    "left": (Landmark.LEFT_INDEX, Landmark.LEFT_PINKY),
    "right": (Landmark.RIGHT_INDEX, Landmark.RIGHT_PINKY),
}
_LEG = {
    "left": (Landmark.LEFT_HIP, Landmark.LEFT_KNEE, Landmark.LEFT_ANKLE),
    "right": (Landmark.RIGHT_HIP, Landmark.RIGHT_KNEE, Landmark.RIGHT_ANKLE),
}
_FOOT = {
    "left": (Landmark.LEFT_HEEL, Landmark.LEFT_FOOT_INDEX),
    "right": (Landmark.RIGHT_HEEL, Landmark.RIGHT_FOOT_INDEX),
}

# (seen from the front, seen from behind); an arm's two halves are told apart after the fact.
_UPPER_ARM = {"left": Part.LEFT_UPPER_ARM_BACK, "right": Part.RIGHT_UPPER_ARM_BACK}
_LOWER_ARM = {"left": Part.LEFT_LOWER_ARM_BACK, "right": Part.RIGHT_LOWER_ARM_BACK}
_HAND = {"left": Part.LEFT_HAND, "right": Part.RIGHT_HAND}
_UPPER_LEG = {
    "left": (Part.LEFT_UPPER_LEG_FRONT, Part.LEFT_UPPER_LEG_BACK),
    "right": (Part.RIGHT_UPPER_LEG_FRONT, Part.RIGHT_UPPER_LEG_BACK),
}
_LOWER_LEG = {
    "left": (Part.LEFT_LOWER_LEG_FRONT, Part.LEFT_LOWER_LEG_BACK),
    "right": (Part.RIGHT_LOWER_LEG_FRONT, Part.RIGHT_LOWER_LEG_BACK),
}
_FOOT_PART = {"left": Part.LEFT_FOOT, "right": Part.RIGHT_FOOT}


def part_map(landmarks: Array, silhouette: Array, shape: Shape = SHAPE) -> NDArray[np.uint8]:
    """Body parts and coordinates on them, as DensePose tells them.

    ``landmarks`` (33, 4) float32 in pixels of the silhouette (see ``Landmark``; the middle of the first
    pixel is at 0.5), ``silhouette`` (H, W) float32 in [0, 1] or bool. Returns (H, W, 3) uint8: I
    (``Part``, 0 = background), U across the limb, 0 at the person's right .. 255 at the left, V along
    it, 0 at the proximal end (neck, shoulder, hip, wrist, ankle) .. 255 at the distal end; the head runs
    from its top (0) to the base of the neck (255). The two halves of the head and of an arm share one
    chart. U and V are ours, not DensePose's.
    """
    found = nearest_parts(Skeleton.from_landmarks(landmarks), silhouette, shape)
    iuv = np.zeros((*silhouette.shape, 3), np.uint8)
    near = found.score <= shape.reach
    u = np.rint((np.clip(found.across[near], -1, 1) + 1) * 127.5)
    v = np.rint(np.clip(found.along[near], 0, 1) * 255)
    iuv[found.rows[near], found.columns[near]] = np.stack([found.label[near], u, v], -1).astype(np.uint8)
    return iuv


@dataclass(frozen=True)
class NearestParts:
    """The part that each of the M pixels of a silhouette is nearest to, however far that is.

    rows, columns  (M,) where the pixels are
    label          (M,) ``Part``
    score          (M,) float32: distance from the part's middle in its own radii, about 1 on the skin
    across, along  (M,) float32: place on the part, [-1, 1] from right to left and [0, 1] from its start
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    label: NDArray[np.intp]
    score: Array
    across: Array
    along: Array


def nearest_parts(skeleton: Skeleton, silhouette: Array, shape: Shape = SHAPE) -> NearestParts:
    """Share the pixels of ``silhouette`` (H, W), float32 in [0, 1] or bool, out among the parts."""
    rows, columns = np.nonzero(np.asarray(silhouette) > 0.5)
    places = np.stack([columns, rows]).astype(np.float32) + 0.5  # (2, M), pixel centres
    parts, table = _capsules(skeleton, shape)
    limbs = _measure(table, places, skeleton, shape)
    torso = _torso(skeleton, shape, places, silhouette.shape[:2])
    head = _head(skeleton, shape, places)
    scores, across, along = (
        np.concatenate([of_limbs, of_torso[None], of_head[None]])
        for of_limbs, of_torso, of_head in zip(limbs, torso, head, strict=True)
    )
    winner, pixel = scores.argmin(0), np.arange(rows.size)
    label = np.append(parts, [_facing(skeleton, Part.TORSO_FRONT, Part.TORSO_BACK), Part.HEAD_LEFT])[winner]
    return NearestParts(
        rows=rows,
        columns=columns,
        label=_split_halves(label, across[winner, pixel], skeleton.facing),
        score=scores[winner, pixel],
        across=across[winner, pixel],
        along=along[winner, pixel],
    )


def _facing(skeleton: Skeleton, front: Part, back: Part) -> Part:
    return front if skeleton.facing > 0 else back


def _capsules(skeleton: Skeleton, shape: Shape) -> tuple[NDArray[np.int64], Array]:
    """Part of each capsule (N,) and the table (N, 9): start, end, radii and depths there, bias. Pixels."""
    scale, depth, up = skeleton.scale, skeleton.depth, skeleton.up
    torso_depth = float(depth[[11, 12, 23, 24]].mean())
    parts: list[Part] = []
    rows: list[list[float]] = []

    def add(part, bone, radii, depths=(0.0, 0.0), bias=0.0):
        parts.append(part)
        rows.append([*bone[0], *bone[1], radii[0] * scale, radii[1] * scale, *depths, bias])

    for side in ("left", "right"):
        shoulder, elbow, wrist = _ARM[side]
        top = skeleton[shoulder] + 0.06 * (skeleton[shoulder] - skeleton.shoulders) - 0.06 * scale * up
        in_front = depth[[shoulder, elbow, wrist]] - torso_depth
        add(_UPPER_ARM[side], (top, skeleton[elbow]), (shape.upper_arm, shape.elbow), in_front[:2])
        add(_LOWER_ARM[side], skeleton[[elbow, wrist]], (shape.elbow, shape.wrist), in_front[1:])
        index, pinky = _FINGERS[side]
        palm = (skeleton[index] + skeleton[pinky]) / 2 - skeleton[wrist]
        start, end = (
            skeleton[wrist] + 0.12 * shape.fingertips * palm,
            skeleton[wrist] + shape.fingertips * palm,
        )
        add(_HAND[side], (start, end), (shape.hand, 0.85 * shape.hand), in_front[[2, 2]], bias=-0.10)

        hip, knee, ankle = _LEG[side]
        nearer = _nearer(depth, Landmark.LEFT_KNEE, Landmark.RIGHT_KNEE, knee) / (3 * scale)
        start = skeleton[hip] - 0.02 * scale * up
        part = _facing(skeleton, *_UPPER_LEG[side])
        add(part, (start, skeleton[knee]), (shape.thigh, shape.knee), bias=nearer)
        nearer = _nearer(depth, Landmark.LEFT_ANKLE, Landmark.RIGHT_ANKLE, ankle) / (3 * scale)
        part = _facing(skeleton, *_LOWER_LEG[side])
        add(part, skeleton[[knee, ankle]], (0.95 * shape.knee, shape.ankle), bias=nearer)

        heel, toe = _FOOT[side]
        tip = skeleton[toe] + 0.15 * (skeleton[toe] - skeleton[ankle])
        start = skeleton[ankle] + 0.05 * (skeleton[knee] - skeleton[ankle])
        for begin in (start, skeleton[heel]):
            add(_FOOT_PART[side], (begin, tip), (shape.foot, 0.85 * shape.foot), bias=-0.12)
    return np.array(parts), np.array(rows, np.float32)


def _nearer(depth: Array, left: Landmark, right: Landmark, this: Landmark) -> float:
    """How much nearer (< 0) than the middle of the two this one is, in pixels."""
    return float(depth[this] - (depth[left] + depth[right]) / 2)


def _measure(table: Array, places: Array, skeleton: Skeleton, shape: Shape) -> tuple[Array, Array, Array]:
    """Distance in radii with depth and bias, place across in radii, along in [0, 1]; all (N, M)."""
    start, end, radii, depths = (table[:, part] for part in (_START, _END, _RADII, _DEPTHS))
    bone = end - start
    length2 = np.maximum((bone**2).sum(1), 1e-3)
    # Everything is linear in the place: two matrix products give the place along and across each bone.
    along = (bone / length2[:, None]) @ places - (bone * start).sum(1, keepdims=True) / length2[:, None]
    normal = (
        np.stack([bone[:, 1], -bone[:, 0]], 1) / np.sqrt(length2)[:, None]
    )  # image right of a limb hung down
    across = normal @ places - (normal * start).sum(1, keepdims=True)
    inside = np.clip(along, 0, 1)
    beyond = (along - inside) * np.sqrt(length2)[:, None]
    radius = radii[:, :1] + (radii[:, 1:] - radii[:, :1]) * inside
    score = np.sqrt(across**2 + beyond**2) / radius
    pull = (depths[:, :1] + (depths[:, 1:] - depths[:, :1]) * inside) / (0.6 * skeleton.scale)
    pull = np.clip(pull, -1, 0.8) * shape.depth_pull
    score = score + np.where(score < 1.3, pull, 0) + table[:, _BIAS, None]
    return score, across / radius * skeleton.facing, inside


def _torso(
    skeleton: Skeleton, shape: Shape, places: Array, size: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    """Score (M,), across in [-1, 1], along in [0, 1] from the base of the neck to the crotch."""
    scale, up, middle, hips = skeleton.scale, skeleton.up, skeleton.shoulders, skeleton.hips
    outline = []
    for shoulder, hip in (
        (Landmark.LEFT_SHOULDER, Landmark.LEFT_HIP),
        (Landmark.RIGHT_SHOULDER, Landmark.RIGHT_HIP),
    ):
        out_top = _unit(skeleton[shoulder] - middle)
        out_low = _unit(skeleton[hip] - hips)
        side = [
            middle + (up * shape.neck_height + out_top * shape.neck_width) * scale,
            skeleton[shoulder] + up * shape.shoulder_rise * scale,
            skeleton[shoulder] - up * 0.10 * scale,
            0.45 * skeleton[shoulder] + 0.55 * skeleton[hip] + out_low * shape.waist * scale,
            skeleton[hip] + (out_low * shape.hip + up * 0.05) * scale,
            skeleton[hip] + (out_low * shape.hip - up * 0.016) * scale,
        ]
        outline.append(side)
    polygon = np.array([*outline[0], hips - up * shape.crotch * scale, *outline[1][::-1]])
    columns, rows = places.astype(np.intp)
    score = _polygon_score(polygon, shape.torso_depth * scale, size)[rows, columns]
    top = middle + up * shape.neck_height * scale
    bottom = hips - up * shape.crotch * scale
    axis = bottom - top
    offset = places - top[:, None]
    along = np.clip((axis @ offset) / max(float(axis @ axis), 1e-3), 0, 1)
    centre = top[:, None] + axis[:, None] * along
    half = _half_width(skeleton, Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER, 0.0)
    half_low = _half_width(skeleton, Landmark.LEFT_HIP, Landmark.RIGHT_HIP, shape.hip)
    across = (skeleton.left @ (places - centre)) / (half + (half_low - half) * along)
    return score, across, along


def _half_width(skeleton: Skeleton, left: Landmark, right: Landmark, extra: float) -> float:
    """Half the torso's width at a pair of joints as the camera sees it; from the side, its depth."""
    seen = 0.5 * float(np.linalg.norm(skeleton[left] - skeleton[right])) + extra * skeleton.scale
    return max(seen, 0.25 * skeleton.scale)


def _unit(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), 1.0)


def _polygon_score(polygon: Array, depth: float, size: tuple[int, ...]) -> Array:
    """(H, W): 0 deep inside, 1 on the edge, more outside; ``depth`` pixels make one unit."""
    inside = np.zeros(size, np.uint8)
    limit = 8 * max(size)  # keeps far-off guesses within what fillPoly can take
    shifted = np.rint((np.clip(polygon, -limit, limit) - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(inside, [shifted], 1, shift=4)
    within = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    without = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    return np.where(inside > 0, np.maximum(1 - within / depth, 0), 1 + without / depth).astype(np.float32)


def _head(skeleton: Skeleton, shape: Shape, places: Array) -> tuple[Array, Array, Array]:
    """Score (M,), across in [-1, 1] with 0 on the nose, along in [0, 1] from the top to the neck's base."""
    head = skeleton.head
    offset = places - head.centre[:, None]
    rise, side = head.up @ offset, head.left @ offset
    reach = np.where(rise > 0, head.unit * shape.head_top, head.unit * shape.head_bottom)
    score = np.hypot(rise / reach, side / head.half_width)
    base = skeleton.shoulders + skeleton.up * shape.neck_end * skeleton.scale
    neck = np.array([[*head.centre, *base, 0.62 * head.half_width, shape.neck * skeleton.scale, 0, 0, 0.02]])
    neck_score = _measure(neck.astype(np.float32), places, skeleton, shape)[0][0]
    score = np.minimum(score, neck_score) - 0.05

    top = head.centre + head.up * head.unit * shape.head_top
    bottom = skeleton.shoulders + skeleton.up * shape.neck_height * skeleton.scale
    axis = bottom - top
    along = np.clip((axis @ (places - top[:, None])) / max(float(axis @ axis), 1e-3), 0, 1)
    # The face's middle runs through the nose; a turned head is wider on the side that is seen.
    middle = float(head.left @ (head.nose - head.centre))
    middle = float(np.clip(middle, -0.8 * head.half_width, 0.8 * head.half_width))
    fade = np.clip(1.5 - along * 1.5, 0, 1)  # the neck does not turn with the face
    from_middle = side - middle * fade
    width = np.where(from_middle > 0, head.half_width - middle * fade, head.half_width + middle * fade)
    return score, from_middle / width, along


def _split_halves(label: NDArray[np.int64], across: Array, facing: int) -> NDArray[np.int64]:
    """Tell the inner and outer halves of the arms and the halves of the head apart."""
    label = label.copy()
    label[(label == Part.HEAD_LEFT) & (across < 0)] = Part.HEAD_RIGHT
    # DensePose cuts an arm lengthwise. From the front the inner half covers most of an upper arm.
    for inner, outer, edge in (
        (Part.LEFT_UPPER_ARM_BACK, Part.LEFT_UPPER_ARM_FRONT, 0.5 * facing),
        (Part.LEFT_LOWER_ARM_BACK, Part.LEFT_LOWER_ARM_FRONT, 0.0),
    ):
        label[(label == inner) & (across > edge)] = outer
    for inner, outer, edge in (
        (Part.RIGHT_UPPER_ARM_BACK, Part.RIGHT_UPPER_ARM_FRONT, 0.5 * facing),
        (Part.RIGHT_LOWER_ARM_BACK, Part.RIGHT_LOWER_ARM_FRONT, 0.0),
    ):
        label[(label == inner) & (across < -edge)] = outer
    return label


# A person standing in an A-pose, facing the camera, in shoulder widths: x to the person's left, y up,
# the hips at y = 0. Left side only: start, end, half width at both ends, in the order of the chart's v.
_TOP_OF_HEAD, _NECK, _CROTCH = 2.32, 1.40 + SHAPE.neck_height, -SHAPE.crotch
_BODY_LEFT = {
    "upper_arm": ((0.53, 1.46), (0.80, 0.75), SHAPE.upper_arm, SHAPE.elbow),
    "lower_arm": ((0.80, 0.75), (1.02, 0.10), SHAPE.elbow, SHAPE.wrist),
    "hand": ((1.04, 0.04), (1.20, -0.44), SHAPE.hand, 0.85 * SHAPE.hand),
    "upper_leg": ((0.28, -0.02), (0.34, -1.15), SHAPE.thigh, SHAPE.knee),
    "lower_leg": ((0.34, -1.15), (0.38, -2.20), 0.95 * SHAPE.knee, SHAPE.ankle),
    "foot": ((0.38, -2.20), (0.42, -2.44), SHAPE.foot, 0.85 * SHAPE.foot),
}
_BODY_SIZE = (1.30, 2.45)  # half extent of that body in x and y
_BODY_PARTS = {
    "upper_arm": (
        (Part.LEFT_UPPER_ARM_BACK, Part.LEFT_UPPER_ARM_FRONT),
        (Part.RIGHT_UPPER_ARM_BACK, Part.RIGHT_UPPER_ARM_FRONT),
    ),
    "lower_arm": (
        (Part.LEFT_LOWER_ARM_BACK, Part.LEFT_LOWER_ARM_FRONT),
        (Part.RIGHT_LOWER_ARM_BACK, Part.RIGHT_LOWER_ARM_FRONT),
    ),
    "hand": ((Part.LEFT_HAND,), (Part.RIGHT_HAND,)),
    "upper_leg": (_UPPER_LEG["left"], _UPPER_LEG["right"]),
    "lower_leg": (_LOWER_LEG["left"], _LOWER_LEG["right"]),
    "foot": ((Part.LEFT_FOOT,), (Part.RIGHT_FOOT,)),
}
_FRONT_PARTS = (
    Part.TORSO_FRONT,
    Part.LEFT_UPPER_LEG_FRONT,
    Part.RIGHT_UPPER_LEG_FRONT,
    Part.LEFT_LOWER_LEG_FRONT,
    Part.RIGHT_LOWER_LEG_FRONT,
)
_BACK_PARTS = (
    Part.TORSO_BACK,
    Part.LEFT_UPPER_LEG_BACK,
    Part.RIGHT_UPPER_LEG_BACK,
    Part.LEFT_LOWER_LEG_BACK,
    Part.RIGHT_LOWER_LEG_BACK,
)


@cache
def _body_charts() -> Array:
    """(25, 8): start x y, end x y, unit vector across x y, half widths at both ends, for every part."""
    charts = np.zeros((len(Part), 8), np.float32)

    def chart(part, start, end, start_width, end_width):
        bone = np.subtract(end, start)
        across = np.array([-bone[1], bone[0]]) / np.linalg.norm(bone)  # (1, 0) for a limb that hangs
        charts[part] = [*start, *end, *across, start_width, end_width]

    torso_half = (0.5, 0.28 + SHAPE.hip)
    for torso in (Part.TORSO_FRONT, Part.TORSO_BACK):
        chart(torso, (0.0, _NECK), (0.0, _CROTCH), *torso_half)
    for head in (Part.HEAD_LEFT, Part.HEAD_RIGHT):
        chart(head, (0.0, _TOP_OF_HEAD), (0.0, _NECK), 0.30, 0.22)
    for limb, (start, end, start_width, end_width) in _BODY_LEFT.items():
        left, right = _BODY_PARTS[limb]
        for part in left:
            chart(part, start, end, start_width, end_width)
        for part in right:
            chart(part, (-start[0], start[1]), (-end[0], end[1]), start_width, end_width)
    return charts


def body_coordinates(iuv: NDArray[np.uint8]) -> Array:
    """Smooth condition of the bundled weights (``DensePoseEncoding.BODY``) from a ``part_map``.

    ``iuv`` (H, W, 3) uint8. Returns (H, W, 3) float32 in [-1, 1]: x (to the person's left) and y (up) of
    the same surface point on a body standing in an A-pose, and facing: 1 seen from the front, -1 from
    behind, 0 where there is nobody (x = y = 0 there). Neighbouring parts meet at neighbouring values.
    """
    result = np.zeros(iuv.shape, np.float32)
    rows, columns = np.nonzero(iuv[..., 0])
    label, u, v = iuv[rows, columns].T
    chart = _body_charts()[label]
    along = (v.astype(np.float32) / 255)[:, None]
    across = (u.astype(np.float32) / 127.5 - 1)[:, None]
    width = chart[:, 6:7] + (chart[:, 7:8] - chart[:, 6:7]) * along
    point = chart[:, 0:2] + (chart[:, 2:4] - chart[:, 0:2]) * along + chart[:, 4:6] * width * across

    # Arms, hands, feet and the head have no side of their own: they go with the rest of the body.
    count = np.bincount(label, minlength=len(Part))
    behind = count[list(_BACK_PARTS)].sum() > count[list(_FRONT_PARTS)].sum()
    facing = np.full(label.shape, -1.0 if behind else 1.0, np.float32)
    facing[np.isin(label, _FRONT_PARTS)] = 1.0
    facing[np.isin(label, _BACK_PARTS)] = -1.0
    result[rows, columns, :2] = np.clip(point / np.array(_BODY_SIZE, np.float32), -1, 1)
    result[rows, columns, 2] = facing
    return result
