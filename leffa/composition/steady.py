"""A flow near one end of a garment without its waves: the polynomial of the place that fits it best.

The refinement is right about where a garment is to a few pixels, and wavy by as many: enough to fray a
neckline. Cloth near an end of a garment hangs in one piece, so a polynomial that the flow around that end
agrees on carries the product shot's own outline: round necklines, straight hems, ribs of one width.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working, on_picture, warped
from leffa.composition.cloth import LONGEST
from leffa.composition.flows import from_nearest
from leffa.preprocess.offline.drawing import disc, grown

Where = NDArray[np.bool_]

DEGREE = 2
ROUNDS = 6  # of weighing what does not fit less
OFF = 2.0  # times the median distance: a place that is off by so much counts half
MOST = 6000  # places that are looked at: more tell no more
LEAST_OFF = 1e-4  # of what [-1, 1] spans: nothing fits better
INNER, OUTER = 0.3, 0.7  # of the end's size around it: the steady flow holds; its own does
DEEP = 4.0  # px of a shot ``LONGEST`` px long: nearer to its outline a flow is less sure
RAGGED = 2.0  # px of such a shot: shorter waves of its outline are the cut-out's
LEAST = 300  # px of the frame around an end: fewer tell no flow


@dataclass(frozen=True)
class End:
    """A neck or a hem of a garment on its product shot, at most ``LONGEST`` px long.

    cloth  (h, w) in [0, 1]: the garment
    deep   (h, w) in {0, 1}: well inside it
    away   (h, w): how far from the end, in its size
    """

    cloth: Maps
    deep: Maps
    away: Maps

    @classmethod
    def of(cls, outline: NDArray[np.uint8], away: Maps) -> "End":
        """Of a garment (h, w) in {0, 1}."""
        px = max(outline.shape) / LONGEST
        return cls(
            cv2.GaussianBlur(outline.astype(np.float32), (0, 0), RAGGED * px),
            cv2.erode(outline, disc(DEEP * px)).astype(np.float32),
            away.astype(np.float32),
        )


@dataclass(frozen=True)
class Hung:
    """How an end of a garment hangs on a photo, by the steady flow around it.

    places  (H, W, 2), the steady flow
    near    (H, W): where it may be trusted
    zone    (H, W): so near to the end that it holds
    on      (H, W): where it shows the garment
    """

    end: End
    places: Maps
    near: Where
    zone: Where
    on: Where

    @classmethod
    def of(cls, end: End, working: Working, covered: Where, places: Maps, room: float) -> "Hung | None":
        """By what is covered (H, W) and its flow (H, W, 2) around an end; None where too little of it is.

        room  px of the frame around what tells the flow that the end may lie in
        """
        around = covered & (warped(end.deep, places) > 0.5) & (warped(end.away, places) < 1)
        if around.sum() < LEAST * working.zoom**2:
            return None
        smooth = steady(places, around)
        near = grown(around, room * working.zoom)
        zone = near & (warped(end.away, smooth) < INNER)
        on = (warped(end.cloth, smooth) > 0.5) & on_picture(smooth)
        return cls(end, smooth, near, zone, on)

    def laid(self, working: Working, kept: Where, covered: Where, places: Maps) -> tuple[Where, Maps]:
        """What is ``kept`` (H, W), and its flow (H, W, 2), steady at the end and its own elsewhere.

        ``covered`` and ``places``, what was there before, if nothing of the kept shows cloth.
        """
        away = np.where(self.near, warped(self.end.away, self.places), np.inf)
        share = np.clip((OUTER - away) / (OUTER - INNER), 0, 1)[..., None]
        blended = (places + share**2 * (3 - 2 * share) * (self.places - places)).astype(np.float32)
        good = (warped(self.end.deep, blended) > 0.5) | (self.zone & self.on)
        if not (kept & good).any():
            return covered, places
        changed = (share[..., 0] > 0) | (kept != covered)
        laid_anew = from_nearest(working, blended, kept & good, good)
        return kept, np.where(changed[..., None], laid_anew, places)


def steady(places: Maps, where: NDArray[np.bool_], degree: int = DEGREE) -> Maps:
    """A flow (H, W, 2) as the polynomial that fits it best ``where`` (H, W) it is given; float32.

    It is told for all places, and trustworthy near those. Distances on the product shot are of [-1, 1] along
    either axis.
    """
    rows, columns = np.nonzero(where)
    if not len(rows):
        return places
    middle = np.array([columns.mean(), rows.mean()])
    scale = max(float(columns.std()), float(rows.std()), 1.0)
    every = max(1, len(rows) // MOST)
    at = np.stack([columns[::every], rows[::every]], 1)
    terms = _terms((at - middle) / scale, degree)
    factors = fitted(terms, places[at[:, 1], at[:, 0]], LEAST_OFF)
    height, width = places.shape[:2]
    x, y = ((np.arange(size) - own) / scale for size, own in zip((width, height), middle, strict=True))
    smooth = np.zeros_like(places, np.float32)
    for (i, j), factor in zip(_powers(degree), factors, strict=True):
        product = np.outer(y**j, x**i).astype(np.float32)
        for axis in (0, 1):
            smooth[..., axis] += np.float32(factor[axis]) * product
    return smooth


def fitted(terms: NDArray[np.float64], given: NDArray, least_off: float) -> NDArray[np.float64]:
    """(K, C) what the terms (N, K) are multiplied by to fit values (N, C) best.

    Least squares weighed again by how far each is off (Cauchy's weights); ``least_off`` counts as none.
    """
    weights = np.ones(len(terms))
    for _ in range(ROUNDS):
        roots = np.sqrt(weights)[:, None]
        factors: NDArray[np.float64] = np.linalg.lstsq(terms * roots, given * roots, rcond=None)[0]
        off = np.linalg.norm(given - terms @ factors, axis=1)
        weights = 1 / (1 + (off / (OFF * max(float(np.median(off)), least_off))) ** 2)
    return factors


def _powers(degree: int) -> list[tuple[int, int]]:
    """Of x and y in each term."""
    return [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]


def _terms(at: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """(N, K) products of powers of places (N, 2) up to a degree."""
    return np.stack([at[:, 0] ** i * at[:, 1] ** j for i, j in _powers(degree)], -1)
