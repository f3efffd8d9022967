"""Hems of tops, dresses and skirts as the product shot has them: even, whole, with their trim."""

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working
from leffa.composition.cloth import sure_cloth
from leffa.composition.scene import Scene
from leffa.composition.shot import sleeves_of
from leffa.composition.steady import End, Hung

LOWEST = 0.12  # of the garment's height: a hem's lowest and highest points are that near to each other
SIZE = 0.22  # of the garment's size, the root of its area: around a hem, what tells how it hangs
ROOM = 8.0  # px of the frame around that, that a hem may lie
MOST_MOVED = 6.0  # px of the frame that a hem is moved up or down; where it ends, the flow itself tells


def hem_of(shown: NDArray[np.uint8]) -> End | None:
    """Of a product shot's garment (h, w), 255: where its trunk ends; None of one that is too thin."""
    outline = sure_cloth(shown)
    trunk = outline > 0
    for sleeve in sleeves_of(trunk):
        trunk &= ~sleeve.cloth
    rows = np.flatnonzero(trunk.any(1))
    if not len(rows):
        return None
    ends = np.where(trunk.any(0), len(trunk) - trunk[::-1].argmax(0), 0)
    ends[ends <= rows[-1] + 1 - LOWEST * len(rows)] = -1
    below = np.arange(len(trunk) + 1)[:, None] == ends  # a row more: a hem may be the picture's end
    away = cv2.distanceTransform((~below).astype(np.uint8), cv2.DIST_L2, 5)[:-1]
    return End.of(outline, away / (SIZE * float(np.sqrt(outline.sum()))))


def with_its_hem(
    scene: Scene, working: Working, covered: NDArray[np.bool_], places: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """What is covered (H, W), and its flow (H, W, 2), with the product shot's own hem.

    Where the flow shows what is around the hem it is made steady, and near to where the garment ended before
    the shot's outline decides where it does; no wider than it was.
    """
    hem = None if scene.is_worn else hem_of(scene.shown)
    hung = None if hem is None else Hung.of(hem, working, covered, places, ROOM)
    if hung is None:
        return covered, places
    up_and_down = np.ones((2 * round(MOST_MOVED * working.zoom) + 1, 1), np.uint8)
    edge = cv2.morphologyEx(covered.astype(np.uint8), cv2.MORPH_GRADIENT, up_and_down) > 0
    return hung.laid(working, np.where(hung.zone & edge, hung.on, covered), covered, places)
