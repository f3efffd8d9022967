"""What the colours of a photo tell about hair, skin and where the top ends; no weights."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.preprocess.figure import Array, Figure, Group, Mask
from leffa.preprocess.labels import Landmark

_FEWEST = 20  # pixels from which a colour may be learnt
_LIGHTNESS = np.array([0.6, 1.2, 1.2], np.float32)  # shade changes more than hue within one fabric


@dataclass(frozen=True)
class Cues:
    """Found in the picture; None where it tells nothing.

    hem   height of the border between top and bottom above the line of the hips, px
    hair  (H, W) bool
    skin  (H, W) float32 likeness to the person's own face in [0, 1]
    """

    hem: float | None = None
    hair: Mask | None = None
    skin: Array | None = None


def find_cues(figure: Figure, image: NDArray[np.uint8]) -> Cues:
    """``image`` (H, W, 3) uint8 RGB of the figure's size."""
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), max(figure.skeleton.scale / 60, 0.5)), cv2.COLOR_RGB2LAB)
    lab = lab.astype(np.float32)
    skin = _skin(figure, lab)
    return Cues(hem=_hem(figure, lab), hair=_hair(figure, lab, skin), skin=skin)


def face_area(figure: Figure) -> Mask:
    """The ellipse of the face, from the brows to the chin; certain to be face and nothing else."""
    head = figure.skeleton.head
    centre = head.centre - head.up * 0.75 * head.unit
    rise, side = figure.along(centre, head.up), figure.along(centre, head.left)
    return ((rise / (1.3 * head.unit)) ** 2 + (side / (0.75 * head.half_width)) ** 2 < 1) & figure.inside


def _spread(samples: Array) -> tuple[Array, Array]:
    """Median and robust standard deviation per channel of (N, 3)."""
    centre = np.median(samples, axis=0)
    spread = 1.4826 * np.median(np.abs(samples - centre), axis=0)
    return centre, spread


def _skin(figure: Figure, lab: Array) -> Array | None:
    face = lab[face_area(figure)]
    if len(face) < _FEWEST:
        return None
    centre, spread = _spread(face)
    spread = np.clip(spread, [10, 3.5, 3.5], [28, 8, 8])
    distance = ((lab - centre) / spread * np.float32([0.55, 1, 1])) ** 2
    return np.exp(-distance.sum(-1) / 8).astype(np.float32)


def _hem(figure: Figure, lab: Array) -> float | None:
    """Height above the hips of the strongest change of colour down the body's middle, None if none is clear."""
    skeleton = figure.skeleton
    torso = skeleton.torso_length
    strip = figure.is_in(Group.TORSO, Group.UPPER_LEG, Group.LOWER_LEG)
    strip &= np.abs(figure.lateral) < 0.38 * skeleton.scale
    step = 0.04
    edges = np.arange(-0.75, 0.551, step)
    band = np.digitize(figure.rise[strip] / torso, edges)
    colours = lab[strip] * _LIGHTNESS
    medians = np.full((len(edges) + 1, 3), np.nan, np.float32)
    for index in range(1, len(edges)):
        here = colours[band == index]
        if len(here) >= max(6, 0.01 * skeleton.scale * torso * step * 4):
            medians[index] = np.median(here, axis=0)
    best, found = 9.0, None
    for index in range(6, len(edges) - 5):
        below, above = medians[index - 5 : index], medians[index : index + 6]
        below, above = below[~np.isnan(below[:, 0])], above[~np.isnan(above[:, 0])]
        if len(below) < 3 or len(above) < 3:
            continue
        middle_below, middle_above = np.median(below, 0), np.median(above, 0)
        jump = float(np.linalg.norm(middle_below - middle_above))
        jump -= 0.5 * float(np.linalg.norm(below - middle_below, axis=1).mean())
        jump -= 0.5 * float(np.linalg.norm(above - middle_above, axis=1).mean())
        height = float(edges[index - 1])
        jump -= 6 * abs(height - 0.12)  # most tops end a little above the hips
        if jump > best:
            best, found = jump, height * torso
    return found


def _hair(figure: Figure, lab: Array, skin: Array | None) -> Mask | None:
    """Grow the colours above the forehead down along the head, where they beat garment and skin."""
    skeleton, head = figure.skeleton, figure.skeleton.head
    rise = figure.along(head.centre, head.up)
    side = np.abs(figure.along(head.centre, head.left))
    top = (rise > 0.55 * head.unit) & (side < 1.1 * head.half_width) & figure.is_in(Group.HEAD)
    seeds = lab[top]
    if len(seeds) < _FEWEST:
        return None
    torso = figure.is_in(Group.TORSO) & (figure.rise < 0.85 * skeleton.torso_length) & (figure.rise > 0)
    torso &= np.abs(figure.lateral) < 0.35 * skeleton.scale
    reach = figure.inside & (side < 2.2 * head.half_width) & (figure.rise > 0.25 * skeleton.torso_length)
    likeness = _distance(lab, seeds)
    rival = np.full(likeness.shape, 9.0, np.float32)
    if np.count_nonzero(torso) >= _FEWEST:
        rival = np.minimum(rival, _distance(lab, lab[torso]))
    if skin is not None:
        rival = np.minimum(rival, -8 * np.log(np.maximum(skin, 1e-6)))
    hair = reach & (likeness < rival) & (likeness < 9)
    hair |= top
    hair &= ~face_area(figure)
    radius = max(int(0.02 * skeleton.scale), 1)
    hair = cv2.morphologyEx(hair.astype(np.uint8), cv2.MORPH_OPEN, disc(radius))
    _, labels = cv2.connectedComponents(hair | top.astype(np.uint8))
    kept = np.unique(labels[top & (hair > 0)])
    return np.isin(labels, kept[kept > 0]) & (hair > 0)


def _distance(lab: Array, samples: Array) -> Array:
    """Squared distance in robust standard deviations of the samples' colours."""
    centre, spread = _spread(samples)
    spread = np.clip(spread, [9, 4, 4], [30, 10, 10])
    return (((lab - centre) / spread) ** 2).sum(-1)


def disc(radius: int) -> NDArray[np.uint8]:
    """Round structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


__all__ = ["Cues", "Landmark", "disc", "face_area", "find_cues"]
