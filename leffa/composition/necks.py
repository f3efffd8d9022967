"""Necklines as the product shot has them: round, whole, with their rib."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working, warped
from leffa.composition.cloth import LONGEST, sure_cloth
from leffa.composition.flows import between
from leffa.composition.scene import Scene
from leffa.composition.steady import End, Hung
from leffa.preprocess.offline.drawing import grown, opened

DEEPEST = 0.4  # of a product shot's height: what is open further down is no neck
WIDTHS = (0.18, 0.6)  # of the garment's size, the root of its area, that a neck is wide: not gaps of ruffles
SHALLOWEST = 0.2  # of its width that a neck is deep: less is seen of one whose inside was not told
WORN_OUT = 1.5  # px of a shot ``LONGEST`` px long: what of the inside is left at a neckline
ASIDE = 0.1  # of its width that a neck may be off its middle
SIZES = (0.2, 0.4)  # of the garment's size: what counts as the neck's at least and at most
ROOM = 16.0  # px of the frame around these that a neckline may lie
THIN = 2.0  # px of the frame: half the width of what is too narrow to be laid beside a neck
THROAT = 0.2  # of the head's size: so near to a head only what is said counts, or a collar's inside is laid
BUMP = 9.0  # px of the frame that a shoulder may rise above the garment on it


@dataclass(frozen=True)
class Neck:
    """The neck of a product shot, and (h, w) in {0, 1} what is bare in it: its opening and all above."""

    end: End
    bare: Maps

    @classmethod
    def of(cls, shown: NDArray[np.uint8]) -> "Neck | None":
        """Of a product shot's garment (h, w), 255; None of one without an opening between its shoulders."""
        outline = sure_cloth(shown)
        opening, size = _largest(neck_opening(outline) > 0), float(np.sqrt(outline.sum()))
        columns, middles = np.flatnonzero(opening.any(0)), np.flatnonzero(outline.any(0))
        if not WIDTHS[0] * size < len(columns) < WIDTHS[1] * size:
            return None
        if opening.any(1).sum() < SHALLOWEST * len(columns):
            return None
        aside = (columns[0] + columns[-1] - middles[0] - middles[-1]) / 2
        if abs(aside) > ASIDE * len(middles):
            return None
        bottom = len(opening) - opening[::-1].argmax(0)
        bare = opening.any(0) & (np.arange(len(opening))[:, None] < bottom) & (outline == 0)
        away = cv2.distanceTransform((~opening).astype(np.uint8), cv2.DIST_L2, 5)
        wide = min(max(len(columns), SIZES[0] * size), SIZES[1] * size)
        left = WORN_OUT * max(outline.shape) / LONGEST
        return cls(End.of(outline, away / wide), grown(bare, left).astype(np.float32))


def neck_opening(outline: NDArray[np.uint8]) -> Maps:
    """(h, w) in {0, 1}: of a product shot's outline, what is open to above between its shoulders."""
    cloth = outline > 0
    rows = np.flatnonzero(cloth.any(1))
    opening = between(cloth) & ~np.maximum.accumulate(cloth, axis=0)
    if not len(rows):  # too thin for its rim to be taken off
        return opening.astype(np.float32)
    opening[round(rows[0] + DEEPEST * (rows[-1] - rows[0])) :] = False
    return opening.astype(np.float32)


def _largest(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece of something (h, w)."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8))
    stats[0, cv2.CC_STAT_AREA] = 0
    largest: NDArray[np.bool_] = (pieces == stats[:, cv2.CC_STAT_AREA].argmax()) & where
    return largest


def throat_of(scene: Scene, working: Working) -> NDArray[np.bool_]:
    """(H, W): the head, and what is so near to it that a garment is laid only where it is said to be."""
    head = working.cut(scene.reading.head) > 0.5
    return grown(head, THROAT * float(np.sqrt(head.sum())))


def with_its_neck(
    scene: Scene, working: Working, covered: NDArray[np.bool_], places: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """What is covered (H, W), and its flow (H, W, 2), with the product shot's own neckline.

    Where the flow shows what is around the neck it is made steady, and the shot's outline decides. Beside the
    neckline the garment reaches up to the shoulders, within it nothing is laid.
    """
    neck = None if scene.is_worn else Neck.of(scene.shown)
    if neck is None:
        return covered, places
    hung = Hung.of(neck.end, working, covered, places, ROOM)
    if hung is None:
        return covered, places
    bare = (warped(neck.bare, hung.places) > 0.5) & (np.abs(hung.places[..., 0]) < 1)
    person = working.cut(scene.reading.silhouette) > 127
    upwards = np.ones((max(1, round(BUMP * working.zoom)), 1), np.uint8)
    shoulder = cv2.dilate((hung.on & hung.zone).astype(np.uint8), upwards, anchor=(0, 0)) > 0
    kept = (covered | (hung.zone & person & (hung.on | shoulder))) & ~(bare & hung.near)
    kept = (covered & kept) | opened(kept, THIN * working.zoom)
    return hung.laid(working, kept, covered, places)
