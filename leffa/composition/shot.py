"""Where the sleeves are on a product shot, by its outline alone: beside the trunk, from the armpits on."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.flows import between

LEAST_ASIDE = 0.05  # of the garment's width from its middle: what is nearer is no armpit
HIGHEST, LOWEST = 0.1, 0.8  # of its height: an armpit is between
LEAST_GAP = 0.1  # of its height that a gap between a sleeve and the trunk is long
LEAST_DEEP = 0.03  # of the root of its area: a notch of its outline that is less deep is no armpit
LEAST_SLEEVE = 0.04  # of its area: what is smaller is a strap or a frill
SHORT = 1.3  # times the width between the armpits that a short sleeve reaches from its shoulder


@dataclass(frozen=True)
class ShotSleeve:
    """A sleeve on a product shot: its cloth (h, w), and whether it ends above the elbow."""

    cloth: NDArray[np.bool_]
    is_short: bool


def sleeves_of(cloth: NDArray[np.bool_]) -> list[ShotSleeve]:
    """The sleeves of a garment of this outline (h, w), at most one a side; none that hides its armpit."""
    rows, columns = np.nonzero(cloth)
    if not len(rows):
        return []
    left, right = int(columns.min()), int(columns.max())
    found = [_sleeve(cloth, side, left, right) for side in (-1, 1)]
    return [sleeve for sleeve in found if sleeve is not None]


def _sleeve(cloth: NDArray[np.bool_], side: int, left: int, right: int) -> ShotSleeve | None:
    """The sleeve on the left (-1) or the right (1) of a garment between two columns."""
    middle = (left + right) / 2
    aside = LEAST_ASIDE * (right - left)
    armpit = _by_gap(cloth, side, middle, aside) or _by_notch(cloth, side, middle, aside)
    if armpit is None:
        return None
    column, row = armpit
    outer = cloth & ((np.arange(cloth.shape[1])[None] - column) * side > 0)
    _, pieces = cv2.connectedComponents(outer.astype(np.uint8))
    own = outer & np.isin(pieces, np.unique(pieces[: row + 1][outer[: row + 1]]))
    if own.sum() < LEAST_SLEEVE * cloth.sum():
        return None
    shoulder = int(cloth[:, round(column)].argmax())
    rows, columns = np.nonzero(own)
    reach = float(np.percentile(np.hypot(columns - column, rows - shoulder), 99))
    return ShotSleeve(own, reach < SHORT * 2 * abs(column - middle))


def _by_gap(cloth: NDArray[np.bool_], side: int, middle: float, aside: float) -> tuple[float, int] | None:
    """Column and row of the armpit above a gap between trunk and sleeve, if there is one."""
    rows = np.flatnonzero(cloth.any(1))
    top, height = rows[0], rows[-1] - rows[0] + 1
    gaps = between(cloth) & np.maximum.accumulate(cloth, axis=0)
    gaps[: round(top + HIGHEST * height)] = False
    gaps &= (np.arange(cloth.shape[1])[None] - middle) * side > aside
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(gaps.astype(np.uint8))
    first, long = stats[:, cv2.CC_STAT_TOP], stats[:, cv2.CC_STAT_HEIGHT]
    fit = (long > LEAST_GAP * height) & (first < top + LOWEST * height)
    fit[0] = False
    if not fit.any():
        return None
    largest = int(np.where(fit, stats[:, cv2.CC_STAT_AREA], 0).argmax())
    row = int(first[largest])
    return float(np.flatnonzero(pieces[row] == largest).mean()), row


def _by_notch(cloth: NDArray[np.bool_], side: int, middle: float, aside: float) -> tuple[float, int] | None:
    """Column and row of the deepest notch of the outline between a sleeve that stands off and the hem."""
    rows = np.flatnonzero(cloth.any(1))
    top, height = rows[0], rows[-1] - rows[0] + 1
    outlines, _ = cv2.findContours(cloth.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    if len(outline) < 4:
        return None
    corners = np.sort(cv2.convexHull(outline, returnPoints=False), axis=0)
    notches = cv2.convexityDefects(outline, corners)
    deepest, armpit = LEAST_DEEP * float(np.sqrt(cloth.sum())), None
    for start, end, bottom, depth in () if notches is None else notches[:, 0]:
        column, row = outline[bottom, 0]
        aside_of = [(outline[place, 0, 0] - middle) * side for place in (start, end, bottom)]
        if min(aside_of) > aside and HIGHEST < (row - top) / height < LOWEST and depth / 256 > deepest:
            deepest, armpit = depth / 256, (float(column), int(row))
    return armpit
