"""A DensePose-like map of 24 body parts from pose landmarks and a silhouette.

Every limb is a tapered capsule around its bone, the torso a polygon, the head an ellipse with a neck.
A pixel of the silhouette belongs to the part whose surface is nearest, told in that part's own radii;
depth lets an arm win in front of the torso and lose behind it. What lies further from the body than
``Shape.reach`` radii (a wide skirt, a bag) is background, so that the map shows the body and not the
clothes. Lengths are in units of ``Skeleton.scale``, the shoulder width.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.preprocess.labels import Landmark, Part
from leffa.preprocess.offline.body import body_coordinates
from leffa.preprocess.offline.drawing import Array, Canvas
from leffa.preprocess.offline.shape import LEFT, RIGHT, SHAPE, SIDES, Side
from leffa.preprocess.offline.skeleton import Skeleton, unit

__all__ = ["NearestParts", "body_coordinates", "nearest_parts", "part_map"]

# Columns of the capsule table.
_START, _END, _RADII, _DEPTHS, _BIAS = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8), 8


def part_map(landmarks: Array, silhouette: Array) -> NDArray[np.uint8]:
    """Body parts and coordinates on them, as DensePose tells them.

    ``landmarks`` (33, 4) float32 in pixels of the silhouette (see ``Landmark``; the middle of the first
    pixel is at 0.5), ``silhouette`` (H, W) float32 in [0, 1] or bool. Returns (H, W, 3) uint8: I
    (``Part``, 0 = background), U across the limb, 0 at the person's right .. 255 at the left, V along
    it, 0 at the proximal end (neck, shoulder, hip, wrist, ankle) .. 255 at the distal end; the head runs
    from its top (0) to the base of the neck (255). The two halves of the head and of an arm share one
    chart. U and V are ours, not DensePose's.
    """
    found = nearest_parts(Skeleton.from_landmarks(landmarks), silhouette)
    iuv = np.zeros((*silhouette.shape, 3), np.uint8)
    near = found.score <= SHAPE.reach
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


def nearest_parts(skeleton: Skeleton, silhouette: Array) -> NearestParts:
    """Share the pixels of ``silhouette`` (H, W), float32 in [0, 1] or bool, out among the parts."""
    rows, columns = np.nonzero(np.asarray(silhouette) > 0.5)
    places = np.stack([columns, rows]).astype(np.float32) + 0.5  # (2, M), pixel centres
    parts, table = _capsules(skeleton)
    limbs = _measure(table, places, skeleton)
    torso = _torso(skeleton, places, silhouette.shape[:2])
    head = _head(skeleton, places)
    scores, across, along = (
        np.concatenate([of_limbs, of_torso[None], of_head[None]])
        for of_limbs, of_torso, of_head in zip(limbs, torso, head, strict=True)
    )
    winner, pixel = scores.argmin(0), np.arange(rows.size)
    torso_part = Part.TORSO_FRONT if skeleton.facing > 0 else Part.TORSO_BACK
    label = np.append(parts, [torso_part, Part.HEAD_LEFT])[winner]
    return NearestParts(
        rows=rows,
        columns=columns,
        label=_split_halves(label, across[winner, pixel], skeleton.facing),
        score=scores[winner, pixel],
        across=across[winner, pixel],
        along=along[winner, pixel],
    )


def _capsules(skeleton: Skeleton) -> tuple[NDArray[np.int64], Array]:
    """Part of each capsule (N,) and the table (N, 9): start, end, radii and depths there, bias. Pixels."""
    parts: list[Part] = []
    rows: list[list[float]] = []

    def add(part, bone, radii, depths=(0.0, 0.0), bias=0.0):
        parts.append(part)
        rows.append([*bone[0], *bone[1], *(radius * skeleton.scale for radius in radii), *depths, bias])

    for side in SIDES:
        _add_arm(skeleton, side, add)
        _add_leg(skeleton, side, add)
    return np.array(parts), np.array(rows, np.float32)


def _add_arm(skeleton: Skeleton, side: Side, add) -> None:
    scale, depth = skeleton.scale, skeleton.depth
    torso_depth = float(depth[[LEFT.shoulder, RIGHT.shoulder, LEFT.hip, RIGHT.hip]].mean())
    shoulder, elbow, wrist = skeleton[side.shoulder], skeleton[side.elbow], skeleton[side.wrist]
    top = shoulder + 0.06 * (shoulder - skeleton.shoulders) - 0.06 * scale * skeleton.up
    behind = depth[[side.shoulder, side.elbow, side.wrist]] - torso_depth
    add(side.upper_arm[0], (top, elbow), (SHAPE.upper_arm, SHAPE.elbow), behind[:2])
    add(side.lower_arm[0], (elbow, wrist), (SHAPE.elbow, SHAPE.wrist), behind[1:])
    palm = (skeleton[side.index] + skeleton[side.pinky]) / 2 - wrist
    fingers = (wrist + 0.12 * SHAPE.fingertips * palm, wrist + SHAPE.fingertips * palm)
    add(side.hand, fingers, (SHAPE.hand, 0.85 * SHAPE.hand), behind[[2, 2]], bias=-0.10)


def _add_leg(skeleton: Skeleton, side: Side, add) -> None:
    scale, depth = skeleton.scale, skeleton.depth
    hip, knee, ankle = skeleton[side.hip], skeleton[side.knee], skeleton[side.ankle]
    seen = 0 if skeleton.facing > 0 else 1

    def nearer(this: Landmark, left: Landmark, right: Landmark) -> float:
        """The leg in front (< 0) wins where the legs cross."""
        return float(depth[this] - (depth[left] + depth[right]) / 2) / (3 * scale)

    start = hip - 0.02 * scale * skeleton.up
    bias = nearer(side.knee, LEFT.knee, RIGHT.knee)
    add(side.upper_leg[seen], (start, knee), (SHAPE.thigh, SHAPE.knee), bias=bias)
    bias = nearer(side.ankle, LEFT.ankle, RIGHT.ankle)
    add(side.lower_leg[seen], (knee, ankle), (0.95 * SHAPE.knee, SHAPE.ankle), bias=bias)
    tip = skeleton[side.toe] + 0.15 * (skeleton[side.toe] - ankle)
    for begin in (ankle + 0.05 * (knee - ankle), skeleton[side.heel]):
        add(side.foot, (begin, tip), (SHAPE.foot, 0.85 * SHAPE.foot), bias=-0.12)


def _measure(table: Array, places: Array, skeleton: Skeleton) -> tuple[Array, Array, Array]:
    """Distance in radii with depth and bias, place across in radii, along in [0, 1]; all (N, M)."""
    start, end, radii, depths = (table[:, part] for part in (_START, _END, _RADII, _DEPTHS))
    bone = end - start
    length2 = np.maximum((bone**2).sum(1), 1e-3)
    # Everything is linear in the place: two matrix products give the place along and across each bone.
    along = (bone / length2[:, None]) @ places - (bone * start).sum(1, keepdims=True) / length2[:, None]
    normal = np.stack([bone[:, 1], -bone[:, 0]], 1) / np.sqrt(length2)[:, None]  # right of a limb hung down
    across = normal @ places - (normal * start).sum(1, keepdims=True)
    inside = np.clip(along, 0, 1)
    beyond = (along - inside) * np.sqrt(length2)[:, None]
    radius = radii[:, :1] + (radii[:, 1:] - radii[:, :1]) * inside
    score = np.sqrt(across**2 + beyond**2) / radius
    pull = (depths[:, :1] + (depths[:, 1:] - depths[:, :1]) * inside) / (0.6 * skeleton.scale)
    pull = np.clip(pull, -1, 0.8) * SHAPE.depth_pull
    score = score + np.where(score < 1.3, pull, 0) + table[:, _BIAS, None]
    return score, across / radius * skeleton.facing, inside


def _torso(skeleton: Skeleton, places: Array, size: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Score (M,), across in [-1, 1], along in [0, 1] from the base of the neck to the crotch."""
    scale, up, middle, hips = skeleton.scale, skeleton.up, skeleton.shoulders, skeleton.hips
    outline = []
    for side in SIDES:
        shoulder, hip = skeleton[side.shoulder], skeleton[side.hip]
        out_top, out_low = unit(shoulder - middle), unit(hip - hips)
        outline.append(
            [
                middle + (up * SHAPE.neck_height + out_top * SHAPE.neck_width) * scale,
                shoulder + up * SHAPE.shoulder_rise * scale,
                shoulder - up * 0.10 * scale,
                0.45 * shoulder + 0.55 * hip + out_low * SHAPE.waist * scale,
                hip + (out_low * SHAPE.hip + up * 0.05) * scale,
                hip + (out_low * SHAPE.hip - up * 0.016) * scale,
            ]
        )
    top, bottom = middle + up * SHAPE.neck_height * scale, hips - up * SHAPE.crotch * scale
    polygon = np.array([*outline[0], bottom, *outline[1][::-1]])
    columns, rows = places.astype(np.intp)
    score = _polygon_score(polygon, SHAPE.torso_depth * scale, size)[rows, columns]

    axis = bottom - top
    along = np.clip((axis @ (places - top[:, None])) / max(float(axis @ axis), 1e-3), 0, 1)
    centre = top[:, None] + axis[:, None] * along
    half = _half_width(skeleton, LEFT.shoulder, RIGHT.shoulder, 0.0)
    half_low = _half_width(skeleton, LEFT.hip, RIGHT.hip, SHAPE.hip)
    across = (skeleton.left @ (places - centre)) / (half + (half_low - half) * along)
    return score, across, along


def _half_width(skeleton: Skeleton, left: Landmark, right: Landmark, extra: float) -> float:
    """Half the torso's width at a pair of joints as the camera sees it; from the side, its depth."""
    seen = 0.5 * float(np.linalg.norm(skeleton[left] - skeleton[right])) + extra * skeleton.scale
    return max(seen, 0.25 * skeleton.scale)


def _polygon_score(polygon: Array, depth: float, size: tuple[int, ...]) -> Array:
    """(H, W): 0 deep inside, 1 on the edge, more outside; ``depth`` pixels make one unit."""
    canvas = Canvas(size)
    canvas.polygon(polygon)
    inside = canvas.mask.astype(np.uint8)
    within = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    without = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    return np.where(inside > 0, np.maximum(1 - within / depth, 0), 1 + without / depth).astype(np.float32)


def _head(skeleton: Skeleton, places: Array) -> tuple[Array, Array, Array]:
    """Score (M,), across in [-1, 1] with 0 on the nose, along in [0, 1] from the top to the neck's base."""
    head = skeleton.head
    offset = places - head.centre[:, None]
    rise, side = head.up @ offset, head.left @ offset
    reach = np.where(rise > 0, head.unit * SHAPE.head_top, head.unit * SHAPE.head_bottom)
    score = np.hypot(rise / reach, side / head.half_width)
    base = skeleton.shoulders + skeleton.up * SHAPE.neck_end * skeleton.scale
    neck = [*head.centre, *base, 0.62 * head.half_width, SHAPE.neck * skeleton.scale, 0, 0, 0.02]
    neck_score = _measure(np.array([neck], np.float32), places, skeleton)[0][0]
    score = np.minimum(score, neck_score) - 0.05

    top = head.centre + head.up * head.unit * SHAPE.head_top
    axis = skeleton.shoulders + skeleton.up * SHAPE.neck_height * skeleton.scale - top
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
    # From the front the inner half covers most of an upper arm, from behind the outer one.
    for side, outwards in ((LEFT, 1), (RIGHT, -1)):
        for (inner, outer), edge in ((side.upper_arm, 0.5 * facing), (side.lower_arm, 0.0)):
            label[(label == inner) & (across * outwards > edge)] = outer
    return label
