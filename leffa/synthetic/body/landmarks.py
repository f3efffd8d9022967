"""BlazePose landmarks of a picture: where they fall, how deep, and whether they are seen."""

from functools import lru_cache

import numpy as np

from leffa.preprocess.labels import Landmark, Part
from leffa.synthetic.render.camera import Camera

OFF_FRAME, HIDDEN = 0.05, 0.25
NEIGHBOURHOOD = 1 / 50


@lru_cache(maxsize=1)
def own_parts() -> np.ndarray:
    """(33, 25) bool: the parts on whose picture a landmark may lie."""
    table = np.zeros((len(Landmark), len(Part)), bool)
    torso, heads = ("TORSO_FRONT", "TORSO_BACK"), ("HEAD_LEFT", "HEAD_RIGHT")
    limbs = {
        "SHOULDER": ("UPPER_ARM",), "ELBOW": ("UPPER_ARM", "LOWER_ARM"), "WRIST": ("LOWER_ARM", "HAND"),
        "PINKY": ("HAND",), "INDEX": ("HAND",), "THUMB": ("HAND", "LOWER_ARM"), "HIP": ("UPPER_LEG",),
        "KNEE": ("UPPER_LEG", "LOWER_LEG"), "ANKLE": ("LOWER_LEG", "FOOT"), "HEEL": ("FOOT",),
        "FOOT_INDEX": ("FOOT",),
    }  # fmt: skip
    for landmark in Landmark:
        side, _, name = landmark.name.partition("_")
        if side not in ("LEFT", "RIGHT") or name not in limbs:
            names = list(heads)
        else:
            names = [f"{side}_{limb}{face}" for limb in limbs[name] for face in ("", "_FRONT", "_BACK")]
            names += torso if name in ("SHOULDER", "HIP") else ()
        for part in names:
            if part in Part.__members__:
                table[landmark, Part[part]] = True
    return table


def project_landmarks(points: np.ndarray, camera: Camera, parts: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(33, 4) float32 of points (33, 3) in metres: x, y in pixels, z in pixels, visibility in [0, 1].

    z is relative to the hips' middle, smaller is nearer. Off the frame the visibility is ``OFF_FRAME``;
    where something else is seen in front, by part map (H, W) or by depth (H, W), it is ``HIDDEN``.
    """
    height, width = parts.shape
    seen = camera.project(points, height, width)
    hips = seen[[Landmark.LEFT_HIP, Landmark.RIGHT_HIP], 2].mean()
    scale = camera.pixels_per_metre(height) * camera.distance / hips
    x, y = seen[:, 0], seen[:, 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    column, row = np.clip(x.astype(int), 0, width - 1), np.clip(y.astype(int), 0, height - 1)
    # A joint lies inside the flesh by up to the limb's radius; more than that in front of it hides it.
    flesh = np.full(len(points), 0.09)
    flesh[[Landmark.LEFT_HIP, Landmark.RIGHT_HIP]] = 0.25
    flesh[[Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER]] = 0.15
    behind = seen[:, 2] - np.where(np.isfinite(depth), depth, np.inf)[row, column] > flesh
    reach = max(round(height * NEIGHBOURHOOD), 1)
    own = own_parts()
    met = np.array([
        own[index][parts[max(r - reach, 0) : r + reach + 1, max(c - reach, 0) : c + reach + 1]].any()
        for index, (r, c) in enumerate(zip(row, column, strict=True))
    ])  # fmt: skip
    visibility = np.where(inside, np.where(behind | ~met, HIDDEN, 1.0), OFF_FRAME)
    return np.c_[x, y, (seen[:, 2] - hips) * scale, visibility].astype(np.float32)
