"""What somebody wears, cut out of their photo by body parts and colours: a garment for somebody else.

The seam for a better parser: whatever tells the worn garment's pixels can take the place of ``worn_region``.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.config import Garment
from leffa.preprocess.labels import Landmark
from leffa.preprocess.offline.colour_cues import Cues, find_cues
from leffa.preprocess.offline.drawing import Mask, opened, without_tiny
from leffa.preprocess.offline.figure import Figure, Group
from leffa.preprocess.offline.pose import Person

LEAST_AREA = 0.12  # of the picture: a smaller body in a product shot is a fold or a print
LEAST_SEEN = 0.7  # mean visibility of the landmarks
LEAST_BARE = 0.015  # of the silhouette: with less skin nobody is there
_WORKING_SIDE = 640  # px
_LEAST_CLOTH = 0.35  # of what may be covered: with less of it left, skin and cloth are of one colour
_SMALL = 0.05  # of the largest piece: what is smaller is no part of a garment


def is_worn(image: NDArray[np.uint8], person: Person, has_face: bool) -> bool:
    """Whether somebody found on a garment's picture is really there: with a face, or large, clear and bare.

    Of 34 product shots it says so of none, of 15 people whose heads are cut off of all: two of the shots look
    like people and show no skin, the people 3.5 % of their silhouette or more.
    """
    seen = float(person.landmarks[: Landmark.LEFT_KNEE, 3].mean())
    if has_face or person.area < LEAST_AREA or seen < LEAST_SEEN:
        return has_face
    figure, cues = _looked_at(image, person)
    return cues.skin is not None and np.count_nonzero(cues.skin & figure.inside) > LEAST_BARE * max(
        1, np.count_nonzero(figure.inside)
    )


def _looked_at(image: NDArray[np.uint8], person: Person) -> tuple[Figure, Cues]:
    """The person and what colours tell of them, at the working size."""
    figure, small = Figure.at_most(_WORKING_SIDE, person.landmarks, person.silhouette, image)
    assert small is not None  # a picture was given
    return figure, find_cues(figure, small)


def worn_region(image: NDArray[np.uint8], person: Person, garment: Garment) -> NDArray[np.uint8]:
    """(H, W) uint8, 255 = the garment of this kind that ``person`` wears, of a photo (H, W, 3) uint8 RGB."""
    figure, cues = _looked_at(image, person)
    region, dressed = _region(figure, cues, garment), _region(figure, replace(cues, skin=None), garment)
    if np.count_nonzero(region) < _LEAST_CLOTH * np.count_nonzero(dressed):
        region = dressed  # a garment of the colour of skin
    region = without_tiny(opened(region, 0.02 * figure.skeleton.scale), _SMALL)
    size = (image.shape[1], image.shape[0])
    smooth = cv2.resize(region.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.where(smooth >= 0.5, 255, 0).astype(np.uint8)


def _region(figure: Figure, cues: Cues, garment: Garment) -> Mask:
    head = figure.skeleton.head
    collar = figure.is_in(Group.HEAD) & (figure.along(head.chin, head.up) < -0.4 * head.unit)
    above = figure.is_in(Group.TORSO, Group.UPPER_ARM, Group.LOWER_ARM) | collar
    below = figure.is_in(Group.UPPER_LEG, Group.LOWER_LEG) | figure.is_in(Group.TORSO)
    cloth = figure.inside & ~figure.face
    for other in (cues.skin, cues.hair, cues.hands, cues.bag):
        if other is not None:
            cloth &= ~other
    cloth &= ~figure.feet
    if garment is Garment.DRESS:
        return cloth & (above | below)
    torso = figure.skeleton.torso_length
    hem = -0.1 * torso if cues.hem is None else cues.hem.high
    if garment is Garment.UPPER:
        arms = figure.is_in(Group.UPPER_ARM, Group.LOWER_ARM)
        return cloth & ((above & (figure.rise > hem)) | arms)
    return cloth & below & (figure.rise < hem)
