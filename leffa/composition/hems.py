"""Hems of tops, dresses and skirts as the product shot has them: even, whole, with their trim."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working, warped
from leffa.composition.cloth import LONGEST, sure_cloth
from leffa.composition.flows import from_nearest
from leffa.composition.scene import Scene
from leffa.composition.shot import sleeves_of
from leffa.composition.steady import steady
from leffa.preprocess.offline.drawing import disc, grown

LOWEST = 0.12  # of the garment's height: a hem's lowest and highest points are that near to each other
SIZE = 0.22  # of the garment's size, the root of its area: around a hem, what tells how it hangs
INNER, OUTER = 0.3, 0.7  # of that size: the steady flow holds; its own does
DEEP, RAGGED = 4.0, 2.0  # px of a shot ``LONGEST`` px long: off the outline the flow is sure; its own waves
LEAST = 300  # px of the frame around a hem: fewer tell no flow
ROOM = 8.0  # px of the frame around these that a hem may lie
MOST_MOVED = 6.0  # px of the frame that a hem is moved; where it ends, the flow itself tells


@dataclass(frozen=True)
class Hem:
    """On a product shot at most ``LONGEST`` px long.

    cloth  (h, w) in [0, 1]: the garment
    deep   (h, w) in {0, 1}: well inside it
    away   (h, w): how far from the hem, in ``SIZE``
    """

    cloth: Maps
    deep: Maps
    away: Maps

    @classmethod
    def of(cls, shown: NDArray[np.uint8]) -> "Hem | None":
        """Of a product shot's garment (h, w), 255; None of one that is too thin."""
        outline = sure_cloth(shown)
        trunk = outline > 0
        for sleeve in sleeves_of(trunk):
            trunk &= ~sleeve.cloth
        rows = np.flatnonzero(trunk.any(1))
        if not len(rows):
            return None
        ends = np.where(trunk.any(0), len(trunk) - trunk[::-1].argmax(0), 0)
        low = ends > rows[-1] + 1 - LOWEST * len(rows)
        below = (
            np.arange(len(trunk) + 1)[:, None] == ends
        )  # with a row more: a hem may be at the picture's end
        below &= low
        away = cv2.distanceTransform((~below).astype(np.uint8), cv2.DIST_L2, 5)[:-1]
        px = max(outline.shape) / LONGEST
        return cls(
            cv2.GaussianBlur(outline.astype(np.float32), (0, 0), RAGGED * px),
            cv2.erode(outline, disc(DEEP * px)).astype(np.float32),
            away / (SIZE * float(np.sqrt(outline.sum()))),
        )


def with_its_hem(
    scene: Scene, working: Working, covered: NDArray[np.bool_], places: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """What is covered (H, W), and its flow (H, W, 2), with the product shot's own hem.

    Where the flow shows what is around the hem it is made steady, and near to where the garment ended before
    the shot's outline decides where it does.
    """
    hem = None if scene.is_worn else Hem.of(scene.shown)
    if hem is None:
        return covered, places
    around = covered & (warped(hem.deep, places) > 0.5) & (warped(hem.away, places) < 1)
    if around.sum() < LEAST * working.zoom**2:
        return covered, places
    smooth = steady(places, around)
    away = np.where(grown(around, ROOM * working.zoom), warped(hem.away, smooth), np.inf)
    zone = away < INNER
    on = (warped(hem.cloth, smooth) > 0.5) & (np.abs(smooth) < 1).all(-1)
    up_and_down = np.ones((2 * round(MOST_MOVED * working.zoom) + 1, 1), np.uint8)
    edge = cv2.morphologyEx(covered.astype(np.uint8), cv2.MORPH_GRADIENT, up_and_down) > 0
    kept = np.where(zone & edge, on, covered)
    share = np.clip((OUTER - away) / (OUTER - INNER), 0, 1)[..., None]
    blended = (places + share**2 * (3 - 2 * share) * (smooth - places)).astype(np.float32)
    good = (warped(hem.deep, blended) > 0.5) | (zone & on)
    if not (kept & good).any():
        return covered, places
    return kept, from_nearest(working, blended, kept & good, good)
