"""Legs of trousers: each straight along a leg of the photo, with its product shot's own outline and hem.

The refinement is right about how long and how wide trousers are, but it bows and waves their legs. A leg is
laid anew by a map that can do neither: along it a parabola of the flow, across it one scale about a middle
that is a parabola on the photo and on the product shot. A leg then covers what lands on its cloth.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.polynomial import Polynomial
from numpy.polynomial.polynomial import polyvander
from numpy.polynomial.polyutils import mapdomain
from numpy.typing import NDArray

from leffa.composition.canvas import Maps, Working
from leffa.composition.cloth import sure_cloth
from leffa.composition.edges import share_of
from leffa.composition.flows import between, from_nearest
from leffa.composition.length import TORSO
from leffa.composition.scene import Scene
from leffa.composition.steady import fitted
from leffa.preprocess.labels import parts_named
from leffa.preprocess.offline.drawing import disc, opened, signed_distance
from leffa.preprocess.offline.parsing import Seen

SIDES = tuple(parts_named(side, "LEG") for side in ("RIGHT", "LEFT"))  # as seen from before
LEAST_GAP = 0.3  # of a product shot's height: what is open between its legs for less is no trousers' gap
WHOLE_HEM = 0.7  # of a leg's usual width near its end: what is narrower hangs out of it
NEAR_HEM = 0.2  # of a leg's length: so near to its end it has its hem's width
CLOSE = 0.15  # of a leg's length on its shot: so near to its hem it ended before
LEAST_LEG = 40  # px of the frame: a leg of the photo that is seen for less tells no direction
BESIDE = 4.0  # px of the frame that old trousers reach beyond the part map
SKIRT = 0.5  # of what is between legs: what covers more of it is no trousers
STEEPEST = 1.0  # px that the middle of a leg goes aside per row: who sits has others
WIDEST = 40  # px of the frame from a leg's middle
LEAST_CLOTH = 40  # px of the frame: less of a leg's flow tells no map
MOST_OFF = 8.0  # px of the frame between the middle of a leg on the photo and that of its flow
MOST_UNLIKE = 1.4  # times as large as the other leg a leg may be
RAMP = 32.0  # px of the frame below the crotch, over which a leg becomes straight
DEEP = 2.0  # px of a product shot ``cloth.LONGEST`` px long: nearer to its outline colours are mixed
RAGGED = 1.5  # px of such a shot: shorter waves of its outline are the cut-out's
STEPS = 8.0  # px of such a shot up and down a leg: so long are the steps of an outline nearly upright
STRIP = 1.5  # px of the frame: half the width of a strip of a leg that nobody shows beside its trousers
LEAST_OFF = 0.1  # px: nothing fits better
MOST = 6000  # places that a fit looks at: more tell no more


@dataclass(frozen=True)
class ShotLegs:
    """The legs of a product shot, in px of its ``cloth``.

    cloth    (h, w) in {0, 1}, without what hangs out of the hems
    gap      the column between the legs by row
    middles  of the left and right leg: column by row
    hems     their last rows
    share    (h, w) in [0, 1]: of cloth around a pixel, up and down its leg and no further than its hem
    """

    cloth: NDArray[np.uint8]
    gap: Polynomial
    middles: tuple[Polynomial, Polynomial]
    hems: tuple[int, int]
    share: Maps

    @classmethod
    def of(cls, cloth: NDArray[np.uint8]) -> "ShotLegs | None":
        """Of what is cloth (h, w) in {0, 1}; None of what has no two legs."""
        rows = np.flatnonzero(cloth.any(1))
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(between(cloth > 0).astype(np.uint8))
        heights = stats[:, cv2.CC_STAT_HEIGHT]
        heights[0] = 0
        if not len(rows) or heights.max() < LEAST_GAP * (rows[-1] - rows[0] + 1):
            return None
        piece = pieces == heights.argmax()
        open_at = np.flatnonzero(piece.any(1))
        gap = _line(open_at, _middles(piece)[open_at], 1)
        left = np.arange(cloth.shape[1])[None] < gap(np.arange(cloth.shape[0]))[:, None]
        hemmed, middles, hems = cloth.copy(), [], []
        for side in (left, ~left):
            leg = (cloth > 0) & side
            leg[: open_at[0]] = False
            if leg.any(1).sum() < len(open_at) / 2:  # no leg on this side, but something beside one
                return None
            hemmed[_beyond_its_hem(leg)] = 0
            there = np.flatnonzero((leg & (hemmed > 0)).any(1))
            middles.append(_line(there, _middles(leg)[there], 2))
            hems.append(int(there[-1]))
        share = np.where(left, _share(hemmed, hems[0]), _share(hemmed, hems[1])).astype(np.float32)
        return cls(hemmed, gap, (middles[0], middles[1]), (hems[0], hems[1]), share)

    def right(self, places: NDArray) -> NDArray[np.bool_]:
        """(H, W): whether places (H, W, 2) are on the right of the gap."""
        right: NDArray[np.bool_] = places[..., 0] > self.gap(places[..., 1])
        return right

    def deep(self, places: NDArray) -> NDArray[np.bool_]:
        """(H, W): whether places (H, W, 2) are well inside the cloth."""
        return _read(cv2.erode(self.cloth, disc(DEEP)).astype(np.float32), places) > 0.5


def _share(cloth: NDArray[np.uint8], hem: int) -> Maps:
    """(h, w) in [0, 1]: of cloth around a pixel, of what is above the row of a hem."""
    above = np.arange(len(cloth))[:, None] <= hem
    both = (above * cloth, np.broadcast_to(above, cloth.shape))
    found, all_there = (
        cv2.GaussianBlur(where.astype(np.float32), (0, 0), RAGGED, sigmaY=STEPS) for where in both
    )
    share: Maps = np.where(above, found / np.maximum(all_there, 1e-3), 0).astype(np.float32)
    return share


def _beyond_its_hem(leg: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(h, w): of a leg what is narrower than it near its end, below that: a thread, a label."""
    rows, wide = np.flatnonzero(leg.any(1)), leg.sum(1)
    near = rows[rows > rows[-1] - NEAR_HEM * (rows[-1] - rows[0])]
    whole = rows[wide[rows] >= WHOLE_HEM * np.median(wide[near])] if len(near) else rows
    beyond = leg.copy()
    beyond[: whole[-1] + 1] = False
    return beyond


@dataclass(frozen=True)
class LaidLeg:
    """A leg's map from the photo to the product shot.

    places  (H, W, 2) px of the shot's cloth
    inside  (H, W): where that is cloth of this leg
    above_hem   (H, W): of what runs along the leg, what does not end below it
    away    (H, W) px of the shot from the leg's middle
    scale   px of the shot per pixel across the leg
    off     px between the middle of the flow and the leg's own
    """

    places: NDArray[np.float64]
    inside: NDArray[np.bool_]
    above_hem: NDArray[np.bool_]
    away: NDArray[np.float64]
    scale: float
    off: float


def straight_legs(
    scene: Scene, working: Working, covered: NDArray[np.bool_], places: Maps
) -> tuple[NDArray[np.bool_], Maps]:
    """What trousers cover (H, W), and their flow (H, W, 2), with legs that are straight below the crotch.

    As it was of skirts, of garments that are worn on their picture, and where legs or flow tell no map.
    """
    shot = None if scene.is_worn else ShotLegs.of(sure_cloth(scene.shown))
    legs, crotch = _legs_of_photo(scene, working)
    if shot is None or not all((leg & covered).any() for leg in legs):
        return covered, places
    size = np.array(shot.cloth.shape[::-1])
    on_shot = (places.astype(np.float64) + 1) * size / 2 - 0.5
    right = shot.right(on_shot)
    first_right, other_right = (np.median(right[leg & covered]) > 0.5 for leg in legs)
    if first_right == other_right:
        return covered, places
    legs = legs[::-1] if first_right else legs
    below = covered.copy()
    below[: crotch + 1] = False
    left, other = (
        _laid(working, shot, bool(side), leg, below & (right == bool(side)), on_shot)
        for side, leg in enumerate(legs)
    )
    if left is None or other is None or not _alike(left, other, MOST_OFF * working.zoom):
        return covered, places
    share = np.clip((np.arange(len(covered)) - crotch) / (RAMP * working.zoom), 0, 1)
    share = (share * share * (3 - 2 * share))[:, None]
    whole = left.inside | other.inside
    bare = (legs[0] & left.above_hem | legs[1] & other.above_hem) & ~whole
    whole |= bare & (between(whole) | ~opened(bare, STRIP * working.zoom))
    result = np.where(
        share > 0, (1 - share) * signed_distance(covered) + share * signed_distance(whole) > 0, covered
    )
    first = np.where(left.inside == other.inside, left.away < other.away, left.inside)
    straight = np.where(first[..., None], left.places, other.places)
    on_shot = on_shot + share[..., None] * (straight - on_shot)
    flow = ((on_shot + 0.5) * 2 / size - 1).astype(np.float32)
    deep = shot.deep(on_shot)
    laid_anew = from_nearest(working, flow, result & deep, deep) if (result & deep).any() else flow
    return result, np.where(share[..., None] > 0, laid_anew, places)


def _legs_of_photo(scene: Scene, working: Working) -> tuple[list[NDArray[np.bool_]], int]:
    """Right and left leg below the trunk, (H, W) each, with the old trousers, and the crotch's row."""
    parts = scene.reading.parts[..., 0]
    legs = [working.cut(np.isin(parts, side)) > 0.5 for side in SIDES]
    gap = between(legs[0] | legs[1])
    trunk = np.flatnonzero((gap & (working.cut(np.isin(parts, TORSO)) > 0.5)).any(1))
    both = np.flatnonzero(legs[0].any(1) & legs[1].any(1))
    crotch = int(trunk[-1]) if len(trunk) else int(both[0]) if len(both) else 0
    old = share_of(scene.photo, scene.reading, working, (Seen.LOWER,)) > 0.5
    gap[:crotch] = False
    if (old & gap).sum() < SKIRT * gap.sum():
        right, left = (cv2.distanceTransform((~leg).astype(np.uint8), cv2.DIST_L2, 5) for leg in legs)
        near = np.minimum(right, left) < BESIDE * working.zoom
        legs = [legs[0] | (old & near & (right < left)), legs[1] | (old & near & (left < right))]
    for leg in legs:
        leg[:crotch] = False
    return legs, crotch


def _laid(
    working: Working,
    shot: ShotLegs,
    side: bool,
    leg: NDArray[np.bool_],
    covered: NDArray[np.bool_],
    on_shot: NDArray[np.float64],
) -> LaidLeg | None:
    """The leg on a side of a product shot laid along a leg of the photo (H, W), by what it covered."""
    there = np.flatnonzero(leg.any(1))
    if len(there) < LEAST_LEG * working.zoom:
        return None
    axis = _line(there, _middles(leg)[there], 2)
    if np.abs(axis.deriv()(there)).max() > STEEPEST:
        return None
    rows, columns = np.indices(leg.shape).astype(np.float64)
    slope, aside = axis.deriv()(rows), columns - axis(rows)
    across, along = aside / np.sqrt(1 + slope**2), rows + aside * slope / (1 + slope**2)
    covered = covered & (np.abs(across) < WIDEST * working.zoom)
    fitted = covered & shot.deep(on_shot)
    if fitted.sum() < LEAST_CLOTH * working.zoom**2:
        return None
    some = np.flatnonzero(fitted)[:: max(1, int(fitted.sum()) // MOST)]
    x, y = on_shot.reshape(-1, 2)[some].T
    middle = shot.middles[side]
    down = _line(along.ravel()[some], y, 2)
    down = _to_its_hem(down, shot.hems[side], float(there[0]), _end(along, across, covered))
    wide = _line(across.ravel()[some], x - middle(y), 1)
    scale = float(wide.deriv()(0.0))
    if scale <= 0 or down.deriv()(there).min() <= 0:
        return None
    y = down(along)
    places = np.stack([middle(y) + across * scale, y], -1)
    inside = (_read(shot.share, places) > 0.5) & (shot.right(places) == side) & (down.deriv()(along) > 0)
    return LaidLeg(
        places, inside, y < shot.hems[side], np.abs(across) * scale, scale, abs(float(wide(0.0))) / scale
    )


def _to_its_hem(down: Polynomial, hem: float, top: float, end: float) -> Polynomial:
    """The rows of a shot ``down`` a leg, drawn out to its hem where the flow ends close to it."""
    missed = hem - down(end)
    if abs(missed) > CLOSE * (hem - down(top)):  # the photo ends before the leg does
        return down
    square = Polynomial([-top, 1.0]) ** 2
    return down.convert() + square * float(missed / (end - top) ** 2)


def _end(along: NDArray[np.float64], across: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    """How far along a leg reaches what is somewhere in (H, W): by the middle half of its last quarter."""
    first, last = along[where].min(), along[where].max()
    late = where & (along > last - (last - first) / 4)
    aside = np.rint(across[late]).astype(int)
    low, high = np.percentile(aside, (25, 75))
    ends = [along[late][aside == at].max() for at in range(int(low), int(high) + 1) if (aside == at).any()]
    return float(np.median(ends))


def _alike(one: LaidLeg, other: LaidLeg, most_off: float) -> bool:
    """Whether both legs are about as large, and both are where the flow has them."""
    scales = one.scale, other.scale
    return max(scales) < MOST_UNLIKE * min(scales) and max(one.off, other.off) < most_off


def _read(values: Maps, places: NDArray) -> Maps:
    """(H, W): values (h, w) at px of theirs (H, W, 2), 0 beyond their edge."""
    columns, rows = (places[..., axis].astype(np.float32) for axis in (0, 1))
    return cv2.remap(values, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _middles(where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(H,): the middle column of what is somewhere in (H, W), by row; any where nothing is."""
    middles: NDArray[np.float64] = (where.argmax(1) + where.shape[1] - 1 - where[:, ::-1].argmax(1)) / 2
    return middles


def _line(at: NDArray, values: NDArray, degree: int) -> Polynomial:
    """The polynomial that fits values (N,) best ``at`` (N,), weighed again by how far each is off."""
    domain = np.array([at.min(), max(at.max(), at.min() + 1)], np.float64)
    terms = polyvander(mapdomain(at, domain, [-1, 1]), degree)
    return Polynomial(fitted(terms, values[:, None], LEAST_OFF)[:, 0], domain)
