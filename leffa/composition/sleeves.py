"""Sleeves end straight across the arm, wherever on it the flow lets them end."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working
from leffa.composition.scene import Scene
from leffa.preprocess.labels import Part

LEAST_ARM = 60  # px of the frame: of a part of an arm; fewer tell no direction
BESIDE = 16.0  # px of the frame that a sleeve may be wider, on each side, than the arm in it
MOST_ASKEW = 12.0  # px of the frame that an end is moved along the arm; what lies further off is no sleeve's
EVEN = 1.5  # px of the frame, across the arm, over which an end is smoothed
LEAST_WIDE = 4  # px of the frame: narrower sleeves have no end that could be askew
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


def ended_straight(
    scene: Scene, working: Working, covered: NDArray[np.bool_], places: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """What is covered (H, W), and its flow (H, W, 2), with the ends of sleeves across their arms."""
    for side in ("LEFT", "RIGHT"):
        upper, lower, hand = (
            working.cut(np.isin(scene.reading.parts[..., 0], parts)) > 0.5 for parts in _arm(side)
        )
        for part, below in ((upper, lower), (lower, hand)):
            arm = Arm.of(part, below, working.zoom)
            if arm is not None:
                covered, places = _straight(arm, working.zoom, covered, places)
    return covered, places


def _arm(side: str) -> list[list[Part]]:
    """Parts of the upper arm, the lower arm and the hand of a side."""
    return [
        [part for part in Part if part.name.startswith(f"{side}_{name}")]
        for name in ("UPPER_ARM", "LOWER_ARM", "HAND")
    ]


def _straight(
    arm: Arm, zoom: float, covered: NDArray[np.bool_], places: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """Where a sleeve ends on one part of an arm, what ends sooner or later is drawn along it."""
    rows, columns = np.indices(covered.shape).astype(np.float32)
    x, y = columns - arm.middle[0], rows - arm.middle[1]
    down = x * arm.along[0] + y * arm.along[1]
    across = (y * arm.along[0] - x * arm.along[1]) / zoom
    width = arm.width / zoom
    strips = np.arange(-int(width + BESIDE), int(width + BESIDE) + 1)
    ends = _ends(arm, down, np.rint(across).astype(int), strips, covered)
    on_arm = ends[np.abs(strips) <= width]
    if np.isfinite(on_arm).sum() < LEAST_WIDE:
        return covered, places
    end = float(np.nanmedian(on_arm))
    off = ends - end
    known = np.abs(off) < MOST_ASKEW * zoom
    off = np.interp(strips, strips[known], off[known])
    off = cv2.GaussianBlur(off[:, None], (0, 0), EVEN, borderType=cv2.BORDER_REPLICATE)[:, 0]
    moved = np.interp(across, strips, off)
    moved *= np.clip(1 - np.abs(down - end) / (RAMP * MOST_ASKEW * zoom), 0, 1)
    moved *= np.clip((width + BESIDE - np.abs(across)) / (BESIDE / 2), 0, 1)
    to_x, to_y = (
        (at + moved * way).astype(np.float32) for at, way in zip((columns, rows), arm.along, strict=True)
    )
    drawn: NDArray[np.bool_] = cv2.remap(covered.astype(np.uint8), to_x, to_y, cv2.INTER_NEAREST) > 0
    return drawn, cv2.remap(places, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _ends(
    arm: Arm,
    down: Maps,
    strip: NDArray[np.int_],
    strips: NDArray[np.int_],
    covered: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(S,): how far ``down`` the arm each strip along it is covered; NaN where it does not end there."""
    ends = np.full(len(strips), np.nan)
    within = np.abs(down) < arm.length
    for number, which in enumerate(strips):
        here = within & (strip == which)
        laid, bare = down[here & covered], down[here & ~covered]
        if len(laid) and len(bare) and laid.min() < -arm.length / 2 and bare.max() > laid.max():
            ends[number] = laid.max()
    return ends
