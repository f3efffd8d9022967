"""From OpenPose's maps to people: peaks, limbs between them, and which limbs belong together."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from leffa.preprocess.labels import Joint

_PEAK_THRESHOLD = 0.1
_SMOOTHING = 3.0  # sigma, pixels
_SAMPLES = 10  # points at which a field is read along a candidate limb
_FIELD_THRESHOLD = 0.05
_MIN_JOINTS = 4
_MIN_MEAN_SCORE = 0.4


class LimbKind(NamedTuple):
    """Two joints that belong together, and the channel of their field's x; its y is the next one."""

    start: Joint
    end: Joint
    channel: int


# In the order in which people are assembled
_LIMBS = (
    LimbKind(Joint.NECK, Joint.RIGHT_SHOULDER, 12),
    LimbKind(Joint.NECK, Joint.LEFT_SHOULDER, 20),
    LimbKind(Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, 14),
    LimbKind(Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, 16),
    LimbKind(Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, 22),
    LimbKind(Joint.LEFT_ELBOW, Joint.LEFT_WRIST, 24),
    LimbKind(Joint.NECK, Joint.RIGHT_HIP, 0),
    LimbKind(Joint.RIGHT_HIP, Joint.RIGHT_KNEE, 2),
    LimbKind(Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, 4),
    LimbKind(Joint.NECK, Joint.LEFT_HIP, 6),
    LimbKind(Joint.LEFT_HIP, Joint.LEFT_KNEE, 8),
    LimbKind(Joint.LEFT_KNEE, Joint.LEFT_ANKLE, 10),
    LimbKind(Joint.NECK, Joint.NOSE, 28),
    LimbKind(Joint.NOSE, Joint.RIGHT_EYE, 30),
    LimbKind(Joint.RIGHT_EYE, Joint.RIGHT_EAR, 34),
    LimbKind(Joint.NOSE, Joint.LEFT_EYE, 32),
    LimbKind(Joint.LEFT_EYE, Joint.LEFT_EAR, 36),
    LimbKind(Joint.RIGHT_SHOULDER, Joint.RIGHT_EAR, 18),
    LimbKind(Joint.LEFT_SHOULDER, Joint.LEFT_EAR, 26),
)


@dataclass
class Body:
    """One person: the index of each joint among the peaks (-1 = missing), summed score, joints counted."""

    joints: np.ndarray
    score: float
    count: int

    def holds(self, joint: int, peak: int) -> bool:
        return bool(self.joints[joint] == peak)


@dataclass(frozen=True)
class Limb:
    """A link between the peaks ``start`` and ``end`` (indices among all peaks), with its score."""

    kind: LimbKind
    start: int
    end: int
    score: float


def find_peaks(heats: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Local maxima of the joints' heat maps, (H, W, >= 18) float64.

    Returns all peaks (n, 3) as x, y, score, joint by joint and each in reading order, and for each of the 18
    joints the indices of its peaks. A peak is found on the smoothed map and scored on the map itself.
    """
    peaks: list[np.ndarray] = [np.zeros((0, 3))]
    indices: list[np.ndarray] = []
    total = 0
    for joint in range(len(Joint)):
        heat = heats[:, :, joint]
        smooth = np.pad(gaussian_filter(heat, sigma=_SMOOTHING), 1)
        centre = smooth[1:-1, 1:-1]
        is_peak = centre > _PEAK_THRESHOLD
        for neighbour in (smooth[:-2, 1:-1], smooth[2:, 1:-1], smooth[1:-1, :-2], smooth[1:-1, 2:]):
            is_peak &= centre >= neighbour
        y, x = np.nonzero(is_peak)
        peaks.append(np.stack([x, y, heat[y, x]], axis=1))
        indices.append(np.arange(total, total + len(x)))
        total += len(x)
    return np.concatenate(peaks), indices


def find_people(peaks: np.ndarray, indices: list[np.ndarray], fields: np.ndarray) -> list[Body]:
    """Assemble people from the peaks of ``find_peaks`` and the fields, (H, W, 38) float64.

    The order is that of the released code: who has the best link from neck to right shoulder comes first.
    """
    bodies: list[Body] = []
    for kind in _LIMBS:
        for limb in _find_limbs(kind, peaks, indices, fields):
            _attach(bodies, limb, peaks)
    return [
        body for body in bodies if body.count >= _MIN_JOINTS and body.score / body.count >= _MIN_MEAN_SCORE
    ]


def _find_limbs(
    kind: LimbKind, peaks: np.ndarray, indices: list[np.ndarray], fields: np.ndarray
) -> list[Limb]:
    """The accepted links of one kind, best first, each peak used once."""
    starts, ends = indices[kind.start], indices[kind.end]
    field = fields[:, :, kind.channel : kind.channel + 2]
    if not len(starts) or not len(ends):
        return []
    start, end = peaks[starts][:, None, :2], peaks[ends][None, :, :2]
    vector = end - start
    length = np.linalg.norm(vector, axis=-1)
    length = np.maximum(length, 1e-3)  # two joints on one pixel: no direction, no link
    direction = vector / length[..., None]
    points = np.rint(np.linspace(start, end, _SAMPLES)).astype(int)  # (samples, starts, ends, 2)
    along = (field[points[..., 1], points[..., 0]] * direction).sum(-1)  # (samples, starts, ends)
    # links longer than half the picture's height are held back
    scores = along.mean(0) + np.minimum(0.5 * field.shape[0] / length - 1, 0)
    accepted = ((along > _FIELD_THRESHOLD).sum(0) > 0.8 * _SAMPLES) & (scores > 0)

    limbs: list[Limb] = []
    order = sorted(zip(*np.nonzero(accepted), strict=True), key=lambda pair: scores[pair], reverse=True)
    for first, second in order:
        link = Limb(kind, int(starts[first]), int(ends[second]), float(scores[first, second]))
        if all(link.start != limb.start and link.end != limb.end for limb in limbs):
            limbs.append(link)
    return limbs


def _attach(bodies: list[Body], limb: Limb, peaks: np.ndarray) -> None:
    """Add a limb to the person that already has one of its ends, merge two, or start a new person."""
    start, end = limb.kind.start, limb.kind.end
    owners = [body for body in bodies if body.holds(start, limb.start) or body.holds(end, limb.end)]
    end_score = float(peaks[limb.end, 2])
    if not owners:
        joints = np.full(len(Joint), -1)
        joints[start], joints[end] = limb.start, limb.end
        bodies.append(Body(joints, float(peaks[limb.start, 2]) + end_score + limb.score, 2))
        return
    first = owners[0]
    if len(owners) == 1:
        if first.holds(end, limb.end):
            return
    elif not np.any((first.joints >= 0) & (owners[1].joints >= 0)):
        second = owners[1]
        first.joints = np.where(first.joints >= 0, first.joints, second.joints)
        first.score += second.score + limb.score
        first.count += second.count
        bodies[:] = [body for body in bodies if body is not second]
        return
    first.joints[end] = limb.end
    first.score += end_score + limb.score
    first.count += 1
