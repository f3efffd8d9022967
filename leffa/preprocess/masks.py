"""Garment-agnostic masks: where the painter works, and where it must not."""

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment
from leffa.preprocess.cues import Cues, find_cues
from leffa.preprocess.figure import Array, Figure, Group, Mask, disc
from leffa.preprocess.labels import Landmark
from leffa.preprocess.official_masks import official_mask
from leffa.preprocess.skeleton import unit

_WORKING_SIZE = 512  # longest side masks are worked out at; edges need no more


class Sleeve(str, Enum):
    """How far down the arm the mask reaches."""

    NONE = "none"
    ELBOW = "elbow"
    WRIST = "wrist"


class Hem(str, Enum):
    """How far down the body the mask reaches."""

    WAIST = "waist"
    HIP = "hip"
    KNEE = "knee"
    ANKLE = "ankle"


@dataclass(frozen=True)
class MaskOptions:
    """What a user may wish for. None = automatic: nothing of the worn garment's cut shows.

    sleeve  length of sleeve that the mask makes room for; automatic: to the wrist
    hem     lower end; automatic: where the worn top ends (upper), the ankle (lower and dress)
    margin  room around the body, as a multiple of the usual
    protect_hands, protect_hair, protect_face, protect_bag  keep these out of the mask
    """

    sleeve: Sleeve | None = None
    hem: Hem | None = None
    margin: float = 1.0
    protect_hands: bool = True
    protect_hair: bool = True
    protect_face: bool = True
    protect_bag: bool = True

    def __post_init__(self) -> None:
        for name, kind in (("sleeve", Sleeve), ("hem", Hem)):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, kind(value))
        if not 0 <= self.margin <= 4:
            raise ValueError(f"margin must be between 0 and 4, got {self.margin}.")


def agnostic_mask(
    landmarks: Array,
    silhouette: Array,
    garment: Garment,
    image: NDArray[np.uint8] | None = None,
    options: MaskOptions = MaskOptions(),
) -> NDArray[np.uint8]:
    """Area to repaint for a garment of this kind: all of the worn one, and room for any cut of the new.

    ``landmarks`` (33, 4) float32 in pixels of ``silhouette`` (H, W) float32 in [0, 1]; ``image``
    (H, W, 3) uint8 RGB lets colours tell where hair, hands and the worn top end. Returns (H, W) uint8,
    255 = repaint, 0 = keep.
    """
    size = silhouette.shape
    ratio = min(1.0, _WORKING_SIZE / max(size))
    landmarks = np.asarray(landmarks, np.float32)
    silhouette = np.asarray(silhouette, np.float32)
    if ratio < 1:
        small = (max(round(size[1] * ratio), 1), max(round(size[0] * ratio), 1))
        stretch = np.array([small[0] / size[1], small[1] / size[0], ratio, 1], np.float32)
        landmarks = landmarks * stretch
        silhouette = cv2.resize(silhouette, small, interpolation=cv2.INTER_AREA)
        image = None if image is None else cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    figure = Figure.of(landmarks, silhouette)
    cues = Cues() if image is None else find_cues(figure, image)
    mask: NDArray[np.uint8] = _mask(figure, cues, Garment(garment), options).astype(np.uint8) * 255
    if ratio < 1:
        mask = cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
        mask = np.where(mask >= 128, np.uint8(255), np.uint8(0))
    return mask


def _mask(figure: Figure, cues: Cues, garment: Garment, options: MaskOptions) -> Mask:
    keep = _head(figure, cues, options) | _hands(figure, cues, options)
    if options.protect_bag and cues.bag is not None:
        keep |= cues.bag
    if garment is Garment.UPPER:
        area = _upper(figure, cues, options) & ~_below_top(figure, cues, options)
    elif garment is Garment.LOWER:
        area = _lower(figure, cues, options) & ~_arms(figure) & ~_feet(figure)
    else:
        area = (_upper(figure, cues, options) | _lower(figure, cues, options)) & ~_feet(figure)
    return area & ~keep


def _upper_end(figure: Figure, cues: Cues, options: MaskOptions) -> float:
    """Height above the hips, px, at which an upper garment's mask ends on the body."""
    torso = figure.skeleton.torso_length
    worn = -0.22 * torso if cues.hem is None else cues.hem.low - 0.05 * torso
    wished = {
        None: worn,
        Hem.WAIST: 0.2 * torso,
        Hem.HIP: -0.15 * torso,
        Hem.KNEE: -torso,
        Hem.ANKLE: -2 * torso,
    }
    return min(worn, wished[options.hem])


def _upper(figure: Figure, cues: Cues, options: MaskOptions) -> Mask:
    skeleton, scale, margin = figure.skeleton, figure.skeleton.scale, options.margin
    canvas = np.zeros(figure.group.shape, np.uint8)
    sides = (
        (Landmark.LEFT_SHOULDER, Landmark.LEFT_ELBOW, Landmark.LEFT_WRIST, Landmark.LEFT_HIP),
        (Landmark.RIGHT_SHOULDER, Landmark.RIGHT_ELBOW, Landmark.RIGHT_WRIST, Landmark.RIGHT_HIP),
    )
    end = _upper_end(figure, cues, options)
    outline: list[list[Array]] = []
    for shoulder, elbow, wrist, hip in sides:
        start, middle, last = skeleton[shoulder], skeleton[elbow], skeleton[wrist]
        if options.sleeve is Sleeve.NONE:
            _capsule(canvas, start, start + 0.2 * (middle - start), 0.28 * scale, 0.24 * scale)
        else:
            _capsule(canvas, start, middle, (0.22 + 0.10 * margin) * scale, (0.22 + 0.14 * margin) * scale)
        if options.sleeve in (None, Sleeve.WRIST):
            beyond = last + 0.08 * (last - middle)
            _capsule(canvas, middle, beyond, (0.22 + 0.14 * margin) * scale, (0.16 + 0.16 * margin) * scale)
        out_top = unit(start - skeleton.shoulders) * scale
        out_low = unit(skeleton[hip] - skeleton.hips) * scale
        outline.append(
            [
                skeleton.shoulders + skeleton.up * 0.30 * scale + 0.16 * out_top,
                start + skeleton.up * 0.20 * scale,
                start + 0.22 * out_top,
                skeleton[hip] + 0.34 * out_low + skeleton.up * max(end, 0),
                skeleton[hip] + 0.34 * out_low + skeleton.up * end,
            ]
        )
    _polygon(canvas, [*outline[0], *outline[1][::-1]])
    head = skeleton.head
    _capsule(canvas, skeleton.shoulders, head.chin, 0.24 * scale, 0.20 * scale)
    worn = figure.is_in(Group.TORSO, Group.UPPER_ARM, Group.LOWER_ARM)
    if options.sleeve in (Sleeve.NONE, Sleeve.ELBOW):
        worn &= figure.is_in(Group.TORSO)
    worn &= ~((figure.rise < end) & figure.is_in(Group.TORSO))
    return (canvas | cv2.dilate(worn.astype(np.uint8), disc(0.07 * margin * scale))) > 0


def _below_top(figure: Figure, cues: Cues, options: MaskOptions) -> Mask:
    """What of the body lies below the upper garment's end, sleeves beside it excepted."""
    skeleton, scale = figure.skeleton, figure.skeleton.scale
    below = figure.is_in(Group.TORSO, Group.UPPER_LEG, Group.LOWER_LEG, Group.FOOT)
    below &= figure.rise < _upper_end(figure, cues, options)
    if cues.top is not None:
        below &= cv2.dilate(cues.top.astype(np.uint8), disc(0.02 * scale)) == 0
    sleeves = np.zeros(figure.group.shape, np.uint8)
    for elbow, wrist in (
        (Landmark.LEFT_ELBOW, Landmark.LEFT_WRIST),
        (Landmark.RIGHT_ELBOW, Landmark.RIGHT_WRIST),
    ):
        _capsule(sleeves, skeleton[elbow], skeleton[wrist], 0.12 * scale, 0.10 * scale)
    return below & (sleeves == 0)


def _lower(figure: Figure, cues: Cues, options: MaskOptions) -> Mask:
    skeleton, scale, margin = figure.skeleton, figure.skeleton.scale, options.margin
    torso = skeleton.torso_length
    waist = 0.30 * torso if cues.hem is None else cues.hem.high + 0.03 * torso
    canvas = np.zeros(figure.group.shape, np.uint8)
    outline: list[list[Array]] = []
    reach = {None: 1.94, Hem.ANKLE: 1.94, Hem.KNEE: 1.2, Hem.HIP: 0.3, Hem.WAIST: 0.3}[options.hem]
    for hip, knee, ankle in (
        (Landmark.LEFT_HIP, Landmark.LEFT_KNEE, Landmark.LEFT_ANKLE),
        (Landmark.RIGHT_HIP, Landmark.RIGHT_KNEE, Landmark.RIGHT_ANKLE),
    ):
        out = unit(skeleton[hip] - skeleton.hips) * scale
        first = skeleton[hip] + min(reach, 1.0) * (skeleton[knee] - skeleton[hip])
        last = skeleton[knee] + max(reach - 1.0, 0.0) * (skeleton[ankle] - skeleton[knee])
        side = [
            skeleton[hip] + (0.30 + 0.22 * margin) * out + skeleton.up * waist,
            skeleton[hip] + (0.36 + 0.30 * margin) * out,
            first + (0.30 + 0.34 * margin) * out,
        ]
        _capsule(canvas, skeleton[hip], first, (0.30 + 0.10 * margin) * scale, (0.26 + 0.20 * margin) * scale)
        if reach > 1:
            side.append(last + (0.24 + 0.32 * margin) * out)
            _capsule(canvas, first, last, (0.26 + 0.20 * margin) * scale, (0.20 + 0.24 * margin) * scale)
        outline.append(side)
    _polygon(canvas, [*outline[0], *outline[1][::-1]])
    worn = figure.is_in(Group.UPPER_LEG, Group.LOWER_LEG) | figure.is_in(Group.TORSO) & (
        figure.rise < 0.75 * waist
    )
    if options.protect_bag and cues.bag is not None:
        worn &= ~cues.bag
    canvas |= cv2.dilate(worn.astype(np.uint8), disc(0.07 * margin * scale))
    area = (canvas > 0) & (figure.rise < waist + 0.03 * torso)
    if cues.top is not None:
        area &= cv2.erode(cues.top.astype(np.uint8), disc(0.03 * scale)) == 0
    return area


def _head(figure: Figure, cues: Cues, options: MaskOptions) -> Mask:
    """Face and hair, as far as they are to be protected."""
    head = figure.skeleton.head
    rise, side = figure.along(head.centre, head.up), figure.along(head.centre, head.left)
    within = (
        np.hypot(rise / np.where(rise > 0, 1.25 * head.unit, 2.2 * head.unit), side / head.half_width) < 1
    )
    area = figure.is_in(Group.HEAD) & (figure.along(head.chin, head.up) > 0)
    keep = np.zeros_like(area)
    if options.protect_face:
        keep |= area & within
    if options.protect_hair:
        keep |= area & ~within
        if cues.hair is not None:
            keep |= cues.hair
    return keep


def _hands(figure: Figure, cues: Cues, options: MaskOptions) -> Mask:
    """Hands that the camera sees, as far as they are to be protected."""
    if not options.protect_hands:
        return np.zeros(figure.group.shape, bool)
    return figure.is_in(Group.HAND) & (figure.score < 1.35) if cues.hands is None else cues.hands


def _arms(figure: Figure) -> Mask:
    return figure.is_in(Group.UPPER_ARM, Group.LOWER_ARM, Group.HAND) & (figure.score < 1.2)


def _feet(figure: Figure) -> Mask:
    return figure.is_in(Group.FOOT) & (figure.score < 1.6)


def _fixed(points: list[Array] | Array, size: tuple[int, ...]) -> NDArray[np.int32]:
    """Pixel places as OpenCV's fixed-point numbers with 4 fractional bits."""
    limit = 8 * max(size)
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
