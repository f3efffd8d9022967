"""What a photo's colours tell about skin, hair, hands, bags and where the top ends; no weights."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.preprocess.offline.colours import FEWEST, Colours, overlap
from leffa.preprocess.offline.drawing import Array, Mask, closed, connected, grown, opened
from leffa.preprocess.offline.figure import Figure, Group
from leffa.preprocess.offline.hem import FoundHem, find_hem

_LIKENESS = 0.25  # to the face's middle colour, in [0, 1], from which a pixel counts as skin
# Lab of OpenCV (a and b around 128) between which every human skin lies in any usual light.
_SKIN_FROM, _SKIN_TO = np.array([25, 129, 129], np.float32), np.array([252, 172, 182], np.float32)


@dataclass(frozen=True)
class Cues:
    """Found in the picture; None where it tells nothing. Maps are (H, W) bool.

    skin    looks like the person's own face
    hair    hair, a hat or a veil: what frames the face
    hem     border between top and bottom
    hands   skin of the hands; where a hand is in a pocket or a sleeve there is none
    bag     something carried that is neither body nor clothes
    """

    skin: Mask | None = None
    hair: Mask | None = None
    hem: FoundHem | None = None
    hands: Mask | None = None
    bag: Mask | None = None


def find_cues(figure: Figure, image: NDArray[np.uint8]) -> Cues:
    """``image`` (H, W, 3) uint8 RGB of the figure's size."""
    colours = Colours(image, blur=max(figure.skeleton.scale / 80, 0.5))
    skin = _skin(figure, colours)
    hem = find_hem(figure, colours, skin)
    return Cues(
        skin=skin,
        hair=_hair(figure, colours),
        hem=hem,
        hands=_hands(figure, colours, skin),
        bag=_bag(figure, colours),
    )


def _skin(figure: Figure, colours: Colours) -> Mask | None:
    """Pixels near the middle colour of the face, or of the hands where the face is cut off.

    Lightness may differ more than hue, for limbs lie in shade.
    """
    hands = figure.is_in(Group.HAND) & (figure.score < 0.8) & (figure.progress > 0)
    for place in (figure.face, hands):
        samples = colours.lab[place].astype(np.float32)
        if len(samples) < FEWEST:
            continue
        middle = np.median(samples, axis=0)
        if not np.all((middle > _SKIN_FROM) & (middle < _SKIN_TO)):
            continue  # hair, a mask, a pocket
        spread = 1.4826 * np.median(np.abs(samples - middle), axis=0)
        spread = np.clip(spread, [10, 3.5, 3.5], [28, 8, 8]) / [0.55, 1, 1]
        distance = (((colours.lab - middle) / spread.astype(np.float32)) ** 2).sum(-1)
        return distance < -8 * np.log(_LIKENESS)
    return None


def _hair(figure: Figure, colours: Colours) -> Mask | None:
    """Grow what frames the face down along the head, where its colours beat garment, neck and face."""
    head, scale = figure.skeleton.head, figure.skeleton.scale
    side = np.abs(figure.along(head.centre, head.left))
    over_chin = figure.along(head.chin, head.up)
    above_chin = over_chin > 0.3 * head.unit
    frame = figure.is_in(Group.HEAD) & above_chin & ~figure.face & (side < 1.6 * head.half_width)
    around, face = colours.learn(frame), colours.learn(figure.face)
    if around is None:
        return None
    seeds = frame if face is None else frame & (colours.log_odds(around, face) > 0.7)
    learnt = colours.learn(seeds)
    if learnt is None or np.count_nonzero(seeds) < 0.15 * np.count_nonzero(frame):
        return None  # bald, or shorn so short that it makes no difference
    throat = ~above_chin & (side < 0.5 * head.half_width) & figure.is_in(Group.HEAD)
    likely = _likelier_than_rivals(figure, colours, learnt, throat)

    area = _hair_reach(figure, colours, learnt) & (above_chin | (side > 0.55 * head.half_width))
    # Hair that goes on below the chin passes the jaws; else what is down there is a scarf or a collar.
    jaws = (over_chin > 0.5 * head.unit) & (over_chin < 1.2 * head.unit) & (side > 0.7 * head.half_width)
    if np.count_nonzero(area & likely & jaws) < 0.2 * head.unit**2:
        area &= above_chin
    pieces = connected(opened((area & likely & ~figure.face) | seeds, 0.02 * scale) | seeds)
    share = np.bincount(pieces[seeds], minlength=pieces.max() + 1) > 0.05 * np.count_nonzero(seeds)
    share[0] = False
    found = share[pieces]
    return found | (grown(found, 0.03 * scale) & area & likely)  # the ends that opening rounds off


def _likelier_than_rivals(figure: Figure, colours: Colours, learnt: Array, throat: Mask) -> Mask:
    """Where colours are likelier those learnt than the garment's, the throat's or the face's."""
    skeleton = figure.skeleton
    torso = figure.is_in(Group.TORSO) & (np.abs(figure.lateral) < 0.35 * skeleton.scale)
    torso &= (figure.rise < 0.85 * skeleton.torso_length) & (figure.rise > 0)
    rivals = [model for model in map(colours.learn, (torso, throat | figure.face)) if model is not None]
    odds = np.clip(colours.log_odds(learnt, *rivals), -4, 4)
    return cv2.GaussianBlur(odds, (0, 0), max(0.02 * skeleton.scale, 0.6)) > 0


def _hair_reach(figure: Figure, colours: Colours, learnt: Array) -> Mask:
    """How far from the head hair is looked for.

    Where the garment that long hair would hang over has its colour, only what is close to the face counts.
    """
    skeleton, head = figure.skeleton, figure.skeleton.head
    beside = figure.is_in(Group.TORSO, Group.UPPER_ARM) & (np.abs(figure.lateral) > 0.2 * skeleton.scale)
    beside &= (figure.rise < 0.6 * skeleton.torso_length) & (figure.rise > 0) & (figure.score < 1.2)
    alike = overlap(learnt, colours.learn(beside)) > 0.5
    reach, lowest = (1.4, 0.75) if alike else (2.2, 0.35)
    side = np.abs(figure.along(head.centre, head.left))
    near = (side < reach * head.half_width) & (figure.rise > lowest * skeleton.torso_length)
    return figure.inside & near


def _hands(figure: Figure, colours: Colours, skin: Mask | None) -> Mask:
    """Skin where the hands should be; a gloved hand counts as a whole, one in a pocket not at all."""
    scale = figure.skeleton.scale
    bare = np.zeros(figure.group.shape, bool) if skin is None else skin
    fabric = colours.learn(figure.is_in(Group.TORSO, Group.UPPER_LEG) & ~bare & ~figure.hands)
    places = figure.hands | (figure.is_in(Group.HAND) & (figure.progress > 0))
    pieces = connected(figure.hands)
    hands = np.zeros(figure.group.shape, bool)
    for piece in range(1, pieces.max() + 1):
        here = pieces == piece
        if bare[here].mean() > 0.25:
            found = closed(bare & grown(here, 0.06 * scale) & places, 0.05 * scale)
            hands |= grown(found, 0.02 * scale) & figure.inside  # with the rim where colours mix
        elif fabric is None or overlap(colours.learn(here), fabric) < 0.4:
            hands |= here
    return hands


def _bag(figure: Figure, colours: Colours) -> Mask | None:
    """What hangs beside the legs, far from every limb but near a hand, in no garment's colours."""
    scale = figure.skeleton.scale
    worn = figure.is_in(Group.TORSO, Group.UPPER_LEG, Group.UPPER_ARM) & (figure.score < 1.1)
    garments = colours.learn(worn)
    beside = figure.is_in(Group.UPPER_LEG, Group.LOWER_LEG, Group.HAND) & (figure.score > 1.45)
    pieces = connected(opened(beside, 0.03 * scale))
    near_hands = grown(figure.is_in(Group.HAND), 0.2 * scale)
    bag = np.zeros(figure.group.shape, bool)
    for piece in np.flatnonzero(np.bincount(pieces.ravel())[1:] > 0.08 * scale**2) + 1:
        here = pieces == piece
        if np.any(near_hands & here) and overlap(colours.learn(here), garments) < 0.35:
            bag |= here
    return bag if bag.any() else None
