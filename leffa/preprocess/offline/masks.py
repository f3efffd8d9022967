"""Garment-agnostic masks: where the painter works, and where it must not."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment, Hem, Sleeve
from leffa.preprocess.offline.areas import lower_area, lower_arms, upper_area
from leffa.preprocess.offline.colour_cues import Cues, find_cues
from leffa.preprocess.offline.drawing import Array, Mask, connected, grown, opened
from leffa.preprocess.offline.figure import Figure, Group
from leffa.preprocess.offline.shape import LEFT, RIGHT

_WORKING_SIZE = 512  # longest side masks are worked out at; edges need no more


# How far down an arm or a leg: 1 = elbow or knee, 2 = wrist or ankle.
_SLEEVE_REACH = {Sleeve.NONE: 0.2, Sleeve.ELBOW: 1.05, Sleeve.WRIST: 2.0, None: 2.0}
_LEG_REACH = {Hem.WAIST: 0.3, Hem.HIP: 0.55, Hem.KNEE: 1.15, Hem.ANKLE: 1.94, None: 1.94}


@dataclass(frozen=True)
class MaskOptions:
    """What a user may wish for. None = automatic: nothing of the worn garment's cut shows.

    sleeve  length of sleeve that the mask makes room for; automatic: to the wrist
    hem     lower end; automatic: where the worn top ends (upper), the ankle (lower and dress). ``WAIST``
            and ``HIP`` stand for the shortest shorts or skirts where the garment has legs
    margin  room around the body, as a multiple of the usual
    protect_hands, protect_hair, protect_face, protect_bag  keep these out of the mask

    A sleeve or hem shorter than the worn one is seen in the photo and included all the same.
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
    figure, image = Figure.at_most(_WORKING_SIZE, landmarks, silhouette, image)
    cues = Cues() if image is None else find_cues(figure, image)
    mask = area_to_repaint(figure, cues, Garment(garment), options).astype(np.uint8) * 255
    if mask.shape != size:
        mask = cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
        mask = np.where(mask >= 128, 255, 0)
    return mask.astype(np.uint8)


def area_to_repaint(
    figure: Figure, cues: Cues, garment: Garment, options: MaskOptions = MaskOptions()
) -> Mask:
    """The mask (H, W) of a figure, by what the photo's colours tell of it."""
    keep = _head(figure, cues, options) | _hands(figure, cues, options)
    if options.protect_bag and cues.bag is not None:
        keep |= cues.bag
    if garment is Garment.UPPER:
        area = _upper(figure, cues, options)
    elif garment is Garment.LOWER:
        area = _lower(figure, cues, options) & ~_arms(figure) & ~_feet(figure)
    else:
        area = (_upper(figure, cues, options) | _lower(figure, cues, options)) & ~_feet(figure)
    return area & ~keep


def _upper(figure: Figure, cues: Cues, options: MaskOptions) -> Mask:
    """The worn top and room for any other, without what of the body lies below its end."""
    skeleton = figure.skeleton
    end = _top_end(figure, cues, options.hem)
    area = upper_area(figure, _SLEEVE_REACH[options.sleeve], end, options.margin)
    worn = figure.is_in(Group.TORSO) & (figure.rise >= end)
    arms = figure.is_in(Group.UPPER_ARM, Group.LOWER_ARM)
    if options.sleeve in (None, Sleeve.WRIST):
        worn |= arms
    elif cues.skin is not None:  # room for a shorter sleeve, but never less than the worn one
        worn |= _joined(arms & ~cues.skin, figure.is_in(Group.UPPER_ARM), 0.03 * skeleton.scale)
    if options.hem in (Hem.KNEE, Hem.ANKLE):
        area |= lower_area(figure, 0.0, _LEG_REACH[options.hem], options.margin) & (figure.rise > end)
    area |= grown(worn, 0.07 * options.margin * skeleton.scale)
    below = figure.is_in(Group.TORSO, Group.UPPER_LEG, Group.LOWER_LEG, Group.FOOT) & (figure.rise < end)
    return area & ~(below & ~lower_arms(figure))


def _top_end(figure: Figure, cues: Cues, wish: Hem | None) -> float:
    """Height above the hips, px, where an upper garment's mask ends on the body."""
    skeleton, torso = figure.skeleton, figure.skeleton.torso_length
    knee, ankle = (
        float(skeleton.up @ (skeleton[[left, right]].mean(0) - skeleton.hips))
        for left, right in ((LEFT.knee, RIGHT.knee), (LEFT.ankle, RIGHT.ankle))
    )
    wished = {Hem.WAIST: 0.2 * torso, Hem.HIP: -0.15 * torso, Hem.KNEE: knee, Hem.ANKLE: ankle}
    if cues.hem is not None:
        worn = cues.hem.low - 0.05 * torso
        return worn if wish is None else min(worn, wished[wish])
    # No border in sight: below the hips, where most tops have ended.
    return -0.22 * torso if wish is None else wished[wish]


def _lower(figure: Figure, cues: Cues, options: MaskOptions) -> Mask:
    """The worn bottom and room for any other, without the top that hangs over it."""
    scale, torso = figure.skeleton.scale, figure.skeleton.torso_length
    waist = 0.30 * torso if cues.hem is None else cues.hem.high + 0.03 * torso
    reach = _LEG_REACH[options.hem]
    area = lower_area(figure, waist, reach, options.margin)
    legs = figure.is_in(Group.UPPER_LEG, Group.LOWER_LEG)
    if options.hem not in (None, Hem.ANKLE):  # room for a shorter one, but never less than the worn one
        covered = np.zeros_like(legs) if cues.skin is None else legs & ~cues.skin
        legs = _joined(covered, figure.is_in(Group.UPPER_LEG), 0.03 * scale)
    worn = legs | (figure.is_in(Group.TORSO) & (figure.rise < 0.75 * waist))
    if options.protect_bag and cues.bag is not None:
        worn &= ~cues.bag
    area |= grown(worn, 0.07 * options.margin * scale)
    return area & (figure.rise < waist + 0.03 * torso)


def _joined(area: Mask, seed: Mask, radius: float) -> Mask:
    """Pieces of ``area``, rid of specks, that reach into ``seed``: a sleeve but not the watch below it."""
    pieces = connected(opened(area, radius))
    kept = np.zeros(pieces.max() + 1, bool)
    kept[np.unique(pieces[seed])] = True
    kept[0] = False
    return kept[pieces]


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
        keep |= (area & within) | figure.face
    if options.protect_hair:
        keep |= area & ~within
        if cues.hair is not None:
            keep |= cues.hair if options.protect_face else cues.hair & ~(area & within)
    return keep


def _hands(figure: Figure, cues: Cues, options: MaskOptions) -> Mask:
    """Hands that the camera sees, as far as they are to be protected."""
    if not options.protect_hands:
        return np.zeros(figure.group.shape, bool)
    return figure.hands if cues.hands is None else cues.hands


def _arms(figure: Figure) -> Mask:
    return figure.is_in(Group.UPPER_ARM, Group.LOWER_ARM, Group.HAND) & (figure.score < 1.2)


def _feet(figure: Figure) -> Mask:
    """Shoes; under a long skirt only the toes, which look out of it."""
    return figure.feet & (figure.score < 1.0) if figure.wears_long_skirt else figure.feet
