"""The errors that photos bring, for training: landmarks and silhouettes as a pose model would give them.

The sizes are those of mediapipe's pose (0.10.21, complexity 1) on 57 real photos: each photo was mirrored,
shrunk, turned, shifted and relit, and the results compared. In shoulder widths the median change of a
landmark was 0.012 (eyes) to 0.034 (toes), of depth 0.04 to 0.25; one hand in a hundred jumped by more than
0.25; silhouettes agreed to an IoU of 0.98 with edges 0.007 (median) to 0.035 (90th percentile) apart.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from leffa.preprocess.labels import Landmark
from leffa.preprocess.offline.drawing import Array
from leffa.preprocess.offline.skeleton import Skeleton

# Standard deviation per axis in shoulder widths: half again as large as measured, since the landmarks of
# a body model also differ from the pose model's by habit and not only by chance.
_JOINT_NOISE = {"SHOULDER": 0.022, "ELBOW": 0.026, "WRIST": 0.028, "HIP": 0.036, "KNEE": 0.036, "ANKLE": 0.03}
_DETAIL_NOISE = 0.018  # face, fingers and toes, on top of what carries them
_DEPTH_NOISE = 0.15
_GROSS_ERROR = 0.01  # chance per hand or foot of a jump
_GROSS_SIZE = 0.4

_CARRIED = {
    Landmark[f"{side}_{carrier}"]: tuple(Landmark[f"{side}_{name}"] for name in carried)
    for carrier, carried in (("WRIST", ("PINKY", "INDEX", "THUMB")), ("ANKLE", ("HEEL", "FOOT_INDEX")))
    for side in ("LEFT", "RIGHT")
}
_FACE = tuple(Landmark)[: Landmark.MOUTH_RIGHT + 1]
_ENDS = tuple(
    tuple(Landmark[f"{side}_{name}"] for name in limb)
    for limb in (("ELBOW", "WRIST", "INDEX"), ("KNEE", "ANKLE", "FOOT_INDEX"))
    for side in ("LEFT", "RIGHT")
)


def jitter_landmarks(landmarks: Array, rng: Generator, strength: float = 1.0) -> Array:
    """Landmarks (33, 4) moved as a pose model errs; ``strength`` 1 is the usual, 0 returns them as they are.

    Hands and feet move with what carries them, the face as a whole, depth by whole limbs; now and then a
    hand or a foot is far off.
    """
    result = np.array(landmarks, np.float32)
    scale = Skeleton.from_landmarks(result).scale * strength
    shift = np.zeros((len(Landmark), 3), np.float32)
    detail = rng.normal(0, _DETAIL_NOISE, (len(Landmark), 2))
    for joint in Landmark:
        noise = next((size for word, size in _JOINT_NOISE.items() if word in joint.name), None)
        if noise is not None:
            shift[joint, :2] = rng.normal(0, noise, 2)
            shift[joint, 2] = rng.normal(0, _DEPTH_NOISE)
    face = np.append(rng.normal(0, _DETAIL_NOISE, 2), rng.normal(0, _DEPTH_NOISE))
    shift[list(_FACE)] = face
    shift[list(_FACE), :2] += detail[list(_FACE)] * 0.5
    for carrier, carried in _CARRIED.items():
        if rng.random() < _GROSS_ERROR * strength:
            shift[carrier, :2] += rng.normal(0, _GROSS_SIZE, 2)
        shift[list(carried)] = shift[carrier]
        shift[list(carried), :2] += detail[list(carried)]
    result[:, :3] += shift * scale
    return result


def damage_silhouette(silhouette: Array, landmarks: Array, rng: Generator, strength: float = 1.0) -> Array:
    """A true silhouette (H, W) as a segmenter would give it: float32 in [0, 1], soft, uneven, incomplete.

    The edge wanders by a few hundredths of a shoulder width, now and then a hand, a foot or a lower limb
    is missing or a hole is torn. ``landmarks`` (33, 4) are in the silhouette's pixels.
    """
    solid = (np.asarray(silhouette, np.float32) > 0.5).astype(np.uint8)
    if strength <= 0 or not solid.any():
        return solid.astype(np.float32)
    skeleton = Skeleton.from_landmarks(landmarks)
    scale = skeleton.scale
    for elbow, wrist, tip in _ENDS:
        if rng.random() < 0.03 * strength:
            start = skeleton[wrist] if rng.random() < 0.7 else (skeleton[elbow] + skeleton[wrist]) / 2
            _erase(solid, start, 2 * skeleton[tip] - skeleton[wrist], 0.16 * scale)
    if rng.random() < 0.03 * strength:
        rows, columns = np.nonzero(solid)
        pick = rng.integers(rows.size) if rows.size else 0
        if rows.size:
            centre = np.array([columns[pick], rows[pick]], np.float32)
            _erase(solid, centre, centre, rng.uniform(0.05, 0.2) * scale)
    inward = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    outward = cv2.distanceTransform(1 - solid, cv2.DIST_L2, 3)
    # A smooth random field moves the edge: its grain is about a tenth of the shoulder width.
    height, width = solid.shape
    cells = (max(round(width / (0.12 * scale)), 2), max(round(height / (0.12 * scale)), 2))
    cells = (min(cells[0], width), min(cells[1], height))
    field = rng.normal(rng.normal(0, 0.004), 0.009, cells[::-1]).astype(np.float32)
    edge = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) * scale * strength
    softness = max(0.012 * scale, 0.5)
    depth = inward - outward + np.where(solid > 0, -0.5, 0.5) + edge
    return np.clip(0.5 + depth / (2 * softness), 0, 1).astype(np.float32)


def _erase(canvas: NDArray[np.uint8], start: Array, end: Array, radius: float) -> None:
    limit = 8 * max(canvas.shape)
    places = np.rint(np.clip([start, end], -limit, limit)).astype(int)
    first, last = ((int(x), int(y)) for x, y in places)
    cv2.line(canvas, first, last, 0, max(round(2 * radius), 1))
