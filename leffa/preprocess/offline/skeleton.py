"""The geometry that part maps and masks share: points, axes and the size of one person's body."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leffa.preprocess.labels import Landmark

Array = NDArray[np.float32]

_MINIMUM_SCALE = 2.0  # px; keeps every division finite for a person seen from far away or from above


@dataclass(frozen=True)
class Skeleton:
    """Points in pixels (x, y), unit axes, and one length that all others are told in.

    points      (33, 2) float32, the landmarks' places
    depth       (33,) float32 px, smaller is nearer
    visibility  (33,) float32 in [0, 1]
    scale       px: shoulder width of the person seen from the front
    up          unit vector from the hips to the neck
    left        unit vector at right angles to ``up`` towards the person's left as the camera sees it
    facing      +1 the camera sees the chest, -1 it sees the back
    shoulders, hips  midpoints of the two shoulders and the two hips
    """

    points: Array
    depth: Array
    visibility: Array
    scale: float
    up: Array
    left: Array
    facing: int
    shoulders: Array
    hips: Array

    @classmethod
    def from_landmarks(cls, landmarks: Array) -> "Skeleton":
        """``landmarks`` (33, 4) float32: x, y in pixels, z in pixels (smaller is nearer), visibility."""
        table = np.asarray(landmarks, np.float32)
        if table.shape != (len(Landmark), 4):
            raise ValueError(
                f"landmarks must be ({len(Landmark)}, 4): x, y, z, visibility; got {table.shape}."
            )
        points = table[:, :2]
        left_shoulder, right_shoulder = points[Landmark.LEFT_SHOULDER], points[Landmark.RIGHT_SHOULDER]
        left_hip, right_hip = points[Landmark.LEFT_HIP], points[Landmark.RIGHT_HIP]
        shoulders, hips = (left_shoulder + right_shoulder) / 2, (left_hip + right_hip) / 2
        ears = np.linalg.norm(points[Landmark.LEFT_EAR] - points[Landmark.RIGHT_EAR])
        torso = np.linalg.norm(shoulders - hips)
        # Seen from the side the shoulders nearly coincide; the torso's length and the head keep the scale.
        scale = max(
            float(np.linalg.norm(left_shoulder - right_shoulder)), 0.62 * float(torso), 1.6 * float(ears)
        )
        scale = max(scale, _MINIMUM_SCALE)
        up = (shoulders - hips) / torso if torso > 0.15 * scale else np.array([0, -1], np.float32)
        image_right = np.array([-up[1], up[0]], np.float32)  # (1, 0) for somebody upright
        across = (left_shoulder - right_shoulder) + (left_hip - right_hip)
        facing = 1 if float(across @ image_right) >= 0 else -1
        return cls(
            points=points,
            depth=table[:, 2],
            visibility=table[:, 3],
            scale=scale,
            up=up.astype(np.float32),
            left=image_right * facing,
            facing=facing,
            shoulders=shoulders,
            hips=hips,
        )

    def __getitem__(self, landmark: Landmark | list[Landmark]) -> Array:
        """Place (x, y) of one landmark, or (N, 2) of several."""
        return self.points[landmark]

    @property
    def torso_length(self) -> float:
        """Distance from the middle of the hips to the middle of the shoulders, in pixels; never 0."""
        return max(float(np.linalg.norm(self.shoulders - self.hips)), 0.15 * self.scale)

    @property
    def head(self) -> "HeadFrame":
        """Centre, axes and half sizes of the head."""
        ears = (self[Landmark.LEFT_EAR] + self[Landmark.RIGHT_EAR]) / 2
        eyes = (self[Landmark.LEFT_EYE] + self[Landmark.RIGHT_EYE]) / 2
        mouth = (self[Landmark.MOUTH_LEFT] + self[Landmark.MOUTH_RIGHT]) / 2
        axis = eyes - mouth
        length = float(np.linalg.norm(axis))
        up = axis / length if length > 0.03 * self.scale else self.up
        # Eyes to mouth shrink when the head nods; a head is never smaller than the shoulders allow.
        unit = max(length, 0.10 * self.scale)
        left = np.array([-up[1], up[0]], np.float32) * self.facing
        width = float(np.linalg.norm(self[Landmark.LEFT_EAR] - self[Landmark.RIGHT_EAR]))
        return HeadFrame(
            centre=((ears + eyes) / 2 + up * 0.35 * unit).astype(np.float32),
            chin=(mouth - up * 1.05 * unit).astype(np.float32),
            nose=self[Landmark.NOSE],
            up=up.astype(np.float32),
            left=left.astype(np.float32),
            unit=unit,
            half_width=max(width, 1.6 * unit) * 0.54,
        )


@dataclass(frozen=True)
class HeadFrame:
    """Where the head is. Lengths in pixels, ``unit`` = distance from the eyes to the mouth."""

    centre: Array
    chin: Array
    nose: Array
    up: Array
    left: Array
    unit: float
    half_width: float


def unit(vector: Array) -> Array:
    """The vector at length 1; shorter than a pixel it keeps its length, for its direction means nothing."""
    return vector / max(float(np.linalg.norm(vector)), 1.0)
