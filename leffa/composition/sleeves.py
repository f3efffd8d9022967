"""Sleeves end straight across the arm, wherever on it the flow lets them end."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working
from leffa.composition.scene import Scene
from leffa.preprocess.labels import Part, parts_named

LEAST_ARM = 60  # px of the frame: of a part of an arm; fewer tell no direction
BESIDE = 16.0  # px of the frame that a sleeve may be wider, on each side, than the arm in it
MOST_ASKEW = 12.0  # px of the frame that an end is moved along the arm; what lies further off is no sleeve's
EVEN = 1.5  # px of the frame, across the arm, over which an end is smoothed
LEAST_WIDE = 4  # px of the frame: narrower sleeves have no end that could be askew
APART = 3.0  # px of the frame over which a sleeve gives way to the cloth of the trunk beside it
WHOLE = 0.9  # of an upper arm: a sleeve that covers so much goes on below the elbow
AWAY = 0.75  # of half an arm's part from its middle: nearer to a joint the arm bends
RAMP = 2.0  # times what it is moved: as far from its end a sleeve is drawn


@dataclass(frozen=True)
class Arm:
    """Part of an arm: its middle, the direction (x, y) to the hand, half its length and width; px."""

    middle: NDArray[np.float64]
    along: NDArray[np.float64]
    length: float
    width: float

    @classmethod
    def of(cls, part: NDArray[np.bool_], below: NDArray[np.bool_], zoom: float) -> "Arm | None":
        """Of a part of an arm (H, W) and what is ``below`` it; None where either is not seen."""
        if part.sum() < LEAST_ARM * zoom**2 or not below.any():
            return None
        places, hand = np.argwhere(part)[:, ::-1].astype(np.float64), np.argwhere(below)[:, ::-1].mean(0)
        middle = places.mean(0)
        spreads, axes = np.linalg.eigh(np.cov((places - middle).T))
        along = axes[:, 1] if (hand - middle) @ axes[:, 1] >= 0 else -axes[:, 1]
        width, length = np.sqrt(3 * np.maximum(spreads, 1e-6))  # of a rectangle
        return cls(middle, along, float(length), float(width))

    def around(self, room: float, size: Sequence[int]) -> tuple[slice, slice]:
        """The box of a map of this ``size`` that has all within ``room`` px of it."""
        reach = np.abs(self.along) * self.length + room
        last = np.array(size[1::-1]) - 1
        low, high = (np.clip(self.middle + way * reach, 0, last).astype(int) for way in (-1, 1))
        return slice(low[1], high[1] + 1), slice(low[0], high[0] + 1)


def ended_straight(
    scene: Scene, working: Working, covered: NDArray[np.bool_], places: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """What is covered (H, W), and its flow (H, W, 2), with the ends of sleeves across their arms."""
    parts = scene.reading.parts[..., 0]
    for side in ("LEFT", "RIGHT"):
        upper, lower, hand = (working.cut(np.isin(parts, own)) > 0.5 for own in parts_of_arm(side))
        others = (
            working.cut((parts > 0) & ~np.isin(parts, [part for own in parts_of_arm(side) for part in own]))
            > 0.5
        )
        over_the_elbow = upper.any() and covered[upper].mean() > WHOLE
        part, below = (lower, hand) if over_the_elbow else (upper, lower)
        arm = Arm.of(part, below, working.zoom)
        if arm is not None:
            covered, places = _straight(arm, part, others, working.zoom, covered, places)
    return covered, places


def parts_of_arm(side: str) -> list[tuple[Part, ...]]:
    """Parts of the upper arm, the lower arm and the hand of a side."""
    return [parts_named(side, name) for name in ("UPPER_ARM", "LOWER_ARM", "HAND")]


def _straight(
    arm: Arm,
    part: NDArray[np.bool_],
    others: NDArray[np.bool_],
    zoom: float,
    covered: NDArray[np.bool_],
    places: Maps,
) -> tuple[NDArray[np.bool_], Maps]:
    """Where a sleeve ends on one part of an arm, what ends sooner or later is drawn along it.

    others  (H, W): the body without this arm; what is nearer to it is no sleeve
    """
    here = arm.around(arm.width + (BESIDE + MOST_ASKEW) * zoom, covered.shape)
    rows, columns = np.mgrid[here].astype(np.float32)
    x, y = columns - arm.middle[0], rows - arm.middle[1]
    down = x * arm.along[0] + y * arm.along[1]
    across = (y * arm.along[0] - x * arm.along[1]) / zoom
    width = arm.width / zoom
    to_arm, to_others = (
        cv2.distanceTransform((~where[here]).astype(np.uint8), cv2.DIST_L2, 5) for where in (part, others)
    )
    of_arm = np.clip((to_others - to_arm) / (APART * zoom), 0, 1)
    most = int(width + BESIDE)
    strips = np.arange(-most, most + 1)
    strip = np.where(of_arm > 0, np.rint(across).astype(int) + most, -1)
    ends = _ends(arm, down, strip, len(strips), covered[here])
    on_arm = ends[np.abs(strips) <= width]
    if np.isfinite(on_arm).sum() < LEAST_WIDE:
        return covered, places
    end = float(np.nanmedian(on_arm))
    off = ends - end
    known = np.abs(off) < MOST_ASKEW * zoom
    if not known.any() or abs(end) > AWAY * arm.length:
        return covered, places
    off = np.interp(strips, strips[known], off[known])
    off = cv2.GaussianBlur(off[:, None], (0, 0), EVEN, borderType=cv2.BORDER_REPLICATE)[:, 0]
    moved = np.interp(across, strips, off) * of_arm
    moved *= np.clip(1 - np.abs(down - end) / (RAMP * MOST_ASKEW * zoom), 0, 1)
    moved *= np.clip((width + BESIDE - np.abs(across)) / (BESIDE / 2), 0, 1)
    to_x, to_y = (
        (at + moved * way).astype(np.float32) for at, way in zip((columns, rows), arm.along, strict=True)
    )
    drawn, flow = covered.copy(), places.copy()
    drawn[here] = cv2.remap(covered.astype(np.uint8), to_x, to_y, cv2.INTER_NEAREST) > 0
    flow[here] = cv2.remap(places, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return drawn, flow


def _ends(
    arm: Arm, down: Maps, strip: NDArray[np.int_], count: int, covered: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(count,): how far ``down`` the arm each strip of it is covered; NaN where it does not end there."""
    within = (np.abs(down) < arm.length) & (strip >= 0) & (strip < count)
    laid, bare = within & covered, within & ~covered
    first, last, open_end = (np.full(count, start) for start in (np.inf, -np.inf, -np.inf))
    np.minimum.at(first, strip[laid], down[laid])
    np.maximum.at(last, strip[laid], down[laid])
    np.maximum.at(open_end, strip[bare], down[bare])
    return np.where((first < -arm.length / 2) & (open_end > last), last, np.nan)
